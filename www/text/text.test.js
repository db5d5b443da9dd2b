import assert from 'node:assert/strict';
import { test } from 'node:test';
import { speak as speakWords, speakOf } from '../i18n/index.js';
import { describeMetrics, describeStats, unitScale } from './describe.js';
import { bytes, fixed, number, percent, shapeText, shortCount, tick, withMinus } from './format.js';
import { explain } from './problems.js';
import { metricsCsv, metricsJson } from './report.js';

/** @param {string} language */
const speak = async (language) => {
  await speakWords(language);
  await speakOf('errors');
};

/** With plain spaces. @param {string} text */
const plain = (text) => text.replace(/\s/g, ' ');

test('numbers carry sensible digits, true minus signs and powers of ten', () => {
  assert.equal(number(0.073126), '0.07313');
  assert.equal(number(-1234.5), '−1235');
  assert.equal(number(3.2e-9, 2), '3.2×10⁻⁹');
  assert.deepEqual([number(0), number(-0), number(Infinity), number(NaN)], ['0', '−0', '∞', 'NaN']);
});

test('sizes are decimal', () => {
  assert.deepEqual([bytes(999), bytes(211_880), bytes(5e8), bytes(4_000_000)].map(plain), [
    '999 B',
    '212 kB',
    '500 MB',
    '4 MB',
  ]);
  assert.equal(shortCount(1_250_000), '1.25M');
});

test('a small share is never shown as none, nor a large one as all', () => {
  assert.deepEqual([percent(0), percent(0.00001), percent(0.99999), percent(1)].map(plain), [
    '0 %',
    '<0.1 %',
    '>99.9 %',
    '100.0 %',
  ]);
});

test('shapes are grouped as counts are, and the engine’s hyphens become minus signs', () => {
  assert.equal(shapeText([50257, 768]), '50,257 × 768');
  assert.equal(shapeText([]), 'scalar');
  assert.equal(
    withMinus('from -0.5 to 3e-9 and 2e−4, in 4-bit int-4, clip to [-7, 7], .-1'),
    'from −0.5 to 3×10⁻⁹ and 2×10⁻⁴, in 4-bit int-4, clip to [−7, 7], .-1',
  );
  assert.equal(fixed(-0.25, 1), '−0.3');
});

const metrics = {
  mse: 1e-6,
  rmse: 1e-3,
  mae: 5e-4,
  maxAbs: 2e-3,
  maxAbsIndex: 3,
  sqnrDb: Infinity,
  cosine: 1,
  zeroed: 0,
  zerosBefore: 0,
  zerosAfter: 0,
};

/** @param {object} more @returns {any} */
const statsOf = (more) => ({
  count: 64,
  min: -1,
  max: 1,
  mean: 0,
  std: 0.5,
  skewness: 0,
  kurtosis: 0,
  zeros: 0,
  nan: 0,
  infinite: 0,
  absMax: 1,
  ...more,
});
/** @param {object} more @returns {any} */
const evaluated = (more) => ({
  scheme: { id: 'int4' },
  count: 64,
  byteLength: 36,
  bitsPerWeight: 4.5,
  metrics: { ...metrics, sqnrDb: 20 },
  run: { scale: 0.1 },
  ...more,
});

test('an empty tensor, one weight, and no finite weight are each told as what they are', async () => {
  await speak('en');
  assert.match(describeStats(statsOf({ count: 0 })), /empty: it holds no weights/);
  assert.equal(describeMetrics(evaluated({ count: 0 }), statsOf({ count: 0 })), 'There is nothing to quantize.');
  assert.equal(describeStats(statsOf({ count: 1, min: -0.5, max: -0.5 })), 'One weight: −0.500.');
  assert.match(describeStats(statsOf({ zeros: 1 })), /One is exactly zero/);
  assert.match(describeStats(statsOf({ count: 64, nan: 64, min: NaN, max: NaN })), /No value here is a number: 64 NaN/);
  assert.match(describeStats(statsOf({ nan: 1 })), /63 weights between .* Besides them not finite: 1 NaN\./);
  assert.match(describeMetrics(evaluated({}), statsOf({ nan: 64 })), /no finite weight/);
});

test('a scale that is 1 by definition says why', async () => {
  await speak('en');
  const unit = evaluated({ run: { scale: 1 }, metrics: { ...metrics, zerosAfter: 64 } });
  assert.equal(unitScale(unit, statsOf({ absMax: 1e-40 })), 'small');
  assert.equal(unitScale(unit, statsOf({ absMax: 0 })), 'zero');
  assert.equal(unitScale(unit, statsOf({ absMax: 7 })), null);
  assert.equal(unitScale(evaluated({}), statsOf({ absMax: 1e-40 })), null);
  assert.equal(unitScale({ ...unit, scheme: { id: 'int4', range: 'manual' } }, statsOf({ absMax: 0.1 })), null);
  assert.match(
    describeMetrics(unit, statsOf({ absMax: 1e-40 })),
    /Every weight became zero\. They are too small for a scale/,
  );
});

test('ticks show just the digits of their step', () => {
  assert.deepEqual([tick(0.30000000000000004, 0.1), tick(-2, 1), tick(1e-17, 0.1)], ['0.3', '−2', '0']);
});

test('an error says what happened, where, and what to do', async () => {
  await speak('en');
  const { what, where, remedy } = explain({
    code: 'truncated',
    message: 'm',
    file: 'a.safetensors',
    tensor: 'w',
    offset: 8,
    what: 'open',
  });
  assert.match(what, /ends too early/);
  assert.deepEqual(where, ['file a.safetensors', 'tensor w', 'at byte 8']);
  assert.match(remedy, /again/);
  assert.equal(
    explain({ code: 'never_heard_of', message: 'm', what: 'tensor' }).what,
    'This tensor could not be read.',
  );
});

const state = /** @type {any} */ ({
  model: { name: '=cmd("x"),\n.safetensors', tensors: [{ name: 'w', dtype: 'F32', shape: [2, 3], byteLength: 24 }] },
  data: { name: 'w', stats: { count: 6, histogram: {} } },
  result: {
    a: null,
    b: { scheme: { id: 'int8', symmetric: true }, count: 6, byteLength: 10, bitsPerWeight: 13.3, metrics },
  },
});

test('metrics as CSV: names from files can neither break a row nor become a formula', () => {
  const text = metricsCsv(state);
  assert.match(text, /^side,file,tensor,/);
  assert.match(text, /"'=cmd\(""x""\),\n\.safetensors"/);
  assert.match(text, /,int8,"\{""symmetric"":true\}",/);
});

test('metrics as JSON can be read back at full precision', () => {
  const report = JSON.parse(metricsJson(state));
  assert.equal(report.b.metrics.rmse, 1e-3);
  assert.equal(report.b.metrics.sqnrDb, 'Infinity');
  assert.equal(report.a, null);
});
