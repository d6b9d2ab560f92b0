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

/** Three spans in one request. */
async function otlp({ OTLPTraceExporter }, address) {
  const { diag, DiagLogLevel } = await import('@opentelemetry/api');
  const { BatchSpanProcessor, TracerProvider } = await import('@opentelemetry/sdk-trace');
  diag.setLogger({ error: note, warn: note, info: note, debug() {}, verbose: line => line.startsWith('Scheduling') && note(line) }, DiagLogLevel.ALL);
  const exporter = new OTLPTraceExporter({ url: address });
  const send = exporter.export.bind(exporter);
  exporter.export = (batch, done) => send(batch, result => (note('result', result.code, result.error?.code), done(result)));
  const tracers = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] });
  for (const name of names) tracers.getTracer('shop').startSpan(name, { attributes: properties }).end();
  await tracers.forceFlush().catch(() => {});
  await tracers.shutdown().catch(() => {});
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
  otlp_grpc: async () => otlp(await import('@opentelemetry/exporter-trace-otlp-grpc'), url),
};

await programs[sdk]();
console.log(JSON.stringify(said));
process.exit(0);
