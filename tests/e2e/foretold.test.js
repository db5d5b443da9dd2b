import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { Weights, init } from '../../www/lib/index.js';
import { forEachBrowser } from './harness/index.js';
import { ExplorePage, readNumber, safetensors } from './explore-page.js';

/** So many that a slow scheme is foretold, and a fast one is not. */
const SHAPE = [2048, 1024];

function bell() {
  let state = 7;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const sum = () => uniform() + uniform() + uniform() + uniform() - 2;
  return Float32Array.from({ length: SHAPE[0] * SHAPE[1] }, () => 0.05 * sum());
}

forEachBrowser((browser) => {
  const page = new ExplorePage(browser);
  const values = bell();
  const run = (/** @type {string} */ script, /** @type {any[]} */ ...args) =>
    browser.driver.executeScript(script, ...args);

  /** Opens the large tensor, and writes down from then on what the page says of its figures. @param {string} language */
  async function openLarge(language) {
    await page.open(`?lang=${language}`);
    await page.until(`return document.querySelector('option[value="hqq"]')`, 'all schemes');
    await page.drop('large.safetensors', safetensors({ large: { shape: SHAPE, values } }));
    await page.waitText('.subject h2', 'large');
    await page.settled();
    await run(`window.said = []; window.cells = [];
      const look = () => {
        const text = document.querySelector('.foretold').textContent.trim();
        if (text !== window.said.at(-1)) window.said.push(text);
        if (text) window.cells.push(document.querySelector('tr[data-metric="rmse"] td:last-child').textContent);
      };
      look();
      new MutationObserver(look).observe(document.querySelector('fb-measures'), { subtree: true, childList: true, characterData: true });`);
  }

  /** Waits until the figures are of this scheme and of all weights. @param {string} id */
  async function exact(id) {
    await page.until(
      `return window.said.length >= 3 && window.said.at(-1) === '' && document.querySelector('#scheme-b').value === arguments[0]`,
      'the exact figures',
      id,
    );
    await page.settled();
  }

  describe('a scheme that searches long', () => {
    before(() => init());

    test('is foretold from a sample, marked as such, and then computed from all weights', async () => {
      await openLarge('en');
      await page.set('#scheme-b', 'hqq');
      await exact('hqq');
      const [said, cells] = await run(`return [window.said, window.cells]`);
      assert.deepEqual(said, ['', '≈ from 65,536 of 2,097,152 weights; exact figures follow.', '']);
      assert.ok(
        cells.every((/** @type {string} */ cell) => cell.trim().startsWith('≈')),
        `${cells}`,
      );
      assert.equal(await run(`return document.querySelector('.foretold').getAttribute('role')`), 'status');

      const weights = new Weights(values, SHAPE);
      const { metrics, bitsPerWeight } = weights.evaluate({ id: 'hqq' });
      weights.free();
      const shown = await page.metrics();
      assert.ok(Math.abs(readNumber(shown.rmse) / metrics.rmse - 1) < 1e-3, `${shown.rmse} is ${metrics.rmse}`);
      assert.equal(parseFloat(shown.bitsPerWeight), Number(bitsPerWeight.toFixed(2)));
      const early = readNumber(cells[0].trim().slice(1).trim());
      assert.ok(Math.abs(early / metrics.rmse - 1) < 0.02, `${cells[0]} foretells ${metrics.rmse}`);
      await page.assertQuiet();
    });

    test('says so in Chinese; a fast scheme is not foretold', async () => {
      await openLarge('zh');
      await page.set('#scheme-b', 'int6');
      await page.waitMetric('bitsPerWeight', '6.00');
      await page.settled();
      assert.deepEqual(await run(`return window.said`), ['']);
      await page.set('#scheme-b', 'hqq');
      await exact('hqq');
      assert.match((await run(`return window.said`))[1], /^≈ 由 .*2,097,152.* 个权重中的 .*65,536.* 个预估/);
      await page.assertQuiet();
    });
  });
});
