/** Whether what stands in an output's place is what a job would write: every format, and what only looks like it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gaussians, memorySink, safetensors } from '../../../tests/js/models.js';
import { init } from '../engine.js';
import { openModel } from '../model.js';
import { bytesSource } from '../sources.js';
import { shrink } from './job.js';
import { plan } from './plan.js';
import { standing } from './standing.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const DIGITS = join(ROOT, 'www/public/models/digits.safetensors');
const MLP = join(ROOT, 'tests/data/corpus/onnx/mlp.onnx');

/** Tensors of several steps, norms that are copied, and a head. @param {number} seed */
const large = (seed) =>
  new File(
    [
      safetensors({
        'model.norm.weight': [[256], gaussians(256, 7)],
        'model.layers.0.mlp.up_proj.weight': [[9000, 256], gaussians(9000 * 256, 8)],
        'lm_head.weight': [[64, 256], gaussians(64 * 256, seed)],
      }),
    ],
    'large.safetensors',
  );

/** @type {[name: string, from: () => any, options: import('./plan.js').PlanOptions][]} */
const CASES = [
  [
    'GGUF, every key copied',
    () => join(ROOT, 'tests/data/hugging_face/llama/expected.gguf'),
    { scheme: { id: 'q8_0' } },
  ],
  ['GGUF by a preset', () => large(1), { to: 'gguf', preset: 'Q4_K_M' }],
  ['safetensors, cast', () => large(1), { scheme: { id: 'bf16' } }],
  ['safetensors, copied', () => large(1), {}],
  ['compressed-tensors', () => large(1), { scheme: { id: 'int4' }, layout: 'compressed-tensors' }],
  ['npz, with sums', () => DIGITS, { to: 'npz', scheme: { id: 'int8' } }],
  ['Deep Compression, whose lengths are found out', () => DIGITS, { to: 'deep', scheme: { id: 'deep', bits: 4 } }],
  ['ONNX as DequantizeLinear', () => MLP, { scheme: { id: 'int8' } }],
  ['ONNX as MatMulNBits', () => MLP, { scheme: { id: 'int4' }, layout: 'contrib' }],
];

before(() => init());

/** @param {Map<string, Uint8Array>} files */
const among = (files) => async (/** @type {string} */ name) => {
  const bytes = files.get(name);
  return bytes ? bytesSource(bytes, name) : null;
};

for (const [name, from, options] of CASES) {
  test(`${name}: the job's own output is known again, and another is told by where it differs`, async () => {
    const model = await openModel(from());
    const planned = await plan(model, options);
    const sink = memorySink();
    // Of a file whose length is found out the sink is told when it is opened.
    await shrink(planned, sink, { workers: 0 });
    assert.deepEqual(await standing(planned, among(sink.files)), { state: 'same' });
    for (const [file, bytes] of sink.files) {
      const changed = (/** @type {Uint8Array} */ other) =>
        standing(planned, among(new Map([...sink.files, [file, other]])));
      assert.equal((await changed(bytes.slice(0, -1))).state, 'other', `${file} cut`);
      const first = bytes.slice();
      first[1] ^= 1;
      const found = await changed(first);
      assert.ok(found.state === 'other' && found.difference.file === file && found.difference.offset === 1, file);
    }
    const [gone] = sink.files.keys();
    const without = new Map(sink.files);
    without.delete(gone);
    assert.deepEqual(await standing(planned, among(without)), { state: 'none' });
    await model.close();
  });
}

describe('a model of the same names and shapes', () => {
  for (const [what, options] of /** @type {[string, import('./plan.js').PlanOptions][]} */ ([
    ['packed', { to: 'gguf', scheme: { id: 'q8_0' } }],
    ['cast', { scheme: { id: 'bf16' } }],
    ['copied', {}],
  ])) {
    test(`that differs in its head alone is another, ${what}`, async () => {
      const [one, other] = [await openModel(large(1)), await openModel(large(2))];
      const sink = memorySink();
      await shrink(await plan(one, options), sink, { workers: 0 });
      const found = await standing(await plan(other, options), among(sink.files));
      assert.equal(found.state, 'other');
      assert.match(found.state === 'other' ? found.difference.found : '', /^bytes /);
      await Promise.all([one.close(), other.close()]);
    });
  }
});
