/**
 * Plans for a size, held against single schemes and against llama-quantize's presets, and their time. `cargo xtask bench plan` builds the
 * package's wasm and runs it: `node plan.mjs PYTHON`.
 *
 * `FEWERBITS_BENCH_ONLY=digits`, `language`, `onnx`, `many` or `time` does one of these.
 *
 * - The digits network: for every single scheme of GGUF the plans of at most its bytes, by cost and chosen by running; all run by the engine on the
 *   held-out images (`tests/js/digits.js`).
 * - The tiny language model: for every preset plans of smaller files (`tests/peers/plan.js`); all run by llama.cpp on held-out text
 *   (`plan_logits.py`), where a Python with llama.cpp's library and the model are.
 * - ONNX models: a small encoder and the digits network, planned with roles' weights and with weights that onnxruntime-web found.
 * - Many: 5,000 tensors planned anew for moving sizes.
 * - Time: 300 tensors, 1 GB of f16, every scheme of GGUF, two workers; then one plan after the other for moving sizes. In Node, and on the
 *   built page in Chromium, from the slider's move to what is drawn.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { init, measureWeights, openModel } from '../www/lib/index.js';
import { openPlanning } from '../www/lib/shrink/plan.js';
import { DIST, find, launch, serve } from '../tests/e2e/harness/index.js';
import { openDigits } from '../tests/js/digits.js';
import { gaussians, safetensors } from '../tests/js/models.js';
import { damage, digits as digitsOnnx, encoder, images } from '../tests/js/onnx-plans.js';
import { presetsAndPlans } from '../tests/peers/plan.js';

const MODELS = fileURLToPath(new URL('../www/public/models/', import.meta.url));
/** What a layer is made of. */
const PARTS = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'];
const [python = ''] = process.argv.slice(2);
const megabytes = Number(process.env.FEWERBITS_BENCH_MB ?? 1000);

/** Runs in the page: moves the slider, and waits for what is drawn of it; how long that took, and how many steps of progress were seen. */
const MOVE = `
  const [size, done] = arguments;
  const slider = document.querySelector('#shrink-size');
  const bytes = () => document.querySelector('.totals').dataset.bytes;
  const before = bytes();
  const steps = new Set();
  const started = performance.now();
  const look = () => {
    const progress = document.querySelector('.surveying progress');
    if (progress) steps.add(progress.value);
    if (progress || !document.querySelector('fb-shrink-size .curve .point') || bytes() === before) return;
    observer.disconnect();
    done({ ms: performance.now() - started, engine: performance.getEntriesByName('fewerbits:plan').at(-1).duration, steps: steps.size });
  };
  const observer = new MutationObserver(look);
  observer.observe(document.querySelector('main'), { subtree: true, childList: true, attributes: true, characterData: true });
  slider.value = size;
  slider.dispatchEvent(new Event('input', { bubbles: true }));
`;

