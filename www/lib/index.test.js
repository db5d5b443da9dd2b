import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import {
  FewerbitsError,
  Weights,
  article,
  compare,
  dequantize,
  evaluate,
  init,
  memoryBytes,
  evaluationCost,
  packedLength,
  packedLengthIsExact,
  quantize,
  schemes,
  stats,
  suggest,
} from './index.js';

/** @param {number} n @param {number} [seed] */
function gaussians(n, seed = 1) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 4294967296;
  };
  return Float32Array.from(
    { length: n },
    () => 0.1 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/** @param {string} code */
const withCode = (code) => (/** @type {any} */ error) => error instanceof FewerbitsError && error.code === code;

before(async () => {
  await init();
});

test('schemes list ids, words and options', () => {
  const all = schemes();
  const affine = all.filter(({ family }) => family === all[0].family).map(({ id }) => id);
  assert.deepEqual(affine.slice(0, 7), ['int8', 'int7', 'int6', 'int5', 'int4', 'int3', 'int2']);
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length, 'ids are unique');
  const int4 = all[4];
  assert.equal(int4.bits, 4);
  assert.equal(int4.blockSize, null);
  const grain = int4.options.find((o) => o.name === 'granularity');
  assert.deepEqual(
    grain?.values?.map((v) => v.value),
    ['tensor', 'channel', 'group'],
  );
  assert.deepEqual(int4.options.find((o) => o.name === 'groupSize')?.when, { granularity: ['group'] });
});

test('quantize is the formula, written out in JavaScript', () => {
  const x = gaussians(60);
  const q = quantize(x, [4, 15], { id: 'int8' });
  const scale = Math.fround(x.reduce((m, v) => Math.max(m, Math.abs(v)), 0) / 127);
  assert.deepEqual([...q.scales], [scale]);
  const expected = [...x].map((v) => {
    const t = Math.fround(v / scale);
    const floor = Math.floor(t);
    if (t - floor !== 0.5) return Math.max(-127, Math.min(127, Math.round(t))) + 0;
    return floor % 2 === 0 ? floor + 0 : floor + 1;
  });
  assert.deepEqual([...q.codes()], expected);
  assert.equal(q.zeroPoints, undefined);
  assert.equal(q.byteLength, 4 + 60);
  assert.equal(q.bitsPerWeight, (64 * 8) / 60);
  assert.deepEqual(
    [...q.dequantize()],
    expected.map((c) => Math.fround(c * scale)),
  );
  assert.equal(q.bytes, q.bytes, 'one cached copy');
  assert.deepEqual(dequantize(q.bytes, [4, 15], { id: 'int8' }), q.dequantize());
  assert.equal(packedLength([4, 15], { id: 'int8' }), q.byteLength);
  q.free();
});

test('pruning takes an object or plain options, and what is pruned reads back as zero', () => {
  const x = gaussians(64);
  for (const [prune, zeros, length] of /** @type {[any, number | null, number]} */ ([
    [{ ratio: 0.25 }, 16, 4 + 8 + 48],
    [{ nm: [2, 4] }, 32, 4 + 8 + 32],
    [{ threshold: 0.05 }, null, 0],
  ])) {
    const scheme = { id: 'int8', prune };
    const q = quantize(x, [4, 16], scheme);
    const back = q.dequantize();
    const wanted = zeros ?? x.filter((v) => Math.abs(v) < Math.fround(0.05)).length;
    assert.ok(back.filter((v) => v === 0).length >= wanted);
    assert.equal(packedLengthIsExact(scheme), zeros !== null);
    if (zeros !== null) assert.deepEqual([q.byteLength, packedLength([4, 16], scheme)], [length, length]);
    assert.deepEqual(dequantize(q.bytes, [4, 16], q.scheme), back, 'the scheme that comes back has plain options');
    q.free();
  }
  for (const prune of [
    {},
    { ratio: 'half' },
    { nm: null },
    { nm: [2] },
    { ratio: 0.5, nm: [2, 4] },
    { share: 1 },
    [0.5],
    null,
  ]) {
    assert.throws(() => quantize(x, [64], { id: 'int8', prune: /** @type {any} */ (prune) }), {
      code: 'invalid_option',
    });
  }
});

