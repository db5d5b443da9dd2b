import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Key, axeSource, forEachBrowser, framed } from './harness/index.js';
import { ExplorePage } from './explore-page.js';

/** What the comparison shows. @typedef {{keys: string[], sides: string[], names: string[], at: string | null}} Shown */

forEachBrowser((browser) => {
  const page = new ExplorePage(browser);
  const run = (/** @type {string} */ script, /** @type {any[]} */ ...args) =>
    browser.driver.executeScript(script, ...args);

  /** Brings the comparison into view and waits until every scheme was tried. */
  async function compare() {
    // The whole engine must be there: it brings the other schemes.
    await page.until(`return document.querySelector('option[value="q8_0"]')`, 'all schemes');
    await run(`document.querySelector('fb-schemes').scrollIntoView({ block: 'end' })`);
    await page.until(`return document.querySelector('fb-scatter')`, 'the figure');
    await run(`document.querySelector('fb-schemes').scrollIntoView({ block: 'end' })`);
    await page.until(
      `return document.querySelector('fb-schemes figure').getAttribute('aria-busy') === 'false'`,
      'every scheme',
    );
    await page.until(
      `return document.querySelector('fb-scatter').shadowRoot.querySelector('.point')`,
      'points in the figure',
    );
  }

  /** @returns {Promise<Shown>} */
  const shown = () =>
    run(`const root = document.querySelector('fb-scatter').shadowRoot; const all = (s) => [...root.querySelectorAll(s)];
      return { keys: all('.point').map((p) => p.dataset.key), sides: all('.side').map((p) => p.getAttribute('aria-label')),
        names: all('.name').map((n) => n.textContent), at: root.querySelector('.tip .title')?.textContent ?? null };`);

  describe('the comparison of schemes', () => {
    test('is not begun before it is seen; then has a point for each scheme and one for each side, all named apart', async () => {
      await page.open('?lang=en#/explore?t=fc1.weight&a=int6');
      assert.equal(await run(`return document.querySelector('fb-scatter')`), null);
      await compare();
      const { keys, sides, names } = await shown();
      const ids = await run(`return [...document.querySelectorAll('#scheme-b option')].map((o) => o.value)`);
      const failed = await run(`return document.querySelector('fb-schemes .failed')?.textContent ?? ''`);
      for (const id of ids) assert.ok(keys.includes(id) || failed.includes(id), `${id} is shown or named`);
      assert.deepEqual(
        sides.map((/** @type {string} */ s) => s.slice(0, 7)),
        ['A: int6', 'B: int4'],
      );
      assert.match(sides[1], /^B: int4, 4\.00 bits, \d+\.\d\d\sdB$/);
      assert.ok(names.length >= 4, `${names}`);
      const covered =
        await run(`const boxes = [...document.querySelector('fb-scatter').shadowRoot.querySelectorAll('.name')]
        .map((n) => [n.textContent, n.getBBox()]);
        return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) => p.x + 2 < q.x + q.width && q.x + 2 < p.x + p.width
          && p.y + 3 < q.y + q.height && q.y + 3 < p.y + p.height).map(([b]) => a + ' | ' + b))`);
      assert.deepEqual(covered, []);
      assert.match(await page.text('fb-schemes .note'), /independent Gaussian weights only; sparse or heavy-tailed/);
      await page.assertQuiet();
    });

    test('its numbers are those of the side that has the scheme', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight&b=int5');
      await compare();
      const point = await run(
        `return document.querySelector('fb-scatter').shadowRoot.querySelector('[data-key=int5]').getAttribute('aria-label')`,
      );
      const { sqnrDb, bitsPerWeight } = await page.metrics();
      assert.equal(point.replace(/\u00a0/g, ' '), `int5, ${bitsPerWeight} bits, ${sqnrDb}`);
      assert.equal(
        await run(
          `return document.querySelector('fb-scatter').shadowRoot.querySelector('[aria-selected=true]').dataset.key`,
        ),
        'int5',
      );
    });

    test('a pointer names the point that it is near, and its press sets the side in hand', async () => {
      await page.open('?lang=en#/explore?t=fc1.weight');
      await compare();
      const at = (/** @type {string} */ key) =>
        run(
          `const figure = document.querySelector('fb-scatter'); const dot = figure.shadowRoot.querySelector('[data-key="' + arguments[0] + '"] .dot').getBoundingClientRect();
           const where = { bubbles: true, composed: true, clientX: dot.x + dot.width / 2 + 1, clientY: dot.y + dot.height / 2 };
           const svg = figure.shadowRoot.querySelector('svg');
           svg.dispatchEvent(new PointerEvent('pointermove', where)); return figure.updateComplete.then(() => {
             const tip = figure.shadowRoot.querySelector('.tip').textContent; svg.dispatchEvent(new MouseEvent('click', where)); return tip; });`,
          key,
        );
      assert.match(await at('int3'), /^\s*int3\s+3\.00 bits/);
      await page.until(`return document.querySelector('#scheme-b').value === 'int3'`, 'side B');
      await page.settled();
      await page.click('.sides .tab');
      await page.until(`return document.querySelector('#scheme-a')`, 'side A');
      await at('q8_0');
      await page.until(`return document.querySelector('#scheme-a').value === 'q8_0'`, 'side A');
      await page.until(
        `return document.querySelector('fb-scatter').shadowRoot.querySelector('.side[data-side=a]')`,
        'the mark of side A',
      );
      await page.assertQuiet();
    });

    test('by keyboard: arrows go from point to point and Enter chooses', async () => {
      await page.open('?lang=en#/explore?t=fc1.weight&b=int4');
      await compare();
      await run(`document.querySelector('fb-scatter').shadowRoot.querySelector('.point[tabindex="0"]').focus()`);
      assert.equal((await shown()).at, 'int4');
      const press = (/** @type {string} */ key) => browser.driver.actions().sendKeys(key).perform();
      await press(Key.HOME);
      const first = (await shown()).at;
      await press(Key.ARROW_RIGHT);
      const second = (await shown()).at;
      assert.ok(first && second && first !== second, `${first}, ${second}`);
      await press(Key.ARROW_UP);
      await press(Key.END);
      await press(Key.ARROW_LEFT);
      const key = await run(`return document.querySelector('fb-scatter').shadowRoot.activeElement.dataset.key`);
      await press(Key.ENTER);
      await page.until(`return document.querySelector('#scheme-b').value === arguments[0]`, `${key} on side B`, key);
      await page.settled();
      assert.equal(
        await run(`return document.querySelector('fb-scatter').shadowRoot.activeElement?.dataset.key`),
        key,
        'the focus stays',
      );
      await page.assertQuiet();
    });

    test('of a large tensor it tries a portion, says so, and is there at once the second time', async () => {
      await page.open('?lang=en');
      await run(`const columns = 1024; const rows = 1500; const n = rows * columns;
        const values = new Float32Array(n).map((_, i) => Math.sin(i * 12.9898) * 0.1 * Math.sin(i * 78.233));
        const small = new Float32Array(2048).map((_, i) => Math.sin(i * 12.9898));
        let text = JSON.stringify({ large: { dtype: 'F32', shape: [rows, columns], data_offsets: [0, 4 * n] },
          small: { dtype: 'F32', shape: [32, 64], data_offsets: [4 * n, 4 * n + 8192] } });
        text += ' '.repeat(8 - (text.length % 8));
        const head = new Uint8Array(8); new DataView(head.buffer).setUint32(0, text.length, true);
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([head, text, values, small], 'large.safetensors'));
        for (const type of ['dragenter', 'dragover', 'drop'])
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));`);
      await page.waitText('.subject h2', 'large');
      await page.settled();
      await compare();
      await page.waitText('fb-schemes .sampled', 'of 1,536,000 weights');
      const { keys } = await shown();
      await page.choose('small');
      await compare();
      assert.equal(await page.text('fb-schemes .sampled'), null);
      await page.choose('large');
      await page.waitText('fb-schemes .sampled', 'of 1,536,000 weights');
      assert.deepEqual((await shown()).keys, keys);
      await page.assertQuiet();
    });

    test('it is saved as SVG and PNG', async () => {
      await page.open('?lang=en#/explore?t=fc1.weight');
      await compare();
      const saved = await browser.driver.executeAsyncScript(`
        const done = arguments[0]; const blobs = []; const names = [];
        const real = URL.createObjectURL; URL.createObjectURL = (blob) => { blobs.push(blob); return real.call(URL, blob); };
        HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
        (async () => {
          for (const button of document.querySelectorAll('fb-schemes .exports button')) {
            const before = names.length; button.click();
            while (names.length === before) await new Promise((r) => requestAnimationFrame(r));
          }
          done({ names, svg: await blobs[0].text(), png: blobs.at(-1).size });
        })();`);
      assert.deepEqual(saved.names, ['fc1.weight-schemes.svg', 'fc1.weight-schemes.png']);
      assert.doesNotMatch(saved.svg, /var\(|class=|<script|aria-/);
      assert.match(saved.svg, /6\.02 dB per bit/);
      assert.ok(saved.png > 4000, `${saved.png} bytes of PNG`);
    });
  });

  describe('the packed block', () => {
    const map = (/** @type {string} */ what) =>
      run(`const root = document.querySelector('fb-block-map[data-side=b]').shadowRoot; ${what}`);
    const whenMapped = () =>
      page.until(
        `return document.querySelector('fb-block-map[data-side=b]')?.shadowRoot?.querySelector('.map')`,
        'the map of a block',
      );

    test('shows its parts with their bytes, the bits that are read, and each byte by keyboard and pointer', async () => {
      await page.open('?lang=en#/explore?t=fc1.weight&b=q8_0&w=5808');
      await whenMapped();
      assert.match(
        await map(`return root.querySelector('.title').textContent`),
        /32 weights in 34 bytes, from byte 6,154/,
      );
      const parts = await map(
        `return [...root.querySelectorAll('li[data-part]')].map((li) => li.textContent.replace(/\\s+/g, ' ').trim())`,
      );
      assert.equal(parts.length, 2);
      assert.match(parts[0], /scale bytes 0–1 → 0x[0-9A-F]{4}/);
      assert.match(parts[1], /codes bytes 2–33 → [01]{8}/);
      const code = await page.text('fb-weight [data-side=b] .packed .value');
      assert.ok(parts[1].endsWith(code), `${parts[1]} holds the stored ${code}`);
      const bars = await map(
        `return ['own', 'shared'].map((c) => root.querySelector('.map .' + c).getBBox()).map((b) => [b.width, b.height])`,
      );
      assert.ok(bars[0][1] > bars[1][1] && bars[1][0] > bars[0][0], `${bars}`);

      await map(`root.querySelector('.map').focus()`);
      await browser.driver.actions().sendKeys(Key.HOME).perform();
      const said = () => map(`return root.querySelector('.map').getAttribute('aria-valuetext')`);
      assert.match(
        await said(),
        /^byte 6,154 of the packed tensor · 0 of the block · 0x[0-9A-F]{2} = [01]{8} · scale$/,
      );
      await browser.driver.actions().sendKeys(Key.ARROW_RIGHT, Key.ARROW_RIGHT).perform();
      assert.match(await said(), /^byte 6,156 .* 2 of the block .* codes$/);
      // A pointer over the place where byte 10 stands.
      await browser.driver
        .actions()
        .sendKeys(Key.HOME, ...Array(10).fill(Key.ARROW_RIGHT))
        .perform();
      const [x, y] = await map(`const cell = root.querySelector('.cursor').getBoundingClientRect();
        return [cell.left + cell.width / 2, cell.top + cell.height / 2]`);
      await browser.driver.actions().sendKeys(Key.HOME).perform();
      await map(
        `root.querySelector('.map').dispatchEvent(new PointerEvent('pointermove', { clientX: ${x}, clientY: ${y} }))`,
      );
      assert.match(await said(), / 10 of the block /);
      await page.assertQuiet();
    });

    test('follows the weight, stands for both sides, and goes with the scheme', async () => {
      await page.open('?lang=en#/explore?t=fc1.weight&b=q8_0&a=q8_0&w=5808');
      await whenMapped();
      assert.equal(await run(`return document.querySelectorAll('fb-block-map').length`), 2);
      await run(`document.querySelector('fb-matrix').shadowRoot.querySelector('canvas').focus()`);
      await browser.driver.actions().sendKeys(Key.ARROW_DOWN).perform();
      await page.until(
        `return document.querySelector('fb-block-map[data-side=b]').shadowRoot.querySelector('.title').textContent.includes('6,426')`,
        'the block in the next row',
      );
      await page.set('#scheme-b', 'int4');
      await page.until(`return !document.querySelector('fb-block-map[data-side=b]')`, 'no block');
      await page.assertQuiet();
    });

    test('in Chinese and at 360 pixels both fit', async () => {
      await browser.driver.get(framed(browser.site, 360, 740, '?lang=zh#/explore?t=fc1.weight&b=q8_0&w=5808'));
      await browser.driver.switchTo().frame(0);
      try {
        await page.settled();
        await whenMapped();
        await compare();
        assert.match(await page.text('fb-schemes'), /独立高斯权重/);
        assert.match(await map(`return root.querySelector('ul').textContent`), /缩放/);
        const wide = await run(`return document.documentElement.scrollWidth`);
        assert.ok(wide <= 360, `${wide} pixels wide`);
        await page.assertQuiet();
      } finally {
        await browser.driver.switchTo().defaultContent();
        await run('localStorage.clear()');
      }
    });
  });

  for (const theme of browser.themes) {
    test(`axe finds nothing in the comparison and the block, ${theme}`, async () => {
      await page.open('?lang=en#/explore?t=fc1.weight&b=q8_0&a=q8_0&w=5808');
      await page.set('.theme select', theme);
      await compare();
      await page.until(`return document.querySelector('fb-block-map')?.shadowRoot?.querySelector('.map')`, 'a block');
      await run(axeSource());
      const found = await browser.driver.executeAsyncScript(`const done = arguments[0];
        axe.run(document, { resultTypes: ['violations'] }).then((r) => done(r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join(' | '))))`);
      assert.deepEqual(found, []);
      await run('localStorage.clear()');
    });
  }
});