await init();
const folder = mkdtempSync(join(tmpdir(), 'fewerbits-plan-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`);
const only = process.env.FEWERBITS_BENCH_ONLY;
if (only === undefined || only === 'digits') await digits();
if (only === undefined || only === 'language') await language();
if (only === undefined || only === 'onnx') await onnxModels();
if (only === undefined || only === 'many') await many();
if (only !== undefined && only !== 'time') process.exit();
const path = join(folder, 'large.safetensors');
const count = large(path);
await time();
await inPage();

/** The network under single schemes, and under plans of their bytes: by cost, and chosen by running on images that it is not judged by. */
async function digits() {
  for (const effort of /** @type {const} */ (['reference', 'best'])) {
    const network = await openDigits(effort);
    const { correct, total } = network.float;
    console.log(`\nThe digits network, effort ${effort}, ${correct} of ${total} held-out images right in float:\n`);
    console.log(
      '| scheme | bytes | right | 1 − cosine | by cost: share of it | right | by running: bytes | share of it | right |',
    );
    console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|');
    for (const { id, bytes, under } of await network.singles()) {
      const byCost = await network.judged(await network.byCost(bytes));
      const chosen = await network.judged(await network.chosen(bytes));
      const share = (/** @type {{lost: number}} */ { lost }) => (lost / under.lost).toPrecision(3);
      const plans = [share(byCost), byCost.correct, chosen.bytes, `**${share(chosen)}**`, chosen.correct];
      console.log(`| \`${id}\` | ${[bytes, under.correct, under.lost.toExponential(2), ...plans].join(' | ')} |`);
    }
    await network.close();
  }
}

/** ONNX models planned with roles' weights, and with those that running them showed: how far the outputs move, on other inputs. */
async function onnxModels() {
  // The runtime is a package of www/.
  const { default: ort } = await import(
    createRequire(new URL('../www/package.json', import.meta.url)).resolve('onnxruntime-web')
  );
  ort.env.wasm.numThreads = 1;
  const [training, heldOut] = [
    { given: { x: await images('training', 200) } },
    { given: { x: await images('heldout', 360) } },
  ];
  console.log('\nONNX models, relative squared error of the outputs:\n');
  console.log('| model | bytes at most | by roles: bytes | error | weighed: bytes | error | expected |');
  console.log('|---|--:|--:|--:|--:|--:|--:|');
  const sample = await digitsOnnx();
  const shares = [0.2, 0.25, 0.3, 0.4].map((share) => Math.round(sample.length * share));
  for (const [name, file, on, inputs, sizes] of /** @type {[string, Uint8Array, any, any, number[]][]} */ ([
    ['encoder', encoder(), {}, { seed: 99, runs: 16 }, [21e3, 24e3, 28e3, 34e3, 42e3]],
    ['digits', sample, training, heldOut, shares],
  ])) {
    const model = await openModel(file);
    const weights = await measureWeights(model, { ort, ...on });
    await model.close();
    for (const targetBytes of sizes) {
      const by = (/** @type {any} */ options) =>
        damage(file, { targetBytes, ...options }, { ort, ...inputs }).catch(() => null);
      const [roles, weighed] = [await by({}), await by({ weights })];
      if (roles === null || weighed === null) continue;
      const row = [
        roles.bytes,
        roles.error.toPrecision(3),
        weighed.bytes,
        weighed.error.toPrecision(3),
        weighed.cost?.toPrecision(3),
      ];
      console.log(`| ${name} | ${targetBytes} | ${row.join(' | ')} |`);
    }
  }
}

/** The language model under presets and under plans, run by llama.cpp. */
async function language() {
  const path = join(MODELS, 'rust-docs.gguf');
  const text = join(MODELS, 'rust-docs-heldout.txt');
  if (!existsSync(path)) return console.log('\nThe language model is not here.');
  if (python === '') return console.log('\nWithout Python and llama.cpp the language model is not run.');
  const made = await presetsAndPlans(path, folder);
  const files = [path, ...made.flatMap(({ file, plans }) => [file, ...plans.map((plan) => plan.file)])];
  const script = fileURLToPath(new URL('../tests/peers/plan_logits.py', import.meta.url));
  console.log('\nThe language model, run by llama.cpp on held-out text:\n');
  process.stdout.write(execFileSync(python, [script, text, ...files], { maxBuffer: 1 << 24 }));
}

/** The least time of measuring a large model, and of plans for moving sizes. */
async function time() {
  const model = await openModel(path);
  const planning = await openPlanning(model);
  const survey = await planning.survey({ to: 'gguf', workers: 2 });
  const rounds = [];
  for (let i = 0; i < 40; i++) {
    const started = performance.now();
    await planning.plan({ to: 'gguf', targetBytes: model.byteLength * (0.25 + (0.6 * ((i * 17) % 40)) / 40) });
    rounds.push(performance.now() - started);
  }
  const [first] = rounds;
  rounds.sort((a, b) => a - b);
  console.log(
    `\n${count} tensors, ${(model.byteLength / 1e9).toFixed(2)} GB of f16, ${survey.schemes.length} schemes, two workers: measured in ` +
      `${survey.seconds.toFixed(1)} s (${(survey.bytesRead / 1e6).toFixed(0)} MB read); a plan for another size in ` +
      `${rounds[20].toFixed(1)} ms (median of 40; the slowest ${rounds[39].toFixed(1)}, the first ${first.toFixed(1)})`,
  );
  planning.free();
  await model.close();
}

/** Plans for 20 sizes of a model of many small matrices, each nine times. */
async function many() {
  const [count, sizes, rounds] = [5000, 20, 9];
  const block = gaussians(1 << 17, 3);
  const tensors = Array.from({ length: count }, (_, i) => {
    const [rows, from] = [16 * (1 + (i % 3)), (i * 37) % (1 << 16)];
    return [`blk.${Math.floor(i / 7)}.${PARTS[i % 7]}.weight`, [[rows, 256], block.slice(from, from + rows * 256)]];
  });
  const model = await openModel(safetensors(Object.fromEntries(tensors)));
  const planning = await openPlanning(model);
  await planning.survey({ to: 'gguf', workers: 2 });
  const { least = 0 } = (await planning.plan({ to: 'gguf', targetBytes: model.byteLength })).found ?? {};
  const found = [];
  for (let i = 0; i < sizes; i++) {
    const targetBytes = Math.ceil(least + ((model.byteLength - least) * ((i * 7) % sizes)) / sizes);
    const times = [];
    for (let round = 0; round < rounds; round++) {
      const started = performance.now();
      await planning.plan({ to: 'gguf', targetBytes });
      times.push(performance.now() - started);
    }
    found.push(times.sort((a, b) => a - b));
  }
  const over = (/** @type {number} */ at) => found.map((times) => times[at]).sort((a, b) => a - b);
  const [leasts, medians] = [over(0), over(rounds >> 1)];
  const range = (/** @type {number[]} */ of) => `${of[0].toFixed(1)} to ${of[sizes - 1].toFixed(1)} ms`;
  console.log(
    `\n${count} tensors planned anew for ${sizes} sizes: ${range(leasts)} (the least of ${rounds} each; their median ` +
      `${leasts[sizes >> 1].toFixed(1)}), medians ${range(medians)}`,
  );
  planning.free();
  await model.close();
}

/** The same by a person on the page: from the slider's first move to the plan, then from each move to what is drawn. */
async function inPage() {
  if (!find('chromium') || !existsSync(DIST))
    return console.log('In the page: not measured, Chromium or dist/ is missing.');
  const site = await serve(DIST, '/');
  const browser = await launch('chromium');
  const { driver } = browser;
  const until = async (/** @type {string} */ what, /** @type {string} */ script) => {
    const end = Date.now() + 60_000;
    while (!(await driver.executeScript(script))) {
      if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  try {
    await driver.manage().setTimeouts({ script: 300_000 });
    await driver.get(`${site.url}#/explore`);
    await until('the sample', `return document.querySelector('.measures td') && !document.querySelector('.job')`);
    await driver.executeScript(`document.querySelector('.strip .open').click()`);
    await until('the file input', `return document.querySelector('input[type=file]')`);
    await driver.findElement({ css: 'input[type=file]' }).sendKeys(path);
    await until('the file', `return document.querySelector('.strip')?.textContent.includes('large.safetensors')`);
    await driver.executeScript(`location.hash = '#/shrink?to=gguf&scheme=q8_0'`);
    // The rows in sight are measured under the first scheme before the slider is moved.
    await until(
      'the plan',
      `return document.querySelector('#shrink-to')?.value === 'gguf' && Number(document.querySelector('#shrink-size')?.max) > 1e6
        && document.querySelector('fb-shrink-table .body .row')?.dataset.name.startsWith('blk.')
        && !document.querySelector('fb-shrink-strip .swatch.loss-unknown')`,
    );
    const size = statSync(path).size;
    const first = await driver.executeAsyncScript(MOVE, Math.round(size * 0.4));
    const moves = [];
    for (let i = 0; i < 40; i++) {
      moves.push(await driver.executeAsyncScript(MOVE, Math.round(size * (0.25 + (0.6 * ((i * 17) % 40)) / 40))));
    }
    const median = (/** @type {'ms' | 'engine'} */ of) => moves.map((move) => move[of]).sort((a, b) => a - b);
    const [drawn, engine] = [median('ms'), median('engine')];
    const cores = await driver.executeScript('return navigator.hardwareConcurrency');
    console.log(
      `On the page in Chromium, ${Math.min(4, cores)} workers: from the first move of the slider to the plan ${(first.ms / 1000).toFixed(1)} s ` +
        `(${first.steps} steps of progress drawn); from a later move to strip, curve and table ${drawn[20].toFixed(1)} ms ` +
        `(median of 40; the slowest ${drawn[39].toFixed(1)}), of it the plan ${engine[20].toFixed(1)}`,
    );
  } finally {
    await browser.close();
    await site.close();
  }
}

/** A model of 300 matrices of bell-shaped weights in f16, each of another width. @param {string} path */
function large(path) {
  const [count, rows, columns] = [300, Math.max(1, Math.round((megabytes * 1e6) / 300 / 2 / 1536)), 1536];
  let state = 12345;
  const uniform = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0), (state + 0.5) / 2 ** 32);
  const block = Float32Array.from(
    { length: 1 << 20 },
    () => 0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
  const bits = new Uint32Array(block.buffer);
  // f16, truncated; what is below the least normal one becomes 0.
  const half = Uint16Array.from(bits, (b) => {
    const magnitude = ((b & 0x7fffffff) >>> 13) - (112 << 10);
    return ((b >>> 16) & 0x8000) | (magnitude < 0x400 ? 0 : magnitude);
  });
  const each = rows * columns * 2;
  const names = Array.from({ length: count }, (_, i) => {
    return `blk.${Math.floor(i / 7)}.${PARTS[i % 7]}.weight`;
  });
  const header = Buffer.from(
    JSON.stringify(
      Object.fromEntries(
        names.map((name, i) => [
          name,
          { dtype: 'F16', shape: [rows, columns], data_offsets: [i * each, (i + 1) * each] },
        ]),
      ),
    ),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, header);
  const bytes = Buffer.from(half.buffer);
  for (let i = 0; i < count; i++) {
    let left = each;
    // Each begins elsewhere in the block.
    let from = (i * 7919 * 2) % bytes.length;
    while (left > 0) {
      const n = Math.min(left, bytes.length - from);
      writeSync(file, bytes, from, n);
      [left, from] = [left - n, 0];
    }
  }
  closeSync(file);
  return count;
}