test('a codebook is given out, and entropy coding counts its real bytes', () => {
  const x = gaussians(4096);
  const q = quantize(x, [64, 64], { id: 'kmeans', bits: 3 });
  const table = /** @type {Float32Array} */ (q.codebook);
  assert.equal(table.length, 8);
  assert.deepEqual(
    [...q.dequantize()],
    [...q.codes()].map((code) => table[code]),
  );
  const scheme = { id: 'int8', entropy: 'huffman' };
  const e = quantize(x, [64, 64], scheme);
  const plain = quantize(x, [64, 64], { id: 'int8' });
  assert.ok(e.byteLength < plain.byteLength && plain.byteLength < packedLength([64, 64], scheme));
  assert.equal(e.byteLength, evaluate(x, [64, 64], scheme).byteLength);
  assert.deepEqual([e.codes(), e.dequantize()], [plain.codes(), plain.dequantize()]);
  assert.throws(() => dequantize(e.bytes.subarray(0, 300), [64, 64], scheme), { code: 'shape_mismatch' });
  for (const one of [q, e, plain]) one.free();
});

test('a view into a larger buffer is taken as the view', () => {
  const whole = gaussians(100);
  const q = quantize(whole.subarray(10, 42), [32], { id: 'int4' });
  const copy = quantize(whole.slice(10, 42), [32], { id: 'int4' });
  assert.deepEqual(q.bytes, copy.bytes);
  const padded = new Uint8Array(q.byteLength + 5);
  padded.set(q.bytes, 3);
  assert.deepEqual(dequantize(padded.subarray(3, 3 + q.byteLength), [32], { id: 'int4' }), q.dequantize());
  q.free();
  copy.free();
});

test('asymmetric grids have zero points', () => {
  const q = quantize(Float32Array.of(0, 1, 2, 3), [4], { id: 'int2', symmetric: false });
  assert.deepEqual([...q.zeroPoints], [-2]);
  assert.deepEqual([...q.dequantize()], [0, 1, 2, 3]);
  q.free();
});

test('after free every use throws freed', () => {
  const q = quantize(gaussians(8), [8], { id: 'int8' });
  q.bytes;
  q.free();
  q.free();
  for (const use of [
    () => q.bytes,
    () => q.codes(),
    () => q.scales,
    () => q.codebook,
    () => q.bitsPerWeight,
    () => q.dequantize(),
    () => q.scheme,
  ]) {
    assert.throws(use, withCode('freed'));
  }
  const w = new Weights(gaussians(8), [8]);
  w.free();
  assert.throws(() => w.stats(), withCode('freed'));
});

test('ten thousand rounds of quantize and free leave memory where it was', () => {
  const x = gaussians(4096);
  const round = () => {
    const q = quantize(x, [64, 64], { id: 'int4', granularity: 'group', range: 'mse', refit: true });
    q.bytes;
    q.free();
  };
  for (let i = 0; i < 100; i++) round();
  const before = memoryBytes();
  for (let i = 0; i < 10_000; i++) round();
  assert.equal(memoryBytes(), before);
});

test('errors leave no memory behind either', () => {
  const x = gaussians(65536);
  x[7] = NaN;
  const round = () => assert.throws(() => quantize(x, [65536], { id: 'int8' }), withCode('non_finite'));
  for (let i = 0; i < 10; i++) round();
  const before = memoryBytes();
  for (let i = 0; i < 1000; i++) round();
  assert.equal(memoryBytes(), before);
});

test('wrong calls are refused with what is known', () => {
  const x = gaussians(6);
  const refused = (/** @type {any} */ scheme, /** @type {string} */ code, /** @type {RegExp} */ text) =>
    assert.throws(
      () => quantize(x, [6], scheme),
      (/** @type {any} */ e) => e.code === code && text.test(e.message),
    );
  refused({ id: 'int9' }, 'unknown_scheme', /int8/);
  refused({ id: 'int8', grain: 'channel' }, 'unknown_option', /granularity/);
  refused({ id: 'int8', granularity: 'row' }, 'invalid_option', /"tensor", "channel", "group"/);
  refused({ id: 'int8', granularity: 'group', groupSize: 0 }, 'invalid_option', /from 1/);
  refused({ id: 'int8', granularity: 'channel', axis: 1 }, 'invalid_option', /axis/);
  refused({ id: 'int8', symmetric: 1 }, 'invalid_option', /true or false/);
  refused({ id: 'int8', symmetric: [] }, 'invalid_option', /symmetric/);
  refused({}, 'invalid_argument', /id/);
  refused('int8', 'invalid_argument', /object/);
  refused(null, 'invalid_argument', /object/);
  assert.throws(() => quantize(x, [7], { id: 'int8' }), withCode('shape_mismatch'));
  assert.throws(() => quantize(x, [-6], { id: 'int8' }), withCode('invalid_argument'));
  assert.throws(() => quantize(x, [2.5], { id: 'int8' }), withCode('invalid_argument'));
  assert.throws(() => quantize(x, /** @type {any} */ ('6'), { id: 'int8' }), withCode('invalid_argument'));
  assert.throws(() => quantize(/** @type {any} */ ([1, 2]), [2], { id: 'int8' }), withCode('invalid_argument'));
  assert.throws(
    () => quantize(new Float32Array(0), [2 ** 40, 2 ** 40, 0], { id: 'int8' }),
    withCode('invalid_argument'),
  );
  assert.throws(() => Weights.allocate([2 ** 40]), withCode('out_of_memory'));
  assert.throws(() => Weights.allocate([2 ** 29]), withCode('out_of_memory'));
  assert.throws(() => stats(x, /** @type {any} */ ({ bin: 3 })), withCode('unknown_option'));
  assert.throws(() => stats(x, { bins: -1 }), withCode('invalid_argument'));
  assert.throws(() => evaluate(x, [6], { id: 'int8' }, { at: 6 }), withCode('invalid_argument'));
  assert.throws(() => dequantize(new Uint8Array(3), [6], { id: 'int8' }), withCode('shape_mismatch'));
  assert.throws(() => compare(x, x.subarray(1)), withCode('shape_mismatch'));
  assert.throws(
    () => compare(x, Float32Array.of(1, 2, NaN, 4, 5, 6)),
    (/** @type {any} */ e) => e.code === 'non_finite' && e.offset === 2,
  );
});

