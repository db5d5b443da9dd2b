import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DIST, forEachBrowser, serve } from './harness/index.js';
import { ExplorePage } from './explore-page.js';

/** In the text of chapter 8, of the build that was there first and of the one that replaces it. */
const [FIRST, SECOND] = ['A scale is set by the largest weight', 'In the second build the largest weight'];

/** Another build in the same place: the text of a chapter is another one, under the same name, and the version differs. @param {string} folder */
function buildAgain(folder) {
  const change = (/** @type {string} */ file, /** @type {(text: string) => string} */ to) => {
    const text = readFileSync(file, 'utf8');
    const next = to(text);
    assert.notEqual(next, text, file);
    writeFileSync(file, next);
  };
  const chapter = readdirSync(join(folder, 'assets')).find((name) => /^en-08-.*\.js$/.test(name));
  change(join(folder, 'assets', /** @type {string} */ (chapter)), (text) => text.replace(FIRST, SECOND));
  change(join(folder, 'sw.js'), (text) => text.replace(/(VERSION = ')[0-9a-f]{8}/, '$100000000'));
}

forEachBrowser((browser) => {
  // Only in Chromium so far: in Firefox the driver waited for the second worker in vain, WebKit has not been tried.
  if (browser.name !== 'chromium') return;
  const page = new ExplorePage(browser);
  const go = async (/** @type {string} */ url) => {
    await browser.driver.get('about:blank');
    await browser.driver.get(url);
  };
  const told = (/** @type {string} */ what) =>
    page.until(
      `const f = document.querySelector('figure.live > *'); f?.scrollIntoView(); return f?.shadowRoot?.querySelector('.told')?.textContent.trim()`,
      what,
    );
  const controlled = () =>
    page.until(`return navigator.serviceWorker?.controller?.state === 'activated'`, 'the service worker');

  test('once visited the page works without a network, all chapters and the engine included', async () => {
    const site = await serve(DIST, '/a/', { offline: true });
    await go(`${site.url}?lang=en#/learn/8`);
    await told('a figure');
    await controlled();
    await site.close();
    // Nobody answers any more.
    await go(`${site.url}?lang=en#/learn/9`);
    assert.match(await told('a figure without a network'), /Q4_0/);
    await go(`${site.url}?lang=zh#/explore`);
    await page.settled();
    assert.deepEqual(await browser.errors(), []);
  });

  test('an update never mixes old and new: a page keeps its build, the next load is wholly the other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fewerbits-update-'));
    cpSync(DIST, folder, { recursive: true });
    const site = await serve(folder, '/b/', { offline: true });
    try {
      await go(`${site.url}?lang=en#/learn/4`);
      await told('a figure');
      await controlled();
      buildAgain(folder);
      await browser.driver.executeScript(`navigator.serviceWorker.getRegistration().then((r) => r.update())`);
      await page.until(
        `navigator.serviceWorker.getRegistration().then((r) => (window.waitingNow = r?.waiting?.state === 'installed')); return window.waitingNow`,
        'the second build, waiting',
      );
      // The page of the first build asks for a file that it has not used yet.
      await browser.driver.executeScript(`location.hash = '#/learn/8'`);
      await page.waitText('.lesson', FIRST);
      await go(`${site.url}?lang=en#/learn/8`);
      await page.waitText('.lesson', SECOND);
      const caches = await browser.driver.executeAsyncScript(`caches.keys().then(arguments[arguments.length - 1])`);
      assert.equal(caches.filter((/** @type {string} */ name) => name.startsWith('fewerbits-')).length, 1, `${caches}`);
    } finally {
      await site.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('the page can be installed: its manifest and its icons are there', async () => {
    await go(`${browser.site.url}?lang=en`);
    const found = await browser.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1];
       (async () => {
         const link = document.querySelector('link[rel=manifest]').href;
         const manifest = await (await fetch(link)).json();
         const sizes = [];
         for (const { src, sizes: said, type } of manifest.icons.filter((i) => i.type === 'image/png')) {
           const image = new Image();
           image.src = new URL(src, link).href;
           await image.decode();
           sizes.push([said, image.naturalWidth + 'x' + image.naturalHeight, type]);
         }
         return { display: manifest.display, start: new URL(manifest.start_url, link).href, sizes };
       })().then(done, (e) => done({ failed: String(e) }));`,
    );
    assert.equal(found.display, 'standalone', JSON.stringify(found));
    assert.equal(found.start, browser.site.url);
    assert.ok(found.sizes.length >= 2);
    for (const [said, is] of found.sizes) assert.equal(is, said);
  });
});
