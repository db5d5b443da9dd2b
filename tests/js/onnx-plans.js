/** ONNX models to plan for a size, and what a plan does to their outputs. No tests. */
import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openModel, plan, runBoth, shrink } from '../../www/lib/index.js';
import { memorySink } from './models.js';
import { node, onnx } from './onnx.js';

const MODELS = new URL('../../www/public/models/', import.meta.url);
const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, MODELS));

/** The small encoder of tests/goldens/weighed.py. */
export function encoder() {
  const [first] = readFileSync(new URL('../goldens/weighed.jsonl', import.meta.url), 'utf8').split('\n');
  return new Uint8Array(Buffer.from(JSON.parse(first).file, 'base64'));
}

/** The sample network as ONNX: 10 logits for each image. */
export async function digits() {
  const model = await openModel(path('digits.safetensors'));
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
export async function images(which, n) {
  const model = await openModel(path(`digits-${which}.safetensors`));
  const bytes = (await model.readBytes('images')).subarray(0, 64 * n);
  await model.close();
  return { type: 'float32', dims: [n, 1, 8, 8], data: Float32Array.from(bytes, (x) => x / 16) };
}

/** How far what was planned is from the float model: the relative squared error of the first output. @param {Uint8Array} bytes @param {any} options @param {any} inputs */
export async function damage(bytes, options, inputs) {
  const model = await openModel(bytes);
  const sink = memorySink();
  const planned = await plan(model, { to: 'onnx', workers: 1, ...options });
  await shrink(planned, sink, { workers: 1 });
  await model.close();
  const { outputs } = await runBoth(bytes, /** @type {Uint8Array} */ (sink.files.get('')), inputs);
  return { error: 10 ** (-Number(outputs[0].sqnrDb) / 10), bytes: planned.outputBytes, cost: planned.found?.cost };
}
