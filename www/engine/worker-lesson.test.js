/** The numbers that the lesson's text names, computed as its figures compute them. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { init } from '../lib/index.js';
import { Lesson } from './worker-lesson.js';

const models = new URL('../public/models/', import.meta.url).href;
const lesson = new Lesson();
before(() => init());
const ask = (/** @type {string} */ type, payload = {}) => lesson.answer(`lesson-${type}`, { ...payload, models }, {});
const correct = (/** @type {any} */ { list }) => list.map((/** @type {any} */ one) => one.correct);
const db = (/** @type {any} */ { list }) =>
  list.map((/** @type {any} */ one) => Number(one.evaluation.metrics.sqnrDb.toFixed(1)));
const scheme = (/** @type {string} */ tensor, /** @type {any[]} */ schemes, more = {}) =>
  ask('scheme', { tensor, schemes, axis: [-0.6, 0.6], bins: 64, net: 'all', ...more });

test('front: the first of each digit, and what fewer bits leave of them', async () => {
  const images = [24, 16, 6, 2, 13, 14, 1, 0, 7, 8];
  const schemes = [null, ...[8, 4, 3, 2].map((bits) => ({ id: `int${bits}` }))];
  const { labels, taken } = await ask('read', { images, schemes });
  assert.deepEqual(labels, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const right = taken.map((/** @type {{said: number[]}} */ { said }) => said.filter((n, i) => n === labels[i]).length);
  assert.deepEqual(right, [10, 10, 10, 7, 1]);
  assert.deepEqual(
    taken.map((/** @type {any} */ one) => one.correct),
    [358, 358, 342, 287, 52],
  );
});

test('chapter 5: the printed formula, its ranges, and its repair', async () => {
  const view = (/** @type {string} */ name, min = -128, max = 127, bits = 8) =>
    ask('printed', { tensor: 'fc1.weight', view: name, min, max, bits, index: 0, axis: [-1.25, 1.25], bins: 500 });
  const printed = await view('printed');
  assert.deepEqual([printed.zeros, printed.count, printed.correct], [32767, 32768, 35]);
  for (const [min, max] of [
    [-8, 7],
    [-1, 1],
  ])
    assert.equal((await view('printed', min, max)).correct, 35);
  const half = await view('printed', -0.5, 0.5);
  assert.deepEqual([[...half.distinct], half.correct], [[-0.5, 0.5], 120]);
  const meant = await view('meant');
  assert.equal(meant.correct, 359);
  assert.equal(meant.zero.toFixed(4), '0.0001');
  assert.equal((await view('meant', -128, 127, 4)).zero.toFixed(3), '0.008');
  const zero = await view('zero');
  assert.deepEqual([zero.correct, zero.zero], [358, 0]);
  // The network is float again after every question.
  assert.equal((await view('float')).correct, 358);
});

test('chapter 4: ranges', async () => {
  const ranges = ['minmax', 'mse', 'kl'];
  const at = (/** @type {number} */ bits) =>
    scheme(
      'conv2.weight',
      ranges.map((range) => ({ id: `int${bits}`, symmetric: false, range })),
    );
  const three = await at(3);
  assert.deepEqual(correct(three), [341, 351, 335]);
  assert.deepEqual(db(three).slice(0, 2), [8.3, 13.2]);
  assert.deepEqual(correct(await at(2)), [109, 236, 323]);
});

test('chapter 6: zero, non-zero, mixed', async () => {
  const at = (/** @type {number} */ bits) =>
    scheme('fc1.weight', [
      { id: 'zero', bits },
      { id: 'nonzero', bits },
      { id: 'mixed', bits, zeroRatio: 0.5, floatRatio: 0.01 },
    ]);
  const three = await at(3);
  assert.deepEqual(correct(three), [341, 257, 311]);
  assert.deepEqual(
    three.list.map((/** @type {any} */ one) => one.evaluation.metrics.zerosAfter),
    [17331, 0, 16384],
  );
  assert.deepEqual(correct(await at(8)).slice(0, 2), [358, 358]);
});

test('chapter 7: adjusting', async () => {
  const ways = [{}, { correction: 'mean' }, { refit: true }, { refit: true, correction: 'mean' }, { effort: 'best' }];
  const at = (/** @type {number} */ bits) =>
    scheme(
      'fc1.weight',
      ways.map((way) => ({ id: `int${bits}`, granularity: 'channel', axis: 0, ...way })),
    );
  const three = await at(3);
  assert.deepEqual(correct(three), [330, 351, 337, 357, 347]);
  assert.deepEqual(db(three).slice(3), [11.1, 13.2]);
  const two = correct(await at(2));
  assert.deepEqual([two[0], two[3]], [72, 314]);
});

test('chapter 8: one outlier', async () => {
  const grains = [{}, { granularity: 'channel', axis: 0 }, { granularity: 'group', groupSize: 32 }];
  const at = (/** @type {number} */ value, bits = 4) =>
    scheme(
      'fc1.weight',
      grains.map((grain) => ({ id: `int${bits}`, ...grain })),
      {
        net: 'one',
        boost: { index: 40 * 256 + 100, value },
      },
    );
  assert.ok((await at(1)).list[0].evaluation.metrics.zeroed > 0.5);
  const four = await at(4);
  assert.deepEqual(correct(four), [133, 359, 359]);
  assert.ok(Math.abs(four.list[0].evaluation.metrics.zeroed - 0.995) < 0.0005);
  assert.ok(correct(await at(4, 8))[0] >= 358);
});

test('chapters 9 to 11: blocks, few values, fewer weights', async () => {
  for (const [id, digits] of Object.entries({ q8_0: 358, q4_0: 358, q4_k: 359, q6_k: 358, nf4: 358, mxfp4: 359 })) {
    assert.equal(
      (await ask('trace', { tensor: 'fc1.weight', scheme: { id }, index: 5808, around: 32 })).correct,
      digits,
      id,
    );
  }
  const few = [4, 3, 2].map((bits) => ({ id: 'kmeans', bits }));
  const values = await scheme('fc1.weight', [...few, { id: 'ternary' }, { id: 'binary', per: 'tensor' }]);
  assert.deepEqual(correct(values), [359, 350, 319, 315, 127]);
  for (const [ratio, digits, factor] of [
    [0, 359, 8.5],
    [0.5, 339, 11.4],
    [0.7, 108, 15.75],
  ]) {
    const { stages } = await ask('stages', { ratio, bits: 4 });
    const last = stages.at(-1);
    assert.ok(stages.every((/** @type {any} */ stage) => stage.verified));
    assert.equal(last.correct, digits);
    assert.ok(Math.abs(stages[0].bytes / last.bytes - factor) < 0.06, `${stages[0].bytes / last.bytes}`);
  }
});

test('chapters 10, 12 and 14: three arithmetics, layers, the limit', async () => {
  const timed = await ask('time', { arithmetics: ['float', 'int8', 'xnor'], rounds: 1 });
  assert.deepEqual(timed.correct, { float: 358, int8: 358, xnor: 254 });
  assert.ok(Object.values(timed.times).every((ms) => ms > 0));
  const width = (/** @type {number} */ bits) => ({ id: `int${bits}`, granularity: 'channel', axis: 0 });
  const plan = (/** @type {number[]} */ ...bits) =>
    ask('plan', {
      plan: Object.fromEntries(['conv1', 'conv2', 'fc1', 'fc2'].map((name, i) => [`${name}.weight`, width(bits[i])])),
      each: [width(2)],
    });
  const [same, mixed] = [await plan(4, 4, 4, 4), await plan(8, 4, 3, 4)];
  assert.deepEqual(same.alone, [[337, 169, 342, 265]]);
  const bits = (/** @type {any} */ one) => ((8 * one.bytes) / one.count).toFixed(2);
  assert.deepEqual([bits(same), same.correct, bits(mixed), mixed.correct], ['4.14', 356, '3.54', 358]);
  const over = async (/** @type {string} */ tensor, /** @type {any[]} */ schemes, zeros = 0) =>
    (await ask('many', { tensor, schemes, zeros })).map((/** @type {any} */ one) => one.sqnrDb - 6.0206 * one.bits);
  const [int4, q4k, kmeans] = await over('bell', [{ id: 'int4' }, { id: 'q4_k' }, { id: 'kmeans', bits: 4 }]);
  assert.ok(
    int4 < -9.5 && int4 > -10.5 && Math.abs(q4k + 4.2) < 0.1 && Math.abs(kmeans + 3.9) < 0.1,
    `${[int4, q4k, kmeans]}`,
  );
  const [sparse] = await over('fc1.weight', [{ id: 'int8', entropy: 'huffman' }], 0.8);
  assert.ok(sparse > 0);
});

test('a question about a tensor that is not there is refused, and so is an unknown question', async () => {
  await assert.rejects(async () => ask('look', { tensor: 'no.such', bins: 8 }), { code: 'unknown_tensor' });
  await assert.rejects(async () => ask('no such', {}), { code: 'invalid_argument' });
});
