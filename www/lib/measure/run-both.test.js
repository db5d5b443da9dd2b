/** Both models run by onnxruntime-web, as it runs in Node too. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import * as ort from 'onnxruntime-web';
import { gaussians, memorySink } from '../../../tests/js/models.js';
import { node, onnx } from '../../../tests/js/onnx.js';
import { init, openModel, plan, shrink } from '../index.js';
import { fromHalf, toHalf } from './half.js';
import { readGraph, withOutputs } from './graph.js';
import { Random, inputsOf, sizesOf } from './inputs.js';
import { MOST_BYTES } from './limits.js';
import { runBoth } from './run-both.js';
import { Tally } from './tally.js';

await init();
ort.env.wasm.numThreads = 1;

const weights = (/** @type {number} */ rows, /** @type {number} */ columns, /** @type {number} */ seed) =>
  /** @type {[number[], Float32Array]} */ ([[rows, columns], gaussians(rows * columns, seed)]);

/** Two layers; a matrix of classes comes out. @param {{[name: string]: any}} [other] weights */
const mlp = (other = {}) =>
  onnx({
    nodes: [
      node('MatMul', 'x w1', 'h'),
      node('Tanh', 'h', 't'),
      node('MatMul', 't w2', 'u'),
      node('Tanh', 'u', 'v'),
      node('MatMul', 'v w3', 'y'),
    ],
    inputs: { x: ['float', ['batch', 64]] },
    outputs: { y: ['float', ['batch', 10]] },
    weights: { w1: weights(64, 128, 1), w2: weights(128, 128, 2), w3: weights(128, 10, 3), ...other },
  });

/** A table that whole numbers choose from. */
const words = () =>
  onnx({
    nodes: [
      node('Cast', 'input_ids', 'ids', { to: 7 }),
      node('Gather', 'table ids', 'x'),
      node('Cast', 'attention_mask', 'm', { to: 1 }),
      node('Unsqueeze', 'm axes', 'm1'),
      node('Mul', 'x m1', 'xm'),
      node('MatMul', 'xm w', 'y'),
      node('ArgMax', 'y', 'best', { axis: -1, keepdims: 0 }),
    ],
    inputs: { input_ids: ['int32', ['batch', 'sequence']], attention_mask: ['int64', ['batch', 'sequence']] },
    outputs: { y: ['float', ['batch', 'sequence', 48]], best: ['int64', ['batch', 'sequence']] },
    weights: { table: weights(200, 32, 4), w: weights(32, 48, 5), axes: [[1], BigInt64Array.of(-1n)] },
  });

/** The model as `shrink` writes it. @param {Uint8Array} bytes @param {any} options */
async function shrunk(bytes, options) {
  const model = await openModel(bytes);
  const sink = memorySink();
  await shrink(await plan(model, options), sink, { workers: 1 });
  await model.close();
  return /** @type {Uint8Array} */ (sink.files.get(''));
}

