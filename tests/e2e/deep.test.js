import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { forEachBrowser } from './harness/index.js';
import { ShrinkPage } from './shrink-page.js';

forEachBrowser((browser) => {
  const page = new ShrinkPage(browser);
  const run = page.run.bind(page);

  /** Enters the room with this choice and waits until all of it is planned and measured. */
  async function open(language = 'en', choice = 'to=deep&scheme=deep') {
    await page.enter(`?lang=${language}#/shrink?${choice}`);
    await planned();
  }

  const planned = async () => {
    await page.until(`return document.querySelector('fb-shrink-deep .fields')`, 'the options');
    await page.planned();
  };

  /** Of the container that would have been saved. @param {number} at */
  async function saved(at) {
    const { name, bytes } = await page.saved(at);
    return { name, size: bytes.length, magic: bytes.subarray(0, 6).toString() };
  }

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
      const before = await page.total();
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
      await page.catchSaves();
      await page.start();
      await page.done();
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
      await page.catchSaves();
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

    for (const language of browser.languages) {
      test(`axe finds nothing in ${language}, in ${browser.themes.join(' and ')}, and nothing is wider than 360 pixels`, async () => {
        for (const theme of browser.themes) {
          await page.open('?lang=en');
          await run(`localStorage.setItem('fewerbits.theme', arguments[0])`, theme);
          await open(language);
          assert.doesNotMatch(await page.text('main'), /shrink\.|option\./);
          await page.audit(`${theme}, choosing`);
          await page.start();
          await page.until(`return document.querySelector('fb-shrink-report .stages')`, 'the report');
          await run(`document.querySelector('fb-shrink-report details').open = true`);
          await page.audit(`${theme}, done`);
        }
        await run(`localStorage.clear()`);
        await page.assertNarrow(`?lang=${language}#/shrink?to=deep&scheme=deep`, planned);
      });
    }
  });
});
