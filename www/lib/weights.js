/**
 * Tensors in WebAssembly memory.
 * @module
 */

/**
 * @typedef {import('./types.js').Scheme} Scheme
 * @typedef {import('./types.js').Stats} Stats
 * @typedef {import('./types.js').StatsOptions} StatsOptions
 * @typedef {import('./types.js').Evaluation} Evaluation
 * @typedef {import('./types.js').EvaluateOptions} EvaluateOptions
 * @typedef {import('./types.js').Trace} Trace
 * @typedef {import('./types.js').ImageOptions} ImageOptions
 * @typedef {import('./types.js').Suggestion} Suggestion
 */

import { bytes as checked, floats, number, options, record, shape as dims, text, whole, wrong } from './check.js';
import { release, wasm } from './engine.js';
import { FewerbitsError } from './errors.js';

/** @param {string} what */
const freed = (what) => new FewerbitsError('freed', `${what} was used after free()`);

/**
 * A tensor held in WebAssembly memory, so that scheme after scheme can be tried on it without copying it again. It owns
 * that memory: call `free()`.
 */
export class Weights {
  /** @type {import('./wasm/fewerbits.js').WasmWeights | null} */
  #inner;
  /** @type {readonly number[]} */
  #shape;

  /**
   * Holds a copy of `values`.
   *
   * @param {Float32Array | null} values row-major; `null` for zeros that `push` fills
   * @param {readonly number[]} shape dimensions, outermost first
   * @throws {FewerbitsError} `shape_mismatch`, `invalid_argument`, `out_of_memory`
   */
  constructor(values, shape) {
    const { WasmWeights } = wasm();
    this.#inner = values === null ? WasmWeights.allocate(dims(shape)) : new WasmWeights(floats(values), dims(shape));
    this.#shape = Object.freeze([...shape]);
  }

  /**
   * Room for a tensor, zeros until `push` fills it.
   *
   * @param {readonly number[]} shape
   * @returns {Weights}
   * @throws {FewerbitsError} `invalid_argument`, `out_of_memory`
   */
  static allocate(shape) {
    return new Weights(null, shape);
  }

  get #held() {
    if (this.#inner === null) throw freed('This tensor');
    return this.#inner;
  }

  /**
   * Decodes the next stored elements.
   *
   * @param {Uint8Array} bytes whole elements, as the file stores them
   * @param {string} dtype their type in the safetensors spelling, such as `"BF16"`
   * @param {boolean} [bigEndian]
   * @throws {FewerbitsError} `shape_mismatch` for more than the shape holds; `invalid_argument` for an unknown type
   */
  push(bytes, dtype, bigEndian = false) {
    this.#held.push(text(dtype, 'the type'), Boolean(bigEndian), checked(bytes));
  }

  /** Dimensions, outermost first. */
  get shape() {
    return this.#shape;
  }

  /** Number of weights. */
  get count() {
    return this.#held.count;
  }

  /**
   * The tensor as a matrix, `[rows, columns]`: a row is the last axis, or a convolution's flattened filter.
   *
   * @returns {[number, number]}
   */
  get matrix() {
    const [rows, columns] = this.#held.matrix();
    return [rows, columns];
  }

  /**
   * A copy of some of the weights.
   *
   * @param {number} [start]
   * @param {number} [end]
   * @returns {Float32Array}
   */
  values(start = 0, end = this.count) {
    const { count } = this;
    const facts = { expected: `elements within 0…${count}`, found: `${String(start)}…${String(end)}` };
    if (!(whole(start, 'the start') <= whole(end, 'the end') && end <= count)) {
      throw new FewerbitsError('invalid_argument', 'there are no such elements', facts);
    }
    return this.#held.slice(start, end);
  }

  /**
   * See {@link import('./index.js').stats}.
   *
   * @param {StatsOptions} [given]
   * @returns {Stats}
   */
  stats(given) {
    return this.#held.stats(statsOptions(given));
  }

  /**
   * A scheme for these weights, with reasons. See {@link import('./index.js').suggest}.
   *
   * @returns {Suggestion}
   */
  suggest() {
    return this.#held.suggest();
  }

  /**
   * See {@link import('./index.js').evaluate}. The fitted scheme is remembered for the calls below.
   *
   * @param {Scheme} scheme
   * @param {EvaluateOptions} [given]
   * @returns {Evaluation}
   */
  evaluate(scheme, given) {
    return this.#held.evaluate(scheme, options(given));
  }

