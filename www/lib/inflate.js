/**
 * Reads tensors whose bytes are a deflate stream (npz). The engine inflates: the platform's DecompressionStream does not bound what one
 * piece of a hostile stream becomes. Loaded when the first such tensor is read.
 */
import { release, wasm } from './engine.js';
import { FewerbitsError, throwIfAborted } from './errors.js';
import { PIECE_BYTES } from './model.js';

/** @typedef {import('./model.js').Placed} Placed */

/** Packed bytes that are handed over at once. */
const INPUT_BYTES = 1 << 20;

/**
 * Bytes `from … to` of what a tensor's bytes inflate to, in pieces of `size` bytes, the last one shorter. A stream is inflated from its
 * start, whichever bytes are asked for; what its writer said of sizes is not believed.
 *
 * @param {Placed} tensor
 * @param {number} from
 * @param {number} to
 * @param {number} size
 * @param {AbortSignal} [signal]
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void>}
 */
export async function* inflated({ source, start, end, deflated }, from, to, size, signal) {
  throwIfAborted(signal);
  if (from === to) return;
  const inflater = new (wasm().Inflater)();
  let [skip, left, packed] = [(deflated ?? 0) + from, to - from, start];
  let [piece, filled] = [new Uint8Array(Math.min(size, left)), 0];
  try {
    while (left > 0) {
      const bytes = inflater.pull(
        skip > 0 ? Math.min(skip, INPUT_BYTES) : Math.min(piece.length - filled, INPUT_BYTES),
      );
      if (skip > 0) {
        skip -= bytes.length;
      } else {
        piece.set(bytes, filled);
        filled += bytes.length;
        left -= bytes.length;
        if (filled === piece.length) {
          yield piece;
          [piece, filled] = [new Uint8Array(Math.min(size, left)), 0];
          continue;
        }
      }
      if (bytes.length > 0) continue;
      if (inflater.ended || packed === end) {
        const facts = { offset: packed, expected: `${left} bytes more`, found: 'the end of the deflate stream' };
        throw new FewerbitsError('truncated', 'the deflated tensor ends before its size', facts);
      }
      const stop = Math.min(end, packed + INPUT_BYTES);
      inflater.push(await source.read(packed, stop, { signal }));
      packed = stop;
    }
  } finally {
    release(inflater);
  }
}

/**
 * Bytes `from … to` of what a tensor's bytes inflate to, whole.
 * @param {Placed} tensor
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} [signal]
 */
export async function inflatedBytes(tensor, from, to, signal) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const pieces = [];
  for await (const piece of inflated(tensor, from, to, PIECE_BYTES, signal)) pieces.push(piece);
  if (pieces.length === 1) return pieces[0];
  const all = new Uint8Array(to - from);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
