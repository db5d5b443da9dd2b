import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { init, openModel } from '../../www/lib/index.js';
import { DIST, Key, ROOT, forEachBrowser, serve } from './harness/index.js';
import { safetensors } from './explore-page.js';
import { ShrinkPage } from './shrink-page.js';

/** Before a worker's script: what it does first with rows ends in a trap, a real one. */
const TRAP = `{
  const module = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 116, 0, 0,
    10, 5, 1, 3, 0, 0, 11));
  const { t } = new WebAssembly.Instance(module).exports;
  Float64Array.from = () => t();
}`;

/** Weights that nothing represents exactly. @param {number} n @param {number} [scale] */
const noise = (n, scale = 0.1) =>
  Float32Array.from({ length: n }, (_, i) => scale * Math.sin(i * 12.9898 + 1) * (1 + Math.cos(i * 0.37)));

/** An f32 as f16 stores it, by the rule of IEEE 754. @param {number} x */
function half(x) {
  if (x === 0) return x;
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(x))));
  const step = 2 ** (exponent - 10);
  const [below, rest] = [Math.floor(x / step), x / step - Math.floor(x / step)];
  const up = rest > 0.5 || (rest === 0.5 && below % 2 !== 0);
  return (below + (up ? 1 : 0)) * step;
}

/** Header and data of a safetensors file. @param {Buffer} file */
function parsed(file) {
  const length = Number(file.readBigUInt64LE(0));
  return { header: JSON.parse(file.subarray(8, 8 + length).toString()), data: file.subarray(8 + length) };
}

