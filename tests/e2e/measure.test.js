/** Running both models of a finished ONNX job, in the built page. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gaussians } from '../js/models.js';
import { node, onnx } from '../js/onnx.js';
import { ROOT, forEachBrowser } from './harness/index.js';
import { NO_PICKER, ShrinkPage } from './shrink-page.js';

const weights = (/** @type {number} */ rows, /** @type {number} */ columns, /** @type {number} */ seed) =>
  /** @type {[number[], Float32Array]} */ ([[rows, columns], gaussians(rows * columns, seed)]);

/**
 * Words that choose rows of a table, two layers, classes for the first of them.
 * @param {string} [odd] an operator that nobody knows, in the middle
 * @param {string} [second] the name of the second layer's weights
 */
const classifier = (odd, second = 'w2') =>
  onnx({
    nodes: [
      node('Gather', 'words input_ids', 'x'),
      node('MatMul', 'x w1', 'h'),
      node(odd ?? 'Tanh', 'h', 't'),
      node('MatMul', `t ${second}`, 'u'),
      node('ReduceMean', 'u', 'mean', { axes: [1], keepdims: 0 }),
      node('MatMul', 'mean w3', 'logits'),
    ],
    inputs: { input_ids: ['int64', ['batch', 'sequence']] },
    outputs: { logits: ['float', ['batch', 10]] },
    weights: {
      words: weights(300, 64, 1),
      w1: weights(64, 128, 2),
      [second]: weights(128, 128, 3),
      w3: weights(128, 10, 4),
    },
  });

/** A file of numpy's. @param {string} descr @param {number[]} shape @param {ArrayBufferView} values */
function npy(descr, shape, values) {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const padded = header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11, ' ');
  const head = Buffer.from([
    0x93,
    0x4e,
    0x55,
    0x4d,
    0x50,
    0x59,
    1,
    0,
    (padded.length + 1) & 255,
    (padded.length + 1) >> 8,
  ]);
  return Buffer.concat([head, Buffer.from(`${padded}\n`), Buffer.from(values.buffer)]);
}

