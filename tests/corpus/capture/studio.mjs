// An invented image and video studio that reports to Sentry with `@sentry/node`.
//
// Usage: SENTRY_DSN=http://key@host/42 node studio.mjs SCENARIO
//
// Every name, address and prompt comes from `invented.json`; see `studio.py` for its twin. The SDK is
// installed beside the tests (`tests/sdk/node_modules`), so it is resolved from there.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../sdk/package.json', import.meta.url));
const Sentry = require('@sentry/node');

const invented = JSON.parse(readFileSync(new URL('./invented.json', import.meta.url), 'utf8'));
const { users, prompts, credentials, addresses, emails, lookalikes } = invented;

// Found in the source context of the frames below, as fixtures in real programs are.
const FALLBACK_CONTACT = 'fixtures.person@example.net';

const sent = [];
const remember = event => {
  sent.push(event.event_id);
  return event;
};

function start(options = {}) {
  Sentry.init({
    dsn: process.env.SENTRY_DSN,
    release: invented.release,
    environment: invented.environment,
    serverName: invented.server_name,
    sendDefaultPii: true,
    debug: process.env.STUDIO_DEBUG === '1',
    beforeSend: remember,
    beforeSendTransaction: remember,
    ...options,
  });
}

class ContentPolicyError extends Error {
  name = 'ContentPolicyError';
}

// --- the studio itself ------------------------------------------------------------------------------

const openaiMessages = () => [
  { role: 'system', content: prompts.system },
  { role: 'user', content: prompts.quotes },
  { role: 'user', content: [{ type: 'text', text: prompts.unicode }] },
];

const geminiContents = () => [
  { role: 'user', parts: [{ text: prompts.video }] },
  { role: 'model', parts: [{ text: prompts.answer }] },
];

function leaveBreadcrumbs(count, user) {
  for (let n = 0; n < count; n++) {
    switch (n % 4) {
      case 0:
        Sentry.addBreadcrumb({
          category: 'http',
          type: 'http',
          data: {
            url: 'https://api.example.com/v1/assets',
            'http.method': 'GET',
            'http.query': `?owner=${encodeURIComponent(user.email)}&page=${n}`,
            status_code: 200,
          },
        });
        break;
      case 1:
        Sentry.addBreadcrumb({
          category: 'query',
          message: `SELECT id, plan FROM account WHERE email = '${user.email}' AND deleted IS NULL`,
          data: { 'db.system': 'postgresql', rows: n },
        });
        break;
      case 2:
        console.warn(`slow upload from ${user.ip_address}`, 900 + n);
        break;
      default:
        Sentry.addBreadcrumb({
          category: 'ui.click',
          message: `button#generate[data-job="job-7c19f2-${n}"]`,
          data: { canvas: '1024x1536' },
        });
    }
  }
}

function describe(user) {
  Sentry.setUser({ ...user });
  Sentry.setTag('plan', 'atelier');
  Sentry.setTag('model', 'gpt-image-1');
  Sentry.setTag('edge_peer', user.ip_address);
  Sentry.setContext('job', { id: 'job-7c19f2', canvas: '1024x1536', steps: 28, cfg_scale: 7.5 });
  Sentry.setContext('account', { owner_email: user.email, seats: 3 });
  Sentry.setExtra('prompt', prompts.short);
  Sentry.setExtra('webhook_body', JSON.stringify({ notify: user.email, attempts: [1, 2, 3] }));
  Sentry.setExtra(
    'queue_message',
    JSON.stringify({ id: '9007199254740993', body: JSON.stringify({ prompt: prompts.quotes, from: user.ip_address }) }),
  );
  Sentry.setExtra('callback', `https://hooks.example.com/done?mail=${encodeURIComponent(user.email)}`);
  Sentry.setExtra('api_key', credentials.api_key);
}

function callModel(job, user) {
  if (job.prompt && user.email && FALLBACK_CONTACT) {
    throw new ContentPolicyError('content_policy_violation: safety filter refused the job');
  }
}

function render(job, user, depth) {
  if (depth > 0) {
    return render(job, user, depth - 1);
  }
  return callModel(job, user);
}

const newJob = () => ({ id: 'job-7c19f2', prompt: prompts.short, model: 'gpt-image-1', size: '1024x1536' });

