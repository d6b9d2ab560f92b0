// The page's program: a session that `posthog-js` records, with a form somebody types into.
import posthog from 'posthog-js/dist/module.full.no-external';

const { url, phc, ip, email, token, prompt } = window.studio;
const note = `mail from ${email} at ${ip} with ${token}`;

window.outcome = new Promise(resolve => {
  posthog.init(phc, {
    api_host: url,
    ui_host: url,
    persistence: 'memory',
    capture_pageview: true,
    autocapture: true,
    disable_surveys: true,
    opt_out_useragent_filter: true, // a headless browser is a bot otherwise, whose events are not sent
    session_recording: { maskAllInputs: false, maskTextSelector: null },
    loaded: async client => {
      const captured = []; // what was reported, by its uuid
      client.on('eventCaptured', ({ event, uuid }) => event === '$snapshot' || captured.push([uuid, event]));
      client.identify(email, { email, name: 'Jane Roe' });
      client.capture('rendered', { note, $ip: ip, n: 1.5, tries: 3 });
      client.capture('$ai_generation', { $ai_input: [{ role: 'user', content: prompt }], $ai_model: 'gpt-5', $ai_input_tokens: 9 });
      const flags = await new Promise(done => client.onFeatureFlags(names => done(names)));
      // Nothing is uploaded until somebody uses the page that is recorded.
      while (!client.sessionRecordingStarted()) await new Promise(done => setTimeout(done, 50));
      await new Promise(done => setTimeout(done, 500));
      const text = document.getElementById('text');
      text.textContent = note;
      const box = document.getElementById('box');
      box.value = 'Jane Roe';
      box.dispatchEvent(new Event('input', { bubbles: true }));
      document.getElementById('pay').click();
      // Events wait up to three seconds for company, snapshots two.
      await new Promise(done => setTimeout(done, 7_000));
      resolve({ flags, recording: client.sessionRecordingStarted(), captured, session: client.get_session_id() });
    },
  });
});
