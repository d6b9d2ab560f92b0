"""Real SDKs of analytics and language-model services through Tamis: nothing planted arrives, counts and ids do, and the
SDK notices nothing."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import servers
from chosen import chosen
import services
from servers import HERE
from services import API_KEY, PHC, PLANTED, PUBLIC_KEY, SECRET_KEY, WRITE_KEY
from conftest import CHROMIUM, Quiet

GIVEN = PLANTED | {"phc": PHC, "writeKey": WRITE_KEY, "publicKey": PUBLIC_KEY, "secretKey": SECRET_KEY}


@pytest.fixture
def service():
    server = services.Service()
    yield server
    server.shutdown()


def program(language, sdk, url):
    """Runs a program; returns what its SDK said."""
    python = str(servers.CURRENT_VENV / "bin" / "python") if sdk == "langfuse_otlp" else sys.executable
    command = {
        "python": [python, str(HERE / "services_programs.py"), sdk, url],
        "node": ["node", str(HERE / "services_programs.mjs"), sdk, url, json.dumps(GIVEN)],
    }[language]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def through(tamis, service, protocol, language, sdk):
    report = program(language, sdk, tamis(service.url, protocol=protocol).url)
    assert report["complaints"] == [], report
    assert service.requests
    for request in service.requests:
        assert request.residue() == [], request.plain
    return report["said"]


PROGRAMS = [("python", name) for name in ("posthog", "segment", "rudderstack", "langfuse", "langfuse_otlp", "langsmith")]
PROGRAMS += [("node", name) for name in ("posthog", "segment", "rudderstack", "langfuse")]
# Each service once here; below, each in each language.
CORE = [("node", "posthog"), ("python", "segment"), ("node", "rudderstack"), ("node", "langfuse"), ("python", "langsmith")]


@pytest.mark.parametrize(("language", "sdk"), chosen(PROGRAMS, *CORE))
def test_the_inbox_answers_as_the_service_does(tamis, language, sdk):
    proxy = tamis("inbox", protocol=sdk.split("_")[0])
    report = program(language, sdk, proxy.url)
    assert report["complaints"] == [], report
    with servers.urllib.request.urlopen(proxy.admin + "/inbox", timeout=5) as answer:
        shown = answer.read()
    assert shown.count(b"\n") >= report["said"].get("events", 2)
    assert services.Request("GET", "/", {}, shown).residue() == []


@pytest.mark.parametrize(("language", "sdk"), chosen(PROGRAMS, *CORE))
def test_without_tamis_everything_planted_arrives(service, language, sdk):
    report = program(language, sdk, service.url)
    assert report["complaints"] == [], report
    assert {name for request in service.requests for name in request.residue()} == set(PLANTED)


@pytest.mark.parametrize("language", ["python", "node"])
def test_posthog(service, tamis, language):
    said = through(tamis, service, "posthog", language, "posthog")
    assert said["flag"] is True
    events = [event for path in ("/batch", "/i/v1/analytics/events") for request in service.posted(path) for event in request.json["batch"]]
    ours = [event for event in events if not event["event"].startswith("$feature_flag")]
    assert len(ours) == said["events"]
    assert len({event["uuid"] for event in events}) == len(events)
    ids = {event["distinct_id"] for event in ours if event["distinct_id"].startswith("[user:")}
    flags = service.posted("/flags")[0].json
    assert flags["distinct_id"] in ids
    assert PHC in (flags.get("token"), flags.get("api_key"))
    alias = next(event for event in ours if event["event"] == "$create_alias")
    assert alias["distinct_id"] in ids or alias["properties"]["distinct_id"] in ids
    assert alias["properties"]["alias"].startswith("[user:")
    rendered = next(event for event in ours if event["event"] == "rendered")
    assert rendered["properties"]["note"] == "mail from [email] at [ip] with [credential]"
    assert rendered["properties"]["$ip"] is None
    assert rendered["properties"]["n"] == 1.5


@pytest.mark.parametrize("language", ["python", "node"])
@pytest.mark.parametrize("sdk", ["segment", "rudderstack"])
def test_segment_and_rudderstack(service, tamis, language, sdk):
    said = through(tamis, service, sdk, language, sdk)
    requests = service.posted("/v1/")
    events = [event for request in requests for event in request.json["batch"]]
    assert [event["type"] for event in events] == ["identify", "alias", "track", "page"]
    assert len(events) == said["events"]
    assert len({event["messageId"] for event in events}) == len(events)
    assert all(request.headers["authorization"].startswith("Basic ") for request in requests)
    identify, alias, track, page = events
    assert identify["userId"].startswith("[user:")
    assert {event["userId"] for event in events} == {identify["userId"]}
    if "anonymousId" in identify and language == "node":
        assert alias["previousId"] == identify["anonymousId"]
    assert track["context"].get("ip") is None
    assert track["properties"]["note"] == "mail from [email] at [ip] with [credential]"
    assert page["properties"]["url"].startswith("https://shop.example.com/?mail=")
    assert identify["context"]["library"]["name"]


@pytest.mark.parametrize("language", ["python", "node"])
def test_langfuse(service, tamis, language):
    said = through(tamis, service, "langfuse", language, "langfuse")
    events = [event for request in service.posted("/api/public/ingestion") for event in request.json["batch"]]
    by_type = {event["type"]: event["body"] for event in events}
    assert by_type["trace-create"]["id"] == said["trace"]
    assert by_type["trace-create"]["userId"].startswith("[user:")
    assert by_type["trace-create"]["sessionId"] == "s-1"
    assert by_type["generation-create"]["id"] == said["generation"]
    assert by_type["generation-create"]["traceId"] == said["trace"]
    assert by_type["generation-create"]["input"][0] == {"role": "user", "content": "[prompt chars=54 words=10]"}
    assert by_type["score-create"]["comment"].startswith("[completion chars=")
    # The file was announced to Tamis alone, which said that it is known: nothing was uploaded.
    assert service.posted("/api/public/media") == service.posted("/store") == []


def test_langfuse_over_opentelemetry(service, tamis):
    said = through(tamis, service, "langfuse", "python", "langfuse_otlp")
    requests = service.posted("/api/public/otel/v1/traces")
    assert all(request.headers["authorization"].startswith("Basic ") for request in requests)
    assert all(request.headers["x-langfuse-ingestion-version"] for request in requests)
    found = {}
    for request in requests:
        for resource in ExportTraceServiceRequest.FromString(request.plain).resource_spans:
            found |= {span.name: span for scope in resource.scope_spans for span in scope.spans}
    assert set(found) == {"render", "draw", "upload"}
    assert {span.trace_id.hex() for span in found.values()} == {said["trace"]}
    assert [found[name].span_id.hex() for name in ("render", "draw")] == said["spans"]
    attributes = {name: {pair.key: pair.value.string_value for pair in span.attributes} for name, span in found.items()}
    assert all(kept["user.id"].startswith("[user:") and kept["session.id"] == "s-1" for kept in attributes.values())
    draw = attributes["draw"]
    assert draw["langfuse.observation.model.name"] == "gpt-5"
    assert json.loads(draw["langfuse.observation.usage_details"]) == {"input": 9, "output": 4}
    assert json.loads(draw["langfuse.observation.input"])[0] == {"role": "user", "content": "[prompt chars=54 words=10]"}
    (score,) = [score for request in service.posted("/api/public/scores") for score in request.json]
    assert score["traceId"] == said["trace"]
    assert score["comment"].startswith("[completion chars=")
    assert service.posted("/api/public/media") == service.posted("/store") == []


def test_langsmith(service, tamis):
    said = through(tamis, service, "langsmith", "python", "langsmith")
    found = {}
    for request in service.posted("/runs/multipart"):
        for name, (headers, content) in services.parts(request).items():
            if "content-length" in headers:
                assert int(headers["content-length"]) == len(content), name
            if "length=" in headers["content-type"]:
                assert int(headers["content-type"].split("length=")[1]) == len(content), name
            found[name] = content
    run = said["run"]
    assert json.loads(found[f"post.{run}"])["id"] == run
    inputs = json.loads(found[f"post.{run}.inputs"])
    assert inputs == {"messages": [{"role": "user", "content": "[prompt chars=54 words=10]"}]}
    assert json.loads(found[f"patch.{run}.outputs"]) == {"text": "[completion chars=61 words=11]"}
    assert found[f"attachment.{run}.notes"] == b"mail from [email] at [ip] with [credential]"
    assert f"attachment.{run}.picture" not in found
    assert all(request.headers["x-api-key"] == API_KEY for request in service.requests)


@pytest.fixture
def open_page(tmp_path):
    """Serves a page that reports with `posthog-js`, opens it in Chromium, gives back what it found."""
    directory = tmp_path / "page"
    directory.mkdir()
    pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=directory))
    threading.Thread(target=pages.serve_forever, daemon=True).start()

    def open_(url):
        esbuild = HERE / "node_modules" / ".bin" / "esbuild"
        subprocess.run([esbuild, "posthog_page.js", "--bundle", "--log-level=error", f"--outfile={directory / 'page.js'}"], cwd=HERE, check=True)
        studio = f"<script>window.studio = {json.dumps(GIVEN | {'url': url})}</script>"
        form = "<p id=text>nobody</p><form onsubmit='return false'><input id=box><button id=pay>Pay</button></form>"
        (directory / "index.html").write_text(f"<!doctype html><meta charset=utf-8><title>studio</title>{studio}{form}<script src=page.js></script>", encoding="utf-8")
        assert CHROMIUM, "needs chromium: run `make test`, or set CHROMIUM to a browser"
        page = f"http://localhost:{pages.server_address[1]}/?mail={PLANTED['email']}"
        done = subprocess.run(["node", str(HERE / "browser.mjs"), page], env=dict(os.environ, CHROMIUM=CHROMIUM), capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    yield open_
    pages.shutdown()


def test_a_page_on_another_origin_records_its_session_through_tamis(service, tamis, open_page):
    page = open_page(tamis(service.url, protocol="posthog").url)
    assert page["outcome"]["flags"] == ["beta"], page
    assert page["outcome"]["recording"] is True, page
    assert not [line for line in page["console"] if "CORS" in line or "error" in line.lower()], page
    for request in service.requests:
        assert request.residue() == [], request.plain
    bodies = [request.plain.decode("utf-8", "replace") for request in service.requests]
    assert any("$snapshot" in body for body in bodies), [request.path for request in service.requests]
    assert any('"rendered"' in body for body in bodies)
    readings = "\n".join(text for request in service.requests for text in services.readings(request.body))
    assert "mail from [email] at [ip] with [credential]" in readings
    assert "Jane Roe" not in readings
    assert PHC in readings
    assert_counted(service, page["outcome"])
    # gzip that nobody labels: it arrives as it was sent.
    unlabelled = [request for request in service.requests if request.body[:2] == b"\x1f\x8b" and "content-encoding" not in request.headers]
    assert unlabelled


def assert_counted(service, outcome):
    """Each event that the page captured arrived once, under its uuid; all of them are one person's, of one session."""
    events = [event for request in service.posted("/e/") for event in request.json["batch"]]
    assert sorted([event["uuid"], event["event"]] for event in events) == sorted(outcome["captured"])
    by_name = {event["event"]: event["properties"] for event in events}
    assert {"$identify", "rendered", "$ai_generation", "$pageview", "$autocapture"} <= set(by_name)
    snapshots = [event for request in service.posted("/s/") for event in request.json]
    assert len({event["uuid"] for event in snapshots}) == len(snapshots)
    [who] = {event["properties"]["distinct_id"] for event in events + snapshots}
    assert who.startswith("[user:")
    assert {event["properties"]["$session_id"] for event in events + snapshots} == {outcome["session"]}
    assert service.posted("/flags")[-1].json["distinct_id"] == who
    before = by_name["$identify"]["$anon_distinct_id"]
    assert before.startswith("[user:") and before != who
    # What the browser was called before somebody was named is in every event.
    assert {event["properties"]["$device_id"] for event in events} == {before}
    rendered, generation = by_name["rendered"], by_name["$ai_generation"]
    assert (rendered["note"], rendered["$ip"]) == ("mail from [email] at [ip] with [credential]", None)
    assert (rendered["n"], rendered["tries"]) == (1.5, 3)
    assert generation["$ai_input"] == [{"role": "user", "content": "[prompt chars=54 words=10]"}]
    assert (generation["$ai_model"], generation["$ai_input_tokens"]) == ("gpt-5", 9)


def test_without_tamis_the_recording_holds_what_was_planted(service, open_page):
    open_page(service.url)
    assert {name for request in service.requests for name in request.residue()} == set(PLANTED)
