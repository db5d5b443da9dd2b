import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PORTION, foretold, limitFor, portionOf, stretchesOf } from './worker-portion.js';

/** What portionOf needs of the engine. */
class Weights {
  /** @param {Float32Array} held @param {number[]} shape */
  constructor(held, shape) {
    this.held = held;
    this.shape = shape;
  }

  get count() {
    return this.held.length;
  }

  get matrix() {
    return this.shape;
  }

  values(start = 0, end = this.held.length) {
    return this.held.slice(start, end);
  }
}

test('a portion is whole rows from the first to the last, and no more weights than allowed', () => {
  for (const [rows, columns] of [
    [25_000, 1000],
    [5000, 5000],
    [128, 65_536],
    [3, 5_000_000],
    [1, 30_000_001],
    [2_000_000, 1],
  ]) {
    for (const limit of [PORTION, 1 << 16]) holds(rows, columns, limit);
  }
});

/** @param {number} rows @param {number} columns @param {number} limit */
function holds(rows, columns, limit) {
  const { columns: row, stretches } = stretchesOf([rows, columns], limit);
  const length = stretches.reduce((n, [start, end]) => n + end - start, 0);
  assert.ok(length <= limit && length > limit * 0.9, `${length} of ${rows} × ${columns}`);
  assert.equal(length % row, 0);
  let last = 0;
  for (const [start, end] of stretches) {
    assert.ok(start >= last && end > start && end <= rows * columns, `${start}…${end}`);
    assert.equal(start % (row === columns ? columns : 256), 0);
    last = end;
  }
  assert.equal(stretches[0][0], 0);
  assert.ok(last > rows * columns - row - 256 * 256, `ends at ${last}`);
}

test('a portion has the ends of the whole; a small tensor is its own portion', () => {
  const held = new Float32Array(2048 * 1024).map((_, i) => Math.sin(i));
  held[1_000_001] = 9;
  held[1_500_003] = -7;
  const weights = /** @type {any} */ (new Weights(held, [2048, 1024]));
  const engine = /** @type {any} */ ({ Weights });
  const portion = /** @type {any} */ (portionOf(engine, weights, { min: -7, max: 9 }));
  assert.deepEqual(portion.shape, [512, 1024]);
  assert.equal(portion.held.filter((/** @type {number} */ v) => v === 9).length, 1);
  assert.equal(portion.held.filter((/** @type {number} */ v) => v === -7).length, 1);
  const small = /** @type {any} */ (new Weights(new Float32Array(12), [3, 4]));
  assert.deepEqual(/** @type {any} */ (portionOf(engine, small, { min: 0, max: 0 })).shape, [3, 4]);
});

test('a scheme is tried on as many weights as take a moment', () => {
  assert.equal(limitFor(5), PORTION);
  for (const cost of [50, 80, 150, 300]) assert.ok(cost * limitFor(cost) <= 25e6, `${cost}`);
  assert.equal(limitFor(1e6), 1 << 16);
});

test('what is foretold has the counts and the size of the whole, and points at no weight', () => {
  const histogram = { lo: -1, hi: 1, counts: Float64Array.of(1, 3), below: 0, above: 2 };
  const metrics = { rmse: 0.5, maxAbsIndex: 3 };
  const part = {
    count: 6,
    byteLength: 5,
    bitsPerWeight: 7,
    metrics,
    histogram,
    reference: histogram,
    error: histogram,
    runs: 3,
  };
  const whole = foretold(part, 60, 30);
  assert.deepEqual([...whole.histogram.counts, whole.reference.below, whole.error.above], [10, 30, 0, 20]);
  assert.deepEqual([whole.count, whole.byteLength, whole.bitsPerWeight, whole.runs], [60, 30, 4, 30]);
  assert.deepEqual(whole.metrics, { rmse: 0.5, maxAbsIndex: null });
});
