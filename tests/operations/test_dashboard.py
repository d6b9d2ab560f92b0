"""A real Prometheus scrapes a running Tamis: what the dashboard shows, and which alerts come and go."""

import json
import math
import re

import pytest
import running
import trustme
from running import DEPLOY, RULES, Prometheus, Traffic, eventually, fetch

PANELS = [panel for panel in json.loads((DEPLOY / "grafana" / "tamis.json").read_text())["panels"] if panel["type"] != "row"]

CONFIG = """
[listen.tls]
cert_file = "{directory}/cert.pem"
key_file = "{directory}/key.pem"
[admin]
token_file = "{directory}/token"
[spool]
dir = "{directory}/spool"
[telemetry.traces]
endpoint = "{collector}/v1/traces"
sample_ratio = 1
[[routes]]
name = "events"
protocol = "generic"
match = {{ path = "/events/**" }}
upstream = "{upstream}"
[[routes]]
name = "watched"
protocol = "generic"
match = {{ path = "/watched/**" }}
upstream = "inbox"
policy = "shadow"
[[routes]]
name = "waits"
protocol = "segment"
match = {{ path = "/v1/**" }}
upstream = "{away}"
[policies.default]
actions = {{ ip_address = "keep" }}
[policies.shadow]
mode = "shadow"
unscanned_pass_consent = "a test"
"""


def paths(event):
    return [
        ("/events/a", "application/json", event),
        ("/events/a", "text/plain", "login of ada@example.com from 192.0.2.7"),
        ("/watched/a", "application/json", event),
        # Not what it says it is.
        ("/events/a", "application/json", event[:-9]),
        # To an upstream that is away: it waits on disk.
        ("/v1/track", "application/json", '{"event":"seen","userId":"u-42"}'),
    ]


def shortened(rules):
    """The rules with waits and windows of seconds in place of minutes to days."""
    rules = re.sub(r"\bfor: \w+", "for: 3s", rules)
    return re.sub(r"\[(5m|15m|30m|1h|6h|3d)\]", "[8s]", rules)


def filled(expression):
    """A dashboard's expression as Grafana would send it with everything chosen."""
    expression = expression.replace("$__rate_interval", "5s")
    for variable in ("job", "instance", "route"):
        expression = expression.replace(f"${variable}", ".*")
    assert "$" not in expression
    return expression


def values(prometheus, panel):
    """Numbers that the targets of a panel have now; every target must have one."""
    found = []
    for target in panel["targets"]:
        samples = [value for _, value in prometheus.query(filled(target["expr"])) if not math.isnan(value)]
        if not samples:
            return []
        found += samples
    return found


@pytest.fixture
def collector():
    server = running.Upstream()
    yield server
    server.stop()


@pytest.fixture
def away():
    """An upstream that is not there yet."""
    server = running.Upstream()
    server.stop()
    yield server
    server.stop()


@pytest.fixture
def watched(tmp_path, tamis, upstream, collector, away):
    """Prometheus and what it scrapes, with traffic going through."""
    (tmp_path / "token").write_text("0123456789abcdef")
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    server = tamis(CONFIG.format(upstream=upstream.url, collector=collector.url, away=away.url, directory=tmp_path))
    directory = tmp_path / "prometheus"
    directory.mkdir()
    prometheus = Prometheus(directory, server.admin, shortened(RULES.read_text()))
    traffic = Traffic(server.url, paths)
    yield server, prometheus, traffic
    traffic.stop()
    prometheus.stop()


def test_the_dashboard_has_its_rows_and_no_source_of_its_own():
    dashboard = json.loads((DEPLOY / "grafana" / "tamis.json").read_text())
    rows = [panel["title"] for panel in dashboard["panels"] if panel["type"] == "row"]
    assert rows == ["Overview", "Privacy", "Upstreams", "Spool", "Saturation"]
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in PANELS:
        assert panel["description"] and panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            assert "rate(" not in target["expr"] or re.search(r"\[(\$__rate_interval|1h)\]", target["expr"])


def test_every_panel_has_data_and_alerts_come_and_go(watched, upstream, away):
    server, prometheus, traffic = watched
    # So that the canary's panel and its alert have something to say.
    bearer = {"Authorization": "Bearer 0123456789abcdef"}
    assert fetch(server.admin + "/api/v1/canary", b"clean", bearer)[0] == 200

    def empty():
        return {panel["title"] for panel in PANELS if not values(prometheus, panel)}

    eventually(lambda: f"no data: {empty()}", lambda: not empty())

    # As it should be: the shadow route and the bodies that are none are told of, and nothing is paged
    # once the upstream is there that was away, and whose items wait on disk.
    eventually(lambda: prometheus.alerts(), lambda: ("TamisUpstreamCircuitOpen", "firing") in prometheus.alerts("page"))
    away.start()
    meant = {("TamisUnscannedPassEnabled", "firing"), ("TamisUndecodable", "firing")}
    eventually(lambda: prometheus.alerts(), lambda: meant <= prometheus.alerts() and not prometheus.alerts("page"))
    eventually("sent from the spool", lambda: prometheus.query("tamis_spool_items == 0"))

    upstream.stop()
    broken = ("TamisUpstreamFailing", "TamisErrorBudgetBurnsFast")
    for name in broken:
        eventually(f"{name} pending or firing", lambda name=name: {(name, "pending"), (name, "firing")} & prometheus.alerts())
    for name in broken:
        eventually(f"{name} firing", lambda name=name: (name, "firing") in prometheus.alerts())
    assert 503 in traffic.statuses
    failing = dict((labels["route"], value) for labels, value in prometheus.query('ALERTS{alertname="TamisUpstreamFailing"}'))
    assert set(failing) == {"events"}

    upstream.start()
    eventually(lambda: prometheus.alerts(), lambda: not prometheus.alerts("page"))
    pending = prometheus.query('max_over_time(ALERTS{alertname="TamisUpstreamFailing", alertstate="pending"}[5m])')
    assert pending, "it was pending before it fired"


def test_a_stopped_instance_is_absent(watched):
    server, prometheus, _ = watched
    eventually("scraped", lambda: prometheus.query("up == 1"))
    server.stop()
    eventually("absent", lambda: {("TamisAbsent", "firing"), ("TamisDown", "firing")} <= prometheus.alerts())


def test_a_refused_reload_is_told(watched):
    server, prometheus, _ = watched
    good = server.config.read_text()
    bearer = {"Authorization": "Bearer 0123456789abcdef"}
    server.config.write_text(good.replace('"keep"', '"burn"'))
    status, told = fetch(server.admin + "/api/v1/reload", b"", bearer)
    assert status == 422 and "burn" in told
    eventually("told", lambda: ("TamisReloadFailed", "firing") in prometheus.alerts())
    server.config.write_text(good.replace('"keep"', '"remove"'))
    server.process.send_signal(running.signal.SIGHUP)
    eventually("taken", lambda: "TamisReloadFailed" not in {name for name, _ in prometheus.alerts()})
    assert "tamis_config_reload_success 1" in server.metrics()
