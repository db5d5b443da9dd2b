/**
 * The package's face but for the classes that learn and write: what the page's engine begins with. Documented in index.js.
 * @module
 */

/**
 * @typedef {import('./types.js').Scheme} Scheme
 * @typedef {import('./types.js').SchemeEntry} SchemeEntry
 * @typedef {import('./types.js').Stats} Stats
 * @typedef {import('./types.js').StatsOptions} StatsOptions
 * @typedef {import('./types.js').Metrics} Metrics
 * @typedef {import('./types.js').Evaluation} Evaluation
 * @typedef {import('./types.js').EvaluateOptions} EvaluateOptions
 * @typedef {import('./types.js').Suggestion} Suggestion
 */

import { bytes, floats, number, options, record, shape, wrong } from './check.js';
import { wasm } from './engine.js';
import { Weights, statsOptions } from './weights.js';

export { init, memoryBytes } from './engine.js';
export { FewerbitsError } from './errors.js';
export { DigitsNet } from './digits.js';
export { openModel } from './model.js';
export { filesFromDataTransfer, filesFromList } from './files.js';
export { requests } from './sources.js';
export { Quantized, Weights } from './weights.js';

/**
 * What a model will become, before anything is written: for every tensor its scheme and its bytes, what is left alone and why. Only headers are
 * read.
 *
 * @param {import('./model.js').Model} model
 * @param {import('./shrink/plan.js').PlanOptions} [options]
 * @returns {Promise<import('./shrink/plan.js').Plan>}
 * @throws {import('./errors.js').FewerbitsError} `invalid_argument`, `unsupported`, `unknown_tensor`, `unknown_scheme`, `unknown_option`,
 *   `invalid_option`
 */
export async function plan(model, options) {
  const planning = await import('./shrink/plan.js');
  return planning.plan(model, options);
}

/**
 * What each matrix's error counts, measured by running the model, for `plan`'s option `weights`: of the digits network, of a llama that the engine
 * runs (`LanguageModel`), and of ONNX models by a runtime, which is the caller's (`ort`), on inputs that are random by a seed or given. One matrix
 * after the other is quantized and the answers are compared; it takes about a model's run for each.
 *
 * ```js
 * const weights = await measureWeights(model);
 * const p = await plan(model, { targetBytes: 1.5e6, weights });
 * ```
 *
 * @param {import('./model.js').Model} model
 * @param {import('./shrink/running.js').MeasureOptions} [options]
 * @returns {Promise<{[tensor: string]: number}>} nats of Kullback–Leibler divergence for a relative squared error of 1; of an ONNX model the
 *   relative squared error of its outputs
 * @throws {import('./errors.js').FewerbitsError} `unsupported` for a model that cannot be run, `aborted`; of an ONNX model as `runBoth`
 */
export async function measureWeights(model, options) {
  const running = await import('./shrink/running.js');
  return running.measureWeights(model, options);
}

/**
 * What a plan does to the answers of a model that the engine can run, before anything is written: the divergence from the float model's, how many
 * answers stay the same, of labelled images how many are read rightly, of a given text the loss.
 *
 * @param {import('./shrink/plan.js').Plan} planned
 * @param {import('./shrink/running.js').MeasureOptions} [options]
 * @returns {Promise<import('./shrink/reasons.js').Damage>}
 * @throws {import('./errors.js').FewerbitsError} `unsupported` for a model that the engine cannot run, `aborted`
 */
export async function measureDamage(planned, options) {
  const running = await import('./shrink/running.js');
  return running.measureDamage(planned, options);
}

/**
 * A plan for a size, chosen by running the model: of the recipes that fit, the one under which its answers move least, by the cosine of the
 * digits network's logits or the divergence of a language model. Judge it by other inputs than those that it was chosen by.
 *
 * @param {import('./model.js').Model} model
 * @param {import('./shrink/plan.js').PlanOptions} options with `targetBytes` or `targetBits`
 * @param {import('./shrink/by-running.js').RunOptions} [how]
 * @returns {Promise<import('./shrink/plan.js').Plan>} `found.byRunning` says how it was found
 * @throws {import('./errors.js').FewerbitsError} as `plan`; `unsupported` for a model that the engine cannot run, `aborted`
 */
export async function planByRunning(model, options, how) {
  const running = await import('./shrink/by-running.js');
  return running.planByRunning(model, options, how);
}

