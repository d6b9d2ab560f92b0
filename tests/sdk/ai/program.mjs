// An invented program that talks to three models while something instruments it.
//
// Usage: node program.mjs INSTRUMENTATION STUB TARGET    STUB answers as the models do, TARGET takes the telemetry
const [instrumentation, stub, target] = process.argv.slice(2);
const key = 'invented-key';
const complaints = [];
const said = console.error;
console.error = (...what) => (complaints.push(what.map(String).join(' ')), said(...what));

// Instrumentations must be there before what they instrument.
async function clients() {
  const { default: OpenAI } = await import('openai');
  const { default: Anthropic } = await import('@anthropic-ai/sdk');
  const { GoogleGenAI } = await import('@google/genai');
  return {
    openai: new OpenAI({ apiKey: key, baseURL: `${stub}/openai/v1`, maxRetries: 0 }),
    anthropic: new Anthropic({ apiKey: key, baseURL: `${stub}/anthropic`, maxRetries: 0 }),
    google: new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: `${stub}/google` } }),
  };
}

async function aiSdk() {
  const { createOpenAI } = await import('@ai-sdk/openai');
  return [await import('ai'), createOpenAI({ apiKey: key, baseURL: `${stub}/openai/v1` })];
}

async function startSentry(...integrations) {
  const Sentry = await import('@sentry/node');
  Sentry.init({
    dsn: `${target.replace('://', '://0123456789abcdef0123456789abcdef@')}/42`,
    tracesSampleRate: 1,
    includeLocalVariables: true,
    dataCollection: { genAI: { inputs: true, outputs: true } },
    integrations: [
      ...integrations.map(name => Sentry[name]({ recordInputs: true, recordOutputs: true })),
      Sentry.extraErrorDataIntegration({ depth: 8 }),
      Sentry.localVariablesIntegration({ captureAllExceptions: true, includeOutOfAppFrames: true }),
    ],
  });
  return Sentry;
}

/** Spans of everything inside go to `target` by OTLP; errors become events of a span. */
async function traced(processors, inside) {
  const { trace } = await import('@opentelemetry/api');
  const { BasicTracerProvider } = await import('@opentelemetry/sdk-trace-base');
  const provider = new BasicTracerProvider({ spanProcessors: processors });
  trace.setGlobalTracerProvider(provider);
  const span = trace.getTracer('studio').startSpan('ask');
  await inside(error => span.recordException(error));
  span.end();
  await provider.forceFlush();
  await provider.shutdown();
}

const programs = {
  async sentry() {
    const Sentry = await startSentry('openAIIntegration', 'anthropicAIIntegration', 'googleGenAIIntegration');
    const { makeAll } = await import('./calls.mjs');
    for (const [provider, client] of Object.entries(await clients())) {
      await Sentry.startSpan({ op: 'task', name: `ask ${provider}` }, () => makeAll(provider, client, error => Sentry.captureException(error)));
    }
    await Sentry.flush(20_000);
  },
  async vercel_sentry() {
    const Sentry = await startSentry('vercelAIIntegration');
    const { makeAllByAiSdk } = await import('./calls.mjs');
    const sdk = await aiSdk();
    await Sentry.startSpan({ op: 'task', name: 'ask' }, () => makeAllByAiSdk(...sdk, error => Sentry.captureException(error)));
    await Sentry.flush(20_000);
  },
  async vercel_otel() {
    const { OpenTelemetry } = await import('@ai-sdk/otel');
    await vercelTraced(new OpenTelemetry(), await otlp());
  },
  async vercel_otel_legacy() {
    const { LegacyOpenTelemetry } = await import('@ai-sdk/otel');
    await vercelTraced(new LegacyOpenTelemetry(), await otlp());
  },
  async posthog() {
    const { PostHog } = await import('posthog-node');
    const { OpenAI } = await import('@posthog/ai/openai');
    const { Anthropic } = await import('@posthog/ai/anthropic');
    const { GoogleGenAI } = await import('@posthog/ai/gemini');
    const { makeAll } = await import('./calls.mjs');
    const posthog = new PostHog('phc_0123456789abcdefghijABCDEFGHIJKLMNOPQRSTUVWX', { host: target });
    posthog.on?.('error', error => complaints.push(String(error)));
    const wrapped = {
      openai: new OpenAI({ apiKey: key, baseURL: `${stub}/openai/v1`, maxRetries: 0, posthog }),
      anthropic: new Anthropic({ apiKey: key, baseURL: `${stub}/anthropic`, maxRetries: 0, posthog }),
      google: new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: `${stub}/google` }, posthog }),
    };
    for (const [provider, client] of Object.entries(wrapped)) {
      await makeAll(provider, client, error => posthog.captureException(error, 'user-48151'));
    }
    await posthog.shutdown();
  },
  async vercel_posthog() {
    const { OpenTelemetry } = await import('@ai-sdk/otel');
    const { PostHogSpanProcessor } = await import('@posthog/ai/otel');
    const processor = new PostHogSpanProcessor({ projectToken: 'phc_0123456789abcdefghijABCDEFGHIJKLMNOPQRSTUVWX', host: target });
    await vercelTraced(new OpenTelemetry(), processor);
  },
  async langfuse() {
    const { LangfuseSpanProcessor } = await import('@langfuse/otel');
    const { observeOpenAI } = await import('@langfuse/openai');
    const { makeAll } = await import('./calls.mjs');
    const { openai } = await clients();
    const processor = new LangfuseSpanProcessor({ publicKey: 'pk-lf-0123456789abcdef', secretKey: 'sk-lf-0123456789abcdef', baseUrl: target });
    await traced([processor], report => makeAll('openai', observeOpenAI(openai), report));
  },
};

async function otlp() {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  const { BatchSpanProcessor } = await import('@opentelemetry/sdk-trace-base');
  return new BatchSpanProcessor(new OTLPTraceExporter({ url: `${target}/v1/traces` }));
}

async function vercelTraced(telemetry, processor) {
  const { makeAllByAiSdk } = await import('./calls.mjs');
  const sdk = await aiSdk();
  sdk[0].registerTelemetry(telemetry);
  await traced([processor], report => makeAllByAiSdk(...sdk, report, { experimental_telemetry: { isEnabled: true, functionId: 'studio' } }));
}

await programs[instrumentation]();
console.log(complaints.join('\n'));
process.exit(0);