describe('running both', () => {
  test('a model against itself differs nowhere', async () => {
    const found = await runBoth(mlp(), mlp(), { ort, layers: true, sizes: { batch: 5 } });
    const [{ name, cosine, sqnrDb, maxAbs, count, largest, dims }] = found.outputs;
    assert.deepEqual([name, sqnrDb, maxAbs, count, dims], ['y', Infinity, 0, 8 * 50, [5, 10]]);
    assert.ok(Math.abs(Number(cosine) - 1) < 1e-12);
    assert.deepEqual(largest, { same: 40, of: 40 });
    assert.equal(found.layers?.firstDrop, null);
    assert.match(found.runtime, /^onnxruntime-web \d+\.\d+/);
    assert.deepEqual([found.runs, found.seed, found.sizes.batch], [8, 1, 5]);
  });

  test('int8 stays close to float, int4 less so, layer by layer as well', async () => {
    const float = mlp();
    const [eight, four] = [
      await shrunk(float, { scheme: { id: 'int8' } }),
      await shrunk(float, { scheme: { id: 'int4' }, layout: 'contrib' }),
    ];
    const [found, worse] = [
      await runBoth(float, eight, { ort, layers: true }),
      await runBoth(float, four, { ort, layers: true }),
    ];
    const [y] = found.outputs;
    assert.ok(Number(y.cosine) > 0.999 && Number(y.sqnrDb) > 30, JSON.stringify(y));
    assert.ok(Number(y.leastCosine) <= Number(y.cosine));
    assert.ok(Number(worse.outputs[0].sqnrDb) < Number(y.sqnrDb) - 10, JSON.stringify(worse.outputs));
    const { tensors = [], skipped } = found.layers ?? {};
    assert.deepEqual(
      tensors.map((one) => `${one.op} ${one.name}`),
      ['MatMul h', 'Tanh t', 'MatMul u', 'Tanh v', 'MatMul y'],
    );
    assert.equal(skipped, 0);
    assert.ok(tensors.every(({ sqnrDb }) => Number(sqnrDb) > 30));
  });

  test('the first big drop is at the layer that was broken', async () => {
    const broken = gaussians(128 * 128, 9);
    const found = await runBoth(mlp(), mlp({ w2: [[128, 128], broken] }), { ort, layers: true });
    const { tensors = [], firstDrop } = found.layers ?? {};
    assert.equal(tensors[Number(firstDrop)].name, 'u');
    assert.deepEqual(
      tensors.slice(0, 2).map(({ sqnrDb }) => sqnrDb),
      [Infinity, Infinity],
    );
    assert.ok(Number(found.outputs[0].cosine) < 0.5);
  });

  test('tensors that the quantized model lacks are counted', async () => {
    const other = onnx({
      nodes: [node('MatMul', 'x w1', 'other'), node('Tanh', 'other', 't'), node('MatMul', 't w3', 'y')],
      inputs: { x: ['float', ['batch', 64]] },
      outputs: { y: ['float', ['batch', 10]] },
      weights: { w1: weights(64, 128, 1), w3: weights(128, 10, 3) },
    });
    const found = await runBoth(mlp(), other, { ort, layers: true });
    assert.equal(found.layers?.skipped, 3);
    assert.deepEqual(
      found.layers?.tensors.map(({ name }) => name),
      ['t', 'y'],
    );
  });

  test('a table’s rows bound what chooses from it; masks are ones; whole numbers that come out are counted', async () => {
    const float = words();
    const found = await runBoth(float, await shrunk(float, { scheme: { id: 'int8' } }), { ort, runs: 3 });
    assert.deepEqual(
      found.inputs.map(({ name, type, fill, because, shape }) => [name, type, fill, because, shape]),
      [
        ['input_ids', 'int32', { kind: 'integers', low: 0, high: 199 }, 'table', [1, 16]],
        ['attention_mask', 'int64', { kind: 'ones' }, 'name', [1, 16]],
      ],
    );
    const [y, best] = found.outputs;
    assert.ok(Number(y.cosine) > 0.999);
    assert.equal(y.largest, null);
    assert.equal(best.equal?.of, 3 * 16);
    assert.ok(Number(best.equal?.same) > 40);
    assert.deepEqual([best.cosine, best.sqnrDb], [null, null]);
  });

  test('the same seed gives the same numbers, another one others', async () => {
    const quantized = await shrunk(mlp(), { scheme: { id: 'int4' }, layout: 'contrib' });
    const one = async (/** @type {number} */ seed) =>
      (await runBoth(mlp(), quantized, { ort, seed, runs: 2 })).outputs[0].sqnrDb;
    assert.equal(await one(3), await one(3));
    assert.notEqual(await one(3), await one(4));
  });

  test('given inputs are taken as they are, once', async () => {
    const float = words();
    const given = {
      input_ids: { type: 'int64', dims: [1, 3], data: [1n, 199n, 7n] },
      attention_mask: { type: 'bool', dims: [1, 3], data: [true, true, false] },
    };
    const found = await runBoth(float, float, { ort, given });
    assert.deepEqual([found.runs, found.outputs[0].count, found.sizes.sequence], [1, 3 * 48, 3]);
    // What is left to chance has the sizes of what is given.
    const half = await runBoth(float, float, { ort, given: { input_ids: given.input_ids } });
    assert.deepEqual(half.inputs[1].shape, [1, 3]);
  });

  test('what cannot be is refused and says why', async () => {
    const [float, table] = [mlp(), words()];
    const given = (/** @type {any} */ type, /** @type {any} */ dims, /** @type {any} */ data) => ({
      x: { type, dims, data },
    });
    const x = new Float32Array(63);
    const nope = onnx({
      nodes: [node('Nope', 'x', 'y')],
      inputs: { x: ['float', [1]] },
      outputs: { y: ['float', [1]] },
    });
    const texts = onnx({
      nodes: [node('Identity', 'x', 'y')],
      inputs: { x: ['string', [1]] },
      outputs: { y: ['string', [1]] },
    });
    const large = { bytes: float, external: [{ path: 'w', data: { length: MOST_BYTES } }] };
    /** @type {[any, any, string, RegExp][]} */
    const cases = [
      [float, { given: given('float32', [1, 63], x) }, 'shape_mismatch', /"x".*expected batch × 64, found 1 × 63/],
      [float, { given: { z: { type: 'float32', dims: [1], data: [1] } } }, 'invalid_argument', /expected x, found z/],
      [table, { given: { input_ids: { type: 'float32', dims: [1, 1], data: [1] } } }, 'invalid_argument', /int32/],
      [
        table,
        { fills: { input_ids: { kind: 'integers', low: 300, high: 400 } } },
        'invalid_input',
        /out of data bounds/,
      ],
      [table, { fills: { input_ids: { kind: 'integers', low: 4, high: 3 } } }, 'invalid_argument', /4 to 3/],
      [table, { fills: { input_ids: { kind: 'waves' } } }, 'invalid_argument', /waves/],
      [float, { sizes: { batch: 2 ** 40 } }, 'invalid_argument', /batch = /],
      [float, { runs: 0 }, 'invalid_argument', /1 to 10000/],
      [nope, {}, 'unsupported_operator', /^the float model: .*Nope/],
      [texts, {}, 'unsupported', /element type 8/],
      [new Uint8Array(40).fill(8), {}, 'malformed', /graph/],
      [large, {}, 'too_large', /1500000000 bytes/],
      [float, { signal: AbortSignal.abort() }, 'aborted', /aborted/],
    ];
    for (const [model, options, code, words] of cases) {
      await assert.rejects(runBoth(model, model, { ort, ...options }), (/** @type {any} */ error) => {
        assert.equal(error.code, code, error.message);
        assert.match(error.message, words);
        return true;
      });
    }
  });

  test('the distances are those of ONNX Runtime and numpy', async () => {
    const path = new URL('../../../tests/goldens/measured.jsonl', import.meta.url);
    const [models, ...expected] = readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line)); // prettier-ignore
    const file = (/** @type {string} */ text) => new Uint8Array(Buffer.from(text, 'base64'));
    const words = Buffer.from(models.x, 'hex').swap32();
    const data = new Float32Array(words.buffer, words.byteOffset, words.length / 4);
    const given = { x: { type: 'float32', dims: models.shape, data } };
    const found = await runBoth(file(models.float), file(models.quantized), { ort, given, layers: true });
    assert.equal(found.layers?.tensors.length, expected.length);
    for (const { name, cosine, sqnrDb, maxAbs, same } of expected) {
      const ours = found.layers?.tensors.find((tensor) => tensor.name === name);
      assert.ok(Math.abs(Number(ours?.cosine) - cosine) < 1e-7, `${name} ${ours?.cosine} ${cosine}`);
      assert.ok(Math.abs(Number(ours?.sqnrDb) - sqnrDb) < 0.01, `${name} ${ours?.sqnrDb} ${sqnrDb}`);
      assert.ok(Math.abs(Number(ours?.maxAbs) / maxAbs - 1) < 1e-3, `${name} ${ours?.maxAbs} ${maxAbs}`);
      assert.deepEqual(ours?.largest, { same, of: models.shape[0] });
    }
  });

  test('a signal ends it between runs', async () => {
    const stop = new AbortController();
    let runs = 0;
    const onProgress = ({ stage }) => {
      if (stage === 'run' && ++runs === 3) stop.abort();
    };
    await assert.rejects(runBoth(mlp(), mlp(), { ort, signal: stop.signal, onProgress, runs: 50 }), {
      code: 'aborted',
    });
    assert.equal(runs, 3);
  });
});

