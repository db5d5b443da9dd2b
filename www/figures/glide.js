/**
 * Mass gliding from one histogram to another: each bit of mass travels in a straight line from where it was to where it
 * goes, in order (displacement interpolation). Pure.
 */

/**
 * @param {ArrayLike<number>} from
 * @param {ArrayLike<number>} to same number of bins
 * @returns {(t: number) => Float64Array} the histogram at time t in 0…1
 */
export function glide(from, to) {
  const n = to.length;
  const a = total(from);
  const b = total(to);
  if (!(a > 0) || !(b > 0) || from.length !== n) return () => Float64Array.from(to);
  /** @type {number[]} */
  const moves = [];
  let i = 0;
  let j = 0;
  let left = from[0] / a;
  let right = to[0] / b;
  while (i < n && j < n) {
    const mass = Math.min(left, right);
    if (mass > 0) moves.push(i, j, mass);
    left -= mass;
    right -= mass;
    if (left <= 1e-15) left = ++i < n ? from[i] / a : 0;
    if (right <= 1e-15) right = ++j < n ? to[j] / b : 0;
  }
  return (t) => {
    const counts = new Float64Array(n);
    const whole = a + (b - a) * t;
    for (let k = 0; k < moves.length; k += 3) {
      const place = moves[k] + (moves[k + 1] - moves[k]) * t;
      counts[Math.min(n - 1, Math.round(place))] += moves[k + 2] * whole;
    }
    return counts;
  };
}

/** @param {ArrayLike<number>} counts */
function total(counts) {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += counts[i];
  return sum;
}

/** How far along, with a gentle start and end. @param {number} t */
export const ease = (t) => (t < 0.5 ? 2 * t * t : 1 - (2 - 2 * t) ** 2 / 2);
