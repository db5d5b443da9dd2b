/**
 * Elements of a tensor for those that pack them: as they are stored where they lie one after the other, else as f32.
 */
import { Checksum } from '../checksum.js';
import { isSummed } from '../model.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('../model.js').Placed} Placed
 * @typedef {{dtype: string, bigEndian: boolean, bytes: Uint8Array<ArrayBuffer>}} Stored
 */

/** Whether elements are stored one after the other, as they are. @param {Placed} tensor */
export function isPlain({ strides, deflated, deep, fortranOrder, derived }) {
  return strides === null && deflated === null && !deep && !fortranOrder && derived === undefined;
}

/**
 * Reads elements of a tensor. What can only be read whole is read once.
 * @param {Model} model
 * @param {Placed} tensor
 * @param {AbortSignal} [signal]
 * @param {(bytes: number) => void} [hold] is told of what is read whole and kept
 * @returns {(from: number, to: number, room?: ArrayBuffer) => Promise<Stored>} `room` holds the bytes where they fit in it
 */
export function readerOf(model, tensor, signal, hold) {
  const { name, dtype, bigEndian, block, start, source } = tensor;
  const [elements, size] = block;
  /** @type {Promise<Float32Array<ArrayBuffer>> | null} */
  let all = null;
  const sum = isPlain(tensor) && isSummed(tensor) ? new Checksum(tensor) : null;
  return async (from, to, room) => {
    if (isPlain(tensor) && from % elements === 0 && to % elements === 0) {
      const at = (/** @type {number} */ element) => start + (element / elements) * size;
      const bytes = await source.read(at(from), at(to), { signal, room });
      sum?.add(at(from) - start, bytes);
      return { dtype, bigEndian, bytes };
    }
    let values;
    if (tensor.fortranOrder || tensor.deflated !== null || tensor.deep) {
      all ??= model.read(name, { signal }).then(
        (values) => (hold?.(values.byteLength), values),
        (error) => {
          all = null;
          throw error;
        },
      );
      values = (await all).slice(from, to);
    } else {
      const columns = Math.max(1, tensor.row[1]);
      const first = Math.floor(from / columns);
      const rows = { start: first, end: Math.ceil(to / columns), signal };
      values = (await model.read(name, rows)).slice(from - first * columns, to - first * columns);
    }
    return { dtype: 'F32', bigEndian: false, bytes: new Uint8Array(values.buffer) };
  };
}
