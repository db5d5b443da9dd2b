/**
 * ggml's formats: one wasm instance in Node and one in Chromium beside llama.cpp's own library on one thread, on 16M Gaussian weights in
 * one run: `node ggml.mjs MODULE_DIR PYTHON [part of a name]`. `cargo xtask bench ggml` builds the module and runs it.
 *
 * Rounds go through all of them in turn, so that a slow moment of the machine meets each; a time is the least of its rounds, which leaves
 * out what other programs took. Rates are GB/s of f32 weights. Before it is timed, what each writes is compared byte for byte.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import { ROOT, find, launch, serve } from '../tests/e2e/harness/index.js';
import { native } from './native.js';

const ROUNDS = 5;
/** What is done within so many milliseconds everywhere is done so many times in a round, in turn: a short time is easily disturbed. */
const SHORT = { ms: 100, times: 4 };
const SAMPLE = 1 << 16;
const WEIGHTS = 1 << 24;
const GIGABYTES = (WEIGHTS * 4) / 1e9;

const [dir, python, filter = ''] = process.argv.slice(2);

/** 65536 weights; they are repeated. */
function gaussians() {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const one = () => 0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Float32Array.from({ length: SAMPLE }, one);
}

/**
 * A place that times a call: `copy`, or `encode` or `decode` with a format's name.
 *
 * @typedef {{time: (what: string, id: string) => Promise<number | null>, close: () => Promise<void> | void}} Place
 */

/** @param {Float32Array} sample */
async function inNode(sample) {
  const glue = await import(pathToFileURL(join(resolve(dir), 'fewerbits.js')).href);
  await glue.default({ module_or_path: readFileSync(join(dir, 'fewerbits_bg.wasm')) });
  const bench = new glue.Bench(sample, WEIGHTS / 4096);
  const calls = {
    copy: () => bench.copy(),
    encode: (/** @type {string} */ id) => bench.ggmlEncode(id),
    decode: (/** @type {string} */ id) => bench.ggmlDecode(id),
  };
  return {
    formats: /** @type {string[]} */ (glue.Bench.ggmlFormats()),
    checksum: () => crc32(bench.packedBytes()),
    time: async (/** @type {'copy' | 'encode' | 'decode'} */ what, /** @type {string} */ id) => {
      const start = performance.now();
      calls[what](id);
      return performance.now() - start;
    },
    close: () => bench.free(),
  };
}

/** @param {Float32Array} sample */
async function inChromium(sample) {
  if (!find('chromium')) return null;
  const site = await serve(ROOT, '/', {
    probe: false,
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  });
  const browser = await launch('chromium');
  const { driver } = browser;
  await driver.manage().setTimeouts({ script: 300_000 });
  await driver.get(`${site.url}benches/ggml.html`);
  const start = `
    const [url, sample, rows, done] = arguments;
    (async () => {
      const glue = await import(url);
      await glue.default();
      window.bench = new glue.Bench(Float32Array.from(sample), rows);
      done();
    })();
  `;
  const url = `/${relative(ROOT, resolve(dir)).split(sep).join('/')}/fewerbits.js`;
  await driver.executeAsyncScript(start, url, [...sample], WEIGHTS / 4096);
  const call = `
    const [what, id] = arguments;
    const start = performance.now();
    if (what === 'copy') bench.copy();
    else if (what === 'encode') bench.ggmlEncode(id);
    else bench.ggmlDecode(id);
    return performance.now() - start;
  `;
  return {
    time: (/** @type {string} */ what, /** @type {string} */ id) => driver.executeScript(call, what, id),
    close: async () => {
      await browser.close();
      await site.close();
    },
  };
}

const sample = gaussians();
const node = await inNode(sample);
const reference = await native(python, sample, WEIGHTS);
const chromium = await inChromium(sample);
/** @type {[name: string, place: Place | null][]} */
const places = [
  ['native', reference],
  ['Node', /** @type {Place} */ (node)],
  ['Chromium', chromium],
];
const formats = node.formats.filter((id) => id.includes(filter));
const differing = [];
/** @type {Map<string, number[]>} */
const times = new Map();
/** Of round 0. @type {Map<string, number | null>} */
const first = new Map();
try {
  // Round 0 is not timed: engines compile their best code meanwhile.
  for (let round = 0; round <= ROUNDS; round++) {
    console.error(`  round ${round} of ${ROUNDS}`);
    for (const id of ['copy', ...formats]) {
      for (const what of id === 'copy' ? ['copy'] : ['encode', 'decode']) {
        const keys = places.map(([name]) => `${name} ${what} ${id}`);
        const isShort = round > 0 && keys.every((key) => (first.get(key) ?? 0) < SHORT.ms);
        for (let turn = 0; turn < (isShort ? SHORT.times : 1); turn++) {
          for (const [i, [, place]] of places.entries()) {
            const ms = place ? await place.time(what, id) : null;
            if (round === 0) first.set(keys[i], ms);
            else if (ms !== null) times.set(keys[i], [...(times.get(keys[i]) ?? []), ms]);
          }
        }
        if (round === 0 && what === 'encode' && reference) {
          const theirs = reference.checksums.get(id);
          if (theirs !== undefined && theirs !== node.checksum()) differing.push(id);
        }
      }
    }
  }
} finally {
  for (const [, place] of places) await place?.close();
}

/** GB/s, or null. @param {string} name @param {string} what @param {string} id */
function rate(name, what, id) {
  const all = times.get(`${name} ${what} ${id}`);
  return all ? (GIGABYTES / Math.min(...all)) * 1000 : null;
}

const number = (/** @type {number | null} */ n) => (n === null ? '' : n.toPrecision(3));
const ratio = (/** @type {number | null} */ a, /** @type {number | null} */ b) =>
  a === null || b === null ? '' : `${(a / b).toPrecision(3)}×`;
const copy = { Node: rate('Node', 'copy', 'copy'), Chromium: rate('Chromium', 'copy', 'copy') };

console.log(`
### ggml's formats, ${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${new Date().toISOString().slice(0, 10)}

16M Gaussian weights, GB/s of f32, the least time of ${ROUNDS} rounds, of short ones ${ROUNDS * SHORT.times}. Native is llama.cpp's own library on one thread; × is our speed over it. A copy
of f32 runs at ${number(copy.Node)} GB/s in Node${copy.Chromium ? `, ${number(copy.Chromium)} in Chromium` : ''}: the last two columns are a read's time over that of a copy.

| format | native | Node | × | Chromium | × | read: native | Node | Chromium | Node ÷ copy | Chromium ÷ copy |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|`);
for (const id of formats) {
  const [theirs, inNode, inPage] = ['native', 'Node', 'Chromium'].map((name) => rate(name, 'encode', id));
  const reads = ['native', 'Node', 'Chromium'].map((name) => rate(name, 'decode', id));
  const cells = [id, number(theirs), number(inNode), ratio(inNode, theirs), number(inPage), ratio(inPage, theirs)];
  cells.push(...reads.map(number), ratio(copy.Node, reads[1]), ratio(copy.Chromium, reads[2]));
  console.log(`| ${cells.join(' | ')} |`);
}
if (reference) {
  console.log(
    differing.length > 0 ? `\nThe bytes differ: ${differing.join(', ')}` : '\nAll bytes are those of the library.',
  );
  if (differing.length > 0) process.exitCode = 1;
}
