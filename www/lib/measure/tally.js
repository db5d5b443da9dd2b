/** How far one tensor is from another, summed over runs. */
import { fromHalf } from './half.js';

/**
 * @typedef {{type: string, dims: readonly number[], data: any}} Tensor as a runtime gives it, row-major
 *
 * @typedef {object} Compared one output, or one tensor between layers, over all runs
 * @property {string} name
 * @property {string} type
 * @property {number[]} dims in the last run
 * @property {number} count of numbers compared, in all runs
 * @property {number | null} cosine of all runs as one vector; null where one side is all zeros, or the numbers are whole
 * @property {number | null} sqnrDb power of the float model's numbers over that of the differences; `Infinity` where there are none
 * @property {number | null} maxAbs the largest difference
 * @property {number | null} leastCosine of a single run
 * @property {number} nonFinite places left out because one side is NaN or infinite
 * @property {number} otherShapes runs left out because the shapes differ
 * @property {{same: number, of: number} | null} largest of a matrix `[n, classes]`: rows whose largest entry is at the same place; else null
 * @property {{same: number, of: number} | null} equal of whole numbers and truth values: how many are the same; else null
 */

export class Tally {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.type = '';
    /** @type {number[]} */
    this.dims = [];
    this.sums = { aa: 0, bb: 0, ab: 0, ee: 0 };
    this.maxAbs = 0;
    this.count = 0;
    this.nonFinite = 0;
    this.otherShapes = 0;
    /** @type {number | null} */
    this.leastCosine = null;
    /** @type {{same: number, of: number} | null} */
    this.largest = null;
    /** @type {{same: number, of: number} | null} */
    this.equal = null;
  }

  /** One run. @param {Tensor} a of the float model @param {Tensor} b of the quantized one */
  add(a, b) {
    this.type = a.type;
    this.dims = [...a.dims];
    if (a.dims.length !== b.dims.length || a.dims.some((dim, i) => dim !== b.dims[i])) {
      this.otherShapes++;
      return;
    }
    if (!isFloat(a.type) || !isFloat(b.type)) return this.#addWhole(a, b);
    const [x, y] = [numbers(a), numbers(b)];
    let [aa, bb, ab, ee] = [0, 0, 0, 0];
    for (let i = 0; i < x.length; i++) {
      const [p, q] = [x[i], y[i]];
      const difference = p - q;
      // Of what is not finite on either side the difference is not.
      if (!(Math.abs(difference) < Infinity)) {
        this.nonFinite++;
        continue;
      }
      aa += p * p;
      bb += q * q;
      ab += p * q;
      ee += difference * difference;
      if (Math.abs(difference) > this.maxAbs) this.maxAbs = Math.abs(difference);
      this.count++;
    }
    const cosine = cosineOf(aa, bb, ab);
    if (cosine !== null) this.leastCosine = Math.min(this.leastCosine ?? 1, cosine);
    const { sums } = this;
    this.sums = { aa: sums.aa + aa, bb: sums.bb + bb, ab: sums.ab + ab, ee: sums.ee + ee };
    if (a.dims.length === 2 && a.dims[1] > 1) {
      this.largest ??= { same: 0, of: 0 };
      for (let at = 0; at < x.length; at += a.dims[1]) {
        this.largest.of++;
        if (place(x, at, a.dims[1]) === place(y, at, a.dims[1])) this.largest.same++;
      }
    }
  }

  /** @param {Tensor} a @param {Tensor} b */
  #addWhole({ data: x }, { data: y }) {
    this.equal ??= { same: 0, of: 0 };
    for (let i = 0; i < x.length; i++) if (x[i] === y[i]) this.equal.same++;
    this.equal.of += x.length;
    this.count += x.length;
  }

  /** @returns {Compared} */
  result() {
    const { name, type, dims, count, leastCosine, nonFinite, otherShapes, largest, equal } = this;
    const { aa, bb, ab, ee } = this.sums;
    const none = equal !== null || count === 0;
    return {
      ...{ name, type, dims, count },
      cosine: none ? null : cosineOf(aa, bb, ab),
      sqnrDb: none ? null : sqnrOf(aa, ee),
      maxAbs: none ? null : this.maxAbs,
      ...{ leastCosine, nonFinite, otherShapes, largest, equal },
    };
  }
}

/** @param {string} type */
export const isFloat = (type) => type === 'float32' || type === 'float16' || type === 'float64';

/** @param {Tensor} tensor @returns {ArrayLike<number>} */
function numbers({ type, data }) {
  if (type !== 'float16' || !(data instanceof Uint16Array)) return data;
  return Float32Array.from(data, fromHalf);
}

/** @param {number} aa @param {number} bb @param {number} ab */
function cosineOf(aa, bb, ab) {
  // Rounding must not bring it past the end of its range.
  return aa > 0 && bb > 0 ? Math.max(-1, Math.min(1, ab / (Math.sqrt(aa) * Math.sqrt(bb)))) : null;
}

/** @param {number} signal @param {number} error */
function sqnrOf(signal, error) {
  if (error === 0) return Infinity;
  return signal === 0 ? -Infinity : 10 * Math.log10(signal / error);
}

/** Where the largest of a row is, the first of equal ones. @param {ArrayLike<number>} values @param {number} from @param {number} n */
function place(values, from, n) {
  let best = from;
  for (let i = from + 1; i < from + n; i++) if (values[i] > values[best]) best = i;
  return best - from;
}