/** Serves one request of our own with `handler`, so that the SDK's HTTP instrumentation sees a real one. */
async function serveRequest(user, body, handler) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', async () => {
      try {
        await handler();
      } catch (cause) {
        Sentry.captureException(cause);
      }
      response.end('{}');
    });
  });
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
  const payload = JSON.stringify(body);
  await new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: server.address().port,
        method: 'POST',
        path: `/v1/images/generations?email=${encodeURIComponent(user.email)}&style=watercolour`,
        headers: {
          host: 'api.example.com',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          'user-agent': lookalikes[0],
          authorization: `Bearer ${credentials.bearer}`,
          cookie: `sid=${credentials.cookie}; theme=dark`,
          'x-forwarded-for': `${user.ip_address}, 198.51.100.23`,
          referer: `https://studio.example.com/edit?invite=${encodeURIComponent(user.email)}`,
        },
      },
      response => response.resume().on('end', resolve),
    );
    request.on('error', reject);
    request.end(payload);
  });
  await new Promise(resolve => server.close(resolve));
}

function aiSpans(count, user) {
  for (let n = 0; n < count; n++) {
    const attributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.system': n % 2 ? 'google' : 'openai',
      'gen_ai.request.model': n % 2 ? 'gemini-2.5-flash-image' : 'gpt-image-1',
      'gen_ai.usage.input_tokens': 412 + n,
      'gen_ai.usage.output_tokens': 88 + n,
    };
    if (n % 2) {
      attributes['gen_ai.input.messages'] = JSON.stringify(geminiContents());
    } else {
      attributes['gen_ai.prompt'] = prompts.short;
      attributes['gen_ai.response.text'] = prompts.answer;
    }
    Sentry.startSpan({ op: 'gen_ai.chat', name: 'chat', attributes }, () => {});
    Sentry.startSpan(
      {
        op: 'http.client',
        name: 'POST https://gpu.example.com/render',
        attributes: {
          'url.full': `https://gpu.example.com/render?notify=${encodeURIComponent(user.email)}`,
          'client.address': user.ip_address,
          'http.response.status_code': 200,
        },
      },
      () => {},
    );
  }
}

// --- scenarios --------------------------------------------------------------------------------------

