/**
 * The sample network, run by the engine: what quantization costs, in digits read wrongly.
 * @module
 */

import { bytes, floats, text } from './check.js';
import { wasm } from './engine.js';
import { FewerbitsError } from './errors.js';

/**
 * The network for handwritten digits of the shipped `digits.safetensors` (conv1, conv2, fc1, fc2) with its held-out images. Each layer's
 * output is kept, so a change of one tensor costs only its own layer and those after it. It owns memory: call `free()`.
 *
 * ```js
 * const net = new DigitsNet();
 * for (const { name } of model.tensors) net.set(name, await model.read(name));
 * net.setHeldOut(await heldOut.readBytes('images'), await heldOut.readBytes('labels'));
 * net.accuracy(); // {correct: 358, total: 360, accuracy: 0.994…}
 * ```
 */
export class DigitsNet {
  /** @type {import('./wasm/fewerbits.js').WasmDigitsNet | null} */
  #inner;

  constructor() {
    const { WasmDigitsNet } = wasm();
    this.#inner = new WasmDigitsNet();
  }

  get #held() {
    if (this.#inner === null) throw new FewerbitsError('freed', 'This network was used after free()');
    return this.#inner;
  }

  /**
   * Sets a tensor. Setting the values that are there already costs nothing later; NaN and infinities are taken.
   *
   * @param {string} name `conv1.weight`, `conv1.bias`, … `fc2.bias`
   * @param {Float32Array} values row-major, copied
   * @throws {FewerbitsError} `unknown_tensor`, `shape_mismatch`
   */
  set(name, values) {
    this.#held.set(text(name, 'the name of the tensor'), floats(values));
  }

  /**
   * Sets the images to be read. After a refusal those from before stay.
   *
   * @param {Uint8Array} images `[n, 8, 8]`, 0 for paper to 16 for ink, copied
   * @param {Uint8Array} labels `[n]`, 0…9, n at least 1
   * @throws {FewerbitsError} `shape_mismatch`, `invalid_argument`
   */
  setHeldOut(images, labels) {
    this.#held.setHeldOut(bytes(images, 'the images'), bytes(labels, 'the labels'));
  }

  /**
   * Reads the images. One is right when its label's logit is the first of the largest and none of its logits is NaN.
   *
   * @returns {{correct: number, total: number, accuracy: number}} `accuracy` is correct/total
   * @throws {FewerbitsError} `invalid_argument` while tensors or images are missing; it names them
   */
  accuracy() {
    return this.#held.accuracy();
  }

  /**
   * The network's output for each image, before any softmax.
   *
   * @returns {Float32Array} `[n, 10]`, a copy
   * @throws {FewerbitsError} as {@link DigitsNet#accuracy}
   */
  logits() {
    return this.#held.logits();
  }

  /** Gives the memory back. Every later use throws `freed`; freeing again does nothing. */
  free() {
    this.#inner?.free();
    this.#inner = null;
  }
}
