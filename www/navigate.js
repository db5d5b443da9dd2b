/**
 * Moving about in a tensor, as pure updates of the state: zooming the axis, stepping from weight to weight, finding a weight
 * by its value, dragging the ends of the range.
 */
import * as change from './state.js';

/** @typedef {import('./types.js').State} State */

/**
 * @param {State} s
 * @param {number | null} factor below 1 looks closer; null shows all
 * @returns {State}
 */
export function zoomAxis(s, factor) {
  if (!s.data) return s;
  if (factor === null) return change.setView(s, { axis: null });
  const [lo, hi] = change.axisOf(s);
  const [least, most] = change.naturalAxis(s.data.stats);
  const natural = most - least;
  const width = (hi - lo) * factor;
  if (Math.abs(width / natural - 1) < 0.01) return change.setView(s, { axis: null });
  if (width > 20 * natural || width < natural / 1e5) return s;
  // The weight in hand stays where it is; else zero does.
  const eye = Math.min(hi, Math.max(lo, s.weight?.b.value ?? 0));
  const from = eye - ((eye - lo) / (hi - lo)) * width;
  return change.setView(s, { axis: [Number(from.toPrecision(6)), Number((from + width).toPrecision(6))] });
}

/**
 * A clip handle moved. A symmetric scheme has one range, mirrored about zero.
 * @param {State} s
 * @param {import('./types.js').Side} side
 * @param {{low: number, high: number, side?: 'low' | 'high', settled?: boolean}} moved `settled`: it was let go
 * @returns {State}
 */
export function moveRange(s, side, { low, high, side: end, settled }) {
  if (settled) return { ...s, continuous: false };
  if (!change.isSymmetric(s, side)) return change.setRange(s, side, [low, high], true);
  const reach = Math.abs(end === 'low' ? low : high);
  return change.setRange(s, side, [-reach, reach], true);
}

/** The element at a place of the matrix. @param {State} state @param {number} row @param {number} column */
export function indexAt(state, row, column) {
  const columns = state.data?.matrix[1] ?? 1;
  return row * columns + column;
}

/**
 * The selected weight moved in the matrix by keys; the region follows it.
 * @param {State} s
 * @param {{dx: number, dy: number, clear?: boolean}} detail
 * @returns {State}
 */
export function step(s, { dx, dy, clear }) {
  if (!s.data || clear) return change.select(s, null);
  const [rows, columns] = s.data.matrix;
  const [r0, r1, c0, c1] = change.regionOf(s);
  const now = s.selected ?? Math.floor((r0 + r1) / 2) * columns + Math.floor((c0 + c1) / 2);
  const moved = s.selected !== null;
  const row = Math.min(rows - 1, Math.max(0, Math.floor(now / columns) + (moved ? dy : 0)));
  const column = Math.min(columns - 1, Math.max(0, (now % columns) + (moved ? dx : 0)));
  const next = change.select(s, row * columns + column);
  if (!s.view.region) return next;
  const down = row < r0 ? row - r0 : row >= r1 ? row - r1 + 1 : 0;
  const across = column < c0 ? column - c0 : column >= c1 ? column - c1 + 1 : 0;
  if (!down && !across) return next;
  return change.setView(next, { region: [r0 + down, r1 + down, c0 + across, c1 + across] });
}

/**
 * Of the weights in the picture, one whose value is nearest: pointing at a value lights up a real weight.
 * @param {State} s
 * @param {number} value
 */
export function nearest(s, value) {
  const { pictures } = s;
  if (!pictures || !s.data) return null;
  const { float, width, height, region } = pictures;
  let best = 0;
  let least = Infinity;
  for (let i = 0; i < float.length; i++) {
    const away = Math.abs(float[i] - value);
    if (away < least) {
      least = away;
      best = i;
    }
  }
  const x = best % width;
  const y = Math.floor(best / width);
  const row = Math.floor(region[0] + ((y + 0.5) / height) * (region[1] - region[0]));
  const column = Math.floor(region[2] + ((x + 0.5) / width) * (region[3] - region[2]));
  return indexAt(s, row, column);
}
