"""The admin page in Chromium: the dashboard in brief, the ledger, and the explanation of a pasted payload."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from running import Traffic, eventually, fetch

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
PAGE = Path(__file__).with_name("page.mjs")
CONFIG = """
[[routes]]
name = "events"
protocol = "generic"
match = {{ path = "/events/**" }}
upstream = "{upstream}"
[[routes]]
name = "looked-at"
protocol = "generic"
match = {{ path = "/looked-at/**" }}
upstream = "inbox"
"""
PAYLOAD = {
    "user": {"email": "grace@example.org"},
    "note": '<img src=x onerror="document.title=1"> build 1.2.3',
    "inner": json.dumps({"ip": "198.51.100.7"}),
}


@pytest.fixture
def seen(tamis, upstream):
    """What the page showed, with the server behind it."""
    assert CHROMIUM, "needs chromium: run `make test`, or set CHROMIUM to a browser"
    server = tamis(CONFIG.format(upstream=upstream.url))
    traffic = Traffic(
        server.url,
        lambda event: [
            ("/events/a", "application/json", event),
            ("/looked-at/a", "application/json", event),
            ("/events/a", "application/json", event[:-9]),
        ],
    )
    try:
        eventually("traffic", lambda: len(traffic.statuses) > 30)
        done = subprocess.run(
            ["node", str(PAGE), server.admin + "/", json.dumps(PAYLOAD)],
            env=dict(os.environ, CHROMIUM=CHROMIUM),
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        traffic.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    return server, json.loads(done.stdout)


def test_the_page_shows_operation_and_explains_without_keeping(seen):
    server, page = seen
    assert page["problems"] == [] and page["shown"] == 1

    # Drawn from the same metrics as the dashboard; without a spool there is none to draw.
    charts = page["charts"]
    for name in ("Requests", "Items", "Redactions", "Upstreams", "Scanned", "Dropped, rejected", "Memory of the process", "Connections"):
        assert float(charts[name].replace(",", "")) > 0, charts
    assert charts["Answered 5xx"] == "0" and charts["Upstream fails"] == "0"
    lines = {(route, outcome, reason) for route, _, outcome, reason, _ in page["ledger"]}
    assert lines == {("events", "redacted", "none"), ("looked-at", "redacted", "none"), ("events", "rejected", "not_json")}
    assert "received" in page["sum"]
    assert [row[0] for row in page["upstreams"]] == ["events"] and page["upstreams"][0][1].startswith("http://127.0.0.1:")

    # Explained, marked, with values only because they were asked for; markup stays text.
    assert page["told"].startswith("2 replaced")
    assert "[email]" in page["marked"] and "grace@example.org" not in page["output"]
    assert "onerror" in page["output"] and "198.51.100.7" not in page["output"]
    email = next(row for row in page["events"] if row[2] == "email.field")
    assert email[0] == "user.emailgrace@example.org" and email[4] == "replaced, token"
    inner = next(row for row in page["events"] if row[0].startswith("inner"))
    assert inner[1] != "-", "the layer around it is told"
    assert page["laidOut"] == [row[0] for row in page["events"]]
    assert page["listed"] == ["email.field"]

    # Nothing of it is kept, here or there, and nothing was asked of anybody else.
    assert page["kept"] == "true" and page["remembered"] == ["", 0, 0]
    posts = [request for request in page["requested"] if not request.startswith("GET")]
    assert posts == ["POST /api/v1/explain"] * 2
    for path in ("/metrics", "/inbox", "/api/v1/status", "/api/v1/ledger", "/api/v1/patterns"):
        assert "grace" not in fetch(server.admin + path)[1]
    assert "grace" not in server.log.read_text()