/** A number that f16 holds, from its bits. @param {number} bits */
function fromHalf(bits) {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

forEachBrowser((browser) => {
  const page = new ShrinkPage(browser);
  const run = page.run.bind(page);

  /** Enters the room and waits until every tensor is planned and measured. @param {string} [rest] @param {string} [before] */
  async function open(rest, before) {
    await page.enter(rest, before);
    await page.planned();
  }

  describe('choosing', () => {
    test('the room is entered from the top bar, planned at once, and left as it was', async () => {
      await page.open('?lang=en#/explore?t=fc1.weight&b=int5');
      await page.click('.rooms a[href="#/shrink"]');
      await page.planned();
      assert.equal(await run(`return document.querySelector('.rooms [aria-current]').textContent`), 'Shrink');
      await page.until(`return location.hash.startsWith('#/shrink?to=safetensors&scheme=f16')`, 'the address');
      const table = await page.rows();
      assert.deepEqual(table['fc1.weight'].becomes, 'F16');
      assert.match(table['fc1.weight'].loss, /^7\d\.\d\d\sdB$/);
      // From a script: WebKit's own button skips entries that no hand made.
      await run('history.back()');
      await page.until(`return document.querySelector('.subject h2')?.textContent.includes('fc1.weight')`, 'Explore');
      assert.match(await run('return location.hash'), /b=int5/);
      await page.assertQuiet();
    });

    test('totals are those of the file that would be written; a scheme changes them at once', async () => {
      await open();
      const sample = parsed(readFileSync(join(DIST, 'models/digits.safetensors')));
      const weights = Object.values(sample.header)
        .filter((x) => x.dtype)
        .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      const half_ = await page.total();
      assert.ok(half_ > weights * 2 && half_ < weights * 2 + 4096, `${half_} bytes for ${weights} weights`);
      await page.set('#shrink-all', 'scheme:fp8_e4m3');
      await page.until(`return Number(document.querySelector('.totals').dataset.bytes) < arguments[0]`, 'fewer', half_);
      // The names of the types are in the header too.
      assert.ok(Math.abs((await page.total()) - (half_ - weights)) < 100, `${await page.total()} bytes`);
      assert.match(await page.text('.totals'), /8\.00 bits\/weight/);
      await page.assertQuiet();
    });

    test('one tensor by hand, others by a rule; back again with one press', async () => {
      await open();
      await page.click('fb-shrink-rules .add');
      await page.set('.rule input', '*.bias');
      await page.until(`return /[1-9]\\d* tensors/.test(document.querySelector('.rule').textContent)`, 'the matches');
      await run(`document.querySelector('[data-name="conv1.weight"] select').focus()`);
      await page.until(`return document.querySelector('[data-name="conv1.weight"] option[value="bf16"]')`, 'choices');
      await page.set('[data-name="conv1.weight"] select', 'bf16');
      await page.until(
        `return document.querySelector('[data-name="conv1.weight"] .loss').textContent.match(/5\\d\\.\\d\\d/)`,
        'the loss of bf16',
      );
      const table = await page.rows();
      for (const [name, { becomes, loss }] of Object.entries(table)) {
        const wanted = name.endsWith('.bias') ? 'F32' : name === 'conv1.weight' ? 'bf16' : 'F16';
        assert.equal(becomes.toLowerCase(), wanted.toLowerCase(), name);
        if (name.endsWith('.bias')) assert.equal(loss, 'unchanged');
      }
      await page.until(`return decodeURIComponent(location.hash).includes('rule=*.bias>keep')`, 'the address');
      await page.set('fb-shrink-table .show', 'hand');
      await page.until(`return document.querySelectorAll('fb-shrink-table .body .row').length === 1`, 'one row');
      await page.assertQuiet();
    });

    test('a recipe is saved, loaded into a fresh page, and refused when it is broken', async () => {
      await open('?lang=en#/shrink?to=safetensors&scheme=fp8_e5m2&rule=conv*>f16');
      await page.catchSaves();
      await run(`document.querySelector('[data-name="fc1.weight"] select').focus()`);
      await page.until(`return document.querySelector('[data-name="fc1.weight"] option[value="keep"]')`, 'choices');
      await page.set('[data-name="fc1.weight"] select', 'keep');
      await page.until(
        `return document.querySelector('[data-name="fc1.weight"] .loss').textContent.includes('unchanged')`,
        '',
      );
      const [before, table] = [await page.total(), await page.rows()];
      await page.click('.save-recipe');
      const { bytes } = await page.saved(0);
      const recipe = JSON.parse(bytes.toString());
      assert.deepEqual(recipe, {
        version: 1,
        to: 'safetensors',
        scheme: { id: 'fp8_e5m2' },
        rules: [{ match: 'conv*', scheme: { id: 'f16' } }],
        tensors: { 'fc1.weight': 'keep' },
      });
      await open();
      const load = (/** @type {string} */ text) =>
        run(
          `const input = document.querySelector('.load-recipe'); const transfer = new DataTransfer();
           transfer.items.add(new File([arguments[0]], 'r.json')); input.files = transfer.files;
           input.dispatchEvent(new Event('change', { bubbles: true }));`,
          text,
        );
      await load(JSON.stringify({ ...recipe, tensors: { ...recipe.tensors, absent: 'keep' } }));
      await page.until(`return Number(document.querySelector('.totals').dataset.bytes) === arguments[0]`, 'it', before);
      await page.planned();
      assert.deepEqual(await page.rows(), table);
      assert.match(await page.text('fb-shrink-rules'), /names 1 tensor that this model does not have/);
      await load('{"to": "safetensors", "rules": 7}');
      await page.waitText('main.shrink .problem', 'The recipe cannot be used');
      assert.match(await page.text('main.shrink .problem'), /r\.json/);
      assert.equal(await page.total(), before);
      await page.assertQuiet();
    });

    test('five thousand tensors: only the rows in sight exist, and a filter finds one', async () => {
      await open();
      const tensors = Object.fromEntries(
        Array.from({ length: 5000 }, (_, i) => [`layers.${i}.weight`, { shape: [4, 8], values: noise(32) }]),
      );
      await page.drop('many.safetensors', safetensors(tensors));
      await page.until(`return document.querySelector('.totals')?.textContent.includes('of 5,000 tensors')`, 'all');
      assert.ok((await run(`return document.querySelectorAll('fb-shrink-table .row').length`)) < 80);
      await run(`document.querySelector('fb-shrink-table .rows').scrollTop = 1e6`);
      await page.until(`return document.querySelector('[data-name="layers.4999.weight"]')`, 'the last row');
      await page.set('fb-shrink-table input[type=search]', 'layers.1234.');
      await page.until(`return document.querySelectorAll('fb-shrink-table .body .row').length === 1`, 'one row');
      await page.assertQuiet();
    });

    test('the strip tells of each tensor by pointer and by keys, and leads to its row', async () => {
      await open();
      const strip = await browser.driver.findElement({ css: 'fb-shrink-strip canvas' });
      await strip.sendKeys(Key.HOME, Key.ARROW_RIGHT);
      await page.until(`return document.querySelector('.about').dataset.eye === '1'`, 'the second tensor');
      const name = await run(`return document.querySelector('fb-shrink-table .row[data-under]').dataset.name`);
      assert.match(await page.text('fb-shrink-strip .about'), new RegExp(name.replace(/\./g, '\\.')));
      await strip.sendKeys(Key.ENTER);
      await page.until(`return document.activeElement.closest('.row')?.dataset.name === arguments[0]`, 'its row', name);
      await page.assertQuiet();
    });

    test('names from a file reach the room as text', async () => {
      const name = '<img src=x onerror="window.hurt=1">';
      await open();
      await page.drop(`${name}.safetensors`, safetensors({ [name]: { shape: [4, 8], values: noise(32) } }));
      await page.until(
        `return document.querySelector('fb-shrink-table .body .row')?.dataset.name === arguments[0]`,
        '',
        name,
      );
      assert.equal(await run(`return window.hurt ?? document.querySelectorAll('main img').length`), 0);
      await page.assertQuiet();
    });
  });

  describe('a size', () => {
    /** Layers that differ in how hard they are, as GGUF takes them. */
    const layers = () =>
      safetensors({
        'token_embd.weight': { shape: [256, 256], values: noise(256 * 256, 0.02) },
        ...Object.fromEntries(
          ['attn_q', 'attn_v', 'ffn_up', 'ffn_down'].map((name, i) => {
            const values = noise(128 * 256 * (i + 1), 0.1);
            for (let k = 0; k < values.length; k += 50) values[k] *= 1 + 4 * i;
            return [`blk.0.${name}.weight`, { shape: [128 * (i + 1), 256], values }];
          }),
        ),
        'output_norm.weight': { shape: [256], values: noise(256) },
      });

    /** Opens the layers as GGUF and waits until sizes are known. */
    async function ready(rest = '?lang=en#/shrink?to=gguf&scheme=q8_0') {
      await page.enter(rest);
      await page.drop('layers.safetensors', layers());
      await page.until(
        `return document.querySelector('fb-shrink-table [data-name="token_embd.weight"]')`,
        'the layers',
      );
      await page.until(`return Number(document.querySelector('#shrink-size')?.max) > 1.5e6`, 'the sizes');
    }

    test('moving the slider measures once, then plans at once; strip, table and curve follow', async () => {
      await ready();
      await page.slide(400_000);
      await page.aimed(402_000);
      const small = await page.rows();
      assert.equal(small['output_norm.weight'].becomes, 'F32');
      assert.ok(new Set(Object.values(small).map(({ becomes }) => becomes)).size > 2, JSON.stringify(small));
      const [circle] = [await run(`return document.querySelector('.curve .point').getAttribute('cx')`)];
      await page.slide(600_000);
      await page.aimed(602_000);
      assert.ok((await run(`return document.querySelector('.curve .point').getAttribute('cx')`)) > Number(circle));
      const large = await page.rows();
      assert.notDeepEqual(large, small);
      assert.equal(await run(`return document.querySelector('fb-shrink-strip .loss-unknown')`), null);
      await page.until(`return /size=\\d+/.test(location.hash)`, 'the address');
      assert.match(await page.text('.found-facts'), /5 tensors chosen for it/);
      await page.assertQuiet();
    });

    test('one press raises a tensor, the rest makes room; why says what it costs; the recipe tells all', async () => {
      await ready();
      await page.slide(420_000);
      await page.aimed(422_000);
      const row = '[data-name="blk.0.attn_q.weight"]';
      const before = (await page.rows())['blk.0.attn_q.weight'].becomes;
      await page.click(`${row} .ask-why`);
      await page.waitText('.why-panel', 'of its power');
      assert.match(await page.text('.why-panel'), /attention, weight 1/);
      await page.click(`${row} .step.up`);
      await page.until(
        `return document.querySelector('${row} select').selectedOptions[0].textContent.trim() !== arguments[0]`,
        'another scheme',
        before,
      );
      await page.waitText('.why-panel', 'A rule or a hand decided');
      assert.ok((await page.total()) <= 422_000);
      await page.until(`return decodeURIComponent(location.hash).includes('tensor=blk.0.attn_q.weight>')`, 'address');
      await page.catchSaves();
      await page.click('.save-recipe');
      const recipe = JSON.parse((await page.saved(0)).bytes.toString());
      assert.deepEqual(Object.keys(recipe.tensors).length, 6);
      assert.deepEqual(recipe.aim.decided, ['blk.0.attn_q.weight']);
      assert.equal(recipe.aim.outputBytes, await page.total());
      await run(
        `document.querySelector('.why-panel').dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))`,
      );
      await page.until(`return !document.querySelector('.why-panel')`, 'it closed');
      await page.set('fb-shrink-table .sort', 'pay');
      await page.set('#shrink-all', 'scheme:q4_k');
      await page.until(`return !document.querySelector('.curve')`, 'a scheme for all again');
      await page.assertQuiet();
    });

    test('a size out of reach is refused with the smallest, and the slider stays to choose another', async () => {
      await ready();
      await page.set('fb-shrink-size .mb', '0.45');
      await page.aimed(450_000);
      await page.until(`return !document.querySelector('main.shrink .problem')`, 'no problem');
      await page.set('fb-shrink-size .mb', '0.001');
      await page.waitText('main.shrink .problem', 'cannot be made this small');
      assert.match(await page.text('main.shrink .problem'), /at least \d+ bytes/);
      await page.set('fb-shrink-size .mb', '0.45');
      await page.aimed(450_000);
      await page.assertQuiet();
    });

    test('an address with a size is planned as it is opened, and what is written has that size', async () => {
      await ready('?lang=en#/shrink?to=gguf&size=500000&weight=output>2');
      await page.aimed(500_000);
      await page.catchSaves();
      const planned_ = await page.total();
      await page.start();
      await page.done();
      await page.click('.save');
      const { name, bytes } = await page.saved(0);
      assert.equal(name, 'layers-0.500MB.gguf');
      assert.equal(bytes.length, planned_);
      await page.assertQuiet();
    });

    test('the sample network is run as planned, its errors are weighed by that, and schemes search', async () => {
      await browser.driver.get('about:blank');
      await browser.driver.get(`${browser.site.url}?lang=en`);
      await run(`location.hash = '#/shrink?to=gguf&size=60000'`);
      await page.until(`return document.querySelector('fb-shrink-size .curve')`, 'a plan for the size');
      await page.click('fb-shrink-run .try');
      await page.waitText('.trial', 'of 360 held-out digits read rightly, 358 in float');
      const nats = async () => Number(/diverge by ([\d.e-]+) nats/.exec(await page.text('.trial'))?.[1]);
      const plain = await nats();
      assert.ok(plain > 0, 'it loses something');

      await page.click('fb-shrink-run .weigh');
      await page.waitText('.proxy', 'weighed by what running the model showed');
      await page.until(`return location.hash.includes('weights=run')`, 'the address');
      assert.equal(await page.text('.trial'), null, 'another plan has not been run');

      await page.click('.choices .effort');
      await page.until(`return location.hash.includes('effort=best')`, 'the address');
      await page.until(
        `return [...document.querySelectorAll('fb-shrink-why, fb-shrink-size .curve')].length > 0 &&
          !document.querySelector('.surveying') && !document.querySelector('fb-shrink-run .try').disabled`,
        'the plan with a search',
      );
      await page.click('fb-shrink-run .try');
      await page.waitText('.trial', 'held-out digits');
      assert.ok((await nats()) < plain, `${await nats()} after ${plain}`);
      assert.ok((await page.total()) <= 60_000);
      await page.assertQuiet();
    });

    test('the sample network is run to choose a recipe of this size: it says so, and another size is planned by errors', async () => {
      await page.enter('?lang=en#/shrink?to=gguf&size=57024');
      await page.until(`return document.querySelector('fb-shrink-size .curve')`, 'a plan for the size');
      const byCost = await page.rows();
      await page.until(`return document.querySelector('fb-shrink-run .choose')?.disabled === false`, 'the button');
      await browser.driver.findElement({ css: 'fb-shrink-run .choose' }).sendKeys(Key.ENTER);
      await page.waitText('.proxy', 'Chosen by running the model');
      const [, runs, moved, cost] =
        /by running the model (\d+) times on 480 images: .* of 1 by ([\d.e-]+), under the plan by errors by ([\d.e-]+)\./.exec(
          await page.text('.proxy'),
        ) ?? [];
      assert.ok(Number(runs) > 1 && Number(runs) <= 200, runs);
      assert.ok(Number(moved) < Number(cost), `${moved}, by errors ${cost}`);
      assert.equal(await run(`return document.querySelector('fb-shrink-run .choose').ariaPressed`), 'true');
      await page.until(`return location.hash.includes('choose=run')`, 'the address');
      assert.ok((await page.total()) <= 57_024);
      assert.notDeepEqual(await page.rows(), byCost);
      await page.click('[data-name="fc1.weight"] .ask-why');
      await page.waitText(
        '.why-panel',
        'of the recipes of this size that were tried, this one moves its answers least',
      );
      await page.click('fb-shrink-run .try');
      await page.waitText('.trial', 'of 360 held-out digits read rightly');

      await page.catchSaves();
      await page.click('.save-recipe');
      const { aim, tensors } = JSON.parse((await page.saved(0)).bytes.toString());
      assert.equal(aim.byRunning.runs, Number(runs));
      const planned_ = await page.total();
      await page.start();
      await page.done();
      await page.click('.save');
      const { bytes } = await page.saved(1);
      assert.equal(bytes.length, planned_);
      await init();
      const written = await openModel(new Uint8Array(bytes));
      const dtypes = Object.fromEntries(written.tensors.map(({ name, dtype }) => [name, dtype.toLowerCase()]));
      for (const [name, scheme] of Object.entries(tensors)) {
        if (scheme !== 'keep') assert.equal(dtypes[name], scheme.id, name);
      }
      await written.close();
      await page.click('.back');

      await page.until(`return document.querySelector('fb-shrink-size .curve')`, 'the plan again');
      await page.slide(70_000);
      await page.waitText('.proxy', 'a stand-in');
      assert.equal(await run(`return document.querySelector('fb-shrink-run .choose').ariaPressed`), 'false');
      await page.until(`return !location.hash.includes('choose=run')`, 'the address');
      await page.assertQuiet();
    });

    test('choosing by running from an address shows the plan by errors meanwhile, and can be given up', async () => {
      await browser.driver.get('about:blank');
      await browser.driver.get(`${browser.site.url}?lang=en`);
      // Given up as soon as it can be.
      await run(`new MutationObserver((_, observer) => {
          const cancel = document.querySelector('fb-shrink-run .cancel-run');
          const proxy = document.querySelector('.proxy');
          if (!cancel || !proxy) return;
          observer.disconnect();
          window.seen = [proxy.textContent, document.querySelector('fb-shrink-run .running p').textContent];
          cancel.click();
        }).observe(document.body, { subtree: true, childList: true });
        location.hash = '#/shrink?to=gguf&size=57024&choose=run'`);
      await page.until(`return window.seen && !document.querySelector('fb-shrink-run .running')`, 'it given up');
      const [proxy, facts] = await run(`return window.seen`);
      assert.match(proxy, /a stand-in/);
      assert.match(facts, /\d+ of at most \d+ runs/);
      await page.until(`return !location.hash.includes('choose')`, 'the address');
      assert.equal(await run(`return document.querySelector('fb-shrink-run .choose').ariaPressed`), 'false');
      assert.match(await page.text('.proxy'), /a stand-in/);
      assert.equal(await run(`return document.querySelector('main.shrink .problem')`), null);
      await page.assertQuiet();
    });

    test('what another quantizer can say is saved as its configuration', async () => {
      await browser.driver.get('about:blank');
      await browser.driver.get(`${browser.site.url}?lang=en`);
      await run(`location.hash = '#/shrink?to=safetensors&layout=compressed-tensors&scheme=int4'`);
      await page.until(`return document.querySelector('.config-compressed')`, 'the configuration');
      await page.catchSaves();
      await page.click('.config-compressed');
      const config = JSON.parse((await page.saved(0)).bytes.toString());
      assert.equal(config.quant_method, 'compressed-tensors');
      assert.deepEqual(config.config_groups.group_0.targets, ['fc1', 'fc2']);
      await page.set('#shrink-to', 'gguf');
      await page.until(`return !document.querySelector('.config-compressed')`, 'blocks that it cannot say');
      await page.assertQuiet();
    });

    for (const language of browser.languages) {
      test(`axe finds nothing with a size in ${language}, in ${browser.themes.join(' and ')}; nothing is wider than 360 pixels`, async () => {
        for (const theme of browser.themes) {
          await page.open('?lang=en');
          await run(`localStorage.setItem('fewerbits.theme', arguments[0])`, theme);
          await ready(`?lang=${language}#/shrink?to=gguf&size=500000`);
          await page.aimed(500_000);
          await page.click('[data-name="blk.0.attn_q.weight"] .ask-why');
          await page.until(`return document.querySelector('.why-panel')`, 'why');
          assert.doesNotMatch(await page.text('main'), /shrink\.[a-z]/);
          await page.audit(theme);
        }
        await run(`localStorage.clear()`);
        await page.assertNarrow(`?lang=${language}#/shrink?to=gguf&size=500000`, async () => {
          await page.listed();
          await page.drop('layers.safetensors', layers());
          await page.until(`return document.querySelector('fb-shrink-table [data-name="token_embd.weight"]')`, 'it');
          await page.set('#shrink-to', 'gguf');
          await page.set('fb-shrink-size .mb', '0.5');
          await page.aimed(500_000);
          await page.click('[data-name="blk.0.attn_q.weight"] .ask-why');
          await page.until(`return document.querySelector('.why-panel')`, 'why');
        });
      });
    }
  });

  describe('shrinking', () => {
    test('the sample becomes f16, value by value, and opens in Explore', async () => {
      await open();
      await page.catchSaves();
      const planned_ = await page.total();
      await page.start();
      await page.done();
      await page.click('.save');
      const { name, bytes } = await page.saved(0);
      assert.equal(name, 'digits-f16.safetensors');
      assert.equal(bytes.length, planned_);
      const before = parsed(readFileSync(join(DIST, 'models/digits.safetensors')));
      const after = parsed(bytes);
      const names = Object.keys(before.header).filter((x) => before.header[x].dtype);
      assert.deepEqual(
        Object.keys(after.header)
          .filter((x) => after.header[x].dtype)
          .sort(),
        names.sort(),
      );
      for (const tensor of names) {
        const [from, to] = [before.header[tensor], after.header[tensor]];
        assert.deepEqual([to.dtype, to.shape], ['F16', from.shape]);
        const count = (to.data_offsets[1] - to.data_offsets[0]) / 2;
        for (let i = 0; i < count; i++) {
          const value = before.data.readFloatLE(from.data_offsets[0] + 4 * i);
          const got = fromHalf(after.data.readUInt16LE(to.data_offsets[0] + 2 * i));
          assert.equal(got, half(value), `${tensor}[${i}]`);
        }
      }
      await page.click('.open-result');
      await page.waitText('.strip .name', 'digits-f16.safetensors');
      await page.until(`return document.querySelector('.subject')?.textContent.includes('F16')`, 'the new tensors');
      await page.assertQuiet();
    });

    test('the sample becomes GGUF: what blocks do not divide is marked, and the file is read again', async () => {
      await open('?lang=en#/shrink?to=gguf&scheme=q4_k');
      await page.catchSaves();
      assert.match(await page.text('.totals'), /fallback/);
      assert.match(await page.text('[data-name="conv2.weight"] .becomes'), /not Q4_K/);
      assert.match(await page.text('.totals'), /Tensors only/);
      const planned_ = await page.total();
      await page.start();
      await page.done();
      await page.click('.save');
      const { name, bytes } = await page.saved(0);
      assert.equal(name, 'digits-q4_k.gguf');
      assert.deepEqual([bytes.length, bytes.subarray(0, 4).toString()], [planned_, 'GGUF']);
      await page.click('.open-result');
      await page.waitText('.strip .name', 'digits-q4_k.gguf');
      await page.assertQuiet();
    });

    test('a dropped model folder becomes the GGUF file that llama.cpp runs, or compressed-tensors with its config.json', async () => {
      const at = join(ROOT, 'tests/data/hugging_face/llama');
      const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
      await open();
      await page.catchSaves();
      await run(
        `const dataTransfer = new DataTransfer();
         for (const [name, text] of arguments[0])
           dataTransfer.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
         for (const type of ['dragenter', 'dragover', 'drop'])
           document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));`,
        names.map((name) => [name, readFileSync(join(at, name)).toString('base64')]),
      );
      await page.until(`return document.querySelector('[data-name="model.embed_tokens.weight"]')`, 'its tensors');
      await page.set('#shrink-to', 'gguf');
      await page.until(
        `return document.querySelector('.totals').textContent.includes('Runs in llama.cpp')`,
        'the note',
      );
      await page.set('#shrink-all', 'preset:F16');
      await page.until(`return location.hash.includes('preset=F16')`, 'the preset');
      await page.planned();
      await page.start();
      await page.done();
      await page.click('.save');
      const { bytes } = await page.saved(0);
      assert.equal(bytes.subarray(0, 4).toString(), 'GGUF');
      const header = bytes.toString('latin1');
      for (const word of [
        'general.architecture',
        'tokenizer.ggml.merges',
        'blk.1.ffn_down.weight',
        'rope_freqs.weight',
      ])
        assert.ok(header.includes(word), word);
      await page.click('fb-shrink-report .back');
      await page.set('#shrink-to', 'safetensors');
      await page.set('#shrink-layout', 'compressed-tensors');
      await page.until(`return location.hash.includes('scheme=int4')`, 'a scheme that it holds');
      await page.set('#shrink-all', 'scheme:int8');
      await page.until(`return document.querySelector('.totals').textContent.includes('4 files')`, 'the files');
      await page.assertQuiet();
    });

    test('the report tells of every tensor, on the page, as JSON and as CSV', async () => {
      await open('?lang=en#/shrink?scheme=fp8_e4m3&rule=*.bias>keep');
      await page.catchSaves();
      await page.start();
      await page.done();
      await page.click('.json');
      await page.click('.csv');
      const report = JSON.parse((await page.saved(0)).bytes.toString());
      const table = await page.rows();
      assert.equal(report.tensors.length, Object.keys(table).length);
      for (const { name, sqnrDb, scheme } of report.tensors) {
        if (name.endsWith('.bias')) assert.deepEqual([sqnrDb, scheme], [null, null]);
        else assert.equal(table[name].loss.replace(/\s/g, ' '), `${sqnrDb.toFixed(2)} dB`, name);
      }
      const csv = (await page.saved(1)).bytes.toString().trim().split('\r\n');
      assert.equal(csv.length, report.tensors.length + 1);
      assert.match(await page.text('.worst'), /dB/);
      // The report is saved, the file is not: going back is asked about, and nothing is lost before the answer.
      await page.click('.back');
      await page.waitText('.unsaved', 'One file is not saved yet');
      await page.until(
        `return document.activeElement?.matches('.unsaved .save-first')`,
        'the answer that does no harm',
      );
      await page.click('.unsaved .keep');
      await page.until(`return !document.querySelector('.unsaved') && document.querySelector('.done')`, 'the report');
      await page.click('.back');
      await page.click('.unsaved .save-first');
      assert.equal((await page.saved(2)).bytes.length, report.outputBytes);
      await page.click('.back');
      await page.planned();
      await page.assertQuiet();
    });

    test('cancel leaves nothing half-written, and what was open stays open', async () => {
      await open('?lang=en#/shrink?scheme=bf16');
      const tensors = Object.fromEntries(
        Array.from({ length: 24 }, (_, i) => [`w${i}`, { shape: [256, 512], values: noise(256 * 512) }]),
      );
      await page.drop('large.safetensors', safetensors(tensors));
      await page.waitText('.totals', 'of 24 tensors');
      await page.planned();
      await page.start();
      await page.until(`return document.querySelector('.cancel')`, 'the job');
      await page.click('.cancel');
      await page.until(`return document.querySelector('.start')`, 'choosing again');
      // What the worker kept for it is thrown away.
      const left = await browser.driver.executeAsyncScript(
        `const done = arguments[arguments.length - 1];
         (async () => {
           if (!navigator.storage?.getDirectory) return [];
           const home = await (await navigator.storage.getDirectory()).getDirectoryHandle('fewerbits', { create: true });
           for (let tries = 0; ; tries++) {
             const names = []; for await (const [name] of home) names.push(name);
             if (names.length === 0 || tries > 100) return names;
             await new Promise((resolve) => setTimeout(resolve, 50));
           }
         })().then(done, () => done([]));`,
      );
      assert.deepEqual(left, []);
      await page.start();
      await page.done();
      await page.assertQuiet();
    });

    test('a job goes on in another room, and the page warns before it is closed', async () => {
      await open('?lang=en#/shrink?scheme=fp8_e4m3');
      const tensors = Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [`w${i}`, { shape: [256, 512], values: noise(256 * 512) }]),
      );
      await page.drop('large.safetensors', safetensors(tensors));
      await page.waitText('.totals', 'of 40 tensors');
      await page.planned();
      await page.start();
      const warned =
        await run(`const event = new Event('beforeunload', { cancelable: true }); window.dispatchEvent(event);
        return [event.defaultPrevented, document.querySelector('fb-shrink-report') !== null]`);
      assert.deepEqual(warned, [true, false]);
      await page.click('.rooms a[href="#/explore"]');
      await page.settled();
      await page.click('.rooms a[href="#/shrink"]');
      await page.done();
      // What is made and not saved would be lost too.
      const warns = () =>
        run(`const event = new Event('beforeunload', { cancelable: true }); window.dispatchEvent(event);
        return event.defaultPrevented`);
      assert.equal(await warns(), true);
      await page.catchSaves();
      await page.click('fb-shrink-report .save');
      assert.equal(await warns(), false);
      await page.assertQuiet();
    });

    test('a worker that dies fails its tensor, which is tried again when asked; or the job stops', async () => {
      await open();
      browser.site.options.refuse = /pool-worker/;
      try {
        await page.start();
        await page.waitText('.asking', 'A worker of the engine died');
        assert.match(await page.text('.asking'), /tensor (conv|fc)\d\.(bias|weight)/);
        await page.click('.stop');
        await page.until(`return document.querySelector('fb-shrink-progress .back')`, 'the end');
        assert.match(await page.text('fb-shrink-progress .problem'), /A worker of the engine died/);
        await page.click('fb-shrink-progress .back');
        await page.start();
        await page.waitText('.asking', 'A worker of the engine died');
        browser.site.options.refuse = undefined;
        for (;;) {
          const over = await page.until(
            `return document.querySelector('.asking') ? 'asked' : document.querySelector('fb-shrink-report .done') ? 'done' : null`,
            'an end',
          );
          if (over === 'done') break;
          // The question may be answered already and on its way out.
          await run(`document.querySelector('.retry')?.click()`);
        }
      } finally {
        browser.site.options.refuse = undefined;
      }
      assert.equal(await page.text('.strip .name'), 'digits.safetensors');
    });

    test('an engine that traps in the middle of a job fails its tensor; others take over when asked, and what is open stays open', async () => {
      await open();
      await page.catchSaves();
      browser.site.options.before = { path: /pool-worker/, script: TRAP };
      try {
        await page.start();
        await page.waitText('.asking', 'A worker of the engine died');
        assert.match(await page.text('.asking'), /tensor (conv|fc)\d\.(bias|weight)/);
        browser.site.options.before = undefined;
        for (;;) {
          const over = await page.until(
            `return document.querySelector('.asking') ? 'asked' : document.querySelector('fb-shrink-report .done') ? 'done' : null`,
            'an end',
          );
          if (over === 'done') break;
          await run(`document.querySelector('.retry')?.click()`);
        }
      } finally {
        browser.site.options.before = undefined;
      }
      await page.click('.save');
      const { bytes } = await page.saved(0);
      const { header } = parsed(bytes);
      assert.ok(Object.values(header).every(({ dtype }) => dtype === undefined || dtype === 'F16'));
      assert.equal(await page.text('.strip .name'), 'digits.safetensors');
    });

    test('of a model on a server only samples are read to tell what is lost, and once for all schemes', async () => {
      const dir = mkdtempSync(join(tmpdir(), 'fewerbits-e2e-'));
      const tensors = Object.fromEntries(
        Array.from({ length: 3 }, (_, i) => [`w${i}`, { shape: [1024, 1024], values: noise(1 << 20) }]),
      );
      writeFileSync(join(dir, 'far.safetensors'), safetensors(tensors));
      const far = await serve(dir, '/', { cors: true });
      try {
        await page.open('?lang=en');
        await page.click('.strip .open');
        await page.set('#open-url', `${far.origin.replace('127.0.0.1', 'localhost')}/far.safetensors`);
        await page.click('fb-open-box form button');
        await page.waitText('.strip .name', 'far.safetensors');
        await page.settled();
        // Explore's list reads a sample of its own of each tensor.
        await page.until(
          `const sparks = [...document.querySelectorAll('fb-spark')]; return sparks.length === 3 && sparks.every((spark) => spark.counts)`,
          'the small histograms',
        );
        const before = far.requests.length;
        await page.click('.rooms a[href="#/shrink"]');
        await page.planned();
        const asked = far.requests.slice(before).filter(({ method }) => method === 'GET');
        const sizes = asked.map(({ range }) => {
          const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? assert.fail('the whole file was asked for');
          return Number(to) - Number(from) + 1;
        });
        assert.ok(sizes.length <= 4, `${sizes.length} requests`);
        assert.ok(sizes.reduce((a, b) => a + b, 0) <= 3 * 65_536 + 65_536, `${sizes} of 12 MB`);
        const told = await page.rows();
        for (const { loss } of Object.values(told)) assert.match(loss, /7\d\.\d\d\sdB/);
        await page.set('#shrink-all', 'scheme:bf16');
        await page.until(
          `return document.querySelector('[data-name="w0"] .loss').textContent.match(/5\\d\\.\\d\\d/)`,
          'the loss of bf16',
        );
        await page.planned();
        assert.equal(far.requests.slice(before).filter(({ method }) => method === 'GET').length, asked.length);
        await page.assertQuiet();
      } finally {
        await far.close();
        rmSync(dir, { recursive: true });
      }
    });

    if (browser.name === 'chromium') {
      test('a picked file is written as it is made', async () => {
        // A handle of the same kind as the picker's, from the browser's own storage.
        await open(
          '?lang=en#/shrink',
          `window.showSaveFilePicker = async ({ suggestedName }) =>
             (window.picked = await (await navigator.storage.getDirectory()).getFileHandle(suggestedName, { create: true }));`,
        );
        assert.match(await page.text('.place'), /You choose the file/);
        await page.set('#shrink-all', 'scheme:bf16');
        await page.planned();
        const size = await page.total();
        await page.start();
        await page.done();
        assert.match(await page.text('fb-shrink-report .headline'), /digits-bf16\.safetensors is written/);
        const written = await browser.driver.executeAsyncScript(
          `const done = arguments[arguments.length - 1]; window.picked.getFile().then((f) => done(f.size), () => done(-1))`,
        );
        assert.equal(written, size);
        await page.assertQuiet();
      });

      test('a model that comes while the picker is open is not written under the other one’s name', async () => {
        await page.enter(
          '?lang=en#/shrink?scheme=f16',
          `window.writes = 0; window.showSaveFilePicker = async () => { await new Promise((ok) => (window.chosen = ok));
           return { name: 'chosen', createWritable: async () => { window.writes++; throw new Error('nothing is to be written'); } }; }`,
        );
        await page.planned();
        await page.start();
        await page.until(`return window.chosen`, 'the picker');
        await page.drop('other.safetensors', safetensors({ other: { shape: [8, 32], values: noise(256) } }));
        await page.until(`return document.querySelector('fb-shrink-table [data-name="other"]')`, 'the other model');
        await run(`window.chosen()`);
        await page.waitText('main .problem', 'Another model was opened meanwhile');
        assert.equal(await run(`return window.writes`), 0);
        await page.assertQuiet();
      });

      test('a picker that is put away begins nothing', async () => {
        await open(
          '?lang=en#/shrink',
          `window.showSaveFilePicker = async () => { throw new DOMException('put away', 'AbortError'); }`,
        );
        await page.start();
        await page.until(`return document.querySelector('.start') && !document.querySelector('.problem')`, 'no job');
        await page.assertQuiet();
      });
    }
  });

  describe('for everyone', () => {
    for (const language of browser.languages) {
      test(`axe finds nothing in ${language}, in ${browser.themes.join(' and ')}, while choosing and when done`, async () => {
        for (const theme of browser.themes) {
          await page.open('?lang=en');
          await run(`localStorage.setItem('fewerbits.theme', arguments[0])`, theme);
          await open(`?lang=${language}#/shrink?scheme=fp8_e4m3&rule=*.bias>keep`);
          await page.audit(`${theme}, choosing`);
          await page.start();
          await page.done();
          await page.audit(`${theme}, done`);
        }
        await run(`localStorage.clear()`);
      });

      test(`nothing is wider than 360 pixels in ${language}`, async () => {
        await page.assertNarrow(`?lang=${language}#/shrink?rule=*.bias>keep`, () => page.planned());
      });
    }

    test('every word of the room is there in Chinese, and the address brings the choice back', async () => {
      await open('?lang=zh#/shrink?to=safetensors&scheme=bf16&rule=conv*>keep');
      assert.equal(await run(`return document.querySelector('#shrink-all').value`), 'scheme:bf16');
      assert.equal(await run(`return document.querySelector('.rule input').value`), 'conv*');
      assert.doesNotMatch(await page.text('main'), /shrink\./);
      assert.match(await page.text('.start'), /缩小/);
      await page.assertQuiet();
    });
  });
});
