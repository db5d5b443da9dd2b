/** Scales and ticks for the figures. Pure. */

/**
 * Round numbers across a range, some `n` of them.
 * @param {number} lo
 * @param {number} hi
 * @param {number} n
 */
export function ticks(lo, hi, n) {
  const step = niceStep((hi - lo) / Math.max(1, n));
  /** @type {number[]} */
  const values = [];
  if (!(step > 0) || !Number.isFinite(step)) return { values, step: 1 };
  for (let i = Math.ceil(lo / step - 1e-9); i * step <= hi + step * 1e-9; i++) values.push(i * step);
  // One number alone is no scale.
  if (values.length < 2 && n < 8) return ticks(lo, hi, n + 1);
  return { values, step };
}

/** @param {number} rough */
export function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / power;
  return (lead > 5 ? 10 : lead > 2 ? 5 : lead > 1 ? 2 : 1) * power;
}

/**
 * @param {readonly [number, number]} domain
 * @param {readonly [number, number]} range
 */
export function linear([d0, d1], [r0, r1]) {
  const k = (r1 - r0) / (d1 - d0 || 1);
  const to = (/** @type {number} */ value) => r0 + (value - d0) * k;
  const from = (/** @type {number} */ pixel) => d0 + (pixel - r0) / (k || 1);
  return { to, from };
}

/**
 * Heights of counts in pixels, linear or logarithmic (a bin with one weight is still seen).
 * @param {number} top the largest count
 * @param {number} height
 * @param {boolean} log
 */
export function heights(top, height, log) {
  if (!(top > 0)) return () => 0;
  if (!log) return (/** @type {number} */ n) => (n / top) * height;
  const whole = Math.log10(1 + top);
  return (/** @type {number} */ n) => (Math.log10(1 + n) / whole) * height;
}

/** @param {ArrayLike<number>} values */
export function largest(values) {
  let top = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > top) top = values[i];
  return top;
}

/**
 * The outline of a histogram as path data, closed along its base. `sign` −1 grows upwards, 1 downwards.
 * @param {ArrayLike<number>} counts
 * @param {number} x0
 * @param {number} x1
 * @param {number} base
 * @param {(n: number) => number} height
 * @param {1 | -1} sign
 */
export function areaPath(counts, x0, x1, base, height, sign) {
  const n = counts.length;
  const width = (x1 - x0) / n;
  let d = '';
  let level = 0;
  for (let i = 0; i < n; i++) {
    const h = height(counts[i]);
    if (h === level) continue;
    const x = (x0 + i * width).toFixed(1);
    d += d === '' ? `M${x} ${base}` : `H${x}`;
    d += `V${(base + sign * h).toFixed(1)}`;
    level = h;
  }
  if (d === '') return '';
  return level === 0 ? `${d}Z` : `${d}H${x1.toFixed(1)}V${base}Z`;
}

/**
 * One bar for each bin with something in it, at least `least` pixels wide: how mass that sits on levels is drawn.
 * @param {ArrayLike<number>} counts
 * @param {number} x0
 * @param {number} x1
 * @param {number} base
 * @param {(n: number) => number} height
 * @param {1 | -1} sign
 * @param {number} least
 */
export function barPath(counts, x0, x1, base, height, sign, least) {
  const n = counts.length;
  const width = (x1 - x0) / n;
  const bar = Math.max(width, least);
  let d = '';
  for (let i = 0; i < n; i++) {
    if (!(counts[i] > 0)) continue;
    const h = Math.max(0.75, height(counts[i]));
    const x = x0 + (i + 0.5) * width - bar / 2;
    d += `M${x.toFixed(1)} ${base}h${bar.toFixed(1)}v${(sign * h).toFixed(1)}h${(-bar).toFixed(1)}Z`;
  }
  return d;
}

/**
 * Counts spread evenly over `width` bins: what levels look like that stand too close to be told apart.
 * @param {ArrayLike<number>} counts
 * @param {number} width in bins, may be fractional
 */
export function spread(counts, width) {
  const n = counts.length;
  const sums = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) sums[i + 1] = sums[i] + counts[i];
  const upTo = (/** @type {number} */ x) => {
    const at = Math.min(n, Math.max(0, x));
    const whole = Math.min(n - 1, Math.floor(at));
    return sums[whole] + (at - whole) * counts[whole];
  };
  return Float64Array.from({ length: n }, (_, i) => (upTo(i + 0.5 + width / 2) - upTo(i + 0.5 - width / 2)) / width);
}

/**
 * Whether many values share a few places, as in a constant tensor or one that was quantized before: such mass stands where
 * it is, and is drawn as bars.
 * @param {ArrayLike<number>} counts
 */
export function isDiscrete(counts) {
  let total = 0;
  let places = 0;
  for (let i = 0; i < counts.length; i++) {
    total += counts[i];
    if (counts[i] > 0) places++;
  }
  return places > 0 && places <= Math.max(1, Math.min(24, total / 8));
}

/**
 * A histogram with no more detail than its number of values bears: neighbouring bins are averaged, so that heights stay
 * those of one bin.
 * @param {import('../types.js').Histogram} histogram
 * @returns {import('../types.js').Histogram}
 */
export function calmed(histogram) {
  const { counts } = histogram;
  const n = counts.length;
  if (isDiscrete(counts)) return histogram;
  let total = 0;
  for (let i = 0; i < n; i++) total += counts[i];
  const block = Math.max(1, Math.round(n / (4 * Math.cbrt(total + 1))));
  if (block === 1) return histogram;
  const calm = new Float64Array(n);
  for (let from = 0; from < n; from += block) {
    const to = Math.min(n, from + block);
    let sum = 0;
    for (let i = from; i < to; i++) sum += counts[i];
    calm.fill(sum / (to - from), from, to);
  }
  return { ...histogram, counts: calm };
}

/**
 * A step line through samples of a staircase: level where the output is level, upright where it jumps.
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @param {(v: number) => number} px
 * @param {(v: number) => number} py
 */
export function stepPath(xs, ys, px, py) {
  const n = xs.length;
  if (n === 0) return '';
  let d = `M${px(xs[0]).toFixed(1)} ${py(ys[0]).toFixed(1)}`;
  for (let i = 1; i < n; i++) {
    if (ys[i] === ys[i - 1] && i < n - 1) continue;
    if (ys[i] === ys[i - 1]) d += `H${px(xs[i]).toFixed(1)}`;
    else d += `H${px((xs[i] + xs[i - 1]) / 2).toFixed(1)}V${py(ys[i]).toFixed(1)}`;
  }
  return d;
}

/**
 * Runs of equal output in a staircase: which stretch of input falls on which value.
 * @param {ArrayLike<number>} xs
 * @param {ArrayLike<number>} ys
 * @returns {{from: number, to: number, value: number}[]}
 */
export function catchments(xs, ys) {
  const found = [];
  let start = 0;
  for (let i = 1; i <= xs.length; i++) {
    if (i < xs.length && ys[i] === ys[start]) continue;
    const from = start === 0 ? xs[0] : (xs[start] + xs[start - 1]) / 2;
    const to = i === xs.length ? xs[i - 1] : (xs[i] + xs[i - 1]) / 2;
    found.push({ from, to, value: ys[start] });
    start = i;
  }
  return found;
}
