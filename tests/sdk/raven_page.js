// The page's program: reports with `raven-js` of the time before browsers could post across origins. It asks for a picture with the whole
// event in its address, and the page is told whether one came.
import Raven from 'raven-js';

const { dsn, user, ip, token } = window.studio;

window.outcome = new Promise(done => {
  document.addEventListener('ravenSuccess', () => done('ravenSuccess'));
  document.addEventListener('ravenFailure', () => done('ravenFailure'));
  Raven.config(dsn, { release: 'studio-web@2.14.0' }).install();
  Raven.setUserContext({ email: user.email });
  Raven.captureMessage(`mail from ${user.email} at ${ip} with ${token}`, { tags: { plan: 'free' } });
});
