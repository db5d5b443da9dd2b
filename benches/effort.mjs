/**
 * What `effort: 'best'` gains and costs, for every scheme that has it: `node effort.mjs MODULE_DIR PYTHON`. `cargo xtask bench effort` builds the
 * module and runs it.
 *
 * Gains on weights of a Gaussian and on the sample network's largest matrix. The distance to brute force is that of the same blocks, the
 * first of the Gaussian, searched by benches/brute.js. Speeds are those of Node on 2M weights, the least time of some rounds; for ggml's
 * types against llama.cpp's own encoder in the same run, for others against our own encoding as the reference.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { init, openModel, quantize, schemes, Weights } from '../www/lib/index.js';
import * as brute from './brute.js';
import { native } from './native.js';

const ROWS = 512;
const COLUMNS = 2048;
const ROUNDS = 5;

const [dir, python] = process.argv.slice(2);

/** Box and Muller over a linear congruential generator: the same weights in every run. @param {number} n */
function gaussians(n) {
  let state = 0x2545f491;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const one = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float32Array.from({ length: n }, one);
}

/** Scheme → weights of a block, how many blocks are searched, and how. @type {Record<string, [number, number, (x: Float32Array) => number]>} */
const BRUTE = {
  ...Object.fromEntries(
    [8, 7, 6, 5, 4, 3, 2].map((bits) => [
      `int${bits}`,
      [1 << 14, 1, brute.anyStep(1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)],
    ]),
  ),
  q8_0: [32, 256, brute.oneScale(128, brute.even(-128, 127))],
  q4_0: [32, 256, brute.oneScale(8, brute.even(-8, 7))],
  q5_0: [32, 256, brute.oneScale(16, brute.even(-16, 15))],
  q4_1: [32, 256, brute.line(15)],
  q5_1: [32, 256, brute.line(31)],
  q2_k: [256, 16, brute.pairs(16, 3, 15)],
  q3_k: [256, 16, brute.nested(16, 4, -32, brute.even(-4, 3))],
  q4_k: [256, 16, brute.pairs(32, 15, 63)],
  q5_k: [256, 16, brute.pairs(32, 31, 63)],
  q6_k: [256, 16, brute.nested(16, 32, -128, brute.even(-32, 31))],
  iq4_nl: [32, 256, brute.oneScale(127, brute.table(brute.IQ4))],
  iq4_xs: [256, 16, brute.nested(32, 127, -32, brute.table(brute.IQ4))],
  tq1_0: [256, 256, brute.ternary],
  tq2_0: [256, 256, brute.ternary],
  mxfp4: [32, 256, brute.powersOf(brute.E2M1)],
  nvfp4: [64, 256, brute.e4m3],
  ocp_mxfp4: [32, 256, brute.powersOf(brute.E2M1)],
  ocp_mxfp8: [32, 256, brute.powersOf(brute.E4M3)],
  nv_nvfp4: [1 << 14, 1, brute.underTensor],
  ternary: [1 << 20, 1, brute.ternary],
  bitnet: [1 << 20, 1, brute.ternary],
};

const runsOver = (/** @type {any} */ entry) =>
  entry.options.some((/** @type {any} */ option) => option.name === 'flatten') && { flatten: true };

/** @param {Float32Array} x @param {any} entry @param {string} effort */
function values(x, entry, effort) {
  const q = quantize(x, [x.length], { id: entry.id, effort, ...runsOver(entry) });
  try {
    return q.dequantize();
  } finally {
    q.free();
  }
}

