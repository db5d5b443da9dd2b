/** A portion of a large tensor on which schemes can be compared and their figures foretold quickly. Fetched when it is needed. */

/** Weights of a portion, at most. */
export const PORTION = 1 << 19;
/** Weights of the least portion. */
const LEAST = 1 << 16;
/** Nanoseconds after which figures are late: they are foretold first. */
const LATE = 300e6;
/** Nanoseconds for one scheme: whoever begins to drag waits no longer. */
const STEP = 25e6;

/** How many weights a scheme of this cost is tried on, at most. @param {number} cost nanoseconds per weight */
export function limitFor(cost) {
  const fitting = 2 ** Math.floor(Math.log2(STEP / cost));
  return Math.max(LEAST, Math.min(PORTION, fitting));
}

/**
 * A large tensor's figures, foretold from a portion: counts and sizes are those that the whole would have if it were like the portion.
 * @param {any} figures of the portion
 * @param {number} count weights of the tensor
 * @param {number} byteLength of the tensor, packed
 */
export function foretold(figures, count, byteLength) {
  const factor = count / figures.count;
  const grown = (/** @type {any} */ h) => ({
    ...h,
    counts: h.counts.map((/** @type {number} */ n) => Math.round(n * factor)),
    below: Math.round(h.below * factor),
    above: Math.round(h.above * factor),
  });
  return {
    ...figures,
    count,
    byteLength,
    bitsPerWeight: (byteLength * 8) / count,
    metrics: { ...figures.metrics, maxAbsIndex: null },
    histogram: grown(figures.histogram),
    reference: grown(figures.reference),
    error: grown(figures.error),
    runs: figures.runs === 1 ? 1 : Math.round(figures.runs * factor),
  };
}
/** Places that it is taken from, at most. */
const PLACES = 64;
/** Rows longer than a part of so many of the portion are cut. */
const LONG = 16;
/** Blocks of any format begin at a multiple of this. */
const BLOCK = 256;

/**
 * All of a small tensor; of a large one whole rows from evenly spaced places. The least and the greatest weight are put in the
 * place of the portion's own, so that a scale for all weights is what it is for the whole tensor.
 * @param {import('./worker-answers.js').Engine} engine
 * @param {import('../lib/weights.js').Weights} weights
 * @param {{min: number, max: number}} ends
 * @param {number} [limit] weights, at most
 */
export function portionOf(engine, weights, { min, max }, limit = PORTION) {
  const { count, shape } = weights;
  if (count <= limit) return new engine.Weights(weights.values(), shape);
  const { columns, stretches } = stretchesOf(weights.matrix, limit);
  const length = stretches.reduce((n, [start, end]) => n + end - start, 0);
  const values = new Float32Array(length);
  let at = 0;
  for (const [start, end] of stretches) {
    values.set(weights.values(start, end), at);
    at += end - start;
  }
  let least = 0;
  let most = 0;
  for (let i = 1; i < length; i++) {
    if (values[i] < values[least]) least = i;
    if (values[i] > values[most]) most = i;
  }
  values[least] = min;
  values[most] = max;
  return new engine.Weights(values, [length / columns, columns]);
}

/**
 * First elements and ends of the stretches, and how long a row of the portion is.
 * @param {[number, number]} matrix rows and columns, more than a portion together
 * @param {number} [limit]
 * @returns {{columns: number, stretches: [number, number][]}}
 */
export function stretchesOf([rows, columns], limit = PORTION) {
  const cut = columns > limit / LONG;
  // Long rows are taken in pieces, as if the tensor were one row.
  const [unit, units] = cut ? [BLOCK, Math.floor((rows * columns) / BLOCK)] : [columns, rows];
  const take = Math.floor(limit / unit);
  const each = Math.ceil(take / PLACES);
  const places = Math.floor(take / each);
  const stretches = Array.from({ length: places }, (_, i) => {
    const first = Math.floor(((units - each) * i) / Math.max(1, places - 1));
    return /** @type {[number, number]} */ ([first * unit, (first + each) * unit]);
  });
  return { columns: cut ? each * unit : columns, stretches };
}

/**
 * What schemes can be tried on: the open tensor, its name and ends, and the portions of it that were made, by size.
 * @typedef {{engine: any, weights: any, about: {min: number, max: number}, portions: Map<number, any>}} Open
 */

