/**
 * Whole jobs with two workers, in Node and in Chromium: a Llama-shaped model of 1 GB in f16 on disk is read, packed, read back, compared and
 * written, beside llama.cpp's `llama_model_quantize` with two threads on the same file. Node writes a file, as llama.cpp does; the page reads a
 * File that was picked and writes into the browser's own storage. `cargo xtask bench shrink` builds the package's wasm and runs it:
 * `node shrink.mjs PYTHON [part of a job's name]`.
 *
 * Rates are GB/s of the f16 model. Rounds go through all jobs in turn, and the least time counts, which leaves out what other programs took. The file
 * stays in the system's cache. Tensor data of Node and llama.cpp are compared byte for byte, the page's whole file with Node's by its CRC-32.
 * `FEWERBITS_BENCH_MB` makes the model smaller, `FEWERBITS_BENCH_ROUNDS` changes their number, `TMPDIR` is where the files lie.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { bytes } from '../www/lib/cli/terminal.js';
import { init, openModel, plan, shrink } from '../www/lib/index.js';
import { makeModel } from './models.js';
import { openPage } from './shrink-page.js';

const ROUNDS = Number(process.env.FEWERBITS_BENCH_ROUNDS ?? 3);
const WORKERS = 2;

const [python = '', filter = ''] = process.argv.slice(2);
const megabytes = Number(process.env.FEWERBITS_BENCH_MB ?? 1000);

/** @type {{name: string, options: any, native?: string}[]} */
const JOBS = [
  ...['Q8_0', 'Q4_0', 'Q4_K_M'].map((preset) => ({
    name: `GGUF ${preset}`,
    options: { to: 'gguf', preset },
    native: preset,
  })),
  { name: 'safetensors copy', options: { to: 'safetensors', rules: [{ match: '*', keep: true }] } },
  { name: 'safetensors fp8_e4m3', options: { to: 'safetensors', scheme: { id: 'fp8_e4m3' } } },
  { name: 'safetensors q8_0 in f16', options: { to: 'safetensors', scheme: { id: 'q8_0' } } },
].filter(({ name }) => name.includes(filter));

/** Milliseconds, or why there are none. @param {string} source @param {string} target @param {string} type @returns {number | string} */
function native(source, target, type) {
  if (!python) return 'no Python';
  const args = ['benches/shrink_native.py', source, target, String(WORKERS), type];
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8', cwd: new URL('..', import.meta.url) }));
}

/** Whether two GGUF files hold the same tensors. @param {string} ours @param {string} theirs */
async function sameTensors(ours, theirs) {
  const [a, b] = await Promise.all([openModel(ours), openModel(theirs)]);
  try {
    const others = new Map(b.tensors.map((tensor) => [tensor.name, tensor.dtype]));
    for (const { name, dtype } of a.tensors) {
      if (others.get(name) !== dtype) return `${name}: ${dtype}, there ${others.get(name)}`;
      const [x, y] = await Promise.all([a.readBytes(name), b.readBytes(name)]);
      if (Buffer.compare(x, y) !== 0) return `${name} differs`;
    }
    return a.tensors.length === b.tensors.length ? null : 'other tensors';
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

await init();
const folder = mkdtempSync(join(tmpdir(), 'fewerbits-bench-'));
/** @type {Awaited<ReturnType<typeof openPage>>} */
let page = null;
try {
  const [source, out, other] = ['model.gguf', 'out', 'other.gguf'].map((name) => join(folder, name));
  makeModel(source, megabytes);
  page = await openPage(source);
  const { size } = statSync(source);
  /** @type {Map<string, {ours: number, page: number, theirs: number | string, peak: number, same: string | null}>} */
  const found = new Map();
  let copy = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    copyFileSync(source, out);
    copy = Math.min(copy, performance.now() - started);
    for (const { name, options, native: type } of JOBS) {
      console.error(`  round ${round + 1} of ${ROUNDS}: ${name}`);
      const model = await openModel(source);
      const begun = performance.now();
      const { peakMemory } = await shrink(await plan(model, options), out, { workers: WORKERS, overwrite: true });
      const ms = performance.now() - begun;
      await model.close();
      const first = { ours: Infinity, page: Infinity, theirs: type ? Infinity : '', peak: 0, same: null };
      const before = found.get(name) ?? first;
      before.ours = Math.min(before.ours, ms);
      before.peak = Math.max(before.peak, peakMemory);
      if (page) {
        const inPage = await page.shrink({ options, workers: WORKERS, isSummed: round === 0 });
        before.page = Math.min(before.page, inPage.ms);
        if (round === 0 && inPage.crc !== crc32(readFileSync(out))) before.same = 'the page writes other bytes';
      }
      if (type) {
        const theirs = native(source, other, type);
        before.theirs = typeof theirs === 'number' ? Math.min(Number(before.theirs), theirs) : theirs;
        if (round === 0 && typeof theirs === 'number') before.same ??= await sameTensors(out, other);
      }
      found.set(name, before);
    }
  }
  const rate = (/** @type {number} */ ms) => (size / ms / 1e6).toPrecision(3);
  const seconds = (/** @type {number | string} */ ms) =>
    typeof ms === 'number' && ms < Infinity ? (ms / 1000).toFixed(2) : `${ms === Infinity ? '' : ms}`;
  console.log(`
### Shrinking ${bytes(size)} of f16, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}, ${WORKERS} workers

The system copies the file at ${rate(copy)} GB/s.

| job | Node, s | GB/s of f16 | memory | page, s | llama.cpp, ${WORKERS} threads, s | Node × | page × | tensor data |
|---|--:|--:|--:|--:|--:|--:|--:|---|`);
  for (const [name, { ours, page: inPage, theirs, peak, same }] of found) {
    const ratio = (/** @type {number} */ ms) =>
      typeof theirs === 'number' && ms < Infinity ? (theirs / ms).toPrecision(3) : '';
    const cells = [name, seconds(ours), rate(ours), bytes(peak), seconds(inPage), seconds(theirs)];
    cells.push(ratio(ours), ratio(inPage), typeof theirs === 'number' ? (same ?? 'the same') : (same ?? ''));
    console.log(`| ${cells.join(' | ')} |`);
    if (same !== null) process.exitCode = 1;
  }
} finally {
  await page?.close();
  rmSync(folder, { recursive: true, force: true });
}