/** dB that brute force is better than the search, on the same blocks. @param {Float32Array} x @param {any} entry */
function beyond(x, entry) {
  if (entry.id === 'nf4' || entry.id === 'bnb_fp4') {
    // What a ramp from −1 to 1 comes back as.
    const ramp = Float32Array.from({ length: 4096 }, (_, i) => (i % 64 === 0 ? 1 : -1 + i / 2048));
    const levels = [...new Set(values(ramp, entry, 'reference'))].sort((a, b) => a - b);
    BRUTE[entry.id] = [64, 256, brute.anyScale(brute.table(levels))];
  }
  if (!(entry.id in BRUTE)) return null;
  const [len, blocks, search] = BRUTE[entry.id];
  const part = x.subarray(0, len * blocks);
  const ours = values(part, entry, 'best').reduce((sum, y, i) => sum + (part[i] - y) ** 2, 0);
  let least = 0;
  for (let i = 0; i < part.length; i += len) least += search(part.subarray(i, i + len));
  return 10 * Math.log10(ours / least);
}

/** Least milliseconds of some rounds. @param {() => unknown} work */
async function leastTime(work) {
  let least = Infinity;
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    const said = await work();
    const ms = typeof said === 'number' ? said : performance.now() - start;
    if (round > 0) least = Math.min(least, ms);
  }
  return least;
}

await init();
const x = gaussians(ROWS * COLUMNS);
const model = await openModel(new URL('../www/public/models/digits.safetensors', import.meta.url).pathname);
const matrices = model.tensors.filter(({ shape }) => shape.length > 1);
const largest = matrices.reduce((a, b) => (b.count > a.count ? b : a));
const gaussian = new Weights(x, [ROWS, COLUMNS]);
const trained = new Weights(await model.read(largest.name), [...largest.shape]);

const glue = await import(pathToFileURL(join(resolve(dir), 'fewerbits.js')).href);
await glue.default({ module_or_path: readFileSync(join(dir, 'fewerbits_bg.wasm')) });
const SAMPLE = x.subarray(0, 1 << 16).map((v) => 0.02 * v);
const SHARE = 1 << 21;
const bench = new glue.Bench(SAMPLE, SHARE / 4096);
const library = await native(python, SAMPLE, SHARE);

const decibels = (/** @type {number | null} */ db) =>
  db === null
    ? ''
    : db
        .toFixed(2)
        .replace(/^-0\.00$/, '0.00')
        .replace('-', '−');
const rate = (/** @type {number} */ ms) => ((SHARE * 4) / 1e6 / ms).toPrecision(3);
const rows = [];
for (const entry of schemes()) {
  if (!entry.options.some(({ name }) => name === 'effort')) continue;
  console.error(`  ${entry.id}`);
  const cells = [`\`${entry.id}\``];
  for (const weights of [gaussian, trained]) {
    const [a, b] = ['reference', 'best'].map(
      (effort) => weights.evaluate({ id: entry.id, effort, ...runsOver(entry) }).metrics.sqnrDb,
    );
    cells.push(decibels(a), decibels(b), decibels(b - a));
  }
  cells.push(decibels(beyond(x, entry)));
  if (entry.family === 'ggml') {
    const best = await leastTime(() => void bench.ggmlBest(entry.id));
    const theirs = library && (await leastTime(() => library.time('encode', entry.id)));
    cells.push(rate(best), theirs ? (theirs / best).toPrecision(2) : '', '');
  } else {
    const times = [];
    for (const effort of ['reference', 'best']) {
      times.push(
        await leastTime(() => void quantize(x, [x.length], { id: entry.id, effort, ...runsOver(entry) }).free()),
      );
    }
    cells.push(((x.length * 4) / 1e6 / times[1]).toPrecision(3), '', (times[0] / times[1]).toPrecision(2));
  }
  rows.push(`| ${cells.join(' | ')} |`);
}
await library?.close();
bench.free();
await model.close();

console.log(`
### effort: 'best', ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${new Date().toISOString().slice(0, 10)}

Gaussian: ${ROWS} × ${COLUMNS} weights. Trained: ${largest.name} of the sample, ${largest.shape.join(' × ')}. SQNR in dB; schemes at their defaults. Beyond: what a near-exhaustive
search of some of the Gaussian's blocks gains over this one (benches/brute.js). GB/s of f32 in Node, on one thread.

| scheme | Gaussian: reference | best | gain | trained: reference | best | gain | beyond, dB | GB/s | of native's speed | of our reference's |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
${rows.join('\n')}`);
