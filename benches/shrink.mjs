/**
 * A whole job in Node with two workers: a model of 1 GB in f16 on disk, read, packed, read back, compared and written. `cargo xtask bench shrink`
 * builds the package's wasm and runs it: `node shrink.mjs [part of a scheme's name]`.
 *
 * Rates are GB/s of the f16 model; beside them the copy of the same file by the same program, and the plain copy of the system's. The least time of
 * the rounds counts, which leaves out what other programs took. The file stays in the system's cache.
 */
import { copyFileSync, mkdtempSync, openSync, rmSync, writeSync, closeSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { init, openModel, plan, shrink } from '../www/lib/index.js';
import { bytes } from '../www/lib/cli/terminal.js';

const ROUNDS = 3;
const WORKERS = 2;
const TENSORS = 16;
const SHAPE = [8192, 4096];

const filter = process.argv[2] ?? '';

/** 65536 bell-shaped weights in f16; they are repeated. */
function gaussians() {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const out = new Uint16Array(1 << 16);
  for (let i = 0; i < out.length; i++) {
    out[i] = half(0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  }
  return out;
}

/** A normal f16, truncated. @param {number} x */
function half(x) {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  const magnitude = ((bits & 0x7fffffff) >>> 13) - (112 << 10);
  return ((bits >>> 16) & 0x8000) | (magnitude < 0x400 ? 0 : magnitude);
}

/** @param {string} path */
function makeModel(path) {
  const length = SHAPE[0] * SHAPE[1] * 2;
  const header = Object.fromEntries(
    Array.from({ length: TENSORS }, (_, i) => [
      `blk.${i}.weight`,
      { dtype: 'F16', shape: SHAPE, data_offsets: [i * length, (i + 1) * length] },
    ]),
  );
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([size, text]));
  const block = new Uint8Array(gaussians().buffer);
  const piece = new Uint8Array(block.length * 64);
  for (let at = 0; at < piece.length; at += block.length) piece.set(block, at);
  for (let left = length * TENSORS; left > 0; left -= piece.length) writeSync(file, piece);
  closeSync(file);
  return length * TENSORS;
}

const CASES = [
  { name: 'copy', options: { rules: [{ match: '*', keep: true }] } },
  { name: 'bf16', options: { scheme: { id: 'bf16' } } },
  { name: 'fp8_e4m3', options: { scheme: { id: 'fp8_e4m3' } } },
  ...['q8_0', 'q4_0', 'q4_k', 'q6_k'].map((id) => ({ name: `${id}, stored in f16`, options: { scheme: { id } } })),
].filter(({ name }) => name.includes(filter));

await init();
const folder = mkdtempSync(join(tmpdir(), 'fewerbits-bench-'));
try {
  const path = join(folder, 'model.safetensors');
  const size = makeModel(path);
  const out = join(folder, 'out.safetensors');
  /** @type {Map<string, {ms: number, peak: number}>} */
  const found = new Map();
  const note = (/** @type {string} */ name, /** @type {number} */ ms, peak = 0) => {
    const before = found.get(name);
    found.set(name, { ms: Math.min(ms, before?.ms ?? Infinity), peak: Math.max(peak, before?.peak ?? 0) });
  };
  const model = await openModel(path);
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    copyFileSync(path, out);
    note("the system's copy", performance.now() - start);
    for (const { name, options } of CASES) {
      const begun = performance.now();
      const planned = await plan(model, /** @type {any} */ (options));
      const { peakMemory } = await shrink(planned, out, { workers: WORKERS, overwrite: true });
      note(name, performance.now() - begun, peakMemory);
    }
    // A sink that throws away shows what writing costs.
    const begun = performance.now();
    const planned = await plan(model, { scheme: { id: 'fp8_e4m3' } });
    const nowhere = { open: async () => ({ write: async () => {}, close: async () => {}, abort: async () => {}, isDone: true }) };
    await shrink(planned, nowhere, { workers: WORKERS });
    note('fp8_e4m3, not written', performance.now() - begun);
  }
  await model.close();
  console.log(`
### Shrinking ${bytes(size)} of f16, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}, ${WORKERS} workers

| job | s | GB/s of f16 | memory |
|---|--:|--:|--:|`);
  for (const [name, { ms, peak }] of found) {
    const cells = [name, (ms / 1000).toFixed(2), (size / ms / 1e6).toPrecision(3), peak ? bytes(peak) : ''];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
