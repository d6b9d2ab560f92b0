"""Takes the pictures of the admin page that the documentation shows, from a real page with invented traffic.

    .venv-operations/bin/python tests/operations/screenshots.py [DIRECTORY [all]]

DIRECTORY is `docs` if none is named; with `all` also the dark scheme and other widths are taken. `make screenshots` does the first.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from running import ROOT, Tamis, Traffic, Upstream

CONFIG = """
[spool]
dir = "{directory}/spool"
[[routes]]
name = "sentry"
protocol = "sentry"
match = {{ path = "/api/**" }}
upstream = "inbox"
[[routes]]
name = "otlp"
protocol = "otlp"
match = {{ path = "/v1/**" }}
upstream = "inbox"
[[routes]]
name = "analytics"
protocol = "segment"
match = {{ path = "/segment/**" }}
upstream = "{upstream}"
[[routes]]
name = "logs"
protocol = "generic"
match = {{ path = "/logs/**" }}
upstream = "inbox"
[policies.default]
actions = {{ user_id = {{ action = "pseudonym", key_file = "{directory}/key" }} }}
"""
CRASH = {
    "exception": {"values": [{"type": "TimeoutError", "value": "no answer for ada@example.com from 192.0.2.7"}]},
    "user": {"id": "u-42", "email": "ada@example.com", "ip_address": "192.0.2.7"},
    "request": {"url": "https://shop.example.org/pay?mail=ada%40example.com"},
    "extra": {"card": "4242 4242 4242 4242", "took_ms": 12.25},
}
CHAT = {
    "message": "completion failed",
    "contexts": {"trace": {"data": {"gen_ai.request.messages": [{"role": "user", "content": "Write to grace@example.org that the flat is hers"}]}}},
    "user": {"id": "u-7", "username": "grace"},
}
SPANS = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "POST /orders",
                            "startTimeUnixNano": "1764050000000000000",
                            "endTimeUnixNano": "1764050000120000000",
                            "attributes": [
                                {"key": "client.address", "value": {"stringValue": "198.51.100.23"}},
                                {"key": "enduser.id", "value": {"stringValue": "grace@example.org"}},
                            ],
                        }
                    ]
                }
            ],
        }
    ]
}
PAYLOAD = {
    "user": {"id": "u-42", "email": "ada@example.com"},
    "note": "call me at +44 20 7946 0958, build 1.2.3",
    "inner": json.dumps({"ip": "198.51.100.7", "token": "sk_live_" + "0123456789abcdefABCDEFGH"}),
}


def envelope(event):
    return f'{{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}}\n{{"type":"event"}}\n{json.dumps(event)}\n'


def paths(_event):
    yield "/api/42/envelope/", "application/x-sentry-envelope", envelope(CRASH)
    yield "/v1/traces", "application/json", json.dumps(SPANS)
    yield "/logs/shop", "text/plain", '192.0.2.7 - ada@example.com "GET /cart HTTP/1.1" 200\n'
    yield "/api/42/envelope/", "application/x-sentry-envelope", envelope(CHAT)
    yield "/segment/v1/track", "application/json", json.dumps({"event": "Order Completed", "userId": "u-42", "properties": {"email": "ada@example.com"}})
    yield "/logs/shop", "application/json", json.dumps({"msg": "order 102 placed by grace@example.org", "took_ms": 7})
    yield "/logs/shop", "text/plain", "cache warmed, 4096 keys\n"
    yield "/logs/shop", "application/json", '{"msg": "cut'


def main(directory=ROOT / "docs", *more):
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "needs chromium: install it, or set CHROMIUM to a browser"
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "key").write_text("0123456789abcdef-invented")
        upstream = Upstream()
        server = Tamis(Path(scratch), CONFIG.format(directory=scratch, upstream=upstream.url))
        traffic = Traffic(server.url, paths)
        try:
            command = ["node", Path(__file__).with_suffix(".mjs"), server.admin + "/", json.dumps(PAYLOAD, indent=2), directory, *more]
            subprocess.run(command, env=dict(os.environ, CHROMIUM=chromium), check=True, timeout=300)
        finally:
            traffic.stop()
            server.stop()
            upstream.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