  /**
   * Input and output of the scheme: what each of `samples` evenly spaced values would become in the place of element `at`.
   *
   * @param {Scheme} scheme
   * @param {{at?: number, lo: number, hi: number, samples?: number}} given
   * @returns {{x: Float32Array, y: Float32Array}}
   */
  staircase(scheme, given) {
    const { at = 0, lo, hi, samples = 512 } = record(given, 'the second argument', '{lo, hi}');
    return this.#held.staircase(
      scheme,
      number(at, 'at'),
      number(lo, 'lo'),
      number(hi, 'hi'),
      whole(samples, 'samples'),
    );
  }

  /**
   * What happens to one weight, step by step.
   *
   * @param {Scheme} scheme
   * @param {number} index element, row-major
   * @returns {Trace}
   */
  trace(scheme, index) {
    return this.#held.trace(scheme, number(index, 'the index'));
  }

  /**
   * A window of the matrix with one weight per pixel (the one under its centre, never an average), NaN beyond the matrix.
   *
   * @param {Scheme | null} scheme `null` for the weights themselves
   * @param {ImageOptions} [given]
   * @returns {Float32Array} `height × width`, row-major
   */
  image(scheme, given) {
    return this.#held.image(scheme, options(given));
  }

  /**
   * See {@link import('./index.js').quantize}.
   *
   * @param {Scheme} scheme
   * @returns {Quantized}
   */
  quantize(scheme) {
    return new Quantized(this.#held.quantize(scheme));
  }

  /**
   * What the scheme makes of the weights: `quantize(scheme).dequantize()` without packing.
   *
   * @param {Scheme} scheme
   * @returns {Float32Array}
   */
  reconstruct(scheme) {
    return this.#held.reconstruct(scheme);
  }

  /** Gives the memory back. Further calls do nothing; every other use throws code `freed`. */
  free() {
    release(this.#inner);
    this.#inner = null;
  }
}

/** A quantized tensor, packed. It owns WebAssembly memory: call `free()`. */
export class Quantized {
  /** @type {import('./wasm/fewerbits.js').WasmQuantized | null} */
  #inner;
  /** @type {Map<string, any>} */
  #copies = new Map();

  /** @param {import('./wasm/fewerbits.js').WasmQuantized} inner */
  constructor(inner) {
    if (!(inner instanceof wasm().WasmQuantized)) throw wrong('a quantized tensor', 'what quantize() makes', inner);
    this.#inner = inner;
  }

  get #held() {
    if (this.#inner === null) throw freed('This quantized tensor');
    return this.#inner;
  }

  /**
   * One copy, made when it is first asked for.
   *
   * @template T
   * @param {string} name
   * @param {(inner: import('./wasm/fewerbits.js').WasmQuantized) => T} make
   * @returns {T}
   */
  #copy(name, make) {
    const inner = this.#held;
    if (!this.#copies.has(name)) this.#copies.set(name, make(inner));
    return this.#copies.get(name);
  }

  /** The packed tensor in the scheme's own layout: one cached copy. */
  get bytes() {
    return this.#copy('bytes', (inner) => inner.bytes());
  }

  /** The scheme with every option. */
  get scheme() {
    return this.#copy('scheme', (inner) => inner.scheme());
  }

  /** One scale per run, where the scheme has scales. */
  get scales() {
    return this.#copy('scales', (inner) => inner.scales());
  }

  /** One zero point per run (`Int32Array`), where the scheme has them. */
  get zeroPoints() {
    return this.#copy('zeroPoints', (inner) => inner.zeroPoints());
  }

  /**
   * The values that codes stand for, where the scheme makes a table of them (`kmeans`): code `i` is entry `i`. With a table for each
   * channel or group they follow each other.
   *
   * @returns {Float32Array | undefined}
   */
  get codebook() {
    return this.#copy('codebook', (inner) => inner.codebook());
  }

  /** Bytes of the packed tensor. */
  get byteLength() {
    return this.#held.byteLength;
  }

  /** Bits that each weight takes, with scales, zero points, corrections, kept floats and padding; 0 of no weights. */
  get bitsPerWeight() {
    return this.#held.bitsPerWeight;
  }

  /**
   * Integer codes in element order, a new array each time.
   *
   * @returns {Int32Array}
   */
  codes() {
    return this.#held.codes();
  }

  /**
   * The weights read back from the packed bytes, row-major, a new array each time.
   *
   * @returns {Float32Array}
   */
  dequantize() {
    return this.#held.dequantize();
  }

  /** Gives the memory back. Further calls do nothing; every other use throws code `freed`. */
  free() {
    release(this.#inner);
    this.#inner = null;
    this.#copies.clear();
  }
}

/**
 * @param {StatsOptions | undefined} given
 * @returns {StatsOptions}
 */
export function statsOptions(given) {
  const { quantiles } = options(given);
  if (
    quantiles !== undefined &&
    !(Array.isArray(quantiles) && quantiles.length <= 1024 && quantiles.every((q) => q >= 0 && q <= 1))
  ) {
    throw wrong('quantiles', 'an array of at most 1024 numbers from 0 to 1', quantiles);
  }
  return options(given);
}
