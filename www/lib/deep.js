/**
 * Reads records of Deep Compression, of which every weight needs all bytes. Loaded when the first one is read.
 */
import { wasm } from './engine.js';
import { throwIfAborted } from './errors.js';

/** The record that was read last: rows are asked for one stretch after the other. @type {{tensor: object, values: Float32Array<ArrayBuffer>} | null} */
let last = null;

/** Values that are kept for the next stretch, at most. */
const KEPT = 4 << 20;

/**
 * Elements `from … to`.
 * @param {import('./model.js').Placed} tensor
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} [signal]
 * @returns {Promise<Float32Array<ArrayBuffer>>}
 */
export async function read(tensor, from, to, signal) {
  throwIfAborted(signal);
  const { source, start, end, count } = tensor;
  if (last?.tensor !== tensor) {
    last = null;
    const record = await source.read(start, end, { signal });
    const values = /** @type {Float32Array<ArrayBuffer>} */ (wasm().decodeDeep(record, count));
    if (from === 0 && to === count) return values;
    if (count > KEPT) return values.slice(from, to);
    last = { tensor, values };
  }
  return last.values.slice(from, to);
}