/**
 * What a scheme is tried on.
 * @param {Open} open
 * @param {any} scheme
 */
export function portionFor({ engine, weights, about, portions }, scheme) {
  const limit = limitFor(engine.evaluationCost(scheme));
  const found = portions.get(limit) ?? portionOf(engine, weights, about, limit);
  portions.set(limit, found);
  return found;
}

/**
 * The figures of both sides, as far as they are not known from portions of the weights; null where there is nothing to foretell.
 * @param {Open} open
 * @param {{a: any, b: any}} sides
 * @param {{axis: [number, number], bins: number, errorBins: number, samples: number}} spec
 * @param {Map<string, {key: string, figures: any, stairs: any}>} drawn what is known of each side
 */
export function foretell(open, sides, spec, drawn) {
  const { engine, weights } = open;
  const isSlow = (/** @type {any} */ scheme) => scheme && engine.evaluationCost(scheme) * weights.count > LATE;
  if (!isSlow(sides.a) && !isSlow(sides.b)) return null;
  const { axis, bins, errorBins, samples } = spec;
  let sampled = Infinity;
  const of = (/** @type {string} */ side, /** @type {any} */ scheme) => {
    if (!scheme) return { figures: scheme, stairs: null };
    const last = drawn.get(side);
    if (last?.key === JSON.stringify([scheme, spec])) return last;
    const portion = portionFor(open, scheme);
    if (portion.count < weights.count) sampled = Math.min(sampled, portion.count);
    const part = portion.evaluate(scheme, { bins, range: axis, errorBins, at: 0 });
    const stairs = portion.staircase(scheme, { at: 0, lo: axis[0], hi: axis[1], samples });
    return { figures: foretold(part, weights.count, engine.packedLength(weights.shape, scheme)), stairs };
  };
  const [a, b] = [of('a', sides.a), of('b', sides.b)];
  const figures = { a: a.figures, b: b.figures, stairsA: a.stairs, stairsB: b.stairs };
  return sampled === Infinity ? null : { figures, pictures: null, weight: null, sampled };
}

/**
 * One scheme on what it is tried on: its bits per weight of the whole tensor, and its SQNR from so many weights.
 * @param {Open} open
 * @param {any} scheme
 */
export function compareOn(open, scheme) {
  const { engine, weights } = open;
  const portion = portionFor(open, scheme);
  const { metrics } = portion.evaluate(scheme, { bins: 1, range: [-1, 1], errorBins: 1 });
  const bits = (engine.packedLength(weights.shape, scheme) * 8) / weights.count;
  return { bits, sqnrDb: metrics.sqnrDb, from: portion.count };
}

/**
 * Rows of a large tensor from a few places, or the beginning of a row where rows are long. From a server one place only: each costs a request.
 * @param {import('./worker-answers.js').Engine} engine
 * @param {any} model
 * @param {any} tensor
 * @param {number} length about so many weights
 * @param {number} most places
 * @param {AbortSignal} signal
 * @returns {Promise<Float32Array>}
 */
export async function someOf(engine, model, tensor, length, most, signal) {
  const [rows, columns] = tensor.row;
  if (columns > 16 * length) return beginningOf(engine, model, tensor, length, signal);
  const take = Math.max(1, Math.floor(length / most / columns));
  const places = Math.max(1, Math.min(most, Math.floor(length / (take * columns))));
  const parts = [];
  for (let i = 0; i < places; i++) {
    const start = Math.floor(((rows - take) * (i + 0.5)) / places);
    parts.push(await model.read(tensor.name, { start, end: start + take, signal }));
  }
  const values = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part, at);
    at += part.length;
  }
  return values;
}

/**
 * The first weights of a tensor whose rows are long.
 * @param {import('./worker-answers.js').Engine} engine
 * @param {any} model
 * @param {any} tensor
 * @param {number} length
 * @param {AbortSignal} signal
 */
async function beginningOf(engine, model, tensor, length, signal) {
  const chunks = model.chunks(tensor.name, { signal });
  const weights = engine.Weights.allocate([length]);
  try {
    const { value } = await chunks.next();
    const size = chunks.dtype === tensor.dtype ? tensor.byteLength / tensor.count : 4;
    weights.push(value.subarray(0, length * size), chunks.dtype);
    return weights.values();
  } finally {
    weights.free();
    await chunks.return();
  }
}