test('weights that are not finite are counted and placed, or saturated', () => {
  const x = Float32Array.of(1, NaN, Infinity, -2);
  assert.throws(
    () => quantize(x, [4], { id: 'int8' }),
    (/** @type {any} */ e) => e.code === 'non_finite' && e.offset === 1 && /2 weights/.test(e.message),
  );
  const q = quantize(x, [4], { id: 'int8', nonFinite: 'saturate' });
  const [a, b, c, d] = q.dequantize();
  assert.ok(Math.abs(a - 1) < 0.01 && b === 0 && c === 2 && d === -2);
  q.free();
  const s = stats(x);
  assert.deepEqual([s.nan, s.infinite, s.min, s.max], [1, 1, -2, 1]);
});

test('nothing, one weight, constants and zeros are defined', () => {
  // Blocks have tests of their own: they take no short rows.
  for (const { id, family } of schemes().filter(({ blockSize }) => blockSize === null)) {
    const empty = quantize(new Float32Array(0), [0, 4], { id });
    // A record of Deep Compression has a head.
    const least = id === 'deep' ? 20 : 0;
    assert.deepEqual([empty.byteLength, empty.bitsPerWeight, empty.dequantize().length], [least, 0, 0]);
    empty.free();
    for (const values of [[3], [0], [-0], [0, 0, 0], [5, 5, 5], [-1e-40], [1e-40, 2e-40]]) {
      // What prunes by itself is asked not to.
      const scheme = id === 'deep' ? { id, prune: 'none' } : { id };
      const q = quantize(Float32Array.from(values), [values.length], scheme);
      const error = Math.max(...[...q.dequantize()].map((y, i) => Math.abs(y - values[i])));
      // Small floats without a scale end where they end.
      const most = family === 'float' ? Math.abs(values[0]) / 4 + 1e-38 : 1e-38;
      assert.ok(error <= most || id === 'mixed' || id === 'nonzero', `${id} ${values}: ${error}`);
      q.free();
    }
  }
  assert.equal(stats(new Float32Array(0)).count, 0);
  assert.equal(evaluate(new Float32Array(0), [0], { id: 'int4' }).run, null);
});

test('evaluate agrees with quantize, dequantize and compare', () => {
  const x = gaussians(32 * 48, 9);
  for (const { id, options, blockSize } of schemes()) {
    const grouped = options.some(({ name }) => name === 'granularity') && id !== 'kmeans';
    if (blockSize !== null && 48 % blockSize !== 0) continue;
    const scheme = grouped ? { id, granularity: 'group', groupSize: 20 } : { id };
    const e = evaluate(x, [32, 48], scheme, { bins: 64 });
    const q = quantize(x, [32, 48], scheme);
    const { metrics } = e;
    const direct = compare(x, q.dequantize(), { bins: 0 });
    // The energy of the result is summed level by level where codes are counted: the cosine's last bits may differ, nothing else.
    assert.ok(Math.abs(metrics.cosine - direct.cosine) <= 1e-14, id);
    assert.deepEqual({ ...metrics, cosine: direct.cosine }, direct);
    assert.equal(e.bitsPerWeight, q.bitsPerWeight);
    if (grouped) assert.equal(e.runs, 32 * 3);
    const total = (/** @type {any} */ h) =>
      h.counts.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b) + h.below + h.above;
    assert.deepEqual([total(e.reference), total(e.histogram), total(e.error)], [1536, 1536, 1536]);
    q.free();
  }
});

