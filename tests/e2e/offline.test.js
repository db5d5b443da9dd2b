import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
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
  /** Asks for the build that lies there now, until there is another one, and waits until it is installed. */
  const renewed = () =>
    browser.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1];
       (async () => {
         for (;;) {
           // Firefox may say that there is no registration yet while its worker is in control already.
           const registration = await navigator.serviceWorker.getRegistration();
           await registration?.update().catch(() => {});
           const next = registration?.installing ?? registration?.waiting;
           if (!next) { await new Promise((ok) => setTimeout(ok, 200)); continue; }
           while (next.state === 'installing') await new Promise((ok) => next.addEventListener('statechange', ok, { once: true }));
           return next.state;
         }
       })().then(done, (e) => done(String(e)));`,
    );
  const cached = async () => ({
    builds: await browser.driver.executeAsyncScript(
      `const done = arguments[0]; caches.keys().then((names) => done(names.filter((name) => name.startsWith('fewerbits /b/ ')).length), (e) => done(String(e)))`,
    ),
    errors: await browser.errors(),
  });
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
      assert.equal(await renewed(), 'installed');
      // The page of the first build asks for a file that it has not used yet.
      await browser.driver.executeScript(`location.hash = '#/learn/8'`);
      await page.waitText('.lesson', FIRST);
      // Nor does a second page end the first one's build, which goes on with files of it that it has not used either.
      const first = await browser.driver.getWindowHandle();
      await browser.driver.switchTo().newWindow('tab');
      await go(`${site.url}?lang=en#/learn/8`);
      await page.waitText('.lesson', FIRST);
      await browser.driver.switchTo().window(first);
      await browser.driver.executeScript(`location.hash = '#/learn/9'`);
      await page.waitText('.lesson', 'Q4_0');
      assert.deepEqual(await cached(), { builds: 2, errors: [] });
      for (const handle of await browser.driver.getAllWindowHandles()) {
        if (handle === first) continue;
        await browser.driver.switchTo().window(handle);
        await browser.driver.close();
      }
      await browser.driver.switchTo().window(first);
      // The next worker takes over once the last page of the one before has gone, which a browser may notice a moment after the next load.
      for (let loads = 0; loads < 5; loads++) {
        await go(`${site.url}?lang=en#/learn/8`);
        await page.until(
          `const text = document.querySelector('.lesson')?.textContent ?? '';
           return text.includes(arguments[0]) || text.includes(arguments[1])`,
          'the lesson',
          FIRST,
          SECOND,
        );
        if ((await page.text('.lesson'))?.includes(SECOND)) break;
      }
      await page.waitText('.lesson', SECOND);
      await browser.driver.executeAsyncScript(
        `const done = arguments[arguments.length - 1];
         (async () => {
           while ((await caches.keys()).filter((name) => name.startsWith('fewerbits /b/ ')).length !== 1)
             await new Promise((ok) => setTimeout(ok, 100));
         })().then(done, done);`,
      );
    } finally {
      await site.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('the language model works without a network once it was fetched, under the hash of its content', async () => {
    const site = await serve(DIST, '/c/', { offline: true });
    const live = `${site.url}?lang=en#/learn/16?lm=live=1;shown=1`;
    const lm = `document.querySelector('#figure-lm > *')`;
    await go(`${site.url}?lang=en#/learn/16`);
    await page.until(
      `${lm}?.scrollIntoView(); return ${lm}?.shadowRoot?.querySelector('.told')?.textContent`,
      'the figure',
    );
    await controlled();
    const computed = () =>
      page.until(
        `${lm}?.scrollIntoView(); return /Computed here/.test(${lm}?.shadowRoot?.querySelector('.told')?.textContent)`,
        'the language model',
      );
    await go(live);
    await computed();
    const used = () =>
      browser.driver.executeAsyncScript(
        `const done = arguments[arguments.length - 1];
         caches.open('fewerbits /c/ used').then((c) => c.keys()).then((list) => done(list.map(({ url }) => url)), (e) => done([String(e)]))`,
      );
    await page.until(
      `caches.open('fewerbits /c/ used').then((c) => c.keys()).then((l) => (window.usedNow = l.length)); return window.usedNow === 2`,
      'both files in their cache',
    );
    const expected = ['rust-docs.gguf', 'rust-docs-heldout.txt'].map((file) => {
      const hash = createHash('sha256').update(readFileSync(join(DIST, 'models', file)));
      return `${site.url}models/${file}?${hash.digest('hex')}`;
    });
    assert.deepEqual((await used()).sort(), expected.sort());
    assert.equal(site.requests.filter(({ path }) => path.endsWith('.gguf')).length, 1);
    await site.close();
    await go(live);
    await computed();
    assert.deepEqual(await browser.errors(), []);
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
