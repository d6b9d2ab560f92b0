"""Real SDKs of OpenTelemetry through Tamis: nothing planted arrives, the rest does, and the SDK reports success."""

import base64
import json
import subprocess
import sys
from concurrent import futures

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

import servers
from chosen import chosen
from servers import HERE

PLANTED = json.loads((HERE / "otel_planted.json").read_text())
REQUESTS = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
}


class Collector:
    """Takes calls of gRPC as a collector does, and keeps them."""

    def __init__(self):
        self.requests = {}
        self.metadata = {}
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        for signal, service, response, register in (
            ("traces", trace_service_pb2_grpc.TraceServiceServicer, trace_service_pb2.ExportTraceServiceResponse, trace_service_pb2_grpc.add_TraceServiceServicer_to_server),
            ("logs", logs_service_pb2_grpc.LogsServiceServicer, logs_service_pb2.ExportLogsServiceResponse, logs_service_pb2_grpc.add_LogsServiceServicer_to_server),
            ("metrics", metrics_service_pb2_grpc.MetricsServiceServicer, metrics_service_pb2.ExportMetricsServiceResponse, metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server),
        ):
            servicer = service()
            servicer.Export = self.keep(signal, response)
            register(servicer, self.server)
        self.url = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def keep(self, signal, response):
        def export(request, context):
            self.requests[signal] = request
            self.metadata.update(context.invocation_metadata())
            return response()

        return export


@pytest.fixture
def collector():
    server = Collector()
    yield server
    server.server.stop(None)


def start(program, *arguments):
    """Runs a program to its end."""
    python = str(servers.CURRENT_VENV / "bin" / "python") if "json" in arguments else sys.executable
    command = {".py": [python], ".mjs": ["node"]}[program[program.index("."):]]
    return subprocess.run([*command, str(HERE / program), *arguments], capture_output=True, text=True, timeout=60)


