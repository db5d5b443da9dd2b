import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { axeSource, forEachBrowser, framed } from './harness/index.js';
import { ExplorePage } from './explore-page.js';

/** Without a save picker, as most browsers are. */
const NO_PICKER = `for (const name of ['showSaveFilePicker', 'showDirectoryPicker']) {
  delete window[name]; delete Window.prototype[name]; }`;

forEachBrowser((browser) => {
  const page = new ExplorePage(browser);
  const run = (/** @type {string} */ script, /** @type {any[]} */ ...args) =>
    browser.driver.executeScript(script, ...args);

  /** Enters the room with this choice and waits until all of it is planned and measured. */
  async function open(language = 'en', choice = 'to=deep&scheme=deep') {
    await browser.driver.get('about:blank');
    await browser.driver.get(`${browser.site.url}?lang=${language}`);
    await run(`${NO_PICKER}; location.hash = arguments[0]`, `#/shrink?${choice}`);
    await planned();
  }

  const planned = () =>
    page.until(
      `return document.querySelector('fb-shrink-deep .fields') && document.querySelector('fb-shrink-table .body .row')
        && !document.querySelector('fb-shrink-strip .swatch.loss-unknown') && document.querySelector('.place')?.textContent !== ''`,
      'the plan',
    );

  const total = () => run(`return Number(document.querySelector('.totals').dataset.bytes)`);

  const catchSaves = () =>
    run(`window.saved = []; let made = null; const { createObjectURL } = URL;
      URL.createObjectURL = (blob) => ((made = blob), createObjectURL.call(URL, blob));
      HTMLAnchorElement.prototype.click = function () { window.saved.push([this.download, made]); };`);

  /** @param {number} at @returns {Promise<{name: string, size: number, magic: string}>} */
  const saved = (at) =>
    browser.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1]; const [name, blob] = window.saved[arguments[0]];
       blob.slice(0, 6).text().then((magic) => done({ name, size: blob.size, magic }), (e) => done({ name: String(e) }));`,
      at,
    );

  /** @returns {Promise<{[stage: string]: number}>} */
  const stages = (/** @type {string} */ where) =>
    run(
      `return Object.fromEntries([...document.querySelectorAll(arguments[0] + ' tr[data-stage]')].map((row) =>
        [row.dataset.stage, Number(row.querySelector('.n').textContent.replace(/[^0-9]/g, ''))]))`,
      where,
    );

  describe('Deep Compression', () => {
    test('its options change the plan and the address; what is written is counted stage by stage, and opens again', async () => {
      await open();
      const before = await total();
      await page.set('#shrink-deep-bits', '3');
      await page.until(`return /scheme=deep;bits=3/.test(decodeURIComponent(location.hash))`, 'the address');
      await page.until(
        `return Number(document.querySelector('.totals').dataset.bytes) < arguments[0]`,
        'fewer',
        before,
      );
      await page.set('#shrink-deep-indexBits', '4');
      await page.until(`return /indexBits=4/.test(location.hash)`, 'the width');
      assert.match(await page.text('.totals'), /at most/);
      assert.match(await page.text('fb-shrink-deep'), /nothing is retrained/);
      await catchSaves();
      await page.until(`return document.querySelector('.start')?.disabled === false`, 'the button');
      await page.click('.start');
      await page.until(`return document.querySelector('fb-shrink-report .done')`, 'the report');
      const of = await stages('fb-shrink-report');
      assert.ok(of.float > of.pruned && of.pruned > of.shared && of.shared > of.coded, JSON.stringify(of));
      await page.click('fb-shrink-report .save');
      assert.deepEqual(await saved(0), { name: 'digits-deep.fbdc', size: of.coded, magic: 'FBDEEP' });
      await page.click('.open-result');
      await page.waitText('.strip .name', 'digits-deep.fbdc');
      await page.until(`return document.querySelector('.subject')?.textContent.includes('DEEP')`, 'a record');
      await page.assertQuiet();
    });

    test('the sample network is compressed with retraining; cancelled it leaves nothing, done it is saved and opened', async () => {
      await open();
      await catchSaves();
      await page.click('.retrain');
      await page.until(`return document.querySelector('.retraining progress')?.value > 0`, 'progress');
      await page.click('.retraining .cancel');
      await page.until(
        `return document.querySelector('.retrain') && !document.querySelector('.retraining progress')`,
        'the end',
      );
      assert.equal(await run(`return document.querySelector('.outcome')`), null);
      await page.click('.retrain');
      await page.until(`return document.querySelector('.retraining progress')`, 'the second run');
      // Nothing is timed: it ends when it ends, as long as it moves.
      for (let last = -1; ;) {
        const now = await run(`return document.querySelector('.retraining progress')?.value ?? null`);
        if (now === null) break;
        if (now > last) last = now;
        await page.until(
          `const now = document.querySelector('.retraining progress')?.value; return now === undefined || now > arguments[0]`,
          'another step',
          last,
        );
      }
      await page.until(`return document.querySelector('.outcome')`, 'the outcome');
      const of = await stages('fb-shrink-deep');
      assert.deepEqual(Object.keys(of).sort(), ['coded', 'float', 'pruned', 'retrained', 'shared', 'tuned']);
      assert.ok(of.float > 10 * of.coded, JSON.stringify(of));
      const read =
        await run(`return Object.fromEntries([...document.querySelectorAll('.outcome tr[data-stage]')].map((row) =>
        [row.dataset.stage, parseInt(row.querySelectorAll('.n')[2].textContent)]))`);
      assert.ok(read.retrained > read.pruned && read.coded === read.tuned && read.coded > 350, JSON.stringify(read));
      assert.match(await page.text('.outcome'), /every weight is the one that was trained/);
      await page.click('.save-deep');
      assert.deepEqual(await saved(0), { name: 'digits-retrained.fbdc', size: of.coded, magic: 'FBDEEP' });
      await page.click('.open-deep');
      await page.waitText('.strip .name', 'digits-retrained.fbdc');
      await page.assertQuiet();
    });

    for (const language of ['en', 'zh']) {
      test(`axe finds nothing in ${language}, in light and dark, and nothing is wider than 360 pixels`, async () => {
        for (const theme of ['light', 'dark']) {
          await page.open('?lang=en');
          await run(`localStorage.setItem('fewerbits.theme', arguments[0])`, theme);
          await open(language);
          assert.doesNotMatch(await page.text('main'), /shrink\.|option\./);
          await audit(`${theme}, choosing`);
          await page.until(`return document.querySelector('.start')?.disabled === false`, 'the button');
          await page.click('.start');
          await page.until(`return document.querySelector('fb-shrink-report .stages')`, 'the report');
          await run(`document.querySelector('fb-shrink-report details').open = true`);
          await audit(`${theme}, done`);
        }
        await run(`localStorage.clear()`);
        await browser.driver.get('about:blank');
        await browser.driver.get(framed(browser.site, 360, 760, `?lang=${language}#/shrink?to=deep&scheme=deep`));
        await browser.driver.switchTo().frame(0);
        try {
          await planned();
          const wide =
            await run(`return [document.documentElement.scrollWidth, ...[...document.querySelectorAll('main *')]
            .filter((e) => e.getBoundingClientRect().right > 361 && e.getBoundingClientRect().width > 2).map((e) => e.outerHTML.slice(0, 120))]`);
          assert.ok(wide.length === 1 && wide[0] <= 360, wide.join('\n'));
        } finally {
          await browser.driver.switchTo().defaultContent();
        }
      });
    }
  });

  /** @param {string} when */
  async function audit(when) {
    await run(axeSource());
    const found = await browser.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1];
       axe.run(document, { resultTypes: ['violations'] }).then((r) =>
         done(r.violations.map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | '))), (e) => done([String(e)]))`,
    );
    assert.deepEqual(found, [], when);
  }
});
