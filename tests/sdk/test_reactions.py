"""What a server asks of an SDK comes through Tamis: it tries again, waits, gives up and complains as it does without."""

import json
import re
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

import servers
import services
from chosen import marked
from reactions_program import NAMES
from servers import HERE

GIVEN = {"email": services.PLANTED["email"], "phc": services.PHC, "writeKey": services.WRITE_KEY, "names": NAMES}
GIVEN |= {"publicKey": services.PUBLIC_KEY, "secretKey": services.SECRET_KEY}


class Record:
    """What is still to be answered, and what came."""

    def __init__(self, answers):
        self.answers = list(answers)
        # Of each report the names in it and the status that it got.
        self.reports = []
        # Seconds from an answer that asks to wait to the report after it.
        self.pauses = []
        self.asked = None

    def next(self, usual):
        if self.asked is not None:
            self.pauses.append(time.monotonic() - self.asked)
        return self.answers.pop(0) if self.answers else usual

    def answered(self, names, status, waits):
        self.reports.append((names, status))
        self.asked = time.monotonic() if waits else None


class Stand(services.Service):
    """Answers reports as it is told, one after the other, and after that as the service does."""

    def __init__(self, answers):
        super().__init__()
        self.RequestHandlerClass = StandHandler
        self.record = Record(answers)

    def stop(self):
        self.shutdown()
        self.server_close()


class StandHandler(services.Handler):
    def do_POST(self):
        request = services.Request(self.command, self.path, self.headers, self.read_body())
        self.server.requests.append(request)
        names, record = named(request.plain), self.server.record
        status, headers, body = (record.next(taken) if names else taken)(request)
        if names:
            record.answered(names, status, "Retry-After" in headers)
        self.send_response(status, headers.pop("reason", None))
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PATCH = do_PUT = do_POST


class Calls:
    """The same for calls of gRPC."""

    def __init__(self, answers):
        self.record, self.requests = Record(answers), []
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        export = grpc.unary_unary_rpc_method_handler(self.export, ExportTraceServiceRequest.FromString, ExportTraceServiceResponse.SerializeToString)
        service = "opentelemetry.proto.collector.trace.v1.TraceService"
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": export}),))
        self.url = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def export(self, request, context):
        body = request.SerializeToString()
        self.requests.append(services.Request("POST", "/", {}, body))
        code, trailers, answer = self.record.next((grpc.StatusCode.OK, (), ExportTraceServiceResponse()))
        self.record.answered(named(body), code.name, trailers)
        context.set_trailing_metadata(trailers)
        if code is not grpc.StatusCode.OK:
            context.abort(code, "the studio is full")
        return answer

    def stop(self):
        self.server.stop(None)


def named(body):
    return [name for name in NAMES if name.encode() in body]


# --- answers -----------------------------------------------------------------------------------------


def taken(request):
    if request.path.endswith(("/traces", "/logs", "/metrics")):
        return 200, {"Content-Type": request.headers["content-type"]}, b"{}" if "json" in request.headers["content-type"] else b""
    status, body = services.answer(request)
    return status, {}, json.dumps(body).encode()


