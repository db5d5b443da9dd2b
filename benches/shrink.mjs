/**
 * Whole jobs in Node with two workers: a Llama-shaped model of 1 GB in f16 on disk is read, packed, read back, compared and written, beside
 * llama.cpp's `llama_model_quantize` with two threads on the same file. `cargo xtask bench shrink` builds the package's wasm and runs it:
 * `node shrink.mjs PYTHON [part of a job's name]`.
 *
 * Rates are GB/s of the f16 model. Rounds go through all jobs in turn, and the least time counts, which leaves out what other programs took. The file
 * stays in the system's cache. Tensor data of both are compared byte for byte. `FEWERBITS_BENCH_MB` makes the model smaller.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, copyFileSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes } from '../www/lib/cli/terminal.js';
import { init, openModel, plan, shrink } from '../www/lib/index.js';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const WORKERS = 2;
const [WIDTH, HIDDEN, VOCABULARY] = [2048, 8192, 8192];

const [python = '', filter = ''] = process.argv.slice(2);
const megabytes = Number(process.env.FEWERBITS_BENCH_MB ?? 1000);

/** 65536 bell-shaped weights in f16; they are repeated. */
function gaussians() {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => 0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Uint16Array.from({ length: 1 << 16 }, () => half(normal()));
}

/** A f16, truncated, below the least normal one 0. @param {number} x */
function half(x) {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0];
  const magnitude = ((bits & 0x7fffffff) >>> 13) - (112 << 10);
  return ((bits >>> 16) & 0x8000) | (magnitude < 0x400 ? 0 : magnitude);
}

/** Tensors of a Llama, `[name, columns, rows]`; one row is a vector of f32. */
function tensors() {
  const layer = 2 * (4 * WIDTH * WIDTH + 3 * WIDTH * HIDDEN);
  const layers = Math.max(1, Math.round((megabytes * 1e6 - 4 * WIDTH * VOCABULARY) / layer));
  /** @type {[string, number, number][]} */
  const all = [['token_embd.weight', WIDTH, VOCABULARY]];
  for (let i = 0; i < layers; i++) {
    all.push([`blk.${i}.attn_norm.weight`, WIDTH, 1]);
    for (const name of ['q', 'k', 'v', 'output']) all.push([`blk.${i}.attn_${name}.weight`, WIDTH, WIDTH]);
    all.push([`blk.${i}.ffn_norm.weight`, WIDTH, 1], [`blk.${i}.ffn_gate.weight`, WIDTH, HIDDEN]);
    all.push([`blk.${i}.ffn_up.weight`, WIDTH, HIDDEN], [`blk.${i}.ffn_down.weight`, HIDDEN, WIDTH]);
  }
  all.push(['output_norm.weight', WIDTH, 1], ['output.weight', WIDTH, VOCABULARY]);
  return { layers, all };
}

/** Writes the model: GGUF 3, little-endian. @param {string} path */
function makeModel(path) {
  const { layers, all } = tensors();
  const u32 = (/** @type {number} */ n) => Buffer.from(Uint32Array.of(n).buffer);
  const u64 = (/** @type {number} */ n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
  const text = (/** @type {string} */ s) => [u64(s.length), Buffer.from(s)];
  const keys = [
    [...text('general.architecture'), u32(8), ...text('llama')],
    ...Object.entries({
      block_count: layers,
      context_length: 2048,
      embedding_length: WIDTH,
      feed_forward_length: HIDDEN,
      'attention.head_count': 16,
    }).map(([name, n]) => [...text(`llama.${name}`), u32(4), u32(n)]),
    [...text('llama.attention.layer_norm_rms_epsilon'), u32(6), Buffer.from(Float32Array.of(1e-5).buffer)],
  ];
  let at = 0;
  const infos = all.map(([name, columns, rows]) => {
    const dims = rows === 1 ? [u32(1), u64(columns)] : [u32(2), u64(columns), u64(rows)];
    const info = [...text(name), ...dims, u32(rows === 1 ? 0 : 1), u64(at)];
    at += columns * rows * (rows === 1 ? 4 : 2);
    return info;
  });
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(all.length),
    u64(keys.length),
    ...[...keys, ...infos].flat(),
  ]);
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32)]));
  const block = new Uint8Array(gaussians().buffer);
  const weights = new Uint8Array(block.length * 128);
  for (let i = 0; i < weights.length; i += block.length) weights.set(block, i);
  const ones = new Uint8Array(new Float32Array(WIDTH).fill(1).buffer);
  for (const [, columns, rows] of all) {
    const piece = rows === 1 ? ones : weights;
    for (let left = columns * rows * (rows === 1 ? 4 : 2); left > 0; left -= piece.length) {
      writeSync(file, piece, 0, Math.min(left, piece.length));
    }
  }
  closeSync(file);
}

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
try {
  const [source, out, other] = ['model.gguf', 'out', 'other.gguf'].map((name) => join(folder, name));
  makeModel(source);
  const { size } = statSync(source);
  /** @type {Map<string, {ours: number, theirs: number | string, peak: number, same: string | null}>} */
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
      const before = found.get(name) ?? { ours: Infinity, theirs: type ? Infinity : '', peak: 0, same: null };
      before.ours = Math.min(before.ours, ms);
      before.peak = Math.max(before.peak, peakMemory);
      if (type) {
        const theirs = native(source, other, type);
        before.theirs = typeof theirs === 'number' ? Math.min(Number(before.theirs), theirs) : theirs;
        if (round === 0 && typeof theirs === 'number') before.same = await sameTensors(out, other);
      }
      found.set(name, before);
    }
  }
  const rate = (/** @type {number} */ ms) => (size / ms / 1e6).toPrecision(3);
  console.log(`
### Shrinking ${bytes(size)} of f16, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}, ${WORKERS} workers

The system copies the file at ${rate(copy)} GB/s.

| job | s | GB/s of f16 | memory | llama.cpp, ${WORKERS} threads | × | tensor data |
|---|--:|--:|--:|--:|--:|---|`);
  for (const [name, { ours, theirs, peak, same }] of found) {
    const both = typeof theirs === 'number';
    const cells = [name, (ours / 1000).toFixed(2), rate(ours), bytes(peak)];
    cells.push(both ? `${(theirs / 1000).toFixed(2)} s` : theirs, both ? (theirs / ours).toPrecision(3) : '');
    cells.push(both ? (same ?? 'the same') : '');
    console.log(`| ${cells.join(' | ')} |`);
    if (same !== null) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
