import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { LanguageModel, evaluate, init, measureDamage, measureWeights, openModel, plan } from '../index.js';
import { runnable } from './runnable.js';

const MODELS = fileURLToPath(new URL('../../public/models/', import.meta.url));

before(() => init());

/** Mean Kullback–Leibler divergence of rows of logits. @param {Float32Array} p @param {Float32Array} q @param {number} width */
function divergence(p, q, width) {
  let sum = 0;
  for (let row = 0; row < p.length; row += width) {
    const [a, b] = [p, q].map((x) => Array.from(x.subarray(row, row + width), Math.exp));
    const [za, zb] = [a, b].map((x) => x.reduce((total, v) => total + v, 0));
    for (let i = 0; i < width; i++) sum += (a[i] / za) * Math.log(a[i] / za / (b[i] / zb));
  }
  return sum / (p.length / width);
}

test('weights of a language model foretell what schemes do to text that it has not read', async () => {
  const model = await openModel(join(MODELS, 'rust-docs.gguf'));
  assert.equal(runnable(model), 'language');
  /** @type {number[]} */
  const done = [];
  const weights = await measureWeights(model, { tokens: 128, onProgress: (progress) => done.push(progress.done) });
  const names = Object.keys(weights);
  assert.equal(names.length, 29);
  assert.deepEqual(
    done,
    Array.from({ length: 30 }, (_, i) => i),
  );
  assert.ok(Object.values(weights).every((weight) => weight > 0));
  const others = names.filter((name) => name !== 'token_embd.weight');
  assert.ok(others.every((name) => weights[name] < weights['token_embd.weight']));

  const lm = await LanguageModel.load(model);
  const { vocabulary } = lm.sizes;
  const text =
    'A `Vec<T>` grows when it is pushed to: its elements are moved to a larger allocation, and references into it end.';
  const tokens = lm.tokenize(text.repeat(8)).subarray(0, 255);
  const reference = lm.logitsOf(tokens);
  for (const scheme of [{ id: 'q4_0' }, { id: 'q5_k' }, { id: 'int4', granularity: 'group', groupSize: 64 }]) {
    lm.requantize(/** @type {any} */ (scheme));
    const found = divergence(reference, lm.logitsOf(tokens), vocabulary);
    let expected = 0;
    for (const name of names) {
      const { values, shape } = lm.floats(name);
      const { sqnrDb } = evaluate(values, shape, /** @type {any} */ (scheme)).metrics;
      expected += weights[name] * 10 ** (-sqnrDb / 10);
    }
    assert.ok(found / expected > 0.5 && found / expected < 2, `${scheme.id}: ${found} of ${expected}`);
  }
  lm.free();
  await model.close();
});

test('weights of the digits network need images, and no labels', async () => {
  const model = await openModel(join(MODELS, 'digits.safetensors'));
  assert.equal(runnable(model), 'digits');
  const training = await openModel(join(MODELS, 'digits-training.safetensors'));
  const images = (await training.readBytes('images')).slice(0, 64 * 200);
  const weights = await measureWeights(model, { images });
  assert.deepEqual(Object.keys(weights), ['conv1.weight', 'conv2.weight', 'fc1.weight', 'fc2.weight']);
  assert.ok(Object.values(weights).every((weight) => weight > 0));
  await assert.rejects(measureWeights(model), { code: 'invalid_argument', expected: /64 bytes for each image/ });
  await assert.rejects(measureWeights(model, { images, signal: AbortSignal.abort() }), { code: 'aborted' });
});

test('a model that the engine cannot run is refused', async () => {
  const model = await openModel(join(MODELS, 'digits-heldout.safetensors'));
  assert.equal(runnable(model), null);
  await assert.rejects(measureWeights(model), { code: 'unsupported', found: 'safetensors' });
});

test('what a plan does to the digits is what the network answers under it', async () => {
  const model = await openModel(join(MODELS, 'digits.safetensors'));
  const heldOut = await openModel(join(MODELS, 'digits-heldout.safetensors'));
  const how = { images: await heldOut.readBytes('images'), labels: await heldOut.readBytes('labels') };
  const damage = async (/** @type {any} */ scheme) => measureDamage(await plan(model, { to: 'gguf', scheme }), how);
  const [fine, rough] = [await damage({ id: 'q8_0' }), await damage({ id: 'tq2_0' })];
  assert.deepEqual(fine.right, { before: 358, after: 358 });
  assert.equal(fine.answers, 360);
  assert.ok(fine.divergence < 1e-4 && rough.divergence > 100 * fine.divergence);
  assert.ok(/** @type {any} */ (rough.right).after < 358 && rough.same < fine.same);
  assert.ok(/** @type {any} */ (rough.loss).after > /** @type {any} */ (rough.loss).before);
});

test('what a plan does to a language model follows what its weights foretell', async () => {
  const model = await openModel(join(MODELS, 'rust-docs.gguf'));
  const weights = await measureWeights(model, { tokens: 96 });
  const p = await plan(model, { targetBytes: 1.4e6, weights });
  const found = await measureDamage(p, { tokens: 96 });
  const expected = /** @type {any} */ (p.found).cost;
  assert.ok(found.divergence / expected > 0.5 && found.divergence / expected < 2, `${found.divergence} of ${expected}`);
  assert.deepEqual([found.kind, found.answers, found.right, found.loss], ['language', 96, null, null]);
  const told = await measureDamage(p, { tokens: 96, text: 'Ownership is Rust’s most unique feature. '.repeat(20) });
  assert.ok(/** @type {any} */ (told.loss).after > 0);
});
