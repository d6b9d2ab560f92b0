// A page that is recorded with `@sentry/browser` while somebody types into it; nothing is masked, so that all of it
// is on the wire for us to find.
import * as Sentry from '@sentry/browser';

const { dsn, tunnel, user, ip, token, prompt } = window.studio;
const said = `mail from ${user.email} at ${ip} with ${token}`;
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

document.body.innerHTML = `<main><p id=who>signed in as ${user.email}</p>
  <a href="https://example.com/?to=${encodeURIComponent(user.email)}" title="${user.email}">me</a>
  <p id=said data-said="${said}">nothing yet</p>
  <input id=mail name=mail value="${user.email}"><input id=box><textarea id=note></textarea></main>`;

async function type(id, text) {
  const field = document.getElementById(id);
  for (let end = 1; end <= text.length; end += 1) {
    field.value = text.slice(0, end);
    field.dispatchEvent(new Event('input', { bubbles: true }));
    await pause(2);
  }
}

async function record() {
  const replay = Sentry.replayIntegration({
    maskAllText: false,
    maskAllInputs: false,
    blockAllMedia: false,
    minReplayDuration: 0,
    networkDetailAllowUrls: [window.location.origin],
    networkRequestHeaders: ['x-owner'],
  });
  Sentry.init({ dsn, tunnel, integrations: [replay], replaysSessionSampleRate: 1, sendDefaultPii: true, release: 'studio-web@2.14.0' });
  Sentry.setUser({ id: user.id, email: user.email, ip_address: '{{auto}}' });
  await pause(300);
  await type('mail', user.email);
  await type('note', prompt);
  await type('box', `${ip} ${token}`);
  document.getElementById('said').textContent = said;
  document.getElementById('who').textContent = `now as ${user.email}`;
  console.log(`logged in ${said}`);
  const body = JSON.stringify({ prompt, owner: user.email, said, attempts: 3 });
  await fetch(`/page.js?owner=${encodeURIComponent(user.email)}&from=${ip}`, { method: 'POST', headers: { 'x-owner': said }, body }).catch(() => {});
  const event_id = Sentry.captureException(new Error(`upload failed: ${said}`));
  await pause(500);
  await replay.flush();
  return { event_id, replay_id: replay.getReplayId(), flushed: await Sentry.flush(10_000) };
}

window.outcome = record().catch(error => ({ failed: String(error) }));
