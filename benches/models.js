/** Models to measure with: Llama-shaped GGUF files in f16 of any size, with weights or, sparse, with nothing but their headers on disk. */
import { Buffer } from 'node:buffer';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

const [WIDTH, HIDDEN, VOCABULARY] = [2048, 8192, 8192];

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

/** Tensors of a Llama, `[name, columns, rows]`; one row is a vector of f32. @param {number} megabytes */
function tensors(megabytes) {
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

/**
 * Writes a model: GGUF 3, little-endian.
 * @param {string} path
 * @param {number} megabytes
 * @param {{isSparse?: boolean}} [options] `isSparse`: its weights are zeros that take no place
 */
export function makeModel(path, megabytes, { isSparse = false } = {}) {
  const { layers, all } = tensors(megabytes);
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
  if (isSparse) {
    ftruncateSync(file, head.length + ((32 - (head.length % 32)) % 32) + at);
    return closeSync(file);
  }
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