def run(program, *arguments):
    """What a program printed; it says what its exporters said."""
    done = start(program, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def texts(value):
    """Every string in decoded JSON, and what base64 strings say."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value
        try:
            yield base64.b64decode(value, validate=True).decode()
        except ValueError:
            pass


def residue(request):
    """Planted values that a request, or what a server shows of it, still says."""
    said = "\n".join(texts(request)) if isinstance(request, dict | list) else str(request) + request.SerializeToString().decode("latin-1")
    return [name for name, planted in PLANTED.items() if planted in said]


def check_spans(request, report):
    (resource,) = request.resource_spans
    attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert attributes["service.name"] == "shop"
    assert attributes["service.version"] == "1.2.3.4"
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    assert sorted(span.span_id.hex() for span in spans) == sorted(report["spans"])
    (outer,) = [span for span in spans if span.name == "GET /cart"]
    assert outer.trace_id.hex() == report["trace"]
    said = {pair.key: pair.value for pair in outer.attributes}
    assert said["client.address"].string_value == ""
    assert "[email]" in said["url.full"].string_value or "%5Bemail%5D" in said["url.full"].string_value
    assert json.loads(said["gen_ai.input.messages"].string_value)[0]["parts"][0]["content"].startswith("[prompt ")
    assert [value.int_value for value in said["tried"].array_value.values] == [1, 2, 3]
    assert len(outer.events) == 1


@pytest.mark.parametrize("program", ["otel_program.py", "otel_program.mjs"])
def test_protobuf(recorder, tamis, program):
    protocol = {"otel_program.py": "http", "otel_program.mjs": "protobuf"}[program]
    report = run(program, tamis(recorder.url).url, protocol)
    assert report["results"] in (["SUCCESS"] * 3, [0] * len(report["results"]))
    requests, spans = {}, trace_service_pb2.ExportTraceServiceRequest()
    for arrived in recorder.requests:
        signal = arrived.path.rsplit("/", 1)[1]
        requests[signal] = REQUESTS[signal].FromString(arrived.body)
        assert residue(requests[signal]) == [], signal
        if signal == "traces":
            assert arrived.headers["api-key"] == "k"
            spans.MergeFrom(requests[signal])
    assert set(requests) == set(REQUESTS)
    # One request a span: the resource stands in each.
    while len(spans.resource_spans) > 1:
        spans.resource_spans[0].scope_spans.extend(spans.resource_spans.pop().scope_spans)
    check_spans(spans, report)
    points = requests["metrics"].resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    assert [point.as_int or point.as_double for point in points] == [2, 2]


@pytest.mark.parametrize("program", ["otel_program.py", "otel_program.mjs"])
def test_json(recorder, tamis, program):
    report = run(program, tamis(recorder.url).url, "json")
    assert set(report["results"]) <= {0, "SUCCESS"}
    requests = {signal: [] for signal in REQUESTS}
    for arrived in recorder.requests:
        assert arrived.headers["content-type"] == "application/json"
        assert arrived.headers["api-key"] == "k"
        requests[arrived.path.rsplit("/", 1)[1]].append(json.loads(arrived.body))
    assert {signal: [residue(request) for request in found] for signal, found in requests.items()} == {
        signal: [[]] * len(found) for signal, found in requests.items()
    }
    spans = [span for request in requests["traces"] for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]]
    # Node sends each span by itself, and two may pass each other.
    assert sorted(span["spanId"] for span in spans) == sorted(report["spans"])
    (record,) = requests["logs"][0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    said = {pair["key"]: pair["value"] for pair in record["body"]["kvlistValue"]["values"]}
    assert said["said"] == {"stringValue": "[email]"}
    metric = requests["metrics"][0]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    assert [int(point.get("asInt", 0)) or point["asDouble"] for point in metric["sum"]["dataPoints"]] == [2, 2]


@pytest.mark.parametrize("program", ["otel_program.py", "otel_program.mjs"])
def test_grpc(collector, tamis, program):
    report = run(program, tamis(collector.url).url, "grpc")
    assert set(report["results"]) <= {0, "SUCCESS"}
    assert set(collector.requests) == set(REQUESTS)
    assert {signal: residue(request) for signal, request in collector.requests.items()} == dict.fromkeys(REQUESTS, [])
    if program == "otel_program.py":
        assert collector.metadata["api-key"] == "k"
        check_spans(collector.requests["traces"], report)
    (record,) = collector.requests["logs"].resource_logs[0].scope_logs[0].log_records
    assert {pair.key: pair.value.string_value for pair in record.body.kvlist_value.values}["said"] == "[email]"
    # Series stay apart only with a key, which this policy has not.
    points = collector.requests["metrics"].resource_metrics[0].scope_metrics[0].metrics[0].sum.data_points
    assert [point.as_int or point.as_double for point in points] == [2, 2]


PHOENIX_CASES = [("otel_program.py", "http"), ("otel_program.py", "grpc"), ("otel_program.mjs", "protobuf")]


@pytest.mark.parametrize(("program", "protocol"), chosen(PHOENIX_CASES, ("otel_program.mjs", "protobuf")))
def test_a_real_server_shows_the_spans_without_what_was_planted(phoenix, tamis, program, protocol):
    upstream = phoenix.grpc if protocol == "grpc" else phoenix.url
    report = run(program, tamis(upstream).url, protocol)
    # It takes spans alone, and says so of the rest.
    assert report["results"][0] in ("SUCCESS", 0)
    spans = phoenix.spans(report["trace"], 1)
    assert {span["context"]["span_id"] for span in spans} <= set(report["spans"])
    assert residue(spans) == []
    (outer,) = [span for span in spans if span["name"] == "GET /cart"]
    assert outer["attributes"]["tried"] == [1, 2, 3]
    assert outer["attributes"]["client.address"] == ""
    assert outer["attributes"]["llm.input_messages.0.message.content"].startswith("[prompt ")
    assert outer["events"][0]["attributes"]["exception.message"].endswith("no account for [email]")


def test_a_real_server_shows_what_was_planted_without_tamis(phoenix):
    report = run("otel_program.py", phoenix.url, "http")
    assert set(residue(phoenix.spans(report["trace"], 2))) == set(PLANTED) - {"mail_other", "owner"}


def test_a_collector_that_is_away_shows_in_the_sdk(tamis):
    done = start("otel_program.mjs", tamis(f"http://127.0.0.1:{servers.free_port()}").url, "json")
    assert "retryable status" in done.stderr


def test_without_tamis_the_planted_values_arrive(recorder):
    run("otel_program.py", recorder.url, "http")
    (traces,) = [request for request in recorder.requests if request.path == "/v1/traces"]
    request = REQUESTS["traces"].FromString(traces.body)
    assert set(residue(request)) == set(PLANTED) - {"mail_other"}
