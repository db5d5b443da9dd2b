/** What the weights of ONNX models count, found by onnxruntime-web as it runs in Node too. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as ort from 'onnxruntime-web';
import { gaussians, memorySink } from '../../../tests/js/models.js';
import { node, onnx } from '../../../tests/js/onnx.js';
import { init, measureDamage, measureWeights, openModel, plan, runBoth, shrink } from '../index.js';
import { inside } from '../model.js';
import { withInputs, readGraph } from './graph.js';
import { MOST_ALONE } from './limits.js';

await init();
ort.env.wasm.numThreads = 1;

const MODELS = new URL('../../public/models/', import.meta.url);
const golden = new URL('../../../tests/goldens/weighed.jsonl', import.meta.url);
const [encoder, ...counted] = readFileSync(golden, 'utf8').trim().split('\n').map((line) => JSON.parse(line)); // prettier-ignore
const encoderFile = () => new Uint8Array(Buffer.from(encoder.file, 'base64'));

const weights = (/** @type {number} */ rows, /** @type {number} */ columns, /** @type {number} */ seed) =>
  /** @type {[number[], Float32Array]} */ ([[rows, columns], gaussians(rows * columns, seed)]);

/** Two layers. @param {string | {[name: string]: any}} [other] what is between them, or more inputs */
const mlp = (other = 'Tanh') =>
  onnx({
    nodes: [
      node('MatMul', 'x w1', 'h'),
      node(typeof other === 'string' ? other : 'Tanh', 'h', 't'),
      node('MatMul', 't w2', 'y'),
    ],
    inputs: { x: ['float', ['batch', 32]], ...(typeof other === 'string' ? {} : other) },
    outputs: { y: ['float', ['batch', 48]] },
    weights: { w1: weights(32, 64, 1), w2: weights(64, 48, 2) },
    opset: 21,
  });

/** The sample network as ONNX: 10 logits for each image. */
async function digits() {
  const model = await openModel(new URL('digits.safetensors', MODELS).pathname);
  const pool = { kernel_shape: [2, 2], strides: [2, 2] };
  /** @type {{[name: string]: [number[], Float32Array | BigInt64Array]}} */
  const held = {};
  for (const { name, shape } of model.tensors) held[name] = [shape, await model.read(name)];
  await model.close();
  const layer = (/** @type {string} */ name, /** @type {string} */ x) => `${x} ${name}.weight ${name}.bias`;
  return onnx({
    nodes: [
      node('Conv', layer('conv1', 'x'), 'a', { pads: [1, 1, 1, 1] }),
      node('Relu', 'a', 'b'),
      node('MaxPool', 'b', 'c', pool),
      node('Conv', layer('conv2', 'c'), 'd', { pads: [1, 1, 1, 1] }),
      node('Relu', 'd', 'e'),
      node('MaxPool', 'e', 'f', pool),
      node('Flatten', 'f', 'g'),
      node('Gemm', layer('fc1', 'g'), 'h', { transB: 1 }),
      node('Relu', 'h', 'i'),
      node('Gemm', layer('fc2', 'i'), 'logits', { transB: 1 }),
    ],
    inputs: { x: ['float', ['n', 1, 8, 8]] },
    outputs: { logits: ['float', ['n', 10]] },
    weights: held,
    opset: 21,
  });
}

/** Its images as an input. @param {'training' | 'heldout'} which @param {number} n */
async function images(which, n) {
  const model = await openModel(new URL(`digits-${which}.safetensors`, MODELS).pathname);
  const bytes = (await model.readBytes('images')).subarray(0, 64 * n);
  await model.close();
  return { type: 'float32', dims: [n, 1, 8, 8], data: Float32Array.from(bytes, (x) => x / 16) };
}

/** @param {Uint8Array} bytes @param {any} [options] */
async function weighed(bytes, options) {
  const model = await openModel(bytes);
  try {
    return await measureWeights(model, { ort, ...options });
  } finally {
    await model.close();
  }
}