def refused(status, **headers):
    body = json.dumps({"detail": "the studio is full", "message": "the studio is full", "code": "full"}).encode()
    return lambda request: (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


PARTIAL = {"rejectedSpans": "1", "errorMessage": "one is too old"}
# In protobuf it is the same for spans, log records and points.
TAKEN_IN_PART = ExportTraceServiceResponse(partial_success={"rejected_spans": 1, "error_message": "one is too old"})


def partial(request):
    """Of OpenTelemetry: taken, all but one."""
    kind = request.headers["content-type"]
    body = json.dumps({"partialSuccess": PARTIAL}).encode() if "json" in kind else TAKEN_IN_PART.SerializeToString()
    return 200, {"Content-Type": kind}, body


def one_each(request):
    """Of PostHog: one event is taken, one is to come again, one is refused."""
    results = ({"result": "ok"}, {"result": "retry"}, {"result": "drop", "details": "too old"})
    uuids = [event["uuid"] for event in request.json["batch"]]
    return 200, {"Retry-After": "1"}, json.dumps({"results": dict(zip(uuids, results))}).encode()


def errors(status):
    """Of Langfuse: all taken but the second event."""

    def answer(request):
        ids = [event["id"] for event in request.json["batch"]]
        error = {"id": ids[1], "status": status, "message": "the studio is full", "error": "no room"}
        return 207, {}, json.dumps({"successes": [{"id": ids[0], "status": 201}], "errors": [error]}).encode()

    return answer


WAIT = (("google.rpc.retryinfo-bin", RetryInfo(retry_delay=Duration(seconds=1, nanos=250_000_000)).SerializeToString()),)
BUSY = refused(429, Retry_After="1")
AWAY = refused(503, Retry_After="1")
# With the words that Tamis has for it: an upstream's own do not cross, and are for people alone (RFC 9112, 4).
LARGE = refused(413, reason="Payload Too Large")
ANSWERS = {
    "429": [BUSY],
    "429 twice": [BUSY, BUSY],
    "503": [AWAY],
    "413": [LARGE],
    "partial": [partial],
    "one each": [one_each],
    "207": [errors(400)],
    "207 twice": [errors(400), errors(429)],
    "UNAVAILABLE": [(grpc.StatusCode.UNAVAILABLE, WAIT, None)],
    "RESOURCE_EXHAUSTED": [(grpc.StatusCode.RESOURCE_EXHAUSTED, WAIT, None)],
    "INVALID_ARGUMENT": [(grpc.StatusCode.INVALID_ARGUMENT, (), None)],
    "partial call": [(grpc.StatusCode.OK, (), TAKEN_IN_PART)],
}


# --- cases -------------------------------------------------------------------------------------------

CORE = [
    ("python", "otlp_protobuf", "429", (429, 200)),
    ("node", "otlp_protobuf", "partial", (200,)),
    ("python", "otlp_grpc", "RESOURCE_EXHAUSTED", ("RESOURCE_EXHAUSTED", "OK")),
    ("node", "otlp_grpc", "partial call", ("OK",)),
    ("python", "posthog_v1", "one each", (200, 200)),
    # It cuts the batch.
    ("node", "posthog", "413", (413, 200, 200, 200)),
    ("python", "segment", "429", (429, 200)),
    ("node", "segment", "413", (413,)),
    ("python", "rudderstack", "413", (413,)),
    # An error of one event it takes for one of the batch.
    ("python", "langfuse", "207", (207, 207)),
    ("node", "langfuse", "429", (429, 207)),
    ("python", "langsmith", "429", (429, 202)),
]
MORE = [
    ("python", "otlp_protobuf", "503", (503, 200)),
    ("python", "otlp_protobuf", "413", (413,)),
    ("python", "otlp_protobuf", "partial", (200,)),
    ("node", "otlp_protobuf", "503", (503, 200)),
    ("node", "otlp_protobuf", "413", (413,)),
    ("node", "otlp_logs", "partial", (200,)),
    ("node", "otlp_metrics", "partial", (200,)),
    ("python", "otlp_json", "429", (429, 200)),
    ("python", "otlp_json", "413", (413,)),
    ("node", "otlp_json", "429", (429, 200)),
    ("node", "otlp_json", "partial", (200,)),
    ("python", "otlp_grpc", "UNAVAILABLE", ("UNAVAILABLE", "OK")),
    ("python", "otlp_grpc", "INVALID_ARGUMENT", ("INVALID_ARGUMENT",)),
    ("python", "otlp_grpc", "partial call", ("OK",)),
    # It never tries again.
    ("node", "otlp_grpc", "RESOURCE_EXHAUSTED", ("RESOURCE_EXHAUSTED",)),
    ("python", "posthog", "429", (429, 200)),
    ("python", "posthog", "429 twice", (429, 429)),
    ("python", "posthog", "413", (413,)),
    ("node", "posthog", "429", (429, 200)),
    ("python", "segment", "413", (413,)),
    ("node", "segment", "429", (429, 200)),
    ("python", "rudderstack", "429", (429, 200)),
    ("python", "langfuse", "429", (429, 207)),
    ("python", "langfuse", "207 twice", (207, 207)),
    ("node", "langfuse", "207", (207, 207)),
    ("python", "langfuse_otlp", "429", (429, 200)),
    ("python", "langfuse_otlp", "413", (413,)),
    ("python", "langsmith", "413", (413,)),
]
# These wait as they like, whatever they are told.
DEAF = {("python", "langfuse"), ("node", "langfuse"), ("python", "rudderstack"), ("node", "posthog")}


def start(language, sdk, url):
    python = str(servers.CURRENT_VENV / "bin" / "python") if sdk in ("otlp_json", "langfuse_otlp") else sys.executable
    command = {
        "python": [python, str(HERE / "reactions_program.py"), sdk, url],
        "node": ["node", str(HERE / "reactions_program.mjs"), sdk, url, json.dumps(GIVEN)],
    }[language]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process, url):
    """What an SDK said, without what differs between two runs: addresses and ids."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    lines = json.loads(out.splitlines()[-1])
    address = url.removeprefix("http://")
    lines = [line.replace(url, "URL").replace(address, "URL") for line in lines]
    return [re.sub(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "id", line) for line in lines]


# While a proxy starts, nobody else takes the ports that were found free for it.
STARTING = threading.Lock()


def react(directory, language, sdk, answers):
    """Both ways, at the same time: for each what the server saw, and what the SDK said."""
    kind = Calls if sdk == "otlp_grpc" else Stand
    with STARTING:
        direct, behind = kind(ANSWERS[answers]), kind(ANSWERS[answers])
        proxy = servers.Tamis(directory, behind.url, protocol=sdk.split("_")[0])
    try:
        started = [(start(language, sdk, url), url) for url in (direct.url, proxy.url)]
        told = [said(*run) for run in started]
    finally:
        for server in (direct, proxy, behind):
            server.stop()
    assert all("email" in request.residue() for request in direct.requests if named(request.plain))
    assert not [name for request in behind.requests for name in request.residue()]
    return [(stand.record, lines) for stand, lines in zip((direct, behind), told)]


@pytest.fixture(scope="module")
def reactions(request, tmp_path_factory):
    """Every case that was asked for, some at a time: what they do most is wait."""
    wanted = [item.callspec.params for item in request.session.items if item.module is request.module]
    wanted = [tuple(case[name] for name in ("language", "sdk", "answers")) for case in wanted]
    pool = futures.ThreadPoolExecutor(4)
    yield {case: pool.submit(react, tmp_path_factory.mktemp("reactions"), *case) for case in wanted}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(("language", "sdk", "answers", "statuses"), [*CORE, *map(marked, MORE)])
def test_an_sdk_reacts_as_without_tamis(reactions, language, sdk, answers, statuses):
    (direct, said_direct), (through, said_through) = reactions[language, sdk, answers].result()
    assert through.reports == direct.reports
    assert [status for _, status in through.reports] == list(statuses)
    assert said_through == said_direct
    if (language, sdk) not in DEAF:
        pauses = direct.pauses + through.pauses
        assert all(pause > 0.9 for pause in pauses), pauses
