import assert from 'node:assert/strict';
import { test } from 'node:test';
import { glide } from './glide.js';
import { areaPath, barPath, calmed, catchments, heights, isDiscrete, spread, stepPath, ticks } from './scale.js';
import { parseColour, ramp } from './colours.js';

const sum = (/** @type {Iterable<number>} */ values) => [...values].reduce((a, b) => a + b, 0);

test('gliding mass starts where it was, ends where it goes, and none is lost on the way', () => {
  const from = Float64Array.of(0, 4, 4, 0, 2, 0);
  const to = Float64Array.of(5, 0, 0, 0, 0, 5);
  const at = glide(from, to);
  assert.deepEqual(
    [...at(0)].map((n) => Number(n.toFixed(9))),
    [...from],
  );
  assert.deepEqual(
    [...at(1)].map((n) => Number(n.toFixed(9))),
    [...to],
  );
  for (const t of [0.1, 0.5, 0.9]) assert.ok(Math.abs(sum(at(t)) - 10) < 1e-9);
});

test('mass glides between different totals and from nothing', () => {
  const at = glide(Float64Array.of(10, 0), Float64Array.of(0, 20));
  assert.ok(Math.abs(sum(at(0.5)) - 15) < 1e-9);
  assert.deepEqual([...glide(new Float64Array(2), Float64Array.of(1, 2))(0)], [1, 2]);
});

test('ticks are round, inside the range and hold zero', () => {
  assert.deepEqual(
    ticks(-0.45, 0.53, 5).values.map((v) => Number(v.toFixed(3))),
    [-0.4, -0.2, 0, 0.2, 0.4],
  );
  assert.deepEqual(
    ticks(-0.178, 0.178, 3).values.map((v) => Number(v.toFixed(3))),
    [-0.1, 0, 0.1],
  );
  assert.deepEqual(ticks(1, 1, 5).values, []);
});

test('a histogram’s outline is closed and runs of equal bins are one line', () => {
  assert.equal(
    areaPath([0, 2, 2, 0], 0, 4, 10, (n) => n, -1),
    'M1.0 10V8.0H3.0V10.0Z',
  );
  assert.equal(
    areaPath([0, 0], 0, 4, 10, (n) => n, -1),
    '',
  );
  assert.equal(
    areaPath([1], 0, 4, 10, (n) => n, 1),
    'M0.0 10V11.0H4.0V10Z',
  );
});

test('bars stand for bins that hold something', () => {
  assert.equal(barPath([0, 3, 0], 0, 9, 0, (n) => n, 1, 1).match(/M/g)?.length, 1);
});

test('one weight in a million is still seen on a logarithmic axis', () => {
  assert.ok(heights(1e6, 100, true)(1) > 4);
  assert.equal(heights(0, 100, true)(5), 0);
});

test('spreading keeps the mass and evens out a comb', () => {
  const comb = Float64Array.from({ length: 40 }, (_, i) => (i % 4 === 2 ? 8 : 0));
  const even = spread(comb, 4);
  assert.ok([...even.subarray(4, 36)].every((n) => Math.abs(n - 2) < 1e-9));
  assert.deepEqual(
    [...spread(Float64Array.of(0, 6, 0), 3)].map((n) => Number(n.toFixed(6))),
    [2, 2, 2],
  );
});

test('few values are shown in wide bins, many in narrow ones, and none is lost', () => {
  const few = calmed({
    lo: 0,
    hi: 1,
    counts: Float64Array.from({ length: 512 }, (_, i) => (i % 17 === 0 ? 2 : 0)),
    below: 0,
    above: 0,
  });
  assert.ok(new Set(few.counts).size < 10);
  assert.ok(Math.abs(sum(few.counts) - 62) < 1e-9);
  const many = { lo: 0, hi: 1, counts: new Float64Array(512).fill(1e5), below: 0, above: 0 };
  assert.equal(calmed(many), many);
});

test('mass in a few places stays where it is: a constant tensor, a comb of levels', () => {
  const constant = { lo: 0, hi: 1, counts: new Float64Array(512), below: 0, above: 0 };
  constant.counts[257] = 4096;
  assert.equal(calmed(constant), constant);
  const comb = Float64Array.from({ length: 512 }, (_, i) => (i % 34 === 1 ? 60 : 0));
  assert.deepEqual(
    [isDiscrete(constant.counts), isDiscrete(comb), isDiscrete(new Float64Array(512))],
    [true, true, false],
  );
  const single = new Float64Array(512);
  single[3] = 1;
  assert.ok(isDiscrete(single));
  assert.ok(!isDiscrete(Float64Array.from({ length: 512 }, (_, i) => (i % 3 === 0 ? 2 : 0))));
});

test('stairs fall where the output jumps', () => {
  assert.deepEqual(catchments([0, 1, 2, 3], [0, 0, 2, 2]), [
    { from: 0, to: 1.5, value: 0 },
    { from: 1.5, to: 3, value: 2 },
  ]);
  const same = (/** @type {number} */ v) => v;
  assert.equal(stepPath([0, 1, 2, 3], [0, 0, 2, 2], same, same), 'M0.0 0.0H1.5V2.0H3.0');
});

test('inks run from paper by way of their own colour', () => {
  assert.deepEqual(parseColour('#0072b2'), [0, 114, 178]);
  assert.deepEqual(parseColour('rgb(1, 2, 3)'), [1, 2, 3]);
  const table = ramp([255, 255, 255], [0, 114, 178], [0, 0, 0]);
  assert.equal(table[0] >>> 0, 0xffffffff);
  assert.equal(table[255] >>> 0, 0xff000000);
});
