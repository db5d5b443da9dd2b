/**
 * Near-exhaustive searches for the least squared error that a format's bytes can hold, on one block at a time, in f64: what
 * `effort: 'best'` is measured against. Slow, and written to be seen to be right; each gives the squared error of a block.
 */

/** The nearest half-precision number. @param {number} x */
export function half(x) {
  const magnitude = Math.abs(x);
  const step = 2 ** Math.max(-24, Math.floor(Math.log2(magnitude)) - 10);
  const n = magnitude / step;
  const floor = Math.floor(n);
  const rest = n - floor;
  const up = rest > 0.5 || (rest === 0.5 && floor % 2 === 1);
  return magnitude === 0 ? 0 : Math.sign(x) * (floor + (up ? 1 : 0)) * step;
}

/** All positive half-precision numbers between two. @param {number} from @param {number} to */
function halves(from, to) {
  const all = [];
  for (let x = half(from); x <= to; x = half(x + 2 ** Math.max(-24, Math.floor(Math.log2(x)) - 10))) all.push(x);
  return all;
}

/** @typedef {(t: number) => number} Level The level nearest to a number. */

/** Whole numbers from `low` to `high`. @param {number} low @param {number} high @returns {Level} */
export const even = (low, high) => (t) => Math.min(high, Math.max(low, Math.round(t)));

/** A table, ascending. @param {ArrayLike<number>} levels @returns {Level} */
export const table = (levels) => (t) => {
  let [from, to] = [0, levels.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (t > (levels[middle] + levels[middle + 1]) / 2) from = middle + 1;
    else to = middle;
  }
  return levels[from];
};

export const IQ4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];
export const E2M1 = [-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12];

/** @param {ArrayLike<number>} x @param {number} scale @param {number} low @param {Level} level */
function errorOf(x, scale, low, level) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const e = x[i] - low - (scale === 0 ? 0 : scale * level((x[i] - low) / scale));
    sum += e * e;
  }
  return sum;
}

/** @param {ArrayLike<number>} x */
const amax = (x) => Array.from(x).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
/** @param {ArrayLike<number>} x @param {number[]} scales @param {Level} level */
const least = (x, scales, level) => scales.reduce((m, scale) => Math.min(m, errorOf(x, scale, 0, level)), Infinity);
/** @param {number[]} scales */
const bothSigns = (scales) => scales.flatMap((scale) => [scale, -scale]);

/** Every half-precision scale of both signs that puts the greatest magnitude on `top` times 0.6 to 1.7. @param {number} top @param {Level} level */
export const oneScale = (top, level) => (/** @type {ArrayLike<number>} */ x) =>
  least(x, bothSigns(halves(amax(x) / top / 1.7, amax(x) / top / 0.6)), level);

/** 4096 scales above zero, of any f32: an absmax is a magnitude. @param {Level} level */
export const anyScale = (level) => (/** @type {ArrayLike<number>} */ x) =>
  least(
    x,
    Array.from({ length: 4096 }, (_, i) => amax(x) * (0.6 + i / 4096)),
    level,
  );

/**
 * One step for all weights: 1500 from a tenth of the one that the greatest magnitude asks for to 1.3 of it, each refitted until it rests.
 * @param {number} low @param {number} high
 */
export const anyStep = (low, high) => (/** @type {ArrayLike<number>} */ x) => {
  const level = even(low, high);
  const unit = amax(x) / high;
  let best = Infinity;
  for (let i = 0; i < 1500; i++) {
    let step = unit * 0.1 * 13 ** (i / 1499);
    for (let round = 0, last = Infinity; round < 12; round++) {
      let [error, qq, qx] = [0, 0, 0];
      for (let j = 0; j < x.length; j++) {
        const q = level(x[j] / step);
        error += (x[j] - step * q) ** 2;
        qq += q * q;
        qx += q * x[j];
      }
      best = Math.min(best, error);
      if (!(error < last) || qq === 0) break;
      [last, step] = [error, qx / qq];
    }
  }
  return best;
};

/** Powers of two. @param {ArrayLike<number>} levels */
export const powersOf = (levels) => (/** @type {ArrayLike<number>} */ x) => {
  const first = Math.floor(Math.log2(amax(x) / levels[levels.length - 1]));
  return least(
    x,
    Array.from({ length: 12 }, (_, i) => 2 ** (first - 5 + i)),
    table(levels),
  );
};

/** The magnitudes of E4M3, and all its numbers. */
const E4M3_MAGNITUDES = Array.from({ length: 127 }, (_, code) =>
  code < 8 ? code / 512 : (1 + (code & 7) / 8) * 2 ** ((code >> 3) - 7),
);
export const E4M3 = [...E4M3_MAGNITUDES.slice(1).map((x) => -x), ...E4M3_MAGNITUDES].sort((a, b) => a - b);

/** Every E4M3 scale above zero for sixteen weights each, under the scale of the tensor that puts its greatest magnitude on the greatest number. @param {ArrayLike<number>} x */
export function underTensor(x) {
  const unit = Math.fround(amax(x) / (6 * 448));
  const scales = E4M3_MAGNITUDES.slice(1).map((scale) => (scale * unit) / 2);
  let sum = 0;
  for (let i = 0; i < x.length; i += 16) sum += least(Array.prototype.slice.call(x, i, i + 16), scales, table(E2M1));
  return sum;
}

