import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Key, ROOT, forEachBrowser } from './harness/index.js';
import { NO_PICKER, ShrinkPage } from './shrink-page.js';
import { gaussians, safetensors } from '../js/models.js';

/** A folder of the browser's own storage in the place of one that a person would choose. */
const PICKER = `window.asked = 0; window.showDirectoryPicker = async () => {
  window.asked += 1;
  return (await navigator.storage.getDirectory()).getDirectoryHandle('picked', { create: true }); };`;

/** A small model: a matrix and a bias. @param {number} seed @param {(values: Float32Array) => void} [change] */
function model(seed, change = () => {}) {
  const values = gaussians(64 * 256, seed);
  change(values);
  return safetensors({ 'blk.0.attn_q.weight': [[64, 256], values], 'norm.bias': [[64], gaussians(64, seed + 1)] });
}
const withNaN = (/** @type {number} */ seed) => model(seed, (values) => void (values[7] = NaN));
/** A safetensors file by its header's text. @param {string} header @param {number} bytes of data */
function withHeader(header, bytes) {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return new Uint8Array(Buffer.concat([length, Buffer.from(header), Buffer.alloc(bytes)]));
}

/** A GGUF file of f32 tensors of 256 values, at these offsets. @param {number[]} offsets */
function gguf(offsets) {
  const u64 = (/** @type {number} */ n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
  const u32 = (/** @type {number} */ n) => Buffer.from(Uint32Array.of(n).buffer);
  const infos = offsets.map((at, i) =>
    Buffer.concat([u64(8), Buffer.from(`${'abcd'[i]}.weight`), u32(2), u64(64), u64(4), u32(0), u64(at)]),
  );
  const head = Buffer.concat([Buffer.from('GGUF'), u32(3), u64(offsets.length), u64(0), ...infos]);
  return new Uint8Array(Buffer.concat([head, Buffer.alloc(((32 - (head.length % 32)) % 32) + 1024 * offsets.length)]));
}

/** An archive whose end claims a directory of four gigabytes. */
const HUGE = (() => {
  const end = Buffer.alloc(22 + 64);
  end.write('PK\x03\x04', 0, 'latin1');
  end.write('PK\x05\x06', 64, 'latin1');
  end.writeUInt16LE(1, 64 + 8);
  end.writeUInt16LE(1, 64 + 10);
  end.writeUInt32LE(0xfffffff0, 64 + 12);
  return new Uint8Array(end);
})();

const BROKEN = new TextEncoder().encode('this is no model');

forEachBrowser((browser) => {
  const page = new ShrinkPage(browser);
  const run = (/** @type {string} */ script, /** @type {any[]} */ ...args) =>
    browser.driver.executeScript(script, ...args);
  /** @returns {Promise<{[name: string]: string}>} */
  const states = () =>
    run(
      `return Object.fromEntries([...document.querySelectorAll('.model')].map((x) => [x.dataset.name, x.dataset.state]))`,
    );

  /** Waits until the models are in these states. @param {{[name: string]: string}} wanted */
  const reach = (wanted) =>
    page.until(
      `const found = Object.fromEntries([...document.querySelectorAll('.model')].map((x) => [x.dataset.name, x.dataset.state]));
       return Object.keys(found).length === Object.keys(arguments[0]).length
         && Object.entries(arguments[0]).every(([name, state]) => found[name] === state)`,
      JSON.stringify(wanted),
      wanted,
    );

  const start = async () => {
    await page.until(`return document.querySelector('.start-all')?.disabled === false`, 'the button');
    await page.click('.start-all');
  };
  const over = () => page.until(`return document.querySelector('.over')`, 'the end');
  /** Chooses for all. @param {string} value */
  const chooseAll = async (value) => {
    await page.set('#shrink-all', value);
    await page.until(
      `return [...document.querySelectorAll('.model .becomes')].every((x) => x.textContent === '' || x.textContent.includes(arguments[0]))`,
      `${value} for all`,
      value.split(':')[1],
    );
  };

  /** @returns {Promise<[name: string, size: number][]>} */
  const saved = () => run(`return window.saved.map(([name, blob]) => [name, blob.size])`);
  /** @param {number} at @returns {Promise<any>} */
  const savedJson = async (at) => JSON.parse((await page.saved(at)).bytes.toString());

  describe('several models', () => {
    test('dropped in Learn they lead to a list in Shrink; one of them is shown, another by a press', async () => {
      await browser.driver.get('about:blank');
      await browser.driver.get(`${browser.site.url}?lang=en#/learn`);
      await page.until(`return document.querySelector('fb-learn')`, 'the lesson');
      await page.dropAll({ 'b.safetensors': BROKEN, 'c.safetensors': model(1), 'd.safetensors': model(2) });
      await reach({ 'b.safetensors': 'failed', 'c.safetensors': 'planned', 'd.safetensors': 'planned' });
      await page.until(`return location.hash.startsWith('#/shrink')`, 'the address');
      await page.waitText('.model[data-name="b.safetensors"] .problem', 'b.safetensors');
      await page.until(`return document.querySelector('.model[data-name="c.safetensors"][data-open]')`, 'the first');
      await page.until(`return document.querySelector('fb-shrink-table [data-name="norm.bias"]')`, 'its tensors');
      await page.click('.model[data-name="d.safetensors"] .look');
      await page.until(`return document.querySelector('.model[data-name="d.safetensors"][data-open]')`, 'the other');
      await page.waitText('fb-file-strip .name', 'd.safetensors');
      assert.deepEqual(Object.keys(await states()).sort(), ['b.safetensors', 'c.safetensors', 'd.safetensors']);
      // Taken off the list one by one; what is open stays open.
      await page.click('.model[data-name="b.safetensors"] .remove');
      await page.waitText('.batch h2', '2 models');
      await page.click('.put-away');
      await page.until(`return !document.querySelector('.batch')`, 'no list');
      assert.equal(await page.text('fb-file-strip .name'), 'd.safetensors');
      await page.assertQuiet();
    });

    test('one press shrinks all; the one that fails is named, the others are saved, the report tells of all', async () => {
      await page.enter();
      await page.catchSaves();
      await page.dropAll({ 'a.safetensors': model(1), 'm.safetensors': withNaN(2), 'z.safetensors': model(3) });
      await reach({ 'a.safetensors': 'planned', 'm.safetensors': 'planned', 'z.safetensors': 'planned' });
      await chooseAll('scheme:fp8_e4m3');
      await page.until(`return document.querySelector('.place-all')?.textContent`, 'where to');
      await start();
      await over();
      await reach({ 'a.safetensors': 'done', 'm.safetensors': 'failed', 'z.safetensors': 'done' });
      await page.waitText('.over .headline', '2 done and read back, 1 failed');
      await page.waitText('.model[data-name="m.safetensors"] .problem', 'blk.0.attn_q.weight');
      await page.click('.batch-json');
      const { version, outputs } = await savedJson(0);
      assert.equal(version, 1);
      assert.deepEqual(
        outputs.map((/** @type {any} */ x) => x.output ?? `${x.input}: ${x.failed.code}`),
        ['a-fp8_e4m3.safetensors', 'm.safetensors: non_finite', 'z-fp8_e4m3.safetensors'],
      );
      assert.ok(outputs[0].tensors[0].sqnrDb > 25);
      await page.click('.save-all');
      const sizes = outputs.flatMap((/** @type {any} */ x) => x.outputBytes ?? []);
      assert.deepEqual((await saved()).slice(1), [
        ['a-fp8_e4m3.safetensors', sizes[0]],
        ['z-fp8_e4m3.safetensors', sizes[1]],
      ]);
      await page.click('.model[data-name="a.safetensors"] .details');
      await page.waitText('.model .report', 'decoded again');
      await page.click('.model .report .json');
      assert.equal((await savedJson(3)).outputBytes, sizes[0]);
      // A rule that leaves the tensor alone mends the one that failed; what is done is not done again.
      await page.click('fb-shrink-rules .add');
      await page.set('.rule input', 'blk.*');
      await reach({ 'a.safetensors': 'done', 'm.safetensors': 'planned', 'z.safetensors': 'done' });
      await start();
      await reach({ 'a.safetensors': 'done', 'm.safetensors': 'done', 'z.safetensors': 'done' });
      await page.until(
        `return document.querySelector('.over') && !document.querySelector('.start-all')`,
        'nothing left',
      );
      await page.assertQuiet();
    });

    test('cancelled in the middle, what is finished is kept, and the rest is gone on with', async () => {
      await page.enter();
      const large = safetensors({ 'a.weight': [[1024, 1024], gaussians(1 << 20, 5)] });
      await page.dropAll({ 'a.safetensors': model(1), 'b.safetensors': large, 'c.safetensors': model(3) });
      await reach({ 'a.safetensors': 'planned', 'b.safetensors': 'planned', 'c.safetensors': 'planned' });
      // Slow enough that a person could: k-means looks for its values.
      await chooseAll('scheme:kmeans');
      await page.until(`return document.querySelector('.start-all')?.disabled === false`, 'the button');
      await run(`new MutationObserver((_, observer) => {
          if (document.querySelector('.model[data-name="b.safetensors"][data-state="running"]')) {
            observer.disconnect(); document.querySelector('.cancel-all').click(); }
        }).observe(document.querySelector('fb-shrink-batch'), { subtree: true, childList: true, attributes: true });
        document.querySelector('.start-all').click();`);
      await over();
      await reach({ 'a.safetensors': 'done', 'b.safetensors': 'planned', 'c.safetensors': 'planned' });
      await page.waitText(
        '.over .headline',
        'Cancelled; what was finished is kept: 1 done and read back, 2 still to do',
      );
      await page.waitText('.start-all', 'Go on with the 2 left');
      await start();
      await reach({ 'a.safetensors': 'done', 'b.safetensors': 'done', 'c.safetensors': 'done' });
      await page.assertQuiet();
    });

    if (browser.name !== 'webkit') {
      test('into one folder, chosen once; what stands there is left out on the next visit, and overwritten when told', async () => {
        await page.enter('?lang=en#/shrink', PICKER);
        await page.wait(
          `await (await navigator.storage.getDirectory()).removeEntry('picked', { recursive: true }).catch(() => {});`,
        );
        const files = { 'a.safetensors': model(1), 'm.safetensors': withNaN(2), 'z.safetensors': model(3) };
        await page.dropAll(files);
        await reach({ 'a.safetensors': 'planned', 'm.safetensors': 'planned', 'z.safetensors': 'planned' });
        await page.waitText('.place-all', 'You choose a folder');
        await chooseAll('scheme:fp8_e4m3');
        await start();
        await reach({ 'a.safetensors': 'done', 'm.safetensors': 'failed', 'z.safetensors': 'done' });
        await over();
        const inside = () =>
          page.wait(`const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('picked'); const found = {};
            for await (const [name, handle] of folder.entries()) found[name] = (await handle.getFile()).size; return found;`);
        const first = await inside();
        assert.deepEqual(Object.keys(first).sort(), ['a-fp8_e4m3.safetensors', 'z-fp8_e4m3.safetensors']);
        await page.waitText('.start-all', 'Go on with the one left');
        await start();
        await reach({ 'a.safetensors': 'done', 'm.safetensors': 'failed', 'z.safetensors': 'done' });
        assert.equal(await run('return window.asked'), 1);
        // Another visit, with one of them cut.
        await page.enter('?lang=en#/shrink', PICKER);
        await page.wait(`const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('picked');
          const stream = await (await folder.getFileHandle('z-fp8_e4m3.safetensors')).createWritable();
          await stream.write('half'); await stream.close();`);
        await page.dropAll(files);
        await reach({ 'a.safetensors': 'planned', 'm.safetensors': 'planned', 'z.safetensors': 'planned' });
        await chooseAll('scheme:fp8_e4m3');
        await start();
        await reach({ 'a.safetensors': 'skipped', 'm.safetensors': 'failed', 'z.safetensors': 'failed' });
        await over();
        await page.waitText('.model[data-name="z.safetensors"] .problem', 'is there already');
        assert.equal((await inside())['z-fp8_e4m3.safetensors'], 4);
        await page.set('.overwrite', true);
        await start();
        await reach({ 'a.safetensors': 'skipped', 'm.safetensors': 'failed', 'z.safetensors': 'done' });
        assert.deepEqual(await inside(), first);
        await page.assertQuiet();
      });
    }

    test('chosen by the dialog, models of three formats: each becomes what it can, and what is chosen is for those that have it', async () => {
      await page.enter('?lang=en#/shrink');
      await page.catchSaves();
      const at = (/** @type {string} */ path) => readFileSync(join(ROOT, 'tests/data', path));
      const files = {
        'llama.gguf': at('hugging_face/llama/expected.gguf'),
        'mlp.onnx': at('corpus/onnx/mlp.onnx'),
        'w.safetensors': model(1),
      };
      await page.pick(files, 'multiple');
      await reach({ 'llama.gguf': 'planned', 'mlp.onnx': 'planned', 'w.safetensors': 'planned' });
      const becomes = (/** @type {string} */ name, /** @type {string} */ what) =>
        page.waitText(`.model[data-name="${name}"] .becomes`, what);
      await becomes('llama.gguf', 'GGUF · Q4_K_M');
      await becomes('mlp.onnx', 'ONNX · int8');
      await becomes('w.safetensors', 'safetensors · f16');
      await page.until(`return document.querySelector('.model[data-name="llama.gguf"][data-open]')`, 'the first');
      await page.until(`return document.querySelector('#shrink-all').value === 'preset:Q4_K_M'`, 'its choice');
      await page.set('#shrink-all', 'scheme:q8_0');
      await becomes('llama.gguf', 'GGUF · q8_0');
      await becomes('w.safetensors', 'GGUF · q8_0');
      await becomes('mlp.onnx', 'ONNX · int8');
      await page.click('.model[data-name="mlp.onnx"] .look');
      await page.until(`return document.querySelector('.model[data-name="mlp.onnx"][data-open]')`, 'the ONNX model');
      await page.until(`return document.querySelector('#shrink-to')?.value === 'onnx'`, 'what it can be');
      await becomes('llama.gguf', 'GGUF · q8_0');
      await start();
      await reach({ 'llama.gguf': 'done', 'mlp.onnx': 'done', 'w.safetensors': 'done' });
      await over();
      await page.click('.save-all');
      assert.deepEqual(
        (await saved()).map(([name]) => name),
        ['llama-q8_0.gguf', 'mlp-int8.onnx', 'w-q8_0.gguf'],
      );
      await page.assertQuiet();
    });

    test('broken files are each told by file, tensor, place, expected and found; the others are done, and what is open stays', async () => {
      await page.enter();
      const twice =
        '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}';
      const onnx = readFileSync(join(ROOT, 'tests/data/corpus/onnx/external.onnx'));
      await page.dropAll({
        'a.safetensors': model(1),
        'empty.gguf': new Uint8Array(0),
        'huge.pt': HUGE,
        'lone.onnx': onnx,
        'over.gguf': gguf([0, 512]),
        'twice.safetensors': withHeader(twice, 16),
      });
      const broken = {
        'empty.gguf': 'failed',
        'huge.pt': 'failed',
        'over.gguf': 'failed',
        'twice.safetensors': 'failed',
      };
      await reach({ ...broken, 'a.safetensors': 'planned', 'lone.onnx': 'planned' });
      await start();
      // What lies beside a model is missed when it is read.
      await reach({ ...broken, 'a.safetensors': 'done', 'lone.onnx': 'failed' });
      await over();
      for (const [name, ...facts] of [
        ['empty.gguf', 'The file is empty', 'expected a safetensors, GGUF', 'found no bytes'],
        ['huge.pt', 'at byte 64', 'expected an end at 64', '4294967280'],
        ['lone.onnx', 'external.data', 'tensor w1', 'expected external.data beside the model', 'found none'],
        ['over.gguf', 'tensor b.weight', 'at byte', 'expected an offset of 1024', 'found 512'],
        ['twice.safetensors', 'tensor a', 'at byte 64', 'expected unique keys', 'found "a"'],
      ]) {
        const told = await page.text(`.model[data-name="${name}"] .problem`);
        for (const fact of facts) assert.ok(told?.includes(fact), `${name}: ${fact}: ${told}`);
      }
      assert.equal(await page.text('fb-file-strip .name'), 'a.safetensors');
      await page.assertQuiet();
    });

    test('a folder of several models, chosen by the dialog: each is one, whatever else lies in it', async () => {
      await page.enter();
      await page.pick(
        {
          'zoo/README.md': new TextEncoder().encode('# Two models'),
          'zoo/one/model.safetensors': model(1),
          'zoo/two/model.safetensors': model(2),
          'zoo/two/notes.txt': new TextEncoder().encode('nothing'),
        },
        'webkitdirectory',
      );
      await reach({ 'zoo/one/model.safetensors': 'planned', 'zoo/two/model.safetensors': 'planned' });
      await page.catchSaves();
      await start();
      await reach({ 'zoo/one/model.safetensors': 'done', 'zoo/two/model.safetensors': 'done' });
      await over();
      await page.click('.save-all');
      assert.deepEqual(
        (await saved()).map(([name]) => name),
        ['zoo-one-model-f16.safetensors', 'zoo-two-model-f16.safetensors'],
      );
      await page.assertQuiet();
    });

    test('what was not saved is asked about before it is let go: of all, of one, and before the tab is closed', async () => {
      await page.enter();
      await page.catchSaves();
      const warns = () =>
        run(`const event = new Event('beforeunload', { cancelable: true }); window.dispatchEvent(event);
          return event.defaultPrevented`);
      const asked = (/** @type {string} */ text) => page.waitText('.unsaved', text);
      const answer = async (/** @type {string} */ how) => {
        await page.click(`.unsaved ${how}`);
        await page.until(`return !document.querySelector('.unsaved')`, 'no question');
      };
      await page.dropAll({ 'a.safetensors': model(1), 'b.safetensors': model(2), 'c.safetensors': model(3) });
      await reach({ 'a.safetensors': 'planned', 'b.safetensors': 'planned', 'c.safetensors': 'planned' });
      assert.equal(await warns(), false);
      await start();
      const done = { 'a.safetensors': 'done', 'b.safetensors': 'done', 'c.safetensors': 'done' };
      await reach(done);
      await over();
      assert.equal(await warns(), true);
      for (const verb of ['.anew', '.put-away']) {
        await page.click(verb);
        await asked('3 files are not saved yet');
        await page.until(
          `return document.activeElement?.matches('.unsaved .save-first')`,
          'the answer that does no harm',
        );
        await (await browser.driver.switchTo().activeElement()).sendKeys(Key.ESCAPE);
        await page.until(`return !document.querySelector('.unsaved')`, 'no question');
        await reach(done);
      }
      // Of one model alone, which was saved: it is not asked about any more.
      const of = (/** @type {string} */ name, /** @type {string} */ what) =>
        `.model[data-name="${name}.safetensors"] ${what}`;
      await page.click(of('a', '.remove'));
      await page.until(`return document.querySelector(arguments[0])`, 'the question in its row', of('a', '.unsaved'));
      await asked('One file is not saved yet');
      await answer('.save-first');
      assert.deepEqual(
        (await saved()).map(([name]) => name),
        ['a-f16.safetensors'],
      );
      await page.click(of('a', '.remove'));
      await reach({ 'b.safetensors': 'done', 'c.safetensors': 'done' });
      await page.click(of('b', '.remove'));
      await page.click('.unsaved .drop');
      await reach({ 'c.safetensors': 'done' });
      assert.equal((await saved()).length, 1);
      await page.click('.anew');
      await page.click('.unsaved .drop');
      await reach({ 'c.safetensors': 'planned' });
      assert.equal(await warns(), false);
      await start();
      await over();
      await page.click(of('c', '.save-one'));
      await page.click('.put-away');
      await page.until(`return !document.querySelector('.batch')`, 'no list');
      assert.equal(await warns(), false);
      await page.assertQuiet();
    });

    test('by keys alone, from the list to the report; what is said aloud is little', async () => {
      await page.enter();
      await page.dropAll({ 'a.safetensors': model(1), 'b.safetensors': model(2) });
      await reach({ 'a.safetensors': 'planned', 'b.safetensors': 'planned' });
      await page.until(`return document.querySelector('.start-all')?.disabled === false`, 'the button');
      await run(`window.spoken = new Set(); const live = document.querySelector('.batch > [aria-live]');
        new MutationObserver(() => window.spoken.add(live.textContent)).observe(live, { subtree: true, childList: true, characterData: true });
        document.querySelector('.start-all').focus();`);
      const active = await browser.driver.switchTo().activeElement();
      await active.sendKeys(Key.ENTER);
      await reach({ 'a.safetensors': 'done', 'b.safetensors': 'done' });
      await over();
      await page.until(`return [...window.spoken].some((x) => x.includes('2 done and read back'))`, 'the end, aloud');
      assert.ok((await run(`return window.spoken.size`)) <= 4);
      await run(`document.querySelector('.model .details').focus()`);
      await (await browser.driver.switchTo().activeElement()).sendKeys(Key.SPACE);
      await page.until(`return document.querySelector('.model .report')`, 'a report');
      await page.assertQuiet();
    });
  });

  describe('for everyone', () => {
    for (const language of browser.languages) {
      test(`axe finds nothing in ${language}, in ${browser.themes.join(' and ')}, planned and when over`, async () => {
        for (const theme of browser.themes) {
          await page.open('?lang=en');
          await run(`localStorage.setItem('fewerbits.theme', arguments[0])`, theme);
          await page.enter(`?lang=${language}#/shrink?scheme=fp8_e4m3`);
          await page.dropAll({ 'a.safetensors': model(1), 'b.safetensors': BROKEN, 'm.safetensors': withNaN(3) });
          await reach({ 'a.safetensors': 'planned', 'b.safetensors': 'failed', 'm.safetensors': 'planned' });
          await page.audit(`${theme}, planned`);
          await start();
          await reach({ 'a.safetensors': 'done', 'b.safetensors': 'failed', 'm.safetensors': 'failed' });
          await over();
          await page.click('.model .details');
          await page.audit(`${theme}, over`);
          assert.doesNotMatch(await page.text('main'), /(batch|shrink|error|remedy)\.[a-z]/);
        }
        await run(`localStorage.clear()`);
      });
    }

    test('nothing is wider than 360 pixels', () =>
      page.assertNarrow('?lang=en#/shrink', async () => {
        await page.listed();
        await run(NO_PICKER);
        const long = `${'long-name-'.repeat(9)}.safetensors`;
        await page.dropAll({ [long]: model(1), 'b.safetensors': BROKEN, 'c.safetensors': model(3) });
        await reach({ [long]: 'planned', 'b.safetensors': 'failed', 'c.safetensors': 'planned' });
        await start();
        await over();
        await page.click('.model .details');
        await page.until(`return document.querySelector('.model .report')`, 'a report');
        await page.click('.anew');
        await page.until(`return document.querySelector('.unsaved')`, 'the question');
      }));
  });
});
