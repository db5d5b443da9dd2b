/**
 * CRC-32 sums that archives (npz, PyTorch's checkpoints) hold of their members. They are checked where all of a tensor is read, by whatever steps;
 * rows read apart, samples and views into a storage are not checked, nor is what PyTorch wrote without sums. Loaded with the first such tensor.
 */
import { wasm } from './engine.js';
import { FewerbitsError } from './errors.js';

/** @typedef {import('./model.js').Placed} Placed */

/** The sum of a tensor's bytes, as they come, inflated. */
export class Checksum {
  /** Of each piece: its bytes and its sum. @type {Map<number, {length: number, crc: number}>} */
  #pieces = new Map();

  /** @param {Placed} tensor with a sum */
  constructor({ start, end, deflated, crc, count, block: [elements, size] }) {
    this.start = start;
    this.expected = /** @type {number} */ (crc);
    this.total = deflated === null ? end - start : (count / elements) * size;
  }

  /**
   * Takes a piece, in any order; one that was read again takes the place of the first. The last is refused where the sum is another.
   * @param {number} at where it lies in the tensor
   * @param {Uint8Array} bytes
   * @throws {FewerbitsError} `malformed`
   */
  add(at, bytes) {
    this.#pieces.set(at, { length: bytes.length, crc: wasm().crc32(0, bytes) });
    const pieces = [...this.#pieces].sort(([a], [b]) => a - b);
    if (pieces.reduce((sum, [, { length }]) => sum + length, 0) !== this.total) return;
    const found = pieces.reduce((sum, [, { length, crc }]) => wasm().crc32Combine(sum, crc, length), 0);
    if (found === this.expected) return;
    const [expected, other] = [this.expected, found].map((n) => `CRC-32 ${n.toString(16).padStart(8, '0')}`);
    const facts = { offset: this.start, expected, found: other };
    throw new FewerbitsError(
      'malformed',
      'the tensor is damaged: its bytes are not those of which the archive has the sum',
      facts,
    );
  }
}

/**
 * Holds all bytes of a tensor to its sum.
 * @param {Placed} tensor
 * @param {Uint8Array} bytes
 */
export function check(tensor, bytes) {
  new Checksum(tensor).add(0, bytes);
}
