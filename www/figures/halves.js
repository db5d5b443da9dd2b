/** How one half of the main figure is drawn: as bars on levels, or as a density where levels stand too close. Pure. */
import { calmed, largest, spread } from './scale.js';

/**
 * @typedef {import('../types.js').Histogram} Histogram
 * @typedef {{
 *   kind: 'float' | 'quantized' | 'quantized-a', histogram: Histogram, label: string,
 *   levels?: Float32Array | null, runs?: number, raw?: Histogram
 * }} Half `levels`: of one of its `runs`; `raw`: the counts before they were calmed
 */

/** Levels nearer than this many pixels cannot be told apart. */
const NEAR = 4;

/** Pixels from one level to the next. @param {Half} half @param {number} perUnit pixels per unit of value */
function gapOf({ levels }, perUnit) {
  if (!levels || levels.length < 2) return Infinity;
  return ((levels[levels.length - 1] - levels[0]) / (levels.length - 1)) * perUnit;
}

/** Over how many bins the mass of a level is spread: 0 where levels can be told apart. @param {Half} half @param {number} perUnit */
export function blurOf(half, perUnit) {
  if (half.kind === 'float' || (half.runs ?? 1) > 1 || gapOf(half, perUnit) >= NEAR) return 0;
  const { lo, hi, counts } = half.histogram;
  return (gapOf(half, perUnit) / perUnit / (hi - lo)) * counts.length;
}

/**
 * Whether mass lies so densely that its counts can be held against those of the float weights: levels too near to be
 * told apart, or those of many scales mixed without a peak that towers over all.
 * @param {Half} half
 * @param {Histogram | null} reference the float weights
 * @param {number} perUnit
 */
export function isDense(half, reference, perUnit) {
  if (half.kind === 'float' || reference === null) return false;
  if ((half.runs ?? 1) > 1) return largest(half.histogram.counts) <= 4 * largest(reference.counts);
  return blurOf(half, perUnit) > 0;
}

/**
 * Counts as they are drawn.
 * @param {Half} half
 * @param {ArrayLike<number>} counts its own, or on their way to them
 * @param {number} perUnit
 */
export function drawnCounts(half, counts, perUnit) {
  const width = blurOf(half, perUnit);
  if (width <= 1) return counts;
  return calmed({ ...half.histogram, counts: spread(spread(counts, width), width) }).counts;
}

/**
 * The count that stands at full height: where a half is dense, that of the float weights has room too.
 * @param {Half} half
 * @param {Histogram | null} reference the float weights
 * @param {number} perUnit
 */
export function peakOf(half, reference, perUnit) {
  const own = largest(drawnCounts(half, half.histogram.counts, perUnit));
  const shared = reference && isDense(half, reference, perUnit) ? largest(reference.counts) : 0;
  return Math.max(own, shared) || 1;
}

/** Bars leave a gap to their neighbours where the levels leave room; many scales mixed leave none. @param {Half} half @param {number} perUnit */
export function barWidth(half, perUnit) {
  if ((half.runs ?? 1) > 1) return 1.5;
  const gap = gapOf(half, perUnit);
  return gap === Infinity ? 6 : Math.max(1, Math.min(14, gap * 0.45));
}

/**
 * The counts of weights beyond the ends of the range; the others are 0.
 * @param {Half} half
 * @param {{low: number, high: number}} clip
 */
export function clippedCounts({ histogram, raw = histogram }, { low, high }) {
  const { lo, hi, counts } = histogram;
  const bin = (hi - lo) / counts.length;
  const centre = (/** @type {number} */ i) => lo + (i + 0.5) * bin;
  const isLow = (/** @type {number} */ i) => centre(i) < low - bin / 2;
  const isHigh = (/** @type {number} */ i) => centre(i) > high + bin / 2;
  // Wide bins reach past the ends; whether a weight does is read from the narrow ones.
  const anyLow = raw.counts.some((c, i) => c > 0 && isLow(i));
  const anyHigh = raw.counts.some((c, i) => c > 0 && isHigh(i));
  return counts.map((c, i) => ((anyLow && isLow(i)) || (anyHigh && isHigh(i)) ? c : 0));
}