const scenarios = {
  small() {
    start({ defaultIntegrations: false });
    Sentry.setUser({ ...users[0] });
    Sentry.setExtra('prompt', prompts.short);
    Sentry.captureMessage(`render queue is full, told ${users[0].email} at ${users[0].ip_address}`, 'warning');
  },
  'small-clean'() {
    start({ defaultIntegrations: false });
    Sentry.setTag('model', 'gpt-image-1');
    Sentry.captureMessage('render queue is full', 'warning');
  },
  'auto-ip'() {
    start({ defaultIntegrations: false });
    Sentry.setUser({ id: users[1].id, ip_address: '{{auto}}' });
    Sentry.captureMessage('render queue is full');
  },
  async error() {
    start();
    const user = users[0];
    const body = { model: 'gpt-image-1', messages: openaiMessages(), password: credentials.password };
    await serveRequest(user, body, () => {
      leaveBreadcrumbs(24, user);
      describe(user);
      render(newJob(), user, 8);
    });
  },
  async gemini() {
    start();
    const user = users[1];
    const body = { model: 'gemini-2.5-flash-image', contents: geminiContents() };
    await serveRequest(user, body, () => {
      describe(user);
      render(newJob(), user, 3);
    });
  },
  async 'error-large'() {
    start({ normalizeDepth: 8, maxBreadcrumbs: 100 });
    Error.stackTraceLimit = 50;
    const user = users[1];
    await serveRequest(user, { model: 'veo-3.0-generate', contents: geminiContents() }, () => {
      leaveBreadcrumbs(100, user);
      describe(user);
      const board = [];
      for (let n = 0; n < 200; n++) {
        board.push({
          scene: n,
          prompt: n % 2 ? prompts.video : prompts.unicode,
          owner: users[n % 3].email,
          seen_from: addresses[n % 3],
          canvas: '1024x1536',
          seed: 1234567 + n,
          layers: [{ kind: 'image', opacity: 0.5 }, { kind: 'text', opacity: 1 }],
          history: JSON.stringify({ messages: [{ role: 'user', content: prompts.short }, { role: 'assistant', content: prompts.answer }] }),
        });
      }
      Sentry.setContext('storyboard', { board });
      render(newJob(), user, 30);
    });
  },
  async 'error-clean'() {
    start({ sendDefaultPii: false, integrations: all => all.filter(i => i.name !== 'ContextLines') });
    for (let n = 0; n < 30; n++) {
      Sentry.addBreadcrumb({ category: 'queue', message: `popped job ${n} of 30`, data: { canvas: '1024x1536', waited: n * 3 } });
    }
    Sentry.setContext('job', { id: 'job-7c19f2', canvas: '1024x1536', steps: 28, cfg_scale: 7.5 });
    try {
      render(newJob(), users[0], 20);
    } catch (cause) {
      Sentry.captureException(cause);
    }
  },
  async transaction() {
    start({ tracesSampleRate: 1 });
    const user = users[0];
    await serveRequest(user, { prompt: prompts.short, negative_prompt: prompts.negative, steps: 28 }, () => {
      describe(user);
      aiSpans(16, user);
    });
  },
  'transaction-large'() {
    start({ tracesSampleRate: 1 });
    Sentry.startSpan({ op: 'queue.process', name: 'render_storyboard' }, () => {
      describe(users[2]);
      aiSpans(68, users[2]);
    });
  },
  async 'transaction-static'() {
    start({ tracesSampleRate: 1, traceLifecycle: 'static' });
    const user = users[0];
    await serveRequest(user, { prompt: prompts.short, contents: geminiContents() }, () => {
      describe(user);
      aiSpans(16, user);
    });
  },
  logs() {
    start({ enableLogs: true });
    for (let n = 0; n < 30; n++) {
      const user = users[n % 3];
      Sentry.logger.warn(Sentry.logger.fmt`upload ${n} from ${user.ip_address} refused`);
      Sentry.logger.info(`mail sent to ${user.email}`, { 'user.email': user.email, job: 'job-7c19f2' });
      Sentry.logger.info('model answered', { 'gen_ai.prompt': prompts.short, 'gen_ai.usage.input_tokens': 412 });
    }
  },
  async session() {
    start({ defaultIntegrations: false });
    Sentry.setUser({ ...users[0] });
    Sentry.startSession();
    Sentry.captureSession();
    Sentry.endSession();
  },
  'check-in'() {
    start({ defaultIntegrations: false });
    Sentry.captureCheckIn(
      { monitorSlug: 'nightly-upscale', status: 'ok', duration: 12.5 },
      { schedule: { type: 'crontab', value: '0 3 * * *' }, timezone: 'UTC' },
    );
  },
  feedback() {
    start({ defaultIntegrations: false });
    Sentry.captureFeedback({
      name: invented.hard.name,
      email: emails[1],
      message: `My film never arrived, please answer to ${emails[0]}`,
      url: `https://studio.example.com/film?mail=${encodeURIComponent(emails[0])}`,
    });
  },
  hard() {
    start();
    const { hard } = invented;
    Sentry.setUser({ ...users[0], name: hard.name });
    Sentry.setExtra('support_note', `caller ${hard.name} left ${hard.phone}`);
    Sentry.setExtra('request_repr', `{ model: 'gpt-image-1', prompt: '${hard.prompt_in_dump}' }`);
    Sentry.addBreadcrumb({ category: 'console', message: `janeroe88 asked: ${hard.prompt_in_log}` });
    Sentry.captureException(new ContentPolicyError(`prompt rejected: "${hard.prompt_in_error}"`));
  },
};

const scenario = scenarios[process.argv[2]];
if (!scenario) {
  console.error(`usage: studio.mjs ${Object.keys(scenarios).join('|')}`);
  process.exit(2);
}
// The studio's warnings are there for the breadcrumbs; with `debug` the SDK's own are wanted too.
if (process.env.STUDIO_DEBUG !== '1') console.warn = () => {};
await scenario();
const flushed = await Sentry.close(20_000);
console.log(JSON.stringify({ event_ids: sent, flushed }));
process.exit(flushed ? 0 : 1);