/** How far what was planned is from the float model: the relative squared error of the first output. @param {Uint8Array} bytes @param {any} options @param {any} inputs */
async function damage(bytes, options, inputs) {
  const model = await openModel(bytes);
  const sink = memorySink();
  const planned = await plan(model, { to: 'onnx', workers: 1, ...options });
  await shrink(planned, sink, { workers: 1 });
  await model.close();
  const { outputs } = await runBoth(bytes, /** @type {Uint8Array} */ (sink.files.get('')), { ort, ...inputs });
  return { error: 10 ** (-Number(outputs[0].sqnrDb) / 10), bytes: planned.outputBytes, cost: planned.found?.cost };
}

describe('what weights of ONNX models count', () => {
  test('it is what ONNX Runtime and numpy find', async () => {
    const ids = BigInt64Array.from(encoder.ids, BigInt);
    const given = { input_ids: { type: 'int64', dims: encoder.shape, data: ids } };
    const found = await weighed(encoderFile(), { given });
    assert.deepEqual(Object.keys(found).sort(), counted.map(({ name }) => name).sort());
    for (const { name, weight } of counted) {
      assert.ok(Math.abs(found[name] / weight - 1) < 0.01, `${name}: ${found[name]}, expected ${weight}`);
    }
  });

  test('plans by these weights move the encoder less at the same bytes, on inputs that it was not weighed on', async () => {
    const float = encoderFile();
    const found = await weighed(float);
    const inputs = { seed: 99, runs: 16 };
    for (const [targetBytes, times] of [
      [21e3, 2],
      [24e3, 10],
      [28e3, 1.2],
      [34e3, 5],
    ]) {
      // prettier-ignore
      const without = await damage(float, { targetBytes }, inputs);
      const by = await damage(float, { targetBytes, weights: found }, inputs);
      assert.ok(
        by.bytes <= targetBytes && by.error * times < without.error,
        `${targetBytes}: ${by.error} of ${without.error}`,
      );
      // The plan's cost is what the outputs are expected to lose.
      assert.ok(by.cost / by.error > 0.5 && by.cost / by.error < 2, `${targetBytes}: ${by.error}, expected ${by.cost}`);
    }
  });

  test('the digits network as ONNX, weighed on images that it is not measured on', async () => {
    const float = await digits();
    const found = await weighed(float, { given: { x: await images('training', 200) } });
    assert.deepEqual(Object.keys(found), ['conv2.weight', 'fc1.weight', 'fc2.weight']);
    const given = { x: await images('heldout', 360) };
    for (const share of [0.2, 0.25, 0.3, 0.4]) {
      const targetBytes = Math.round(float.length * share);
      const without = await damage(float, { targetBytes }, { given });
      const by = await damage(float, { targetBytes, weights: found }, { given });
      assert.ok(by.error <= without.error, `${share}: ${by.error} of ${without.error}`);
    }
  });

  test('other inputs, seeds and widths agree about as well as can be', async () => {
    const float = encoderFile();
    const [a, b] = [
      await weighed(float, { seed: 1, runs: 4 }),
      await weighed(float, { seed: 2, runs: 4, sizes: { sequence: 24 } }),
    ];
    assert.deepEqual(a, await weighed(float, { seed: 1, runs: 4 }));
    assert.notDeepEqual(a, b);
    for (const [name, weight] of Object.entries(a)) {
      assert.ok(b[name] / weight > 0.5 && b[name] / weight < 2, `${name}: ${weight}, ${b[name]}`);
    }
  });

  test('f16 weights, and weights that an old model declares among its inputs', async () => {
    const halves = await openModel(mlp());
    const sink = memorySink();
    await shrink(await plan(halves, { to: 'onnx', scheme: { id: 'f16' } }), sink, { workers: 1 });
    const f16 = await weighed(/** @type {Uint8Array} */ (sink.files.get('')));
    const old = await weighed(mlp({ w1: ['float', [32, 64]] }));
    const now = await weighed(mlp());
    assert.deepEqual(old, now);
    assert.deepEqual(Object.keys(now), ['w1', 'w2']);
    for (const name of ['w1', 'w2'])
      assert.ok(Math.abs(f16[`${name}_f16`] / now[name] - 1) < 0.02, `${name} ${f16[`${name}_f16`]}, ${now[name]}`);
  });

  test('progress counts every run; a signal ends it between runs', async () => {
    /** @type {any[]} */
    const told = [];
    await weighed(mlp(), {
      runs: 3,
      onProgress: (/** @type {any} */ one) => told.push([one.done, one.total, one.tensor]),
    });
    assert.deepEqual(told.slice(0, 3), [[0, 6, 'w1'], [1, 6, 'w2'], [2, 6, 'w1']]); // prettier-ignore
    assert.deepEqual(told.at(-1), [6, 6, '']);
    const stop = new AbortController();
    const onProgress = (/** @type {any} */ { done }) => done === 4 && stop.abort();
    await assert.rejects(weighed(mlp(), { onProgress, signal: stop.signal }), { code: 'aborted' });
  });

  test('what cannot be is refused and says why', async () => {
    const nan = { x: { type: 'float32', dims: [1, 32], data: new Float32Array(32).fill(NaN) } };
    const none = { x: { type: 'float32', dims: [1, 32], data: new Float32Array(32) } };
    const whole = onnx({
      nodes: [node('MatMul', 'x w', 'h'), node('ArgMax', 'h', 'y', { axis: -1, keepdims: 0 })],
      inputs: { x: ['float', [1, 64]] },
      outputs: { y: ['int64', [1]] },
      weights: { w: weights(64, 32, 1) },
    });
    /** @type {[Uint8Array, any, string, RegExp][]} */
    const cases = [
      [mlp(), { ort: undefined }, 'invalid_argument', /import \* as ort from 'onnxruntime-web'/],
      [mlp('Tanhh'), {}, 'unsupported_operator', /Tanhh/],
      [mlp(), { given: nan }, 'non_finite', /"w1": what the model gives is no number on these inputs; expected finite/],
      [mlp(), { given: none }, 'invalid_input', /not zero throughout/],
      [mlp(), { sizes: { batch: 2 ** 40 } }, 'invalid_argument', /batch = /],
      [whole, {}, 'unsupported', /expected an output of floating-point numbers, found y/],
    ];
    for (const [bytes, options, code, words] of cases) {
      await assert.rejects(weighed(bytes, options), (/** @type {any} */ error) => {
        assert.equal(error.code, code, error.message);
        assert.match(error.message, words);
        return true;
      });
    }
    const size = MOST_ALONE + 1;
    const name = 'large.onnx';
    const small = mlp();
    // A file that is mostly not there: only its head is read before it is refused.
    const model = await openModel(small);
    /** @type {any} */ (inside.get(model)).sources[0] = { name, size, read: () => assert.fail('read') };
    await assert.rejects(measureWeights(model, { ort }), { code: 'too_large', found: `${size} bytes` });
    await assert.rejects(measureDamage(await plan(await openModel(small), { scheme: { id: 'int8' } }), {}), {
      code: 'unsupported',
    });
  });
});

describe('weights as inputs', () => {
  test('what they hold is left out, and all else is as it was', () => {
    const file = encoderFile();
    const [before, after] = [readGraph(file), readGraph(withInputs(file, new Set(['words', 'layer0.ffn.up'])))];
    assert.deepEqual(after.nodes, before.nodes);
    assert.deepEqual(after.outputs, before.outputs);
    assert.deepEqual(after.inputs, [
      ...before.inputs,
      { name: 'words', type: 1, dims: [64, 32] },
      { name: 'layer0.ffn.up', type: 1, dims: [32, 64] },
    ]);
    assert.deepEqual(
      [...before.weights.keys()].filter((name) => !after.weights.has(name)),
      ['words', 'layer0.ffn.up'],
    );
    assert.deepEqual(withInputs(file, new Set()).subarray(0, file.length), file);
  });

  test('a file that is cut anywhere is an error', () => {
    const file = mlp();
    for (let end = 0; end < file.length; end += 13) {
      try {
        withInputs(file.subarray(0, end), new Set(['w1']));
      } catch (error) {
        assert.equal(/** @type {any} */ (error).code, 'malformed');
      }
    }
  });
});
