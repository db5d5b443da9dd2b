/** Every public call with what it cannot take: an error of the package with its facts, never a raw one of JavaScript or Rust. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as face from './index.js';

const { FewerbitsError, init } = face;
before(() => init());

const JUNK = [null, undefined, 5, -1, 2.5, NaN, '', 'text', true, [], ['x'], {}, { id: 5 }, Symbol('s'), 10n, () => {}];

/** Right arguments of every call. `takes` says which junk an argument does take, by its place. */
function calls() {
  const x = Float32Array.of(1, -2, 3, -4, 5, -6);
  const scheme = { id: 'int4' };
  const weights = new face.Weights(x, [2, 3]);
  const quantized = weights.quantize(scheme);
  const net = new face.DigitsNet();
  const known = face.stats(x);
  const anyNumber = (value) => typeof value === 'number' && !Number.isNaN(value);
  const noOptions = (value) =>
    value === undefined || (typeof value === 'object' && value !== null && !value.length && !value.id);
  const call = (object, name, args, takes = {}) => ({ name, run: (...given) => object[name](...given), args, takes });
  const list = [
    call(face, 'stats', [x, {}], { 1: noOptions }),
    call(face, 'quantize', [x, [2, 3], scheme]),
    call(face, 'dequantize', [quantized.bytes, [2, 3], scheme]),
    call(face, 'evaluate', [x, [2, 3], scheme, {}], { 3: noOptions }),
    call(face, 'compare', [x, x, {}], { 2: noOptions }),
    call(face, 'suggest', [known, { shape: [2, 3] }]),
    call(face, 'packedLength', [[2, 3], scheme], { 0: (value) => Array.isArray(value) && value.length === 0 }),
    call(face.article, 'quantizeZero', [x, -8, 7], { 1: anyNumber, 2: anyNumber }),
    call(face.article, 'quantizeNonZero', [x, -8, 7], { 1: anyNumber, 2: anyNumber }),
    call(face.article, 'quantizeMixed', [x, -8, 7, 0.5], {
      1: anyNumber,
      2: anyNumber,
      3: (v) => v === undefined || anyNumber(v),
    }),
    call(face, 'filesFromList', [[new File([], 'a')]], { 0: (value) => Array.isArray(value) && value.length === 0 }),
    {
      name: 'new Weights',
      run: (...given) => new face.Weights(...given),
      args: [x, [2, 3]],
      takes: { 0: (v) => v === null },
    },
    { name: 'new Quantized', run: (...given) => new face.Quantized(...given), args: [{}], takes: {}, wrong: true },
    call(face.Weights, 'allocate', [[2, 3]], { 0: (value) => Array.isArray(value) && value.length === 0 }),
    call(weights, 'push', [new Uint8Array(0), 'F32', false], { 1: (v) => typeof v === 'string', 2: () => true }),
    call(weights, 'values', [0, 3], { 0: (v) => v === undefined, 1: (v) => v === undefined || v === 5 }),
    call(weights, 'stats', [{}], { 0: noOptions }),
    call(weights, 'evaluate', [scheme, {}], { 1: noOptions }),
    call(weights, 'staircase', [scheme, { lo: -1, hi: 1 }]),
    call(weights, 'trace', [scheme, 1], { 1: (v) => v === 5 }),
    call(weights, 'image', [scheme, {}], { 0: (v) => v === null || v === undefined, 1: noOptions }),
    call(weights, 'quantize', [scheme]),
    call(weights, 'reconstruct', [scheme]),
    call(net, 'set', ['conv1.bias', new Float32Array(32)]),
    call(net, 'setHeldOut', [new Uint8Array(64), new Uint8Array(1)]),
  ];
  return list;
}

