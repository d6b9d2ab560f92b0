"""Real SDKs through Tamis: nothing planted arrives, everything else does, and the SDK notices nothing."""

import gzip
import json

import pytest

import servers
from chosen import chosen
from servers import capture, run_program

SCENARIOS = [("python", name) for name in capture.PYTHON] + [("node", name) for name in capture.NODE]
# Bugsink keeps error events; it takes the other items and drops them.
EVENTS = [
    pair
    for pair in SCENARIOS
    if pair[1].startswith(("small", "auto-ip", "lookalikes", "error", "chained", "gemini"))
]
# Every type of item, from one SDK or the other.
CORE = [
    ("python", "error"), ("python", "transaction"), ("python", "logs"), ("python", "metrics"), ("python", "check-in"),
    ("node", "error"), ("node", "transaction"), ("node", "session"), ("node", "feedback"),
]  # fmt: skip
# An envelope for each type of item that Bugsink takes and drops: transaction and span, sessions, session, check_in, feedback,
# log, trace_metric.
NO_EVENTS = [
    "python-transaction", "node-transaction", "node-error-session", "python-session", "python-check-in", "node-feedback",
    "python-logs", "python-metrics",
]  # fmt: skip
CLEAN = ["python-small-clean", "python-lookalikes", "python-error-clean", "python-transaction-clean", "python-check-in", "node-small-clean"]


def items(body):
    """The items of an envelope: (header, payload)."""
    return [(json.loads(line), payload) for line, payload in capture.split(body)[1]]


def assert_sent(report):
    assert report.returncode == 0, report.output
    assert not report.complaints, report.output


@pytest.mark.parametrize(("sdk", "scenario"), chosen(EVENTS, ("python", "error"), ("node", "error")))
def test_bugsink_shows_the_events_without_what_was_planted(bugsink, tamis, sdk, scenario):
    report = run_program(sdk, scenario, tamis(bugsink.url).url)
    assert_sent(report)
    assert report.event_ids
    events = bugsink.events()
    assert set(report.event_ids) <= set(events)
    assert servers.residue(bugsink.everything()) == []
    for event_id in report.event_ids:
        address, event = events[event_id]
        assert address is None
        assert event["event_id"] == event_id
        assert event["release"] == capture.INVENTED["release"]
        assert event["environment"] == capture.INVENTED["environment"]
        assert event["server_name"] == capture.INVENTED["server_name"]
        assert (event.get("user") or {}).get("ip_address") is None


@pytest.mark.parametrize("sdk", ["python", "node"])
def test_an_event_keeps_its_structure(bugsink, tamis, sdk):
    report = run_program(sdk, "error", tamis(bugsink.url).url)
    assert_sent(report)
    _address, event = bugsink.events()[report.event_ids[0]]
    exception = event["exception"]["values"][-1]
    assert exception["type"] == "ContentPolicyError"
    assert exception["value"] == "content_policy_violation: safety filter refused the job"
    functions = [frame.get("function") for frame in exception["stacktrace"]["frames"]]
    assert "render" in functions
    assert event["user"]["id"] == "user-48151"
    assert event["contexts"]["job"]["cfg_scale"] == 7.5
    assert event["tags"]["model"] == "gpt-image-1"
    crumbs = event["breadcrumbs"]["values"] if isinstance(event["breadcrumbs"], dict) else event["breadcrumbs"]
    assert any((crumb.get("message") or "").startswith("SELECT id, plan FROM account") for crumb in crumbs)
    # JSON inside a string is JSON still.
    assert json.loads(event["extra"]["webhook_body"])["attempts"] == [1, 2, 3]
    assert set(json.loads(json.loads(event["extra"]["queue_message"])["body"])) == {"prompt", "from"}


@pytest.mark.parametrize(("sdk", "scenario"), chosen(SCENARIOS, *CORE))
def test_every_item_arrives_without_what_was_planted(recorder, tamis, sdk, scenario):
    report = run_program(sdk, scenario, tamis(recorder.url).url)
    assert_sent(report)
    assert recorder.requests
    for request in recorder.requests:
        assert servers.residue(request.body.decode()) == []
        assert request.headers["host"] == recorder.url.removeprefix("http://")
        for header, payload in items(request.body):
            if "length" in header:
                assert header["length"] == len(payload)
            if "item_count" in header:
                assert header["item_count"] == len(json.loads(payload)["items"])


def test_look_alikes_arrive_as_they_were(recorder, tamis):
    assert_sent(run_program("python", "lookalikes", tamis(recorder.url).url))
    body = recorder.requests[0].body.decode()
    missing = [text for text in capture.INVENTED["lookalikes"] if json.dumps(text) not in body]
    assert missing == []


