// An invented program that reports through OpenTelemetry: `otel_program.mjs ENDPOINT json|protobuf|grpc`.
//
// What it plants stands in `otel_planted.json`. Prints what its exporters say and the ids of its spans, as JSON.

import { readFileSync } from "node:fs";
import { OTLPLogExporter as LogsGrpc } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as LogsJson } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as LogsProtobuf } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as MetricsGrpc } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as MetricsJson } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as MetricsProtobuf } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as TracesGrpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as TracesJson } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as TracesProtobuf } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const planted = JSON.parse(readFileSync(new URL("otel_planted.json", import.meta.url)));
const [endpoint, protocol] = process.argv.slice(2);
const resource = resourceFromAttributes({ "service.name": "shop", "service.version": "1.2.3.4", "process.owner": planted.owner });
const results = [];
const exporters = {
  json: { traces: TracesJson, logs: LogsJson, metrics: MetricsJson },
  protobuf: { traces: TracesProtobuf, logs: LogsProtobuf, metrics: MetricsProtobuf },
  grpc: { traces: TracesGrpc, logs: LogsGrpc, metrics: MetricsGrpc },
}[protocol];

/** The exporter of a signal. */
function exporterOf(signal) {
  const http = { url: `${endpoint}/v1/${signal}`, headers: { "api-key": "k" } };
  return noted(new exporters[signal](protocol === "grpc" ? { url: endpoint } : http));
}

/** Notes what an exporter says: 0 is success. */
function noted(exporter) {
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) => send(batch, (result) => (results.push(result.code), done(result)));
  return exporter;
}

const spans = [];
const tracers = new TracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor({ exporter: exporterOf("traces") })] });
const tracer = tracers.getTracer("shop");
const span = tracer.startSpan("GET /cart");
span.setAttributes({
  "client.address": planted.address,
  "url.full": `https://shop.example.com/cart?mail=${planted.mail_quoted}`,
  "http.request.header.authorization": [`Bearer ${planted.token}`],
  "gen_ai.input.messages": JSON.stringify([{ role: "user", parts: [{ type: "text", content: planted.prompt }] }]),
  tried: [1, 2, 3],
});
span.recordException(new Error(`no account for ${planted.mail}`));
const inner = tracer.startSpan("clean", { attributes: { rows: 7 } });
for (const ended of [inner, span]) {
  ended.end();
  spans.push(ended.spanContext().spanId);
}
await tracers.forceFlush();
const logs = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter: exporterOf("logs") })] });
logs.getLogger("shop").emit({ severityText: "INFO", body: { said: planted.mail, n: 1 }, attributes: { peer: planted.address } });
await logs.forceFlush();
const reader = new PeriodicExportingMetricReader({ exporter: exporterOf("metrics") });
const meters = new MeterProvider({ resource, readers: [reader] });
const counter = meters.getMeter("shop").createCounter("logins", { unit: "1" });
for (const who of [planted.mail, planted.mail_other]) counter.add(2, { who, tier: "gold" });
await meters.forceFlush();
await meters.shutdown();
await logs.shutdown();
await tracers.shutdown();
console.log(JSON.stringify({ results, spans, trace: span.spanContext().traceId }));