/**
 * Writes a model as planned: rows are read, packed by workers, read back and compared, and written in their places. Memory is bounded by what
 * is under way, whatever the model's size.
 *
 * @param {import('./shrink/plan.js').Plan} planned
 * @param {import('./shrink/sinks.js').SinkSource} sink a path (Node), a file or folder handle, a WritableStream, or `{open(name, size)}`
 * @param {import('./shrink/job.js').ShrinkOptions} [options] `signal`, `onProgress`, `workers`, `overwrite`, `onFailure`
 * @returns {Promise<import('./shrink/job.js').Report>} every tensor: before, after, scheme, SQNR
 * @throws {import('./errors.js').FewerbitsError} with the tensor and file concerned; nothing half-written stays
 */
export async function shrink(planned, sink, options) {
  const job = await import('./shrink/job.js');
  return job.shrink(planned, sink, options);
}

/**
 * Runs a float ONNX model and the one that was made of it on the same inputs, random or given, and says how far the outputs are apart: cosine,
 * SQNR, the largest difference, and for matrices of classes how often the largest entry is the same; `layers: true` also what is between the layers.
 * No accuracy: that needs data. The runtime is the caller's.
 *
 * ```js
 * import * as ort from 'onnxruntime-web';
 * const { outputs } = await runBoth(floatBytes, quantizedBytes, { ort });
 * ```
 *
 * @param {import('./measure/run-both.js').OnnxFile} float
 * @param {import('./measure/run-both.js').OnnxFile} quantized
 * @param {import('./measure/run-both.js').RunOptions} options
 * @returns {Promise<import('./measure/run-both.js').Measured>}
 * @throws {import('./errors.js').FewerbitsError} as listed there
 */
export async function runBoth(float, quantized, options) {
  const measure = await import('./measure/run-both.js');
  return measure.runBoth(float, quantized, options);
}

/**
 * Every scheme: what it is called, where its definition comes from, and what can be chosen.
 *
 * @returns {SchemeEntry[]} in the order in which they are best shown
 */
export function schemes() {
  return wasm().schemes();
}

/**
 * Statistics of weights. NaN and infinities are counted and otherwise left out; of no finite value every number is 0.
 *
 * `std` is that of the population (numpy's `ddof=0`), `kurtosis` the excess (0 for a Gaussian), `quantiles` are exact with linear
 * interpolation (numpy's default), a histogram's last bin holds its right edge too.
 *
 * @param {Float32Array} values
 * @param {StatsOptions & {shape?: readonly number[]}} [given] `shape` is needed for `axis` alone
 * @returns {Stats}
 * @throws {import('./errors.js').FewerbitsError} `shape_mismatch`, `invalid_argument`, `unknown_option`
 */
export function stats(values, given) {
  const { shape: dims = [floats(values).length], ...others } = options(given);
  return wasm().stats(floats(values), shape(dims), statsOptions(others));
}

/**
 * Quantizes a tensor and packs it.
 *
 * @param {Float32Array} values row-major
 * @param {readonly number[]} shape dimensions, outermost first
 * @param {Scheme} scheme `{id, ...options}`; options left out have the defaults that {@link schemes} lists
 * @returns {import('./weights.js').Quantized} call its `free()` when done
 * @throws {import('./errors.js').FewerbitsError} `unknown_scheme`, `unknown_option`, `invalid_option` with what is known;
 *   `shape_mismatch`; `non_finite` with how many and the first index, unless `nonFinite: 'saturate'`; `out_of_memory`
 */
export function quantize(values, shape, scheme) {
  return held(values, shape, (weights) => weights.quantize(scheme));
}

/**
 * Weights from packed bytes of anywhere.
 *
 * @param {Uint8Array} packed in the scheme's layout, exactly as many bytes as the shape needs
 * @param {readonly number[]} dims the shape
 * @param {Scheme} scheme the same as when they were made; options that only choose codes (range, rounding, …) do not matter
 * @returns {Float32Array} row-major
 * @throws {import('./errors.js').FewerbitsError} `shape_mismatch` for another number of bytes, and as {@link quantize}
 */
export function dequantize(packed, dims, scheme) {
  return wasm().dequantize(bytes(packed), shape(dims), scheme);
}

/**
 * What a scheme does to a tensor, in one pass and without storing the result.
 *
 * @param {Float32Array} values
 * @param {readonly number[]} shape
 * @param {Scheme} scheme
 * @param {EvaluateOptions} [given]
 * @returns {Evaluation}
 * @throws {import('./errors.js').FewerbitsError} as {@link quantize}
 */
export function evaluate(values, shape, scheme, given) {
  return held(values, shape, (weights) => weights.evaluate(scheme, given));
}

