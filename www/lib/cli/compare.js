/** `fewerbits compare`: how far two models lie apart, tensor by tensor. Both are read side by side, a few MB at a time. */
import { wasm } from '../engine.js';
import { FewerbitsError, throwIfAborted } from '../errors.js';
import { inside, openModel } from '../model.js';
import { decibels, plain, table } from './terminal.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {{name: string, from: string, to: string, count: number, nonFinite: number, mse: number, rmse: number, maxAbs: number,
 *   sqnrDb: number, cosine: number}} Row
 */

/** @type {import('./arguments.js').Command} */
export const command = {
  help: `Usage: fewerbits compare A B [--json]

Compares the tensors of the same name. A is the reference: SQNR is 10·log10(Σa² / Σ(a−b)²). Weights that are not finite in either are counted
and left out.`,
  options: { json: { type: 'boolean' } },
  inputs: [2, 2],
  async run({ values, inputs }, { terminal, signal }) {
    const a = await openModel(inputs[0], { signal });
    try {
      const b = await openModel(inputs[1], { signal });
      try {
        const found = await compareModels(a, b, { signal, terminal });
        if (values.json) terminal.json(found);
        else terminal.print(text(found));
        return found.tensors.length === 0 ? 1 : 0;
      } finally {
        await b.close();
      }
    } finally {
      await a.close();
    }
  },
};

/**
 * @param {Model} a
 * @param {Model} b
 * @param {{signal: AbortSignal, terminal: import('./terminal.js').Terminal}} tools
 */
async function compareModels(a, b, { signal, terminal }) {
  const others = new Map(b.tensors.map((tensor) => [tensor.name, tensor]));
  const names = new Set(a.tensors.map(({ name }) => name));
  /** @type {Row[]} */
  const tensors = [];
  /** @type {{name: string, why: string}[]} */
  const skipped = [];
  const total = a.tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const started = Date.now();
  let done = 0;
  for (const tensor of a.tensors) {
    const other = others.get(tensor.name);
    const why = notComparable(tensor, other);
    if (other && why === null) {
      const sums = await compareTensors(a, b, tensor.name, signal);
      tensors.push({ name: tensor.name, from: tensor.dtype, to: other.dtype, ...sums });
    } else {
      skipped.push({ name: tensor.name, why: why ?? '' });
    }
    done += tensor.byteLength;
    terminal.progress(tensor.name, done, total, (Date.now() - started) / 1000);
  }
  const onlyInB = b.tensors.filter(({ name }) => !names.has(name));
  skipped.push(...onlyInB.map(({ name }) => ({ name, why: 'only in the second' })));
  return { a: a.name, b: b.name, tensors, skipped };
}

/**
 * @param {import('../model.js').Tensor} a
 * @param {import('../model.js').Tensor} [b]
 */
function notComparable(a, b) {
  if (!b) return 'only in the first';
  if (a.readable !== true) return `in the first: ${a.readable}`;
  if (b.readable !== true) return `in the second: ${b.readable}`;
  return a.count === b.count ? null : `of other shapes: ${a.shape.join('×')} and ${b.shape.join('×')}`;
}

/**
 * @param {Model} a
 * @param {Model} b
 * @param {string} name
 * @param {AbortSignal} signal
 */
async function compareTensors(a, b, name, signal) {
  const [left, right] = [pieces(a, name, signal), pieces(b, name, signal)];
  const sums = { count: 0, nonFinite: 0, aa: 0, bb: 0, ab: 0, ee: 0, max: 0 };
  /** @type {Float32Array} */
  let x = new Float32Array(0);
  /** @type {Float32Array} */
  let y = new Float32Array(0);
  for (;;) {
    throwIfAborted(signal);
    if (x.length === 0) x = (await left.next()).value ?? x;
    if (y.length === 0) y = (await right.next()).value ?? y;
    const n = Math.min(x.length, y.length);
    if (n === 0) break;
    add(sums, x, y, n);
    [x, y] = [x.subarray(n), y.subarray(n)];
  }
  if (x.length + y.length > 0) throw new FewerbitsError('unexpected', 'the tensors differ in length', { tensor: name });
  const { count, nonFinite, aa, bb, ab, ee, max } = sums;
  const n = Math.max(1, count);
  const both = aa > 0 && bb > 0 ? Math.min(1, Math.max(-1, ab / Math.sqrt(aa) / Math.sqrt(bb))) : 0;
  return {
    ...{ count, nonFinite, mse: ee / n, rmse: Math.sqrt(ee / n), maxAbs: max },
    sqnrDb: ee === 0 ? Infinity : 10 * Math.log10(aa / ee),
    cosine: ee === 0 ? 1 : both,
  };
}

/**
 * @param {{count: number, nonFinite: number, aa: number, bb: number, ab: number, ee: number, max: number}} sums
 * @param {Float32Array} x
 * @param {Float32Array} y
 * @param {number} n
 */
function add(sums, x, y, n) {
  let [aa, bb, ab, ee, max, skipped] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    const [a, b] = [x[i], y[i]];
    const e = a - b;
    // Also where both are infinite: their difference is NaN.
    if (!Number.isFinite(e)) {
      skipped++;
      continue;
    }
    aa += a * a;
    bb += b * b;
    ab += a * b;
    ee += e * e;
    if (Math.abs(e) > max) max = Math.abs(e);
  }
  sums.aa += aa;
  sums.bb += bb;
  sums.ab += ab;
  sums.ee += ee;
  sums.max = Math.max(sums.max, max);
  sums.nonFinite += skipped;
  sums.count += n - skipped;
}

/**
 * A tensor's weights, some MB of them at a time.
 * @param {Model} model
 * @param {string} name
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Float32Array, void>}
 */
async function* pieces(model, name, signal) {
  const placed = inside.get(model)?.tensors.find((tensor) => tensor.name === name);
  const stored = model.chunks(name, { signal });
  for await (const piece of stored) {
    if (stored.dtype === 'F32') {
      yield new Float32Array(piece.buffer, piece.byteOffset, piece.length / 4);
    } else {
      const [elements, size] = /** @type {NonNullable<typeof placed>} */ (placed).block;
      const values = new Float32Array((piece.length / size) * elements);
      wasm().decodeInto(stored.dtype, false, piece, values);
      yield values;
    }
  }
}

/** @param {{tensors: Row[], skipped: {name: string, why: string}[]}} found */
function text({ tensors, skipped }) {
  const rows = tensors.map((row) => [
    ...[row.name, row.from, row.to, decibels(row.sqnrDb), row.cosine.toFixed(6)],
    ...[row.mse.toExponential(3), row.maxAbs.toPrecision(4), row.nonFinite === 0 ? '' : String(row.nonFinite)],
  ]);
  const head = ['tensor', 'first', 'second', '>SQNR dB', '>cosine', '>mse', '>max error', '>not finite'];
  const left = skipped.map(({ name, why }) => `${plain(name)}: not compared, ${plain(why)}`);
  return [table(head, rows), ...left].join('\n');
}