describe('the graph', () => {
  test('inputs, outputs, nodes and shapes are read, and more outputs are outputs', () => {
    const graph = readGraph(words());
    assert.deepEqual(graph.inputs[0], { name: 'input_ids', type: 6, dims: ['batch', 'sequence'] });
    assert.deepEqual(graph.weights.get('table'), [200, 32]);
    assert.deepEqual(graph.nodes[6], { op: 'ArgMax', inputs: ['y'], outputs: ['best'], numbers: Object.assign(Object.create(null), { axis: -1, keepdims: 0 }) }); // prettier-ignore
    const more = readGraph(withOutputs(words(), ['x', 'xm']));
    assert.deepEqual(
      more.outputs.map(({ name }) => name),
      ['y', 'best', 'x', 'xm'],
    );
    assert.equal(more.nodes.length, graph.nodes.length);
  });

  test('a file that is cut anywhere is an error or a smaller graph, never more', () => {
    const whole = onnx({
      nodes: [node('MatMul', 'x w', 'y')],
      inputs: { x: ['float', ['n', 4]] },
      outputs: { y: ['float', ['n', 2]] },
      weights: { w: weights(4, 2, 1) },
    });
    for (let end = 0; end < whole.length; end++) {
      assert.throws(() => readGraph(whole.subarray(0, end)), { code: 'malformed' }, `cut at ${end}`);
    }
    const random = new Random(5);
    for (let i = 0; i < 3000; i++) {
      const broken = Uint8Array.from(whole);
      broken[Math.floor(random.uniform() * broken.length)] = Math.floor(random.uniform() * 256);
      try {
        readGraph(broken);
      } catch (error) {
        assert.equal(/** @type {any} */ (error).code, 'malformed');
      }
    }
  });

  test('sizes that the model leaves open are named, added up, and chosen', () => {
    const graph = readGraph(
      onnx({
        nodes: [],
        inputs: {
          past: ['float', ['batch', 4, 'past_length', 8]],
          attention_mask: ['int64', ['batch', 'past_length + 1']],
          pixels: ['float', ['', 3, 'height', 'width']],
        },
        outputs: {},
      }),
    );
    const inputs = inputsOf(graph);
    assert.deepEqual({ ...sizesOf(inputs) }, { batch: 1, past_length: 0, 'pixels[0]': 1, height: 224, width: 224 });
    assert.equal(sizesOf(inputs, { height: 32 }).height, 32);
  });
});

