/** A portion of a large tensor on which schemes can be compared quickly. */

/** Weights of a portion, at most. */
export const PORTION = 1 << 20;
/** Places that it is taken from, at most. */
const PLACES = 64;
/** Rows longer than this are cut. */
const LONG = PORTION / 16;
/** Blocks of any format begin at a multiple of this. */
const BLOCK = 256;

/**
 * All of a small tensor; of a large one whole rows from evenly spaced places. The least and the greatest weight are put in the
 * place of the portion's own, so that a scale for all weights is what it is for the whole tensor.
 * @param {typeof import('../lib/index.js')} engine
 * @param {import('../lib/weights.js').Weights} weights
 * @param {{min: number, max: number}} ends
 */
export function portionOf(engine, weights, { min, max }) {
  const { count, shape } = weights;
  if (count <= PORTION) return new engine.Weights(weights.values(), shape);
  const { columns, stretches } = stretchesOf(weights.matrix);
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
 * @returns {{columns: number, stretches: [number, number][]}}
 */
export function stretchesOf([rows, columns]) {
  const cut = columns > LONG;
  // Long rows are taken in pieces, as if the tensor were one row.
  const [unit, units] = cut ? [BLOCK, Math.floor((rows * columns) / BLOCK)] : [columns, rows];
  const take = Math.floor(PORTION / unit);
  const places = Math.min(PLACES, take);
  const each = Math.floor(take / places);
  const stretches = Array.from({ length: places }, (_, i) => {
    const first = Math.floor(((units - each) * i) / Math.max(1, places - 1));
    return /** @type {[number, number]} */ ([first * unit, (first + each) * unit]);
  });
  return { columns: cut ? each * unit : columns, stretches };
}
