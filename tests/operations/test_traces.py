"""Spans of Tamis itself at a collector: the process with its configuration, from the first request to the end."""

import pytest
from running import Upstream, eventually, fetch

CONFIG = """
[telemetry.traces]
endpoint = "{collector}/v1/traces"
sample_ratio = 1
headers_file = "{headers}"
[[routes]]
name = "kept"
protocol = "generic"
match = {{ path = "/kept/**" }}
upstream = "inbox"
"""
PLANTED = [b"ada@example.com", b"192.0.2.77", b"s3cret-header", b"quokka", b"tamis.example.com"]
BODY = b'{"user":{"email":"ada@example.com","ip_address":"192.0.2.77"},"note":"quokka"}'
HEADERS = {"Content-Type": "application/json", "X-Other": "s3cret-header", "Host": "tamis.example.com"}


@pytest.fixture
def collector():
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def traced(tamis, tmp_path, collector, monkeypatch):
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=tamis-0")
    # Variables of exporters are none of ours.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-foreign=1")
    headers = tmp_path / "headers"
    headers.write_text("Authorization: Bearer 0123456789abcdef\n\nX-Scope: ours\n")
    return tamis(CONFIG.format(collector=collector.url, headers=headers))


def test_spans_reach_the_collector_and_the_last_ones_do_at_the_end(traced, collector):
    assert fetch(traced.url + "/kept/quokka?mail=ada@example.com", BODY, HEADERS)[0] == 200
    eventually("spans", lambda: collector.seen)
    assert fetch(traced.url + "/kept/quokka", BODY[:-5], HEADERS)[0] == 400
    assert fetch(traced.url + "/nowhere/quokka", BODY, HEADERS)[0] == 404
    traced.stop()
    assert traced.process.returncode == 0
    bodies = b"".join(body for _, _, body in collector.seen)
    for path, headers, _ in collector.seen:
        assert path == "/v1/traces" and headers["Content-Type"] == "application/x-protobuf"
        assert headers["Authorization"] == "Bearer 0123456789abcdef" and headers["X-Scope"] == "ours"
        assert headers["X-Foreign"] is None
    # Names and words are as they are in protobuf.
    for word in (b"request", b"receive", b"scan", b"kept", b"not_json", b"no_route", b"service.name", b"k8s.pod.name", b"tamis-0"):
        assert word in bodies, word
    assert [value for value in PLANTED if value in bodies] == []
    log = traced.log.read_bytes()
    assert b"0123456789abcdef" not in log and b"s3cret" not in log


def test_a_collector_that_is_away_costs_nothing_but_spans(traced, collector):
    collector.stop()
    for _ in range(20):
        assert fetch(traced.url + "/kept/a", BODY, HEADERS)[0] == 200
    eventually("it is told once", lambda: "the collector does not take spans" in traced.log.read_text())
    assert fetch(traced.admin + "/ready")[0] == 200
    traced.stop()
    assert traced.process.returncode == 0
    assert traced.log.read_text().count("the collector does not take spans") == 1
