/**
 * The digits network, trained by the engine: in float, with weights rounded while it learns, distilled, pruned and retrained, with shared
 * weights.
 * @module
 */

import { bytes, floats, number, options, text, whole } from './check.js';
import { release, wasm } from './engine.js';
import { FewerbitsError } from './errors.js';

/**
 * @typedef {object} TrainerOptions
 * @property {number} [steps] in all, of 32 images each: 225 by default, five times through the sample's images. The rate falls to 0 over them
 * @property {number} [rate] of Adam at the start, 0.001 by default
 * @property {number} [seed] decides order, shifts and initial weights: a whole number, 1 by default
 * @property {boolean} [shift] images are shifted by up to a pixel each way, yes by default
 * @property {{share?: number, temperature?: number} | null} [distil] learn from the teacher too (see {@link Trainer#teach}): the share of its part
 *   in the loss, 0.7 by default, and how soft its output is made, 3 by default
 */
/** @typedef {{step: number, of: number, loss: number, accuracy: number}} Progress of the images of the last call: mean cross entropy in nats, share read rightly */
/** @typedef {{loss: number, correct: number, total: number, accuracy: number}} Score */

/** The network's matrices: what is rounded, pruned and shared. Biases stay float. */
export const MATRICES = Object.freeze(['conv1.weight', 'conv2.weight', 'fc1.weight', 'fc2.weight']);

/**
 * A network that learns. Training goes in steps, so that a page can show how it stands: call `run` until `step` is `of`. It owns memory: call
 * `free()`.
 *
 * ```js
 * const trainer = new Trainer(images, labels, { seed: 1, distil: {} });
 * for (const { name } of model.tensors) trainer.set(name, await model.read(name)); // start from the float network …
 * trainer.teach(); // … which is also the teacher
 * trainer.round(2); // weights of 2 bits in the forward pass, gradients straight through
 * for (let at = trainer.run(5); at.step < at.of; at = trainer.run(5)) show(at);
 * trainer.score(heldOutImages, heldOutLabels); // {loss, correct, …} of the rounded weights
 * net.set('fc1.weight', trainer.weights('fc1.weight')); // for a DigitsNet
 * trainer.free();
 * ```
 */
export class Trainer {
  /** @type {import('./wasm/fewerbits.js').WasmTrainer | null} */
  #inner;

  /**
   * A network with initial weights (He's normal ones, zero biases).
   *
   * @param {Uint8Array} images `[n, 8, 8]`, 0 for paper to 16 for ink, copied
   * @param {Uint8Array} labels `[n]`, 0…9, copied
   * @param {TrainerOptions} [given]
   * @throws {FewerbitsError} `shape_mismatch`, `invalid_argument`; `unsupported` in the small build that a page starts with
   */
  constructor(images, labels, given) {
    const { WasmTrainer } = wasm();
    if (WasmTrainer === undefined) {
      throw new FewerbitsError('unsupported', 'this build of the engine does not train', {
        expected: 'the whole engine',
      });
    }
    const { steps = 225, rate = 0.001, seed = 1, shift = true, distil = null } = options(given);
    const { share = 0.7, temperature = 3 } = options(distil ?? undefined, 'distil');
    this.#inner = new WasmTrainer(
      bytes(images, 'the images'),
      bytes(labels, 'the labels'),
      whole(steps, 'the steps'),
      number(rate, 'the rate'),
      whole(seed, 'the seed'),
      Boolean(shift),
      distil === null ? -1 : number(share, 'the share'),
      number(temperature, 'the temperature'),
    );
  }

  get #held() {
    if (this.#inner === null) throw new FewerbitsError('freed', 'This trainer was used after free()');
    return this.#inner;
  }

  /**
   * Begins a tensor at given values.
   *
   * @param {string} name `conv1.weight`, `conv1.bias`, … `fc2.bias`
   * @param {Float32Array} values row-major, copied
   * @throws {FewerbitsError} `unknown_tensor`, `shape_mismatch`, `non_finite`
   */
  set(name, values) {
    this.#held.set(text(name, 'the name of the tensor'), floats(values));
  }

  /** Makes the weights as they are now the teacher, for `distil`. */
  teach() {
    this.#held.teach();
  }

  /**
   * From now on weights are rounded in the forward pass, symmetric and narrow, one scale for each output channel that is fitted anew at every
   * step by least squares. Without any `run` it is rounding after training.
   *
   * @param {number} bits 2 to 8
   * @param {readonly string[]} [names] {@link MATRICES} by default
   * @throws {FewerbitsError} `invalid_argument`, `unknown_tensor`
   */
  round(bits, names = MATRICES) {
    for (const name of names) this.#held.round(text(name, 'the name of the tensor'), whole(bits, 'the bits'));
  }

  /**
   * Sets the smallest weights to zero; there they stay.
   *
   * @param {number} ratio 0…1, of each tensor
   * @param {readonly string[]} [names] {@link MATRICES} by default
   * @throws {FewerbitsError} `invalid_argument`, `unknown_tensor`
   */
  prune(ratio, names = MATRICES) {
    for (const name of names) this.#held.prune(text(name, 'the name of the tensor'), number(ratio, 'the ratio'));
  }

  /**
   * Makes the weights that are not zero share 2^`bits` − 1 values, found by k-means (a code of so many bits tells of these and of zero); from now
   * on the values learn: the gradients of all that share one are summed.
   *
   * @param {number} bits 1 to 8
   * @param {readonly string[]} [names] {@link MATRICES} by default
   * @throws {FewerbitsError} `invalid_argument`, `unknown_tensor`
   */
  share(bits, names = MATRICES) {
    for (const name of names) this.#held.share(text(name, 'the name of the tensor'), whole(bits, 'the bits'));
  }

  /**
   * Takes steps; fewer where the plan ends.
   *
   * @param {number} [steps] 1 by default
   * @returns {Progress}
   */
  run(steps = 1) {
    return this.#held.run(whole(steps, 'the steps'));
  }

  /**
   * A tensor as the network uses it: rounded, pruned or shared, as it is.
   *
   * @param {string} name
   * @returns {Float32Array} a copy
   * @throws {FewerbitsError} `unknown_tensor`
   */
  weights(name) {
    return this.#held.weights(text(name, 'the name of the tensor'));
  }

  /**
   * What the network does on images as it is now.
   *
   * @param {Uint8Array} images
   * @param {Uint8Array} labels
   * @returns {Score}
   * @throws {FewerbitsError} `shape_mismatch`, `invalid_argument`
   */
  score(images, labels) {
    return this.#held.score(bytes(images, 'the images'), bytes(labels, 'the labels'));
  }

  /** Gives the memory back. Every later use throws `freed`; freeing again does nothing. */
  free() {
    release(this.#inner);
    this.#inner = null;
  }
}