test('errors of three and four', () => {
  const m = compare(Float32Array.of(0, 1), Float32Array.of(3, -3), { bins: 8 });
  assert.deepEqual([m.rmse, m.maxAbs, m.maxAbsIndex], [Math.sqrt(12.5), 4, 1]);
  assert.deepEqual([m.error?.lo, m.error?.hi, ...(m.error?.counts ?? [])], [-4, 4, 0, 1, 0, 0, 0, 0, 0, 1]);
  assert.equal(
    compare(Float32Array.of(1), Float32Array.of(1)).error?.counts.reduce((a, b) => a + b),
    1,
  );
});

test('statistics by hand', () => {
  const s = stats(Float32Array.of(1, 2, 3, 4), { bins: 3, shape: [2, 2], axis: 1 });
  assert.deepEqual([s.mean, s.std, s.min, s.max, s.count], [2.5, Math.sqrt(1.25), 1, 4, 4]);
  assert.deepEqual([...(s.histogram?.counts ?? [])], [1, 1, 2]);
  assert.deepEqual([...(s.channels?.max ?? [])], [3, 4]);
  assert.equal(s.quantiles.find(({ q }) => q === 0.5)?.value, 2.5);
  assert.equal(s.quantilesExact, true);
});

test('the article as printed', () => {
  const x = Float32Array.of(1.2, 2.3, 3.4, 4.5, 5.6);
  const zero = article.quantizeZero(x, -128, 127);
  assert.deepEqual([[...zero.values], zero.nonZeroCount], [[1, 2, 3, 4, 6], 5]);
  assert.deepEqual([...article.quantizeNonZero(x, -128, 127)], [1, 2, 3, 4, 6]);
  assert.deepEqual([...article.quantizeMixed(x, -128, 127, 0.5)], [1, 2, 3, 4, 6]);
  assert.ok(Object.is(article.quantizeNonZero(Float32Array.of(-0), -128, 127)[0], -0));
  assert.throws(() => article.quantizeZero(x, 1, 1), withCode('invalid_argument'));
  assert.throws(() => article.quantizeZero(Float32Array.of(NaN), 0, 1), withCode('non_finite'));
});

test('a suggestion says why', () => {
  const x = gaussians(64 * 64);
  const { scheme, reasons } = suggest(stats(x, { shape: [64, 64], axis: 0 }), { shape: [64, 64] });
  assert.deepEqual(scheme, { id: 'int4', granularity: 'group' });
  assert.ok(reasons.length === 4 && reasons.every(({ text }) => text.endsWith('.')));
  const w = new Weights(x, [64, 64]);
  assert.deepEqual(w.suggest().scheme, scheme);
  w.free();
  const positive = suggest(stats(x.map(Math.abs)), { shape: [64, 64] });
  assert.equal(positive.scheme.symmetric, false);
});

test('held weights: push, image, staircase and trace', () => {
  const w = Weights.allocate([2, 3]);
  w.push(new Uint8Array(Float32Array.of(1, -2, 3, -4).buffer), 'F32');
  w.push(new Uint8Array([0x00, 0x45, 0x00, 0xc6]), 'F16');
  assert.deepEqual([...w.values()], [1, -2, 3, -4, 5, -6]);
  assert.throws(() => w.push(new Uint8Array(4), 'F32'), withCode('shape_mismatch'));
  assert.throws(() => w.push(new Uint8Array(4), 'F31'), withCode('invalid_argument'));
  assert.deepEqual(w.matrix, [2, 3]);
  assert.deepEqual([...w.image(null, { width: 3, height: 2 })], [1, -2, 3, -4, 5, -6]);
  const { x, y } = w.staircase({ id: 'int2' }, { lo: -9, hi: 9, samples: 7 });
  assert.deepEqual([...x], [-9, -6, -3, 0, 3, 6, 9]);
  assert.deepEqual([...y], [-6, -6, 0, 0, 0, 6, 6]);
  const trace = w.trace({ id: 'int2' }, 5);
  assert.deepEqual([trace.code, trace.bits, trace.back, trace.row, trace.column], [-1, '11', -6, 1, 2]);
  assert.equal(trace.steps.at(-1)?.value, -6);
  w.free();
});

test('a scheme that searches long costs far more than one that rounds', () => {
  const rounds = evaluationCost({ id: 'int4' });
  for (const scheme of [
    { id: 'hqq' },
    { id: 'kmeans' },
    { id: 'int4', effort: 'best' },
    { id: 'hqq', entropy: 'huffman' },
  ]) {
    assert.ok(evaluationCost(scheme) > 10 * rounds, JSON.stringify(scheme));
  }
  assert.throws(() => evaluationCost({ id: 'int99' }), { code: 'unknown_scheme' });
});
