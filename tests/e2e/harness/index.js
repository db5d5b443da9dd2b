/**
 * What an end-to-end test needs:
 *
 *     import { forEachBrowser, serve, DIST, By } from './harness/index.js';
 *
 *     forEachBrowser((browser) => {
 *       test('the sample is open', async () => {
 *         await browser.driver.get(browser.site.url);
 *         …
 *         assert.deepEqual(await browser.errors(), []);
 *       });
 *     });
 *
 * `node --test tests/e2e/explore.test.js` runs one file in every browser that is installed;
 * `FEWERBITS_BROWSERS=chromium,firefox` limits that.
 */
import { existsSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch } from './browsers.js';
import { BROWSERS, find } from './find.js';
import { serve } from './server.js';

export { By, Key, Origin, axeSource, launch, until } from './browsers.js';
export { BROWSERS, find } from './find.js';
export { framed, serve } from './server.js';

/** The built site. */
export const DIST = fileURLToPath(new URL('../../../dist', import.meta.url));
/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The browsers asked for by FEWERBITS_BROWSERS, all by default. */
export function wantedBrowsers() {
  const names = (process.env.FEWERBITS_BROWSERS ?? '').split(',').map((name) => name.trim());
  const wanted = names.filter(Boolean);
  for (const name of wanted) {
    if (!BROWSERS.includes(/** @type {any} */ (name))) throw new Error(`FEWERBITS_BROWSERS: no browser ${name}`);
  }
  return BROWSERS.filter((name) => wanted.length === 0 || wanted.includes(name));
}

/**
 * The languages and themes that axe is run over: all of them in Chromium, one of each elsewhere. What it finds lies in the page's text, tree and
 * colours, which are the same in every engine.
 * @param {string} name of the browser
 */
const audited = (name) =>
  name === 'chromium'
    ? { languages: ['en', 'zh'], themes: ['light', 'dark'] }
    : { languages: ['en'], themes: ['light'] };

/**
 * Registers the same tests once per browser. `define(browser)` is called while tests are collected; `browser.driver`,
 * `browser.site` (dist/ served under a sub-path) and the rest are there once the tests run, `browser.languages` and `browser.themes` from the
 * beginning.
 * @param {(browser: import('./browsers.js').Browser & {site: import('./server.js').Server, languages: string[], themes: string[]}) => void} define
 * @param {{width?: number, height?: number, downloads?: string, subPath?: string, serve?: import('./server.js').ServeOptions}} [options]
 */
export function forEachBrowser(define, options = {}) {
  for (const name of wantedBrowsers()) {
    const missing = find(name) ? false : `${name} and its driver are not installed`;
    describe(name, { skip: missing }, () => {
      /** @type {any} */
      const browser = { name, ...audited(name) };
      before(async () => {
        if (!existsSync(DIST)) throw new Error('there is no dist/: run `cargo xtask build` first');
        browser.site = await serve(DIST, options.subPath ?? '/a/sub-path/', options.serve);
        Object.assign(browser, await launch(name, options));
      });
      after(async () => {
        await browser.close?.();
        await browser.site?.close();
      });
      define(browser);
    });
  }
}
