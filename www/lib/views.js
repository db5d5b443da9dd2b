/**
 * Reads tensors that are views of a storage (PyTorch): slices, transposes, repeats. Loaded when the first one is read.
 */
import { wasm } from './engine.js';
import { throwIfAborted } from './errors.js';
import { inflatedBytes } from './inflate.js';
import { PIECE_BYTES, allocate, decode } from './model.js';

/** @typedef {import('./model.js').Placed} Placed */
/** @typedef {Placed & {strides: number[]}} View */

/**
 * Part of a view: where it begins and how many indices it has, axis by axis.
 * @typedef {{first: number[], size: number[]}} Block
 */

/**
 * Rows `start … end` as numbers, row-major.
 * @param {View} tensor
 * @param {number} start
 * @param {number} end
 * @param {AbortSignal} [signal]
 */
export async function read(tensor, start, end, signal) {
  throwIfAborted(signal);
  const { shape, row } = tensor;
  const out = allocate((end - start) * row[1]);
  if (out.length === 0) return out;
  // The rows of a vector or a number are one.
  const isMatrix = shape.length > 1;
  const first = shape.map((_, axis) => (isMatrix && axis === 0 ? start : 0));
  const size = shape.map((n, axis) => (isMatrix && axis === 0 ? end - start : n));
  for (const block of blocks(tensor, { first, size })) await gather(tensor, block, { first, size }, out, signal);
  return out;
}

/**
 * The whole as bytes of f32, in pieces of whole rows.
 * @param {View} tensor
 * @param {AbortSignal} [signal]
 */
export async function* chunks(tensor, signal) {
  const [rows, columns] = tensor.row;
  const most = Math.max(1, Math.floor(PIECE_BYTES / (4 * columns)));
  for (let at = 0; at < rows; at += most) {
    const values = await read(tensor, at, Math.min(rows, at + most), signal);
    if (values.length > 0) yield new Uint8Array(values.buffer);
  }
}

/**
 * Elements from the first of a block to its last.
 * @param {View} tensor
 * @param {number[]} size
 */
function span({ strides }, size) {
  return size.reduce((sum, n, axis) => sum + (n - 1) * strides[axis], 1);
}

/**
 * Cuts a block until the span of each part fits in a piece, along the axis that reaches farthest.
 * @param {View} tensor
 * @param {Block} block
 * @returns {Generator<Block, void>}
 */
function* blocks(tensor, block) {
  const { strides, block: unit } = tensor;
  const most = PIECE_BYTES / unit[1];
  const { first, size } = block;
  const count = size.reduce((product, n) => product * n, 1);
  const reach = size.map((n, axis) => (n - 1) * strides[axis]);
  const isFar = span(tensor, size) > most;
  // A repeat makes more numbers than it has elements.
  if (!isFar && count <= most) {
    yield block;
    return;
  }
  const measure = isFar ? reach : size;
  const axis = measure.indexOf(Math.max(...measure));
  const others = isFar ? span(tensor, size) - reach[axis] : count / size[axis];
  const fit = isFar ? Math.floor((most - others) / strides[axis]) + 1 : Math.floor(most / others);
  const each = Math.min(size[axis] - 1, Math.max(1, fit));
  for (let at = 0; at < size[axis]; at += each) {
    yield* blocks(tensor, {
      first: first.with(axis, first[axis] + at),
      size: size.with(axis, Math.min(each, size[axis] - at)),
    });
  }
}

/**
 * Reads a block and puts it in its place in `out`, which holds `whole`.
 * @param {View} tensor
 * @param {Block} block
 * @param {Block} whole
 * @param {Float32Array<ArrayBuffer>} out
 * @param {AbortSignal} [signal]
 */
async function gather(tensor, { first, size }, whole, out, signal) {
  const { source, start, strides, deflated, block: unit } = tensor;
  const from = first.reduce((sum, n, axis) => sum + n * strides[axis], 0) * unit[1];
  const count = span(tensor, size);
  const to = from + count * unit[1];
  const bytes =
    deflated === null
      ? await source.read(start + from, start + to, { signal })
      : await inflatedBytes(tensor, from, to, signal);
  const stored = new Float32Array(count);
  decode(tensor, bytes, stored);
  const values = wasm().stridedToRowMajor(stored, new Float64Array(size), new Float64Array(strides));
  if (values.length === out.length) {
    out.set(values);
    return;
  }
  // Runs that lie together in both: the last axis, and those before it while the block has the whole of what follows.
  let [run, axes] = [1, size.length];
  while (axes > 0 && (axes === size.length || size[axes] === whole.size[axes])) run *= size[--axes];
  const index = new Array(axes).fill(0);
  for (let at = 0; at < values.length; at += run) {
    let place = 0;
    for (const [axis, n] of whole.size.entries()) {
      place = place * n + first[axis] - whole.first[axis] + (axis < axes ? index[axis] : 0);
    }
    out.set(values.subarray(at, at + run), place);
    for (let axis = axes - 1; axis >= 0 && ++index[axis] === size[axis]; axis -= 1) index[axis] = 0;
  }
}