@pytest.mark.parametrize("sdk", ["python", "node"])
def test_the_server_is_not_asked_to_infer_an_address(recorder, tamis, sdk):
    assert_sent(run_program(sdk, "auto-ip", tamis(recorder.url).url))
    events = [json.loads(payload) for body in recorder.bodies for header, payload in items(body) if header["type"] == "event"]
    assert events
    for event in events:
        assert event["user"] == {"id": "user-62342", "ip_address": None}
        assert (event["sdk"].get("settings") or {}).get("infer_ip") != "auto"


def test_no_header_names_the_sender(recorder, tamis):
    names = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "X-Sentry-Forwarded-For"]
    planted = "for=192.0.2.44"
    headers = dict.fromkeys(names, planted) | {"Referer": "https://studio.example.com/?mail=jane.roe%40example.com"}
    assert servers.post(tamis(recorder.url).url, servers.plain_envelope("0123456789ab4def8123456789abcdef"), headers) == 200
    arrived = recorder.requests[0].headers
    assert servers.residue("\n".join(arrived.values())) == []
    assert not {name.lower() for name in names} & set(arrived)


def test_bugsink_infers_no_address(bugsink, tamis):
    event_id = "0123456789ab4def8123456789abcdef"
    status = servers.post(tamis(bugsink.url).url, servers.plain_envelope(event_id), {"X-Forwarded-For": "192.0.2.44"})
    assert status == 200
    address, event = bugsink.events()[event_id]
    assert address is None
    assert event["user"]["ip_address"] is None


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_a_coding_stays(recorder, tamis, coding):
    assert_sent(run_program("python", "error", tamis(recorder.url).url, STUDIO_CODING=coding))
    assert [request.headers["content-encoding"] for request in recorder.requests] == [coding]
    assert servers.residue(recorder.requests[0].body.decode()) == []


def test_a_chunked_body_without_coding_stays_without(recorder, tamis):
    assert_sent(run_program("node", "small", tamis(recorder.url).url))
    assert [request.headers.get("content-encoding") for request in recorder.requests] == [None]


def test_node_compresses_large_bodies_and_they_arrive(recorder, tamis):
    assert_sent(run_program("node", "error-large", tamis(recorder.url).url))
    assert "gzip" in [request.headers.get("content-encoding") for request in recorder.requests]


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_body_with_nothing_personal_leaves_as_the_very_bytes(recorder, tamis, name, coding):
    body = (capture.OUT / f"{name}.envelope").read_bytes()
    headers = {"Content-Type": "application/x-sentry-envelope"}
    if coding == "gzip":
        body, headers["Content-Encoding"] = gzip.compress(body, 6, mtime=0), "gzip"
    assert servers.post(tamis(recorder.url).url, body, headers) == 200
    assert recorder.requests[0].raw == body


def test_items_are_counted(recorder, tamis):
    proxy = tamis(recorder.url)
    assert_sent(run_program("python", "small", proxy.url))
    lines = [line for line in proxy.metrics().splitlines() if line.startswith("tamis_items_total{")]
    counted = [line for line in lines if 'route="sentry"' in line and 'outcome="redacted"' in line]
    assert [line.split()[-1] for line in counted] == ["1"]


def answer(url, body, key=capture.INVENTED["public_key"]):
    """What a server says to an envelope: status, the headers that an SDK goes by, body."""
    path = f"{url}/api/{capture.INVENTED['project_id']}/envelope/?sentry_version=7&sentry_key={key}"
    request = servers.urllib.request.Request(path, body, {"Content-Type": "application/x-sentry-envelope"})
    try:
        reply = servers.urllib.request.urlopen(request, timeout=20)
    except servers.urllib.error.HTTPError as refusal:
        reply = refusal
    with reply:
        names = ("content-type", "x-sentry-rate-limits", "retry-after")
        return reply.status, {name: reply.headers.get(name) for name in names}, reply.read()


@pytest.mark.parametrize("name", NO_EVENTS)
def test_bugsink_answers_to_items_that_are_no_events_as_without_tamis(bugsink, tamis, name):
    body = (capture.OUT / f"{name}.envelope").read_bytes()
    direct, through = answer(bugsink.url, body), answer(tamis(bugsink.url).url, body)
    assert direct[0] == 200
    assert direct[1]["x-sentry-rate-limits"]
    assert through == direct
    came, left = bugsink.envelopes()
    assert came == body
    assert servers.residue(left.decode()) == []
    for (asked, _), (header, payload) in zip(items(came), items(left), strict=True):
        assert header | {"length": None} == asked | {"length": None}
        assert header.get("length", len(payload)) == len(payload)
        if "item_count" in header:
            assert header["item_count"] == len(json.loads(payload)["items"])


def test_bugsink_refuses_an_unknown_key_as_without_tamis(bugsink, tamis):
    body = (capture.OUT / "node-session.envelope").read_bytes()
    direct, through = (answer(url, body, "f" * 32) for url in (bugsink.url, tamis(bugsink.url).url))
    assert direct[0] == 403
    assert through == direct
