// Opens a page in Chromium, waits for `window.outcome`, prints it as JSON with the requests that were made.
//
// Usage: CHROMIUM=/usr/bin/chromium node browser.mjs URL
import { chromium } from 'playwright-core';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  const console_ = [];
  page.on('console', message => console_.push(message.text()));
  await page.goto(process.argv[2]);
  const outcome = await page.evaluate(() => window.outcome);
  console.log(JSON.stringify({ outcome, console: console_ }));
} finally {
  await browser.close();
}
