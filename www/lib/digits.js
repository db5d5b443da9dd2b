/**
 * The sample network, run by the engine: what quantization costs, in digits read wrongly.
 * @module
 */

import { bytes, floats, options, text } from './check.js';
import { release, wasm } from './engine.js';
import { FewerbitsError } from './errors.js';

/**
 * The numbers that the network computes with. The weights are those that were set, in f32; integers are made from them.
 *
 * - `float` (the default): f32 throughout.
 * - `int8`: weights in int8, symmetric, one scale for each output channel; activations in 8 bits, one scale for each layer (zero point 0 of
 *   0…255, as they are never negative); sums in i32, exact. The scales of conv2's, fc1's and fc2's inputs come from their largest values in
 *   float over the images set: no labels are used.
 * - `xnor`: conv2 and fc1 on signs alone, by XNOR and popcount, with XNOR-Net's scales (α for each filter, K for each place); conv1 and fc2
 *   stay in f32. What goes into and comes out of these layers is normalized channel by channel on the images set. The sample was not trained
 *   for it and reads fewer digits.
 *
 * @typedef {'float' | 'int8' | 'xnor'} Arithmetic
 */

/**
 * The network for handwritten digits of the shipped `digits.safetensors` (conv1, conv2, fc1, fc2) with its held-out images. Each layer's
 * output is kept, so a change of one tensor costs only its own layer and those after it. It owns memory: call `free()`.
 *
 * ```js
 * const net = new DigitsNet();
 * for (const { name } of model.tensors) net.set(name, await model.read(name));
 * net.setHeldOut(await heldOut.readBytes('images'), await heldOut.readBytes('labels'));
 * net.accuracy(); // {correct: 358, total: 360, accuracy: 0.994…}
 * net.accuracy({ arithmetic: 'int8' }); // {correct: 358, …}
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
   * @param {{arithmetic?: Arithmetic}} [given]
   * @returns {{correct: number, total: number, accuracy: number}} `accuracy` is correct/total, 0…1
   * @throws {FewerbitsError} `invalid_argument` while tensors or images are missing; it names them. `invalid_option` for another
   *   arithmetic. Other than in float: `non_finite` for a tensor with NaN or infinities, `unsupported` in the small build that a page starts with
   */
  accuracy(given) {
    return this.#held.accuracy(arithmetic(given));
  }

  /**
   * The network's output for each image, before any softmax.
   *
   * @param {{arithmetic?: Arithmetic}} [given]
   * @returns {Float32Array} `[n, 10]`, a copy
   * @throws {FewerbitsError} as {@link DigitsNet#accuracy}
   */
  logits(given) {
    return this.#held.logits(arithmetic(given));
  }

  /**
   * The network made ready for an arithmetic, weights quantized and scales found: `run()` does nothing but the layers over all images, so that it can
   * be timed. Call its `free()`. Not in the small build that a page starts with.
   *
   * @param {{arithmetic?: Arithmetic}} [given]
   * @returns {{run: () => void, free: () => void}}
   * @throws {FewerbitsError} as {@link DigitsNet#accuracy}
   */
  prepare(given) {
    return this.#held.prepare(arithmetic(given));
  }

  /** Gives the memory back. Every later use throws `freed`; freeing again does nothing. */
  free() {
    release(this.#inner);
    this.#inner = null;
  }
}

/** @param {{arithmetic?: Arithmetic}} [given] */
function arithmetic(given) {
  return text(options(given).arithmetic ?? 'float', 'the arithmetic');
}
