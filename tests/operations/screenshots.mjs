// Takes pictures of the admin page's views in Chromium.
//
// Usage: CHROMIUM=/usr/bin/chromium node screenshots.mjs URL PAYLOAD DIRECTORY [all]
// inbox.png, operation.png and patterns-tab.png go to DIRECTORY, once the charts have something to show. With `all` also each in the
// dark scheme and on a narrow screen, to be looked at.
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../sdk/package.json', import.meta.url))('playwright-core');
const [url, payload, directory, all] = process.argv.slice(2);
const READINGS = 20;
const looks = [{ suffix: '', colorScheme: 'light', viewport: { width: 1280, height: 900 } }];
if (all) {
  looks.push(
    { suffix: '-dark', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
    { suffix: '-narrow', colorScheme: 'light', viewport: { width: 400, height: 860 } },
    { suffix: '-narrow-dark', colorScheme: 'dark', viewport: { width: 400, height: 860 } },
    { suffix: '-wide', colorScheme: 'light', viewport: { width: 1900, height: 1000 } },
  );
}
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});

// Tamis explains one payload at a time.
let taken = 0;
async function turnOf(place) {
  while (taken < place) await new Promise(done => setTimeout(done, 200));
}

async function take({ suffix, ...look }, turn) {
  const page = await browser.newPage({ ...look, locale: 'en-GB', reducedMotion: 'reduce' });
  // Longer than anything takes on a slow machine.
  page.setDefaultTimeout(120000);
  const picture = name => page.screenshot({ path: `${directory}/${name}${suffix}.png` });
  await page.goto(url);
  await page.locator('#items li').nth(8).waitFor();
  await picture('inbox');

  await page.click('#tab-operate');
  await page.waitForFunction(least => {
    const curves = [...document.querySelectorAll('.chart polyline')];
    return curves.length > 0 && curves.every(curve => curve.getAttribute('points').split(' ').length >= least);
  }, READINGS);
  await picture('operation');

  await page.click('#tab-explain');
  await page.locator('#set tr').first().waitFor();
  await turn();
  await page.fill('#payload', payload);
  await page.check('#explain-reveal');
  await page.click('#explain-run');
  await page.locator('#explain-events tr').first().waitFor();
  await page.locator('#explain-run').blur();
  await page.evaluate(() => scrollTo(0, 0));
  await picture('patterns-tab');
  taken += 1;
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (overflow > 0) console.error(`${suffix || 'light'}: the page is ${overflow} px wider than the screen`);
}

try {
  await Promise.all(looks.map((look, place) => take(look, () => turnOf(place))));
} finally {
  await browser.close();
}
