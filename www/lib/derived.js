/**
 * Reads weights that a file stores in several tensors: packed codes, scales, zero points. Loaded when the first one is read.
 */
import { release, wasm } from './engine.js';
import { throwIfAborted } from './errors.js';
import { PIECE_BYTES, allocate } from './model.js';

/** @typedef {import('./model.js').Placed} Placed */
/** @typedef {Placed & {derived: import('./model.js').DerivedFrom}} Derived */

/**
 * Rows `start … end` as numbers.
 * @param {Derived} tensor
 * @param {number} start
 * @param {number} end
 * @param {AbortSignal} [signal]
 */
export async function read(tensor, start, end, signal) {
  const columns = tensor.row[1];
  const out = allocate((end - start) * columns);
  for await (const { at, values } of rows(tensor, start, end, signal)) out.set(values, (at - start) * columns);
  return out;
}

/**
 * The whole as bytes of f32, in pieces.
 * @param {Derived} tensor
 * @param {AbortSignal} [signal]
 */
export async function* chunks(tensor, signal) {
  for await (const { values } of rows(tensor, 0, tensor.row[0], signal)) yield new Uint8Array(values.buffer);
}

/**
 * @param {Derived} tensor
 * @param {number} start
 * @param {number} end
 * @param {AbortSignal} [signal]
 */
async function* rows({ shape, row: [, columns], derived: { method, parts } }, start, end, signal) {
  throwIfAborted(signal);
  const what = { method, shape, parts: parts.map(({ dtype, shape: dims }) => [dtype, dims]) };
  const derivation = new (wasm().Derivation)(JSON.stringify(what));
  try {
    /** @type {string[]} The bytes of each part that are held. */
    const held = [];
    const most = Math.max(1, Math.floor(PIECE_BYTES / (4 * columns)));
    for (let at = start; at < end; at += most) {
      const stop = Math.min(end, at + most);
      const needs = derivation.needs(at, stop);
      for (const [i, part] of parts.entries()) {
        const [from, to] = needs.slice(2 * i, 2 * i + 2);
        if (held[i] === `${from} ${to}`) continue;
        derivation.hold(i, await part.source.read(part.start + from, part.start + to, { signal }));
        held[i] = `${from} ${to}`;
      }
      const values = allocate((stop - at) * columns);
      derivation.decode(at, stop, values);
      yield { at, values };
    }
  } finally {
    release(derivation);
  }
}
