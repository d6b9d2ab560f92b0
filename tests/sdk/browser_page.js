// The page's program: reports one error with `@sentry/browser` and posts one envelope with plain `fetch`,
// both to another origin. The test page names the DSN and puts the outcome where the driver reads it.
import * as Sentry from '@sentry/browser';

const { dsn, endpoint, key, envelope, user, ip, token, prompt } = window.studio;
const note = `mail from ${user.email} at ${ip} with ${token}`;

async function plainFetch() {
  const answer = await fetch(endpoint, {
    method: 'POST',
    // Neither header is one that a browser sends across origins unasked: it must ask with OPTIONS first.
    headers: {
      'Content-Type': 'application/x-sentry-envelope',
      'X-Sentry-Auth': `Sentry sentry_version=7, sentry_client=studio/1, sentry_key=${key}`,
    },
    body: envelope,
  });
  return { status: answer.status, body: await answer.text() };
}

async function sdk() {
  Sentry.init({ dsn, release: 'studio-web@2.14.0', environment: 'production', sendDefaultPii: true });
  Sentry.setUser({ id: user.id, email: user.email });
  Sentry.setExtra('prompt', prompt);
  Sentry.setContext('job', { note, client_ip: ip, attempts: 3, cfg_scale: 7.5 });
  Sentry.addBreadcrumb({ category: 'upload', message: note, data: { used: token, bytes: 48151 } });
  const event_id = Sentry.captureException(new Error(`upload failed: ${note}`));
  return { event_id, flushed: await Sentry.flush(10_000) };
}

window.outcome = Promise.allSettled([plainFetch(), sdk()]).then(results =>
  results.map(result => (result.status === 'fulfilled' ? result.value : { failed: String(result.reason) })),
);