/** Holds an error to the package's rules. */
function isOurs(error, what, facts = true) {
  assert.ok(error instanceof FewerbitsError, `${what}: ${error?.stack ?? error}`);
  assert.match(error.code, /^[a-z]+(_[a-z]+)*$/, what);
  assert.doesNotMatch(error.message, /JsValue|\[object|of null|of undefined|Object\(/, what);
  if (facts && error.code === 'invalid_argument') {
    assert.equal(typeof error.expected, 'string', `${what}: ${error.message}`);
    assert.equal(typeof error.found, 'string', `${what}: ${error.message}`);
  }
}

const shown = (junk) => (typeof junk === 'object' ? JSON.stringify(junk) : String(junk));

test('junk in the place of any argument is refused in the words of the package', () => {
  for (const { name, run, args, takes, wrong } of calls()) {
    if (!wrong) run(...args);
    args.forEach((_, at) => {
      for (const junk of JUNK) {
        const what = `${name}, argument ${at + 1}: ${shown(junk)}`;
        const given = args.with(at, junk);
        if (takes[at]?.(junk)) {
          try {
            run(...given);
          } catch (error) {
            isOurs(error, what, false);
          }
          continue;
        }
        assert.throws(
          () => run(...given),
          (error) => (isOurs(error, what), true),
          what,
        );
      }
    });
  }
});

test('so is a call without any argument', () => {
  for (const { name, run, args } of calls()) {
    if (args.length === 0 || ['stats', 'values', 'image'].includes(name)) continue;
    assert.throws(
      () => run(),
      (error) => (isOurs(error, name), true),
      name,
    );
  }
});

test('and junk inside options', () => {
  const x = Float32Array.of(1, 2, 3, 4);
  const inside = {
    stats: ['bins', 'range', 'quantiles', 'axis', 'shape'],
    evaluate: ['bins', 'range', 'errorBins', 'errorRange', 'at'],
    image: ['rows', 'columns', 'width', 'height', 'kind'],
  };
  const weights = new face.Weights(x, [4]);
  const run = {
    stats: (options) => face.stats(x, options),
    evaluate: (options) => weights.evaluate({ id: 'int8' }, options),
    image: (options) => weights.image(null, options),
  };
  for (const [name, options] of Object.entries(inside)) {
    for (const option of options) {
      for (const junk of JUNK) {
        try {
          run[name]({ [option]: junk });
        } catch (error) {
          isOurs(error, `${name}, ${option}: ${shown(junk)}`);
        }
      }
    }
  }
  for (const junk of JUNK) {
    try {
      face.quantize(x, [4], { id: 'int8', granularity: junk });
    } catch (error) {
      isOurs(error, `granularity: ${shown(junk)}`);
    }
  }
});

test('what opens a model refuses junk too, and so does the model', async () => {
  const rejects = async (run, what) => {
    await assert.rejects(run, (error) => (isOurs(error, what), true), what);
  };
  for (const junk of JUNK) {
    // A text is a path in Node: that file is not there.
    await rejects(async () => face.openModel(junk), `openModel ${shown(junk)}`);
    await rejects(async () => face.filesFromDataTransfer(junk), `filesFromDataTransfer ${shown(junk)}`);
    if (junk !== undefined && (typeof junk !== 'object' || junk === null || Array.isArray(junk))) {
      await rejects(async () => init(junk), `init ${shown(junk)}`);
      await rejects(async () => face.openModel(new Uint8Array(1), junk), `openModel, options ${shown(junk)}`);
    }
    if (junk !== undefined) {
      await rejects(async () => face.openModel(new Uint8Array(1), { signal: junk }), `signal ${shown(junk)}`);
    }
  }
  const model = await face.openModel(new URL('../public/models/digits.safetensors', import.meta.url));
  for (const method of ['read', 'readBytes', 'chunks']) {
    for (const junk of JUNK) {
      await rejects(async () => model[method](junk), `${method} ${shown(junk)}`);
      if (junk !== undefined && (typeof junk !== 'object' || junk === null || Array.isArray(junk))) {
        await rejects(async () => model[method]('conv1.weight', junk), `${method}, options ${shown(junk)}`);
      }
    }
  }
  for (const junk of JUNK.filter((value) => value !== undefined && value !== 5)) {
    await rejects(async () => model.read('conv1.weight', { start: junk }), `start ${shown(junk)}`);
  }
  await model.close();
});

test('what throws by itself while it is read throws nothing through the engine, which goes on', () => {
  const iterable = {
    [Symbol.iterator]() {
      throw new Error('of its own');
    },
  };
  const weights = new face.Weights(Float32Array.of(1, 2, 3, 4), [4]);
  for (let i = 0; i < 400; i++) {
    for (const options of [{ range: iterable }, { quantiles: iterable }]) {
      assert.throws(
        () => weights.stats(options),
        (error) => (isOurs(error, Object.keys(options)[0]), true),
      );
    }
  }
  assert.equal(weights.stats({ quantiles: [0.5] }).count, 4);
  weights.free();
});

test('lengths beyond what can be addressed, and more quantiles than there is memory for, are refused', () => {
  for (const scheme of [
    { id: 'mixed', floatRatio: 0.5 },
    { id: 'int4', granularity: 'group', groupSize: 1 },
  ]) {
    assert.throws(() => face.packedLength([32768, 32768], scheme), { code: 'out_of_memory' }, scheme.id);
  }
  assert.equal(face.packedLength([32768, 32768], { id: 'int4' }), 2 ** 29 + 4);
  assert.throws(() => face.stats(new Float32Array(4), { quantiles: Array.from({ length: 1025 }, () => 0.5) }), {
    code: 'invalid_argument',
  });
});
