// Opens the admin page in Chromium, goes through its views, and prints as JSON what they show.
//
// Usage: CHROMIUM=/usr/bin/chromium node page.mjs URL PAYLOAD
// Pictures for the documentation are taken by screenshots.mjs.
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../sdk/package.json', import.meta.url))('playwright-core');
const [url, payload] = process.argv.slice(2);
const READINGS = 3;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const problems = [];
  const requested = [];
  page.on('pageerror', error => problems.push(String(error)));
  page.on('console', message => message.type() === 'error' && problems.push(message.text()));
  page.on('request', request => requested.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await page.goto(url);
  await page.locator('#count-received').filter({ hasNotText: /^0$/ }).waitFor();

  // With the keyboard, as whoever has no mouse.
  await page.locator('#tab-inbox').focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('#ledger tr').first().waitFor();
  await page.waitForFunction(least => {
    const curves = [...document.querySelectorAll('.chart polyline')];
    return curves.length > 0 && curves.every(curve => curve.getAttribute('points').split(' ').length >= least);
  }, READINGS, { timeout: 90000 });
  const shown = await page.locator('[role=tabpanel]:visible').count();
  const charts = await page.locator('.chart').evaluateAll(all =>
    Object.fromEntries(all.map(one => [one.querySelector('span').textContent, one.querySelector('strong').textContent])));
  const ledger = await page.locator('#ledger tr').evaluateAll(all => all.map(one => [...one.cells].map(cell => cell.textContent)));
  const sum = await page.locator('#ledger-sum').textContent();
  const upstreams = await page.locator('#upstreams tr').evaluateAll(all => all.map(one => [...one.cells].map(cell => cell.textContent)));

  await page.click('#tab-explain');
  await page.locator('#set tr').first().waitFor();
  await page.fill('#payload', payload);
  await page.check('#explain-reveal');
  await page.click('#explain-run');
  await page.locator('#explain-events tr').first().waitFor();
  const told = await page.locator('#explain-told').textContent();
  const output = await page.locator('#explain-output').textContent();
  const events = await page.locator('#explain-events tr').evaluateAll(all => all.map(one => [...one.cells].map(cell => cell.textContent)));
  const marked = await page.locator('#explain-output mark').allTextContents();
  // Laid out over lines, it is still one document.
  await page.fill('#payload', JSON.stringify(JSON.parse(payload), null, 2));
  await page.evaluate(() => document.querySelector('#explain-events').replaceChildren());
  await page.click('#explain-run');
  await page.locator('#explain-events tr').first().waitFor();
  const laidOut = await page.locator('#explain-events tr').evaluateAll(all => all.map(one => one.cells[0].textContent));
  await page.fill('#set-filter', 'email.field');
  const listed = await page.locator('#set tr').evaluateAll(all => all.map(one => one.cells[0].textContent));

  await page.reload();
  const kept = await page.locator('#tab-explain').getAttribute('aria-selected');
  const remembered = await page.evaluate(() => [document.querySelector('#payload').value, localStorage.length, sessionStorage.length]);
  console.log(JSON.stringify({ shown, charts, ledger, sum, upstreams, told, output, events, marked, laidOut, listed, kept, remembered, problems, requested }));
} finally {
  await browser.close();
}