/** Every E4M3 scale, sixteen weights each. @param {ArrayLike<number>} x */
export function e4m3(x) {
  const scales = Array.from({ length: 126 }, (_, i) => {
    const code = i + 1;
    return code < 8 ? code / 1024 : (1 + (code & 7) / 8) * 2 ** ((code >> 3) - 8);
  });
  let sum = 0;
  for (let i = 0; i < x.length; i += 16)
    sum += least(Array.prototype.slice.call(x, i, i + 16), [0, ...scales], table(E2M1));
  return sum;
}

/** Exact: the `n` greatest magnitudes have one value, the others are 0. @param {ArrayLike<number>} x */
export function ternary(x) {
  const magnitudes = Float64Array.from(x, Math.abs).sort().reverse();
  let [sum, gain] = [0, 0];
  magnitudes.forEach((m, i) => {
    sum += m;
    gain = Math.max(gain, (sum * sum) / (i + 1));
  });
  return magnitudes.reduce((s, m) => s + m * m, 0) - gain;
}

/** 48 × 48 ends of the range, each refitted until it rests. Scale and minimum are not rounded. @param {number} most @param {number} top the minimum is at most this */
function fitted(most, top = Infinity) {
  const level = even(0, most);
  return (/** @type {ArrayLike<number>} */ x) => {
    const [min, max] = [Math.min(...Array.from(x)), Math.max(...Array.from(x))];
    let best = { error: Infinity, scale: 0, low: Math.min(min, top) };
    for (let i = 0; i < 48 * 48; i++) {
      let low = Math.min(top, min + (max - min) * (((i % 48) - 24) / 150));
      let scale = (max + (max - min) * ((Math.floor(i / 48) - 24) / 150) - low) / most;
      for (let round = 0; round < 12 && scale > 0; round++) {
        const error = errorOf(x, scale, low, level);
        if (error < best.error) best = { error, scale, low };
        else if (round > 0) break;
        let [q1, q2, xq, x1] = [0, 0, 0, 0];
        for (let j = 0; j < x.length; j++) {
          const q = level((x[j] - low) / scale);
          q1 += q;
          q2 += q * q;
          xq += q * x[j];
          x1 += x[j];
        }
        const mean = q1 / x.length;
        scale = (xq - mean * x1) / (q2 - mean * q1);
        low = Math.min(top, x1 / x.length - scale * mean);
      }
    }
    return best;
  };
}

/** The half-precision scales and minima around the best line. @param {number} most */
export const line = (most) => (/** @type {ArrayLike<number>} */ x) => {
  const { scale, low } = fitted(most)(x);
  let best = Infinity;
  for (let i = -3; i <= 3; i++) {
    for (let j = -3; j <= 3; j++) {
      const near = [half(scale * (1 + i / 1500)), half(low * (1 + j / 1500))];
      best = Math.min(best, errorOf(x, near[0], near[1], even(0, most)));
    }
  }
  return best;
};

/**
 * Units of scales, 96 of both signs, and with each all codes of each sub-block's scale.
 *
 * @param {number} len of a sub-block
 * @param {number} top magnitude of the outermost level
 * @param {number} lowest code of a scale
 * @param {Level} level
 */
export const nested = (len, top, lowest, level) => (/** @type {ArrayLike<number>} */ x) => {
  const subs = Array.from({ length: x.length / len }, (_, i) => Array.prototype.slice.call(x, i * len, (i + 1) * len));
  const unit = Math.max(...subs.map(amax)) / top / -lowest;
  let best = Infinity;
  for (let i = 0; i < 96; i++) {
    const d = half(unit * (0.7 + i / 96));
    let sum = 0;
    for (const sub of subs) {
      const about = amax(sub) / top / d;
      let min = errorOf(sub, 0, 0, level);
      for (let code = lowest; code < -lowest; code++) {
        const share = Math.abs(code) / about;
        if (share > 0.6 && share < 1.7) min = Math.min(min, errorOf(sub, d * code, 0, level));
      }
      sum += min;
    }
    best = Math.min(best, sum);
  }
  return best;
};

/**
 * Units of scales and minima, 20 × 20, and with each the codes around each sub-block's best line.
 *
 * @param {number} len of a sub-block
 * @param {number} most greatest code of a weight
 * @param {number} codes greatest code of a scale
 */
export const pairs = (len, most, codes) => {
  const fit = fitted(most, 0);
  const level = even(0, most);
  return (/** @type {ArrayLike<number>} */ x) => {
    const subs = Array.from({ length: x.length / len }, (_, i) =>
      Array.prototype.slice.call(x, i * len, (i + 1) * len),
    );
    const lines = subs.map(fit);
    const units = [Math.max(...lines.map(({ scale }) => scale)), Math.max(...lines.map(({ low }) => -low))];
    const clamp = (/** @type {number} */ t) => Math.min(codes, Math.max(0, Math.round(t)));
    let best = Infinity;
    for (let i = 0; i < 400; i++) {
      const [d, m] = [
        half((units[0] / codes) * (0.9 + (i % 20) / 80)),
        half((units[1] / codes) * (0.9 + Math.floor(i / 20) / 80)),
      ];
      let sum = 0;
      for (let s = 0; s < subs.length && sum < best; s++) {
        const { scale, low } = lines[s];
        let min = Infinity;
        for (let a = -2; a <= 2; a++) {
          const near = clamp(scale / d + a);
          // What the scale is too large by, the minimum makes up for about the middle code.
          const about = m > 0 ? (-low + (d * near - scale) * (most / 2)) / m : 0;
          for (let b = -2; b <= 2; b++) min = Math.min(min, errorOf(subs[s], d * near, -m * clamp(about + b), level));
        }
        sum += min;
      }
      best = Math.min(best, sum);
    }
    return best;
  };
};