describe('numbers', () => {
  test('the distance is that of the book', () => {
    const tally = new Tally('y');
    tally.add({ type: 'float32', dims: [2], data: [3, 4] }, { type: 'float32', dims: [2], data: [4, 3] });
    const { cosine, sqnrDb, maxAbs, count } = tally.result();
    assert.deepEqual([maxAbs, count], [1, 2]);
    assert.ok(Math.abs(Number(cosine) - 24 / 25) < 1e-15);
    assert.ok(Math.abs(Number(sqnrDb) - 10 * Math.log10(12.5)) < 1e-12);
  });

  test('what is not finite is left out and counted, other shapes as well', () => {
    const tally = new Tally('y');
    const two = (/** @type {number[]} */ data) => ({ type: 'float32', dims: [data.length], data });
    tally.add(two([1, NaN, Infinity, 2]), two([1, 1, 1, Infinity]));
    tally.add(two([1]), two([1, 2]));
    const { nonFinite, otherShapes, count, sqnrDb } = tally.result();
    assert.deepEqual([nonFinite, otherShapes, count, sqnrDb], [3, 1, 1, Infinity]);
    const none = new Tally('z');
    none.add(two([0, 0]), two([0, 1]));
    assert.deepEqual([none.result().cosine, none.result().sqnrDb], [null, -Infinity]);
  });

  test('half precision goes to its bits and back, ties to even', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = fromHalf(bits);
      if (!Number.isNaN(value)) assert.equal(toHalf(value), bits);
    }
    for (const [value, bits] of [
      [65519.99, 0x7bff], [65520, 0x7c00], [2 ** -25, 0], [2 ** -25 * 1.01, 1], [1 + 2 ** -11, 0x3c00], [1 + 3 * 2 ** -11, 0x3c02],
    ]) assert.equal(toHalf(value), bits, String(value)); // prettier-ignore
    assert.ok(Number.isNaN(fromHalf(toHalf(NaN))));
  });

  test('random numbers have the moments they are said to have', () => {
    const random = new Random(1, 2, 3);
    let [sum, squares] = [0, 0];
    for (let i = 0; i < 100_000; i++) {
      const x = random.gaussian();
      sum += x;
      squares += x * x;
    }
    assert.ok(Math.abs(sum / 1e5) < 0.02 && Math.abs(squares / 1e5 - 1) < 0.03, `${sum} ${squares}`);
    assert.notEqual(new Random(1, 0, 0).uniform(), new Random(1, 0, 1).uniform());
  });
});
