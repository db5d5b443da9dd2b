import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PORTION, portionOf, stretchesOf } from './worker-portion.js';

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

test('a portion is whole rows from the first to the last, and no more than a million weights', () => {
  for (const [rows, columns] of [
    [25_000, 1000],
    [5000, 5000],
    [128, 65_536],
    [3, 5_000_000],
    [1, 30_000_001],
    [2_000_000, 1],
  ]) {
    const { columns: row, stretches } = stretchesOf([rows, columns]);
    const length = stretches.reduce((n, [start, end]) => n + end - start, 0);
    assert.ok(length <= PORTION && length > PORTION * 0.9, `${length} of ${rows} × ${columns}`);
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
});

test('a portion has the ends of the whole; a small tensor is its own portion', () => {
  const held = new Float32Array(2048 * 1024).map((_, i) => Math.sin(i));
  held[1_000_001] = 9;
  held[1_500_003] = -7;
  const weights = /** @type {any} */ (new Weights(held, [2048, 1024]));
  const engine = /** @type {any} */ ({ Weights });
  const portion = /** @type {any} */ (portionOf(engine, weights, { min: -7, max: 9 }));
  assert.deepEqual(portion.shape, [1024, 1024]);
  assert.equal(portion.held.filter((/** @type {number} */ v) => v === 9).length, 1);
  assert.equal(portion.held.filter((/** @type {number} */ v) => v === -7).length, 1);
  const small = /** @type {any} */ (new Weights(new Float32Array(12), [3, 4]));
  assert.deepEqual(/** @type {any} */ (portionOf(engine, small, { min: 0, max: 0 })).shape, [3, 4]);
});
