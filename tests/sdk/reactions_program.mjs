// An invented program that reports three events at once with one SDK: `reactions_program.mjs SDK URL GIVEN`.
//
// Prints what the SDK said about its own sending as one line of JSON.
const [sdk, url, given] = process.argv.slice(2);
const { email, phc, writeKey, publicKey, secretKey, names } = JSON.parse(given);
const properties = { note: `mail from ${email}` };
const said = [];
const text = what => (typeof what === 'string' ? what : what?.reason ?? what?.message ?? JSON.stringify(what));
const note = (...what) => said.push(what.map(text).map(String).join(' '));
console.warn = console.error = note;

/** Notes what an exporter says of its exports, and what it logs. */
async function noted(exporter) {
  const { diag, DiagLogLevel } = await import('@opentelemetry/api');
  const retries = line => line.startsWith('Scheduling') && note(line);
  diag.setLogger({ error: note, warn: note, info: note, debug() {}, verbose: retries }, DiagLogLevel.ALL);
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) => send(batch, result => (note('result', result.code, result.error?.code), done(result)));
  return exporter;
}

/** Ends a provider after it has sent what it has in one request. */
async function end(provider) {
  await provider.forceFlush().catch(() => {});
  await provider.shutdown().catch(() => {});
}

/** Three spans in one request. */
async function otlp({ OTLPTraceExporter }, address) {
  const { BatchSpanProcessor, TracerProvider } = await import('@opentelemetry/sdk-trace');
  const exporter = await noted(new OTLPTraceExporter({ url: address }));
  const tracers = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
  for (const name of names) tracers.getTracer('shop').startSpan(name, { attributes: properties }).end();
  await end(tracers);
}

const programs = {
  async posthog() {
    const { PostHog } = await import('posthog-node');
    const client = new PostHog(phc, { host: url, flushAt: 3, fetchRetryCount: 2, fetchRetryDelay: 100 });
    client.on('error', error => note('failed', error));
    for (const event of names) client.capture({ distinctId: email, event, properties });
    await client.shutdown();
  },
  // Without Retry-After it would not try again.
  async segment() {
    const { Analytics } = await import('@segment/analytics-node');
    const client = new Analytics({ writeKey, host: url, maxEventsInBatch: 3, maxRetries: 0 });
    client.on('error', error => note('failed', error));
    for (const event of names) client.track({ userId: email, event, properties });
    await client.closeAndFlush({ timeout: 10_000 });
  },
  async langfuse() {
    const { Langfuse } = await import('langfuse');
    const client = new Langfuse({ publicKey, secretKey, baseUrl: url, flushAt: 3, fetchRetryCount: 2, fetchRetryDelay: 100 });
    client.on('error', error => note('failed', error));
    for (const name of names) client.trace({ name, userId: email, metadata: properties });
    await client.shutdownAsync();
  },
  otlp_json: async () => otlp(await import('@opentelemetry/exporter-trace-otlp-http'), `${url}/v1/traces`),
  otlp_protobuf: async () => otlp(await import('@opentelemetry/exporter-trace-otlp-proto'), `${url}/v1/traces`),
  async otlp_logs() {
    const { BatchLogRecordProcessor, LoggerProvider } = await import('@opentelemetry/sdk-logs');
    const { OTLPLogExporter } = await import('@opentelemetry/exporter-logs-otlp-proto');
    const exporter = await noted(new OTLPLogExporter({ url: `${url}/v1/logs` }));
    const loggers = new LoggerProvider({ processors: [new BatchLogRecordProcessor({ exporter })] });
    for (const body of names) loggers.getLogger('shop').emit({ body, attributes: properties });
    await end(loggers);
  },
  async otlp_metrics() {
    const { MeterProvider, PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics');
    const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-proto');
    const exporter = await noted(new OTLPMetricExporter({ url: `${url}/v1/metrics` }));
    const meters = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] });
    for (const name of names) meters.getMeter('shop').createCounter(name).add(1, properties);
    await meters.shutdown();
  },
  otlp_grpc: async () => otlp(await import('@opentelemetry/exporter-trace-otlp-grpc'), url),
};

await programs[sdk]();
console.log(JSON.stringify(said));
process.exit(0);
