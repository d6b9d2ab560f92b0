"""An invented program that reports through OpenTelemetry: `otel_program.py ENDPOINT http|json|grpc`.

What it plants stands in `otel_planted.json`. Prints what its exporters say and the ids of its spans, as JSON.
"""

import json
import sys
from pathlib import Path

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PLANTED = json.loads(Path(__file__).with_name("otel_planted.json").read_text())
RESOURCE = Resource.create({"service.name": "shop", "service.version": "1.2.3.4", "process.owner": PLANTED["owner"]})


def exporters(endpoint, protocol):
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from grpc import Compression

        options = {"endpoint": endpoint, "insecure": True, "compression": Compression.Gzip, "headers": (("api-key", "k"),)}
        return [exporter(**options) for exporter in (OTLPSpanExporter, OTLPLogExporter, OTLPMetricExporter)]
    if protocol == "json":
        from opentelemetry.exporter.otlp.common.http import Compression
        from opentelemetry.exporter.otlp.json.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http import Compression
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    options = {"compression": Compression("gzip"), "headers": {"api-key": "k"}}
    pairs = ((OTLPSpanExporter, "traces"), (OTLPLogExporter, "logs"), (OTLPMetricExporter, "metrics"))
    return [exporter(endpoint=f"{endpoint}/v1/{path}", **options) for exporter, path in pairs]


def main(endpoint, protocol):
    kept_spans, kept_logs, reader = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
    tracers = TracerProvider(resource=RESOURCE)
    tracers.add_span_processor(SimpleSpanProcessor(kept_spans))
    tracer = tracers.get_tracer("shop")
    with tracer.start_as_current_span("GET /cart") as span:
        span.set_attribute("client.address", PLANTED["address"])
        span.set_attribute("url.full", f"https://shop.example.com/cart?mail={PLANTED['mail_quoted']}")
        span.set_attribute("http.request.header.authorization", [f"Bearer {PLANTED['token']}"])
        span.set_attribute("gen_ai.input.messages", json.dumps([{"role": "user", "parts": [{"type": "text", "content": PLANTED["prompt"]}]}]))
        span.set_attribute("tried", [1, 2, 3])
        try:
            raise ValueError(f"no account for {PLANTED['mail']}")
        except ValueError as error:
            span.record_exception(error)
        with tracer.start_as_current_span("clean") as inner:
            inner.set_attribute("rows", 7)
    logs = LoggerProvider(resource=RESOURCE)
    logs.add_log_record_processor(SimpleLogRecordProcessor(kept_logs))
    logger = logs.get_logger("shop")
    logger.emit(timestamp=1_760_520_026_781_239_000, severity_text="INFO", body={"said": PLANTED["mail"], "n": 1}, attributes={"peer": PLANTED["address"]})
    meters = MeterProvider(metric_readers=[reader], resource=RESOURCE)
    counter = meters.get_meter("shop").create_counter("logins", unit="1")
    for user in (PLANTED["mail"], PLANTED["mail_other"]):
        counter.add(2, {"who": user, "tier": "gold"})
    spans, log_exporter, metrics = exporters(endpoint, protocol)
    finished = kept_spans.get_finished_spans()
    results = [
        spans.export(finished).name,
        log_exporter.export(kept_logs.get_finished_logs()).name,
        metrics.export(reader.get_metrics_data()).name,
    ]
    ids = [f"{span.context.span_id:016x}" for span in finished]
    print(json.dumps({"results": results, "spans": ids, "trace": f"{finished[0].context.trace_id:032x}"}))


main(*sys.argv[1:])
