// Sends three messages one after another with `@sentry/node`, so that a rate limit can stop the later ones.
//
// Usage: SENTRY_DSN=http://key@host/42 node limits.mjs
import * as Sentry from '@sentry/node';

Sentry.init({ dsn: process.env.SENTRY_DSN, defaultIntegrations: false });
for (let nth = 0; nth < 3; nth += 1) {
  Sentry.captureMessage(`message ${nth}`);
  await Sentry.flush(10_000);
}