forEachBrowser((browser) => {
  const page = new ShrinkPage(browser);
  const run = page.run.bind(page);

  /** Shrinks a model and waits for the report. @param {Uint8Array} bytes @param {string} [rest] @param {string} [scheme] */
  async function shrunk(bytes, rest, scheme) {
    await page.enter(rest);
    await finish(bytes, scheme);
  }

  /**
   * The same in the room as it is. What was open before may not have a tensor of this name.
   * @param {Uint8Array} bytes
   * @param {string} [scheme]
   * @param {string} [tensor]
   */
  async function finish(bytes, scheme = 'int8', tensor = 'w2') {
    await page.drop('words.onnx', bytes);
    await page.until(
      `return document.querySelector('fb-shrink-table [data-name="' + arguments[0] + '"]') && document.querySelector('#shrink-to')?.value === 'onnx'
        && document.querySelector('.start')?.disabled === false`,
      'the model',
      tensor,
    );
    await page.set('#shrink-all', `scheme:${scheme}`);
    await page.until(
      `return document.querySelector('fb-shrink-table [data-name="' + arguments[1] + '"]').textContent.includes(arguments[0])
        && document.querySelector('.start').disabled === false`,
      scheme,
      scheme.toUpperCase(),
      tensor,
    );
    await page.click('.start');
    await page.until(`return document.querySelector('.run-both')`, 'the report');
  }

  const ran = () =>
    page.until(
      `return document.querySelector('.measure .outputs') && !document.querySelector('.measure .running, .measure .problem')`,
      'both to have run',
    );
  const failed = (/** @type {string} */ words) => page.waitText('.measure .problem', words);

  /**
   * Presses a button, and another as soon as it is there: a small model has soon run a thousand times, within a frame of a busy machine.
   * @param {string} first
   * @param {string} second
   */
  const pressed = (first, second) =>
    browser.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1];
       new MutationObserver((_, observer) => {
         const button = document.querySelector(arguments[1]);
         if (!button) return;
         observer.disconnect();
         button.click();
         done();
       }).observe(document.body, { childList: true, subtree: true });
       document.querySelector(arguments[0]).click();`,
      first,
      second,
    );

  const savedText = async (/** @type {number} */ at) => (await page.saved(at)).bytes.toString();

  /** Puts files into the field for inputs. @param {[name: string, bytes: Uint8Array][]} files */
  const give = (files) =>
    run(
      `const input = document.querySelector('.measure .given'); const transfer = new DataTransfer();
       for (const [name, text] of arguments[0]) transfer.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
       input.files = transfer.files; input.dispatchEvent(new Event('change', { bubbles: true }));`,
      files.map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]),
    );

  describe('running both models', () => {
    test('int8 is close to float; the runtime is fetched only when it is asked for; the report tells', async () => {
      browser.site.requests.length = 0;
      await shrunk(classifier());
      const runtime = () => browser.site.requests.filter(({ path }) => path.includes('/ort/')).length;
      assert.equal(runtime(), 0);
      await page.click('.run-both');
      await ran();
      assert.ok(runtime() > 0);
      const cosine = Number(await page.text('.outputs [data-output="logits"] .cosine'));
      assert.ok(cosine > 0.99 && cosine < 1, `cosine ${cosine}`);
      assert.match(await page.text('.outputs .sqnr'), /^\d\d\.\d\d.dB$/);
      assert.match(await page.text('.outputs .same'), /^likeliest class agrees on \d of 8$/);
      assert.match(await page.text('.measure'), /8 runs on random inputs, seed 1 · onnxruntime-web 1\./);
      assert.match(await page.text('.measure'), /not an accuracy/);
      assert.match(await page.text('[data-input="input_ids"]'), /int64 1 × 16 .*the rows of the table/);
      assert.equal(await run(`return document.querySelector('[data-input="input_ids"] .high').value`), '299');
      await page.catchSaves();
      await page.click('.json');
      const { measured, tensors } = JSON.parse(await savedText(0));
      assert.equal(tensors.length, 4);
      assert.deepEqual([measured.runs, measured.seed, measured.layers], [8, 1, null]);
      assert.equal(measured.outputs[0].cosine.toFixed(6), cosine.toFixed(6));
      assert.match(measured.kind, /not an accuracy/);
      await page.assertQuiet();
    });

    test('layer by layer: every tensor in order, as a figure, a table and CSV', async () => {
      await shrunk(classifier(), '?lang=en#/shrink', 'int4');
      await page.click('.measure .layers input');
      await page.click('.run-both');
      await ran();
      const names = await run(
        `return [...document.querySelectorAll('.every tbody bdi')].map((cell) => cell.textContent)`,
      );
      assert.deepEqual(names, ['x', 'h', 't', 'u', 'mean', 'logits']);
      const label = await page.until(
        `return document.querySelector('fb-layers-figure')?.picture?.getAttribute('aria-label')`,
        'the figure to be drawn',
      );
      assert.match(label, /^SQNR of 6 tensors/);
      assert.match(await page.text('.between'), /No tensor falls by 12 dB or more/);
      await page.catchSaves();
      await page.click('.layers-csv');
      const csv = (await savedText(0)).trim().split('\r\n');
      assert.deepEqual([csv.length, csv[0]], [7, 'name,op,dims,count,cosine,sqnrDb,maxAbs,fallDb']);
      await page.assertQuiet();
    });

    test('inputs out of range say what is wrong and are mended; given ones are taken once', async () => {
      await shrunk(classifier());
      await page.click('.run-both');
      await ran();
      await page.set('[data-input="input_ids"] .high', '1000000');
      await page.set('[data-input="input_ids"] .low', '900000');
      await page.click('.run-both');
      await failed('The model does not run on these inputs');
      assert.match(await page.text('.measure .problem'), /words\.onnx/);
      assert.match(await page.text('.measure .problem'), /out of data bounds/);
      // What was written and what was measured before are still there.
      assert.ok(
        await run(`return document.querySelector('.outputs') && document.querySelector('.save, .open-result')`),
      );
      const ids = BigInt64Array.from([3n, 299n, 0n, 17n]);
      await give([['input_ids.npy', npy('<i8', [1, 4], ids)]]);
      await page.waitText('.measure .settings', 'input_ids.npy');
      await page.click('.run-both');
      await ran();
      assert.match(await page.text('.measure'), /One run on the given inputs/);
      await give([['input_ids.npy', npy('<i8', [4], ids)]]);
      await page.waitText('.measure .settings .fields:last-child', '4 input_ids.npy');
      await page.until(
        `return !/1 × 4/.test(document.querySelector('.measure .settings .fields:last-child').textContent)`,
        '',
      );
      await page.click('.run-both');
      await failed('A given input has another shape');
      await page.assertQuiet();
    });

    test('an operator that the runtime lacks is said; a run is stopped; both can be run again', async () => {
      await shrunk(classifier('Tanhh'));
      await page.click('.run-both');
      await failed('onnxruntime-web lacks an operator');
      assert.match(await page.text('.measure .problem'), /Tanhh/);
      await page.dismiss();
      await finish(classifier(undefined, 'w2b'), 'int8', 'w2b');
      await page.set('.measure .runs', '1000');
      await page.until(`return document.querySelector('.run-both').disabled === false`, 'a press that counts');
      await pressed('.run-both', '.cancel-measure');
      await page.until(`return document.querySelector('.run-both').disabled === false`, 'an end');
      assert.equal(await run(`return document.querySelector('.measure .problem, .measure .running')`), null);
      await page.set('.measure .runs', '2');
      await page.click('.run-both');
      await ran();
      await page.assertQuiet();
    });

    test('without the runtime’s files it says so', async () => {
      await shrunk(classifier());
      browser.site.options.refuse = /\/ort\//;
      try {
        await page.click('.run-both');
        await failed('onnxruntime-web could not be loaded');
        browser.site.options.refuse = undefined;
        await page.click('.run-both');
        await ran();
      } finally {
        browser.site.options.refuse = undefined;
      }
    });

    for (const language of browser.languages) {
      test(`axe finds nothing in ${language}, in ${browser.themes.join(' and ')}`, async () => {
        for (const theme of browser.themes) {
          await page.open('?lang=en');
          await run(`localStorage.setItem('fewerbits.theme', arguments[0])`, theme);
          await shrunk(classifier(), `?lang=${language}#/shrink`);
          await page.click('.measure .layers input');
          await page.click('.run-both');
          await ran();
          await run(`for (const box of document.querySelectorAll('.measure details')) box.open = true`);
          assert.doesNotMatch(await page.text('.measure'), /measure\./);
          await page.audit(theme);
        }
        await run(`localStorage.clear()`);
      });
    }

    test('nothing is wider than 360 pixels', async () => {
      await page.assertNarrow('?lang=en', async () => {
        await page.until(`return document.querySelector('fb-learn')`, 'the page');
        await run(`${NO_PICKER}; location.hash = '#/shrink'`);
        await page.listed();
        await finish(classifier());
        await page.click('.measure .layers input');
        await page.click('.run-both');
        await ran();
        await run(`for (const box of document.querySelectorAll('.measure details')) box.open = true`);
      });
    });
  });

  describe('weighing errors', () => {
    const golden = readFileSync(join(ROOT, 'tests/goldens/weighed.jsonl'), 'utf8').split('\n');
    const encoder = () => Buffer.from(JSON.parse(golden[0]).file, 'base64');
    const SIZE = 28_000;

    /** Opens the encoder and moves the slider. @param {string} [rest] @param {Uint8Array} [bytes] @param {string} [tensor] of it */
    async function aimed(rest, bytes = encoder(), tensor = 'layer1.ffn.down') {
      await page.enter(rest);
      await sized(bytes, tensor);
    }

    /** @param {Uint8Array} bytes @param {string} tensor */
    async function sized(bytes, tensor) {
      await page.drop('encoder.onnx', bytes);
      await page.until(
        `return document.querySelector('fb-shrink-table [data-name="' + arguments[0] + '"]') && document.querySelector('#shrink-to')?.value === 'onnx'
          && Number(document.querySelector('#shrink-size')?.min) <= arguments[1] && Number(document.querySelector('#shrink-size').max) > arguments[1]`,
        'the encoder and its sizes, not those of what was open before',
        tensor,
        SIZE,
      );
      await page.slide(SIZE);
      await page.aimed(SIZE);
    }

    const weighed = () =>
      page.until(
        `return document.querySelector('.weigh').checked && !document.querySelector('.run .running')
          && /running the model|运行模型/.test(document.querySelector('.proxy')?.textContent ?? '')`,
        'the plan by weights',
      );

    test('the runtime is fetched for it alone; the plan, its reasons and the recipe go by what running showed', async () => {
      browser.site.requests.length = 0;
      await aimed();
      const runtime = () => browser.site.requests.filter(({ path }) => path.includes('/ort/')).length;
      assert.equal(runtime(), 0);
      assert.match(await page.text('.proxy'), /stand-in for what the model answers/);
      assert.equal(await run(`return document.querySelector('.run .try')`), null);
      const before = await page.rows();
      await page.click('.weigh');
      await weighed();
      assert.ok(runtime() > 0);
      assert.match(
        await page.text('.proxy'),
        /on random inputs \(8 of them, seed 1; onnxruntime-web 1\..*\)\. Expected .* lose 0\.\d+.% of their power .*not an accuracy/,
      );
      assert.match(await page.text('.run .settings'), /input_ids int64 1 × 16/);
      const after = await page.rows();
      assert.notDeepEqual(after, before);
      assert.ok((await page.total()) <= SIZE);
      await page.click('[data-name="layer1.ffn.down"] .ask-why');
      await page.waitText('.why-panel', 'Found by running the model, its error has weight 0.0');
      await page.catchSaves();
      await page.click('.save-recipe');
      const { aim } = JSON.parse((await page.saved(0)).bytes.toString());
      assert.equal(Object.keys(aim.weights).length, 13);
      assert.ok(aim.weights['layer0.ffn.down'] > 10 * aim.weights['layer1.ffn.down']);
      assert.match(await run(`return location.hash`), /weights=run/);
      // Back to parts, and to weights again: nothing is run anew.
      await page.click('.weigh');
      await page.waitText('.proxy', 'stand-in');
      assert.deepEqual(await page.rows(), before);
      await page.click('.weigh');
      await weighed();
      assert.deepEqual(await page.rows(), after);
      await page.assertQuiet();
    });

    test('other inputs are weighed anew; given ones are said', async () => {
      await aimed();
      await page.click('.weigh');
      await weighed();
      await page.set('.run .settings .runs', '3');
      await page.waitText('.proxy', '(3 of them, seed 1;');
      await run(
        `const input = document.querySelector('.run .given'); const transfer = new DataTransfer();
         transfer.items.add(new File([Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0))], 'ids.npy'));
         input.files = transfer.files; input.dispatchEvent(new Event('change', { bubbles: true }));`,
        npy('<i8', [1, 4], BigInt64Array.from([3n, 63n, 0n, 17n])).toString('base64'),
      );
      await page.waitText('.proxy', 'on the given inputs');
      await page.assertQuiet();
    });

    test('what cannot be run is said, the plan stays, and it is mended or cancelled', async () => {
      await aimed('?lang=en#/shrink', classifier('Tanhh'), 'w2');
      await page.click('.weigh');
      await page.waitText('.run .problem', 'onnxruntime-web lacks an operator of this model');
      assert.match(await page.text('.run .problem'), /Tanhh/);
      // What it would have been run on is there to be changed.
      assert.match(await page.text('.run .settings'), /input_ids int64 1 × 16/);
      await page.until(`return document.querySelector('.weigh').checked === false`, 'the box');
      assert.match(await page.text('.proxy'), /stand-in/);
      assert.ok((await page.total()) <= SIZE);
      await sized(encoder(), 'layer1.ffn.down');
      assert.equal(await run(`return document.querySelector('.run .problem')`), null);
      await page.set('.run .settings .runs', '1000');
      await page.until(`return document.querySelector('.weigh').disabled === false`, 'a press that counts');
      await pressed('.weigh', '.cancel-run');
      await page.until(
        `return document.querySelector('.weigh').checked === false && !document.querySelector('.run .running')`,
        'an end',
      );
      assert.equal(await run(`return document.querySelector('.run .problem')`), null);
      await page.set('.run .settings .runs', '2');
      await page.click('.weigh');
      await weighed();
      await page.assertQuiet();
    });

    for (const language of browser.languages) {
      test(`axe finds nothing in ${language}, in ${browser.themes.join(' and ')}; nothing is wider than 360 pixels`, async () => {
        const opened = async () => {
          await page.click('.weigh');
          await weighed();
          await run(`document.querySelector('.run .settings').open = true`);
          await page.click('[data-name="layer1.ffn.down"] .ask-why');
          await page.until(`return document.querySelector('.why-panel')`, 'why');
        };
        for (const theme of browser.themes) {
          await page.open('?lang=en');
          await run(`localStorage.setItem('fewerbits.theme', arguments[0])`, theme);
          await aimed(`?lang=${language}#/shrink`);
          await opened();
          assert.doesNotMatch(await page.text('main'), /(shrink|measure)\.[a-z]/);
          await page.audit(theme);
        }
        await run(`localStorage.clear()`);
        await page.assertNarrow(`?lang=${language}`, async () => {
          await page.until(`return document.querySelector('fb-learn')`, 'the page');
          await run(`${NO_PICKER}; location.hash = '#/shrink'`);
          await page.listed();
          await sized(encoder(), 'layer1.ffn.down');
          await opened();
        });
      });
    }
  });
});
