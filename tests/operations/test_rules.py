"""The alerting rules: their own unit tests, and what those cannot see."""

import re
import subprocess

import pytest
import yaml
from running import DEPLOY, ROOT, RULES, tool

GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
RECORDED = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
CASES = yaml.safe_load((RULES.parent / "tamis.rules.test.yml").read_text())["tests"]

def documented():
    """Names of the table in docs/metrics.md."""
    rows = re.findall(r"^\| `((?:tamis|process)_\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.M)
    assert len(rows) > 20
    return set(rows)


def metrics_in(expression):
    """Metrics that an expression names, histograms by their family."""
    names = re.findall(r"\b(?:tamis|process)_\w+", expression)
    return {re.sub(r"_(bucket|sum|count)$", "", name) if name.startswith("tamis_") and "seconds_" in name else name for name in names}


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=RULES.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_well_formed():
    run(tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", RULES.name)
    run(tool("promtool"), "check", "config", "prometheus.yml")


def test_the_rules_own_tests_pass():
    run(tool("promtool"), "test", "rules", "tamis.rules.test.yml")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_is_tested_both_ways_and_explained(alert):
    name = alert["alert"]
    expected = [case for test in CASES for case in test.get("alert_rule_test", []) if case["alertname"] == name]
    assert any(case["exp_alerts"] for case in expected), "no case in which it fires"
    assert {"severity"} == set(alert["labels"]) and alert["labels"]["severity"] in ("page", "ticket")
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert (page, anchor) == ("docs/runbook.md", name.lower())
    assert f"\n## {name}\n" in (ROOT / page).read_text(), "no section of the runbook"


def test_nothing_fires_where_all_is_well():
    """The first case has a series for every metric that an alert looks at."""
    well = CASES[0]
    assert {"expr": "ALERTS", "eval_time": "25h", "exp_samples": []} in well["promql_expr_test"]
    given = metrics_in(" ".join(series["series"] for series in well["input_series"]))
    expressions = [rule["expr"] for group in GROUPS for rule in group["rules"]]
    assert set().union(*map(metrics_in, expressions)) - given == set()


def test_only_metrics_that_exist_are_named():
    dashboard = (DEPLOY / "grafana" / "tamis.json").read_text()
    expressions = [rule["expr"] for group in GROUPS for rule in group["rules"]] + [dashboard]
    named = set().union(*map(metrics_in, expressions))
    assert named - documented() == set()
    recorded = set(re.findall(r"\btamis:[\w:]+", " ".join(expressions)))
    assert recorded - RECORDED == set()
