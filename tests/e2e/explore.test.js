import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, test } from 'node:test';
import { By, DIST, Key, axeSource, forEachBrowser, framed, serve } from './harness/index.js';
import { ExplorePage, readNumber, safetensors, sampleTensor, symmetricMetrics } from './explore-page.js';

/** A smooth distribution without any library. @param {number} n @param {number} [width] */
const bell = (n, width = 0.1) =>
  Float32Array.from(
    { length: n },
    (_, i) => width * ((Math.sin(i * 12.9898) * 43758.5453) % 1) + width * ((Math.sin(i * 78.233) * 12543.123) % 1),
  );

forEachBrowser((browser) => {
  const page = new ExplorePage(browser);

  describe('opening', () => {
    test('the page opens alive: the sample is loaded, quantized and measured, and nothing is sent', async () => {
      await page.open();
      assert.equal(await page.text('.strip .name'), 'digits.safetensors');
      assert.match(await page.text('.strip .accuracy'), /accuracy 9\d\.\d % → \d+\.\d %/);
      assert.match(await page.text('.strip'), /bits\/weight/);
      await page.until(
        `return ['fb-back-to-back', 'fb-staircase', 'fb-error-histogram']
          .every((tag) => document.querySelector(tag).shadowRoot.querySelectorAll('path[d]').length > 0)`,
        'paths in every figure',
      );
      await page.until(`return document.querySelector('fb-matrix').pictures !== null`, 'the matrix');
      const inked = await browser.driver
        .executeScript(`const canvas = document.querySelector('fb-matrix').shadowRoot.querySelector('canvas');
        return new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size`);
      assert.ok(inked > 16, `${inked} colours in the matrix`);
      const elsewhere = await browser.driver.executeScript(`return performance.getEntriesByType('resource')
        .map((e) => e.name).filter((name) => new URL(name).origin !== location.origin && !name.startsWith('blob:'))`);
      assert.deepEqual(elsewhere, []);
      assert.match(await page.text('.local'), /0 bytes sent/);
      assert.equal(await page.text('.local .count'), '0 requests');
      await page.assertQuiet();
    });

    test('the first load asks for no more than 60 KB of JavaScript, gzipped', async () => {
      // The page of the test before may still be fetching its engine.
      await browser.driver.get('about:blank');
      browser.site.requests.length = 0;
      await page.open();
      const paths = browser.site.requests.map(({ path }) => path);
      // The whole engine, the matrix and the view of one weight are fetched once the first figures stand, and not before.
      const later = paths.findIndex((path) => /assets\/(fewerbits|matrix|weight)-[^/]*\.js$/.test(path));
      const first = later < 0 ? paths : paths.slice(0, later);
      assert.ok(
        first.some((path) => path.endsWith('/models/digits.safetensors')),
        'the sample is read before the whole engine comes',
      );
      const scripts = new Set(first.filter((path) => /assets\/.*\.js$/.test(path)));
      const sizes = [...scripts].map(
        (path) => gzipSync(readFileSync(join(DIST, path.slice(path.indexOf('assets/'))))).length,
      );
      const sum = sizes.reduce((a, b) => a + b, 0);
      assert.ok(scripts.size >= 3 && sum <= 60_000, `${sum} bytes in ${[...scripts]}`);
    });

    test('the whole engine follows the first figures; a link to one of its schemes waits for it', async () => {
      await page.open();
      await page.until(`return document.querySelector('option[value="q8_0"]') !== null`, 'the other schemes');
      await page.set('#scheme-b', 'q8_0');
      await page.until(
        `return document.querySelector('tr[data-metric="bitsPerWeight"] td:last-child')?.textContent.startsWith('8.5')`,
        '8.5 bits',
      );
      await page.open('?lang=en&again#/explore?b=q8_0;flatten=true');
      assert.match((await page.metrics()).bitsPerWeight, /^8\.5/);
      await page.assertQuiet();
    });

    test('a dropped file is opened and its metrics are right', async () => {
      const values = bell(32 * 64);
      await page.open();
      await page.drop('mine.safetensors', safetensors({ 'layer.weight': { shape: [32, 64], values } }));
      await page.waitText('.strip .name', 'mine.safetensors');
      await page.waitText('.subject h2', 'layer.weight');
      await page.settled();
      const wanted = symmetricMetrics(values, 4);
      const shown = await page.metrics();
      assert.ok(
        Math.abs(readNumber(shown.rmse) - wanted.rmse) < wanted.rmse * 1e-3,
        `${shown.rmse} for ${wanted.rmse}`,
      );
      assert.equal(await page.text('.strip .accuracy'), null);
      await page.assertQuiet();
    });

    test('a dropped GGUF file is opened by the whole engine, its blocks read as numbers', async () => {
      const file = readFileSync(new URL('../data/gguf/types.gguf', import.meta.url));
      await page.open();
      await page.drop('types.gguf', file);
      await page.waitText('.strip .name', 'types.gguf');
      for (const name of ['q4_k.weight', 'iq4_xs.weight', 'nvfp4.weight']) {
        await page.set('.panel input[type=search]', name);
        await page.waitText('.panel .found', '1 / ');
        await page.choose(name);
        assert.ok(readNumber((await page.metrics()).rmse) > 0, name);
      }
      await page.assertQuiet();
    });

    test('names from a file reach the page as text', async () => {
      const name = '<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>';
      await page.open();
      await page.drop(`${name}.safetensors`, safetensors({ [name]: { shape: [4, 8], values: bell(32) } }));
      await page.waitText('.subject h2', name);
      assert.equal(
        await browser.driver.executeScript(`return window.hurt ?? document.querySelectorAll('fb-page img').length`),
        0,
      );
      await page.assertQuiet();
    });

    test('names cannot hide: bidi overrides and controls are seen, an empty name is said, a long one is cut', async () => {
      const long = `model.${'very.long.'.repeat(200)}weight`;
      await page.open();
      await page.drop(
        'a\u202Egnp.safetensors',
        safetensors({
          'w\u202Etxet\u0007': { shape: [8, 16], values: bell(128) },
          '': { shape: [4, 8], values: bell(32) },
          [long]: { shape: [4, 8], values: bell(32) },
        }),
      );
      await page.waitText('.strip .name', 'a\\u202egnp.safetensors');
      await page.waitText('.subject h2', 'w\\u202etxet\\u0007');
      await page.settled();
      const hidden = await browser.driver.executeScript(
        `return /[\\u0000-\\u0008\\u202a-\\u202e]/.test(document.querySelector('fb-page').textContent)`,
      );
      assert.equal(hidden, false);
      const choose = (/** @type {string} */ name) =>
        browser.driver.executeScript(
          `[...document.querySelectorAll('.tensor')].find((row) => row.dataset.name === arguments[0]).click()`,
          name,
        );
      await choose('');
      await page.waitText('.subject h2', '(no name)');
      await choose(long);
      await page.waitText('.subject h2', '…');
      const [tail, room] = await browser.driver.executeScript(
        `const row = document.querySelector('.tensor[aria-selected=true]'); const tail = row.querySelector('.tail');
         return [tail.textContent, row.getBoundingClientRect().right - tail.getBoundingClientRect().right]`,
      );
      assert.ok(long.endsWith(tail) && room >= 0, `the row ends in ${tail}, ${room} pixels from its edge`);
      const height = `return document.querySelector('.subject h2').getBoundingClientRect().height`;
      assert.ok((await browser.driver.executeScript(height)) < 120);
      await page.click('.subject button');
      await page.waitText('.subject h2', long);
      await page.assertQuiet();
    });

    test('an empty tensor, a constant one and one too small for a scale are told as what they are', async () => {
      await page.open();
      await page.drop(
        'odd.safetensors',
        safetensors({
          constant: { shape: [64, 64], values: new Float32Array(4096).fill(0.37) },
          empty: { shape: [0, 8], values: new Float32Array(0) },
          tiny: { shape: [16, 64], values: bell(1024, 1e-39) },
          below: { shape: [16, 64], values: bell(1024).map((v) => v - 0.9) },
        }),
      );
      await page.waitText('.strip .name', 'odd.safetensors');
      await page.settled();
      await page.choose('constant');
      await page.waitText('fb-words', 'all of them 0.370');
      const widths = await browser.driver
        .executeScript(`const wide = (tag, path) => document.querySelector(tag).shadowRoot.querySelector(path).getBBox();
        const axis = document.querySelector('fb-back-to-back'); const float = wide('fb-back-to-back', '[data-half=upper]');
        return [float.width, wide('fb-error-histogram', '.e-fill').width, Math.abs(float.x + float.width / 2 - wide('fb-back-to-back', '[data-half=lower]').x - wide('fb-back-to-back', '[data-half=lower]').width / 2)]`);
      assert.ok(widths[0] < 8 && widths[1] < 8, `bars of ${widths} pixels`);
      assert.ok(widths[2] < 2, `the float bar stands ${widths[2]} pixels from where it falls`);

      await page.choose('empty');
      await page.waitText('.suggestion', 'no weights');
      await page.waitText('fb-words', 'There is nothing to quantize.');
      assert.equal((await page.metrics()).sqnrDb, '–');

      await page.choose('tiny');
      await page.waitText('.main-figure .note', 'set by definition');
      await page.waitText('fb-words', 'Every weight became zero. They are too small for a scale');

      await page.choose('below');
      await page.waitText('.suggestion', 'reach from −');
      const hyphens = await browser.driver.executeScript(`const found = [];
        const walk = (root) => { for (const e of root.querySelectorAll('*')) { if (e.shadowRoot) walk(e.shadowRoot);
          for (const n of e.childNodes) if (n.nodeType === 3 && e.tagName !== 'STYLE' && /(^|[\\s([,…·])-[\\d.]/.test(n.data)) found.push(n.data); } };
        walk(document); return found`);
      assert.deepEqual(hyphens, []);
      await page.assertQuiet();
    });

    test('what cannot be opened is named, in Chinese sentences too', async () => {
      const index = Buffer.from(JSON.stringify({ weight_map: { w: 'm-1.safetensors' } }));
      for (const [language, wanted] of /** @type {[string, RegExp][]} */ ([
        [
          'en',
          /index of a model in several files.*Open the folder that holds the index and its shards.*In the engine’s words/,
        ],
        ['zh', /多文件模型的索引.*请打开包含索引和分片的文件夹.*引擎原文（英文）/],
      ])) {
        await page.open(`?lang=${language}`);
        await page.drop('model.safetensors.index.json', index);
        await page.until(`return document.querySelector('.problem')`, 'a message');
        assert.match(await page.text('.problem'), wanted);
        await page.click('.problem > button');
      }
      await browser.driver.executeScript('localStorage.clear()');
      await page.assertQuiet();
    });

    test('a broken file says what is wrong and changes nothing that was open', async () => {
      await page.open();
      const before = await page.metrics();
      const good = safetensors({ w: { shape: [8, 8], values: bell(64) } });
      for (const [name, bytes] of /** @type {[string, Buffer][]} */ ([
        ['short.safetensors', good.subarray(0, good.length - 5)],
        ['nonsense.bin', Buffer.from('this is not a model at all, only words')],
        ['huge.safetensors', Buffer.concat([Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]), good.subarray(8)])],
      ])) {
        await page.drop(name, bytes);
        await page.waitText('.problem', name);
        assert.match(await page.text('.problem'), /still open/);
        assert.equal(await page.text('.strip .name'), 'digits.safetensors');
        assert.deepEqual(await page.metrics(), before);
        await page.click('.problem > button');
        await page.until(`return !document.querySelector('.problem')`, 'the message to go');
      }
      await page.assertQuiet();
    });

    test('a download shows its progress and can be cancelled; the one after it can be opened', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'fewerbits-e2e-'));
      writeFileSync(
        join(dir, 'slow.safetensors'),
        safetensors({ w: { shape: [256, 1024], values: bell(256 * 1024) } }),
      );
      const far = await serve(dir, '/', { cors: true, range: false, bytesPerSecond: 100_000 });
      try {
        await page.open();
        const address = `${far.origin.replace('127.0.0.1', 'localhost')}/slow.safetensors`;
        await page.click('.strip .open');
        await page.set('#open-url', address);
        await page.click('fb-open-box form button');
        await page.waitText('.job', 'slow.safetensors');
        await page.until(`return document.querySelector('.job progress')?.value > 0`, 'progress');
        await page.click('.job button');
        await page.until(`return !document.querySelector('.job')`, 'the end of the job');
        assert.equal(await page.text('.strip .name'), 'digits.safetensors');
        assert.equal(await page.text('.problem'), null);
        await page.until(
          `return /[1-9]\\d* request/.test(document.querySelector('.local .count').textContent)`,
          'its request',
        );

        far.options.bytesPerSecond = undefined;
        await page.click('.strip .open');
        await page.set('#open-url', address);
        await page.click('fb-open-box form button');
        await page.waitText('.strip .name', 'slow.safetensors');
        await page.settled();
        await page.until(`return location.hash.includes('from=http://localhost')`, 'the address');
        await page.assertQuiet();
      } finally {
        await far.close();
        rmSync(dir, { recursive: true });
      }
    });

    test('five thousand tensors: only the visible rows exist, and filter, sort and keys reach all of them', async () => {
      /** @type {{[name: string]: {shape: number[], values: Float32Array}}} */
      const tensors = {};
      for (let i = 0; i < 5000; i++) tensors[`block.${i}.weight`] = { shape: [2, 4], values: bell(8, 1 + (i % 7)) };
      await page.open();
      await page.drop('many.safetensors', safetensors(tensors));
      await page.waitText('.panel .found', '5,000');
      assert.ok((await browser.driver.executeScript(`return document.querySelectorAll('.tensor').length`)) < 60);
      await page.set('.panel input[type=search]', '4321');
      await page.waitText('.panel .found', '1 / 5,000');
      await page.choose('block.4321.weight');
      await page.set('.panel input[type=search]', '');
      const rows = await browser.driver.findElement(By.css('.rows'));
      await rows.sendKeys(Key.END);
      await page.waitText('.subject h2', 'block.4999.weight');
      assert.ok(
        await page.until(
          `return [...document.querySelectorAll('.tensor')].some((row) => row.dataset.name === 'block.4999.weight')`,
          'the last row',
        ),
      );
      const seen = await browser.driver.executeAsyncScript(`
        const done = arguments[0]; const rows = document.querySelector('.rows'); const seen = [];
        const step = async () => {
          rows.scrollTop = (seen.length * 7919 * 13) % rows.scrollHeight; rows.dispatchEvent(new Event('scroll'));
          await document.querySelector('fb-tensor-list').updateComplete;
          const box = rows.getBoundingClientRect(); const all = [...document.querySelectorAll('.tensor')];
          const middle = all.some((row) => { const r = row.getBoundingClientRect(); const y = box.top + box.height / 2; return r.top <= y && r.bottom >= y; });
          seen.push([all.length, middle]);
          if (seen.length < 40) requestAnimationFrame(step); else done(seen);
        };
        step();`);
      const most = Math.max(...seen.map(([/** @type {number} */ n]) => n));
      assert.ok(most < 60, `${most} rows exist while the list scrolls`);
      assert.ok(
        seen.every(([, /** @type {boolean} */ middle]) => middle),
        'every step of scrolling has a row in its middle',
      );
      const room = await browser.driver
        .executeScript(`const box = (s) => document.querySelector(s).getBoundingClientRect();
        return box('.panel .tools').right - box('.panel .found').right`);
      assert.ok(room >= 8, `the count stands ${room} pixels from the edge of its panel`);
      await page.assertQuiet();
    });
  });

  describe('schemes', () => {
    test('the metrics are those of the definition, at every width', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight');
      const { values } = sampleTensor('conv2.weight');
      for (const bits of [4, 8, 2, 5]) {
        await page.set('#scheme-b', `int${bits}`);
        const wanted = symmetricMetrics(values, bits);
        await page.waitMetric('sqnrDb', `${wanted.sqnrDb.toFixed(2).replace('-', '−')} dB`);
        const shown = await page.metrics();
        assert.ok(Math.abs(readNumber(shown.rmse) / wanted.rmse - 1) < 1e-3, `rmse ${shown.rmse} for ${wanted.rmse}`);
        assert.ok(
          Math.abs(readNumber(shown.maxAbs) / wanted.maxAbs - 1) < 1e-3,
          `max ${shown.maxAbs} for ${wanted.maxAbs}`,
        );
        assert.equal(shown.zeroed, wanted.zeroed === 0 ? '0 %' : `${(wanted.zeroed * 100).toFixed(1)} %`);
      }
      await page.assertQuiet();
    });

    test('every control of every scheme moves without an error', async () => {
      await page.open();
      await page.until(`return document.querySelector('option[value="q8_0"]') !== null`, 'all schemes');
      const ids = await browser.driver.executeScript(
        `return [...document.querySelectorAll('#scheme-b option')].map((o) => o.value)`,
      );
      assert.ok(ids.length >= 40, `${ids}`);
      for (const id of ids.filter((/** @type {string} */ x) => !/int[3567]/.test(x))) {
        await page.set('#scheme-b', id);
        const names = await browser.driver.executeScript(
          `return [...document.querySelectorAll('.option[data-option]')].map((o) => [o.dataset.option, o.dataset.kind])`,
        );
        for (const [name, kind] of names) {
          const at = `.option[data-option="${name}"]`;
          // An option that another one has made pointless is gone.
          if (!(await browser.driver.executeScript(`return document.querySelector(arguments[0]) !== null`, at)))
            continue;
          if (kind === 'flag') {
            await page.click(`${at} input`);
          } else if (kind === 'choice') {
            const n = await browser.driver.executeScript(
              `return document.querySelectorAll(arguments[0] + ' input[type=radio], ' + arguments[0] + ' option').length`,
              at,
            );
            for (let i = n - 1; i >= 0; i--) {
              await browser.driver.executeScript(
                `const radio = document.querySelectorAll(arguments[0] + ' input[type=radio]')[arguments[1]];
                 if (radio) return radio.click();
                 const select = document.querySelector(arguments[0] + ' select'); select.selectedIndex = arguments[1]; select.dispatchEvent(new Event('change'));`,
                at,
                i,
              );
              await page.settled();
            }
          } else {
            await page.set(`${at} input[type=number]`, '1');
          }
        }
        await page.settled();
        assert.equal(await page.text('.problem'), null, id);
        const [wide, window] = await browser.driver.executeScript(
          `return [document.documentElement.scrollWidth, document.documentElement.clientWidth]`,
        );
        assert.ok(wide <= window, `${id}: ${wide} pixels wide in ${window}`);
      }
      await page.assertQuiet();
    });

    test('the suggestion can be applied', async () => {
      await page.open();
      await page.until(`return document.querySelector('.suggestion button')`, 'a suggestion');
      await page.click('.suggestion button');
      await page.until(`return !document.querySelector('.suggestion button')`, 'side B to be set so');
      assert.equal(await page.text('.problem'), null);
    });

    test('two schemes side by side: every figure has both', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight&a=int8&b=int3');
      await page.until(`return document.querySelectorAll('.measures thead th').length === 3`, 'two columns');
      const sides = await browser.driver.executeScript(`const root = (tag) => document.querySelector(tag).shadowRoot;
        return [root('fb-staircase').querySelectorAll('[data-side]').length, !!root('fb-error-histogram').querySelector('[data-side=a]'),
          root('fb-back-to-back').querySelectorAll('.q-fill').length, root('fb-back-to-back').querySelectorAll('.striped').length]`);
      assert.deepEqual(sides, [2, true, 1, 1]);
      const inks = await browser.driver
        .executeScript(`const style = (tag, path) => getComputedStyle(document.querySelector(tag).shadowRoot.querySelector(path));
        return [style('fb-staircase', '[data-side=a]').stroke, style('fb-staircase', '[data-side=b]').stroke,
          style('fb-back-to-back', '.stripe').fill, style('fb-back-to-back', '.q-fill').fill]`);
      assert.equal(inks[0], inks[2], 'side A is of one colour');
      assert.equal(inks[1], inks[3], 'side B is of one colour');
      assert.notEqual(inks[0], inks[1]);
      await page.assertQuiet();
    });

    test('values that are not finite are refused with a way out', async () => {
      const values = bell(64);
      values[5] = NaN;
      values[6] = Infinity;
      await page.open();
      await page.drop('nan.safetensors', safetensors({ w: { shape: [8, 8], values } }));
      await page.waitText('.problem', 'not finite');
      await page.driver.executeScript(`const inputs = [...document.querySelectorAll('[data-option=nonFinite] input')];
        inputs.find((i) => i.value === 'saturate').click()`);
      await page.settled();
      await page.until(`return !document.querySelector('.problem')`, 'the message to go');
      await page.assertQuiet();
    });
  });

  describe('language, theme, address', () => {
    test('the language switches, is remembered, and can be asked for', async () => {
      await page.open('?lang=en');
      await page.click('.language');
      await page.waitText('.local', '发送 0 字节');
      assert.equal(await browser.driver.executeScript('return document.documentElement.lang'), 'zh-CN');
      const latin = await page.text('fb-controls');
      assert.match(latin, /粒度/);
      await page.open('');
      await page.waitText('.local', '发送 0 字节');
      await page.open('?lang=en');
      await page.waitText('.local', '0 bytes sent');
      await browser.driver.executeScript('localStorage.clear()');
    });

    test('the address restores tensor, schemes, view and weight; back goes back', async () => {
      await page.open('?lang=en#/explore?t=fc2.weight&a=int2&b=int6;granularity=channel&log=1&m=error&w=17');
      await page.waitText('.subject h2', 'fc2.weight');
      await page.waitText('fb-weight', 'weight 17');
      assert.equal(await browser.driver.executeScript(`return document.querySelector('#scheme-b').value`), 'int6');
      assert.equal(
        await browser.driver.executeScript(
          `return document.querySelector('[data-option=granularity] input:checked').value`,
        ),
        'channel',
      );
      const pressed = await browser.driver.executeScript(
        `return [...document.querySelectorAll('figure [aria-pressed=true]')].map((b) => b.textContent.trim())`,
      );
      assert.deepEqual(pressed, ['log', 'error']);
      await page.choose('conv1.weight');
      await page.until(`return location.hash.includes('t=conv1.weight')`, 'the address');
      // From a script: WebKit's own button skips entries that no hand made.
      await browser.driver.executeScript('history.back()');
      await page.waitText('.subject h2', 'fc2.weight');
      await browser.driver.executeScript('history.forward()');
      await page.waitText('.subject h2', 'conv1.weight');
      await page.assertQuiet();
    });

    test('a link to a model elsewhere is offered and not fetched', async () => {
      await page.open('?lang=en#/explore?from=http://localhost:9/model.safetensors');
      await page.waitText('.offer', 'http://localhost:9/model.safetensors');
      assert.equal(await page.text('.local .count'), '0 requests');
    });

    for (const theme of browser.themes) {
      test(`axe finds nothing in the ${theme} theme`, async () => {
        await page.open();
        await page.set('.theme select', theme);
        await page.drop('nonsense.bin', Buffer.from('nonsense'));
        await page.until(`return document.querySelector('.problem')`, 'a message');
        await page.click('.help');
        await browser.driver.executeScript(axeSource());
        const found = await browser.driver.executeAsyncScript(`const done = arguments[0];
          axe.run(document, { resultTypes: ['violations'] }).then((r) => done(r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.target.join(' ') + ' ' + n.failureSummary).join(' | '))))`);
        assert.deepEqual(found, []);
        await browser.driver.executeScript('localStorage.clear()');
      });
    }
  });

  describe('hands', () => {
    test('by keyboard alone: a tensor, the bits, the range, a weight, the split', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight');
      const focus = (/** @type {string} */ path) =>
        browser.driver.executeScript(
          `let root = document; for (const s of arguments[0].split(' >>> ')) { const e = root.querySelector(s); root = e.shadowRoot ?? e; if (!e.shadowRoot) { e.focus(); return; } }`,
          path,
        );
      const press = (/** @type {string[]} */ ...keys) =>
        browser.driver
          .actions()
          .sendKeys(...keys)
          .perform();

      await focus('.rows');
      await press(Key.ARROW_DOWN);
      await page.until(`return document.querySelector('.subject h2').textContent !== 'conv2.weight'`, 'another tensor');
      await page.settled();

      await focus('#bits-b');
      await press(Key.ARROW_LEFT);
      await page.until(`return document.querySelector('#scheme-b').value === 'int3'`, 'int3');

      const before = await page.metrics();
      await focus('fb-back-to-back >>> .handle[data-side=high]');
      await press(Key.ARROW_LEFT, Key.ARROW_LEFT, Key.ARROW_LEFT, Key.PAGE_DOWN);
      await page.until(`return document.querySelector('[data-option=rangeHigh] input')`, 'a range by hand');
      await page.settled();
      await page.until(
        `return document.querySelector('tr[data-metric=rmse] td:last-child').textContent.trim() !== arguments[0]`,
        'other metrics',
        before.rmse,
      );

      await focus('fb-matrix >>> canvas');
      const where = await page.text('fb-weight .where');
      await press(Key.ARROW_RIGHT);
      await page.until(
        `return document.querySelector('fb-weight .where').textContent.trim().replace(/\\s+/g, ' ') !== arguments[0]`,
        'another weight',
        where,
      );
      const lit = await browser.driver
        .executeScript(`return ['fb-back-to-back', 'fb-staircase', 'fb-error-histogram', 'fb-matrix']
        .map((tag) => !!document.querySelector(tag).shadowRoot.querySelector('.mark:not([hidden])'))`);
      assert.deepEqual(lit, [true, true, true, true]);

      await focus('fb-matrix >>> .split');
      await press(Key.HOME);
      await page.until(`return document.querySelector('fb-matrix').split === 0`, 'the split at the left');
      await page.assertQuiet();
    });

    test('dragging a clip handle sets the range', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight');
      await browser.driver.executeScript(`
        const handle = document.querySelector('fb-back-to-back').shadowRoot.querySelector('.handle[data-side=high]');
        handle.setPointerCapture = () => {};
        const box = handle.getBoundingClientRect(); const x = box.left + box.width / 2; const y = box.top + box.height / 2;
        const fire = (type, dx) => handle.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, clientX: x + dx, clientY: y }));
        fire('pointerdown', 0); for (let i = 1; i <= 10; i++) fire('pointermove', -i * 6); fire('pointerup', -60);`);
      await page.until(
        `return document.querySelector('[data-option=rangeHigh] input[type=number]')`,
        'a range by hand',
      );
      await page.settled();
      await page.until(
        `return document.querySelector('fb-back-to-back').shadowRoot.querySelector('.clipped')`,
        'clipped weights',
      );
      await page.assertQuiet();
    });

    test('the ends of one group among many clip nothing in the figure, and say whose they are', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight&b=int4;granularity=group');
      await page.waitText('.main-figure .note', 'the ends of group');
      const clipped = `return document.querySelector('fb-back-to-back').shadowRoot.querySelector('.clipped') !== null`;
      assert.equal(await browser.driver.executeScript(clipped), false);
      await page.open('?lang=en#/explore?t=conv2.weight&b=int4;range=percentile;percentile=95');
      await page.until(clipped, 'clipped weights under one scale for all');
      await page.assertQuiet();
    });

    test('figures are saved as SVG and PNG, metrics as CSV and JSON', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight');
      const saved = await browser.driver.executeAsyncScript(`
        const done = arguments[0]; const blobs = []; const names = [];
        const real = URL.createObjectURL; URL.createObjectURL = (blob) => { blobs.push(blob); return real.call(URL, blob); };
        HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
        (async () => {
          for (const button of document.querySelectorAll('.exports button')) {
            const before = names.length; button.click();
            while (names.length === before) await new Promise((r) => requestAnimationFrame(r));
          }
          const out = [];
          for (const blob of blobs) out.push([blob.type, blob.size, blob.type.startsWith('image/png') ? '' : await blob.text()]);
          done({ out, names });
        })();`);
      const extensions = saved.names.map((/** @type {string} */ n) => n.split('.').pop());
      assert.deepEqual(extensions, ['svg', 'png', 'svg', 'png', 'svg', 'png', 'svg', 'png', 'csv', 'json']);
      const svgs = saved.out.filter(([type, , text]) => type === 'image/svg+xml' && text.includes('<title>'));
      assert.ok(svgs.length >= 4);
      for (const [, , text] of svgs) assert.doesNotMatch(text, /var\(|class=|<script|aria-/);
      const pngs = saved.out.filter(([type]) => type === 'image/png');
      assert.equal(pngs.length, 4);
      for (const [, size] of pngs) assert.ok(size > 2000, `${size} bytes of PNG`);
      const csv = saved.out.find(([type]) => type === 'text/csv')[2];
      const json = JSON.parse(saved.out.find(([type]) => type === 'application/json')[2]);
      const wanted = symmetricMetrics(sampleTensor('conv2.weight').values, 4);
      assert.ok(Math.abs(json.b.metrics.rmse / wanted.rmse - 1) < 1e-6);
      assert.match(csv, /^side,file,tensor,.*\r\nB,digits\.safetensors,conv2\.weight,/);
      await page.assertQuiet();
    });

    test('a PNG is made while the hand is on its way, so that its own press saves it', async () => {
      await page.open('?lang=en#/explore?t=conv2.weight');
      await page.until(
        `return document.querySelector('fb-matrix').pictures && document.querySelector('fb-weight .where') && document.querySelector('fb-back-to-back').between === null`,
        'figures at rest',
      );
      const saved = await browser.driver.executeAsyncScript(`
        const done = arguments[0]; const names = [];
        HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
        (async () => {
          const buttons = [...document.querySelectorAll('.main-figure .exports button, .three .exports button')];
          const counts = [];
          for (const button of buttons) {
            button.dispatchEvent(new PointerEvent('pointerenter'));
            while (button.dataset.made === undefined) await new Promise((r) => requestAnimationFrame(r));
            button.click();
            counts.push(names.length);
          }
          done({ counts, names });
        })();`);
      assert.deepEqual(saved.counts, [1, 2, 3, 4, 5, 6, 7, 8], `${saved.names}`);
      await page.assertQuiet();
    });

    test('at 360 pixels nothing is wider than the window and the controls are a sheet', async () => {
      await browser.driver.get(framed(browser.site, 360, 740, '?lang=en#/explore'));
      await browser.driver.switchTo().frame(0);
      try {
        await page.settled();
        const wide = await browser.driver.executeScript(`return document.documentElement.scrollWidth`);
        assert.ok(wide <= 360, `${wide} pixels wide`);
        await page.click('.grab');
        await page.until(`return document.querySelector('.options').offsetHeight > 0`, 'the sheet');
        const room = await browser.driver.executeScript(
          `return document.querySelector('.sheet').getBoundingClientRect().top`,
        );
        assert.ok(room > 330, `the sheet leaves ${room} pixels`);
        const { top, bottom } = await browser.driver.executeScript(
          `const { top, bottom } = document.querySelector('fb-back-to-back').getBoundingClientRect(); return { top, bottom }`,
        );
        assert.ok(
          top >= 0 && bottom <= room,
          `the figure stands from ${top} to ${bottom}, the sheet begins at ${room}`,
        );
        await page.click('.picker');
        await page.until(`return document.querySelector('.tensor')?.offsetHeight > 0`, 'the list');
        await page.assertQuiet();
      } finally {
        await browser.driver.switchTo().defaultContent();
      }
    });
  });
});
