/**
 * The article's formula with its two ranges told apart, as the lesson repairs it: `q = round((x − x_min)/(x_max − x_min)·(q_max − q_min)) + q_min`,
 * half to even, clamped, and back. Zero is in general not among its levels. Pure, in double precision.
 */

/** @param {number} x */
export function halfEven(x) {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
}

/**
 * @typedef {{low: number, high: number, least: number, most: number}} Ranges x's own range, and that of the integers
 */

/** @param {number} x @param {Ranges} ranges */
export function meantCode(x, { low, high, least, most }) {
  const q = halfEven(((x - low) / (high - low)) * (most - least)) + least;
  return Math.min(most, Math.max(least, q));
}

/** @param {number} q @param {Ranges} ranges */
export function meantValue(q, { low, high, least, most }) {
  return ((q - least) / (most - least)) * (high - low) + low;
}

/** @param {Float32Array} values @param {Ranges} ranges */
export const meant = (values, ranges) => values.map((x) => meantValue(meantCode(x, ranges), ranges));