/**
 * Error metrics of a candidate against its reference. `sqnrDb` is `10·log₁₀(Σx²/Σ(x−y)²)`, ∞ without any error; `cosine` is 1 when both
 * are all zero and 0 when one is; `zeroed` is the share of all weights that were not zero and became zero.
 *
 * @param {Float32Array} reference
 * @param {Float32Array} candidate as long
 * @param {{bins?: number}} [given] bins of the error histogram, 128 by default, 0 for none
 * @returns {Metrics & {error?: import('./types.js').Histogram}} `error` counts `reference − candidate` over ± the greatest error
 * @throws {import('./errors.js').FewerbitsError} `shape_mismatch`, `non_finite` with the first index
 */
export function compare(reference, candidate, given) {
  return wasm().compare(floats(reference), floats(candidate), options(given));
}

/**
 * Proposes symmetric or not, width, grain and range for weights with these statistics, and says why, one sentence each.
 *
 * @param {Stats} statistics as {@link stats} gives them; with `axis: 0` the grain is chosen from the channels too
 * @param {{shape: readonly number[]}} given
 * @returns {Suggestion}
 * @throws {import('./errors.js').FewerbitsError} `invalid_argument`
 */
export function suggest(statistics, given) {
  const expected = 'what stats() gives';
  const known = record(statistics, 'the statistics', expected);
  for (const name of /** @type {const} */ (['count', 'min', 'max', 'absMax', 'mean', 'std', 'kurtosis'])) {
    if (typeof known[name] !== 'number') throw wrong(`${name} of the statistics`, expected, known[name]);
  }
  for (const side of known.channels ? [known.channels.min, known.channels.max] : []) floats(side);
  const { shape: dims } = record(given, 'the second argument', '{shape}');
  return wasm().suggest(known, shape(dims));
}

/**
 * Bytes that a packed tensor takes, known from its shape alone; the most that it can take where {@link packedLengthIsExact} is false.
 *
 * @param {readonly number[]} dims the shape
 * @param {Scheme} scheme
 * @returns {number}
 */
export function packedLength(dims, scheme) {
  return wasm().packedLength(shape(dims), scheme);
}

/**
 * Whether {@link packedLength} is what every tensor takes. With `entropy`, or pruned by a threshold, the weights decide: `evaluate` and
 * `quantize` tell.
 *
 * @param {Scheme} scheme
 * @returns {boolean}
 */
export function packedLengthIsExact(scheme) {
  return wasm().packedLengthIsExact(scheme);
}

/**
 * Nanoseconds that one weight takes in `evaluate`, to within a factor of a few: enough to tell what follows a hand at once on a large tensor
 * from what takes seconds.
 *
 * @param {Scheme} scheme
 * @returns {number}
 */
export function evaluationCost(scheme) {
  return wasm().evaluationCost(scheme);
}

/**
 * The article's three listings as they are printed, bit for bit as numpy 2 runs them on float32: the formula's scale cancels, so they round to
 * whole numbers (half to even) and clamp nothing. Its ideas as they are meant are the schemes `zero`, `nonzero`, `mixed`.
 *
 * All throw `invalid_argument` for a range that is not finite or has no width, and `non_finite` for NaN, ±∞ and overflow.
 */
export const article = Object.freeze({
  /**
   * Listing 4.1: zeros stay zero, the others get the formula and are counted.
   *
   * @param {Float32Array} values
   * @param {number} min
   * @param {number} max
   * @returns {{values: Float32Array, nonZeroCount: number}}
   */
  quantizeZero(values, min, max) {
    return wasm().articleZero(floats(values), number(min, 'min'), number(max, 'max'));
  },

  /**
   * Listing 4.2: zeros are left as they are, −0 too; the others get the formula.
   *
   * @param {Float32Array} values
   * @param {number} min
   * @param {number} max
   * @returns {Float32Array}
   */
  quantizeNonZero(values, min, max) {
    return wasm().articleNonZero(floats(values), number(min, 'min'), number(max, 'max'));
  },

  /**
   * Listing 4.3: as 4.1. The listing computes a count from `zeroRatio` and never uses it.
   *
   * @param {Float32Array} values
   * @param {number} min
   * @param {number} max
   * @param {number} [zeroRatio]
   * @returns {Float32Array}
   */
  quantizeMixed(values, min, max, zeroRatio = 0.5) {
    return wasm().articleMixed(floats(values), number(min, 'min'), number(max, 'max'), number(zeroRatio, 'zeroRatio'));
  },
});

/**
 * Runs something on a tensor that is held only meanwhile.
 *
 * @template T
 * @param {Float32Array} values
 * @param {readonly number[]} shape
 * @param {(weights: Weights) => T} run
 * @returns {T}
 */
function held(values, shape, run) {
  const weights = new Weights(floats(values), shape);
  try {
    return run(weights);
  } finally {
    weights.free();
  }
}
