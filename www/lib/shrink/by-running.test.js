import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { init, measureDamage, openModel, plan, planByRunning } from '../index.js';

const MODELS = fileURLToPath(new URL('../../public/models/', import.meta.url));

before(() => init());

const open = (/** @type {string} */ name) => openModel(join(MODELS, name));

/** Images that the digits network was trained on. @param {number} from @param {number} to */
async function pictures(from, to) {
  const training = await open('digits-training.safetensors');
  const images = (await training.readBytes('images')).slice(from * 64, to * 64);
  await training.close();
  return images;
}

test('a plan chosen by running fits, says how it was found, and is nearer on what it was chosen by than the plan by cost', async () => {
  const model = await open('digits.safetensors');
  const images = await pictures(0, 200);
  const options = { to: /** @type {const} */ ('gguf'), targetBytes: 57024, workers: 1 };
  /** @type {import('./by-running.js').RunProgress[]} */
  const told = [];
  const chosen = await planByRunning(model, options, { images, runs: 120, onProgress: (one) => told.push(one) });
  const byCost = await plan(model, options);
  assert.ok(chosen.outputBytes <= 57024);
  const { byRunning } = /** @type {any} */ (chosen.found);
  assert.deepEqual([byRunning.measure, byRunning.answers], ['cosine', 200]);
  assert.ok(byRunning.moved < byRunning.byCost, JSON.stringify(byRunning));
  assert.ok(byRunning.runs <= 120);
  assert.deepEqual([told.length, told[0].runs], [byRunning.runs - 1, 120]);
  assert.ok(told.every(({ run }, i) => run === i + 2));
  assert.equal(/** @type {any} */ (byCost.found).byRunning, null);

  const found = /** @type {any} */ (chosen.found);
  const [weight, bias] = [found.why('fc1.weight'), found.why('fc1.bias')];
  assert.equal(bias, null);
  assert.deepEqual([weight.byRunning, weight.isFree], [true, true]);
  assert.equal(/** @type {any} */ (byCost.found).why('fc1.weight').byRunning, false);
  const sum = ['conv1', 'conv2', 'fc1', 'fc2'].reduce((all, layer) => {
    const why = found.why(`${layer}.weight`);
    return all + why.weight * why.error;
  }, 0);
  assert.ok(Math.abs(found.cost - sum) < 1e-12);

  const recipe = chosen.recipe();
  assert.deepEqual(/** @type {any} */ (recipe.aim).byRunning, byRunning);
  assert.equal((await plan(model, { recipe: JSON.parse(JSON.stringify(recipe)) })).outputBytes, chosen.outputBytes);
  await model.close();
});

test('what a rule or a hand decided stays as it is', async () => {
  const model = await open('digits.safetensors');
  const rules = [
    { match: 'fc2.weight', scheme: { id: 'q4_0' } },
    { match: 'fc1.weight', exclude: ['q3_k', 'iq4_nl', 'iq4_xs'] },
  ];
  const options = { to: /** @type {const} */ ('gguf'), targetBytes: 57024, workers: 1, rules };
  const chosen = await planByRunning(model, options, { images: await pictures(0, 60) });
  const of = (/** @type {string} */ name) => chosen.tensors.find((tensor) => tensor.name === name);
  assert.equal(of('fc2.weight')?.dtype, 'Q4_0');
  assert.ok(!['Q3_K', 'IQ4_NL', 'IQ4_XS'].includes(of('fc1.weight')?.dtype ?? ''));
  const near = chosen.found?.near('fc2.weight');
  assert.deepEqual([near?.isFree, near?.byRunning], [false, false]);
  await model.close();
});

test('few runs do not lead to a worse plan than none', async () => {
  const model = await open('digits.safetensors');
  const images = await pictures(0, 60);
  for (const runs of [1, 2, 10, 60]) {
    const chosen = await planByRunning(model, { to: 'gguf', targetBytes: 62336, workers: 1 }, { images, runs });
    const byRunning = /** @type {any} */ (chosen.found).byRunning;
    assert.ok(byRunning.runs <= Math.max(runs, 2), `${byRunning.runs} of ${runs}`);
    assert.ok(byRunning.moved <= byRunning.byCost);
  }
  await model.close();
});

test('a language model is chosen by what it says itself, and judged by what it says another time', async () => {
  const model = await open('rust-docs.gguf');
  const options = { targetBytes: 1.25e6 };
  const chosen = await planByRunning(model, options, { tokens: 96, runs: 90 });
  const byCost = await plan(model, options);
  const { byRunning } = /** @type {any} */ (chosen.found);
  assert.deepEqual([byRunning.measure, byRunning.answers], ['divergence', 96]);
  assert.ok(chosen.outputBytes <= 1.25e6);
  const [a, b] = [await measureDamage(chosen, { tokens: 256 }), await measureDamage(byCost, { tokens: 256 })];
  assert.ok(a.divergence < b.divergence, `${a.divergence}, by cost ${b.divergence}`);
  await model.close();
});

test('what cannot be run is refused, and a search can be given up', async () => {
  const other = await open('digits-heldout.safetensors');
  const options = { to: /** @type {const} */ ('npz'), targetBytes: 1e6, workers: 1 };
  await assert.rejects(planByRunning(other, options), { code: 'unsupported' });
  await other.close();
  const model = await open('digits.safetensors');
  const images = await pictures(0, 60);
  const gguf = { to: /** @type {const} */ ('gguf'), workers: 1 };
  await assert.rejects(planByRunning(model, { ...gguf, targetBytes: 1000 }, { images }), { code: 'unreachable' });
  await assert.rejects(planByRunning(model, gguf, { images }), { code: 'invalid_argument', expected: /targetBytes/ });
  await assert.rejects(planByRunning(model, { ...gguf, targetBytes: 6e4 }), { expected: /64 bytes for each image/ });
  const stop = new AbortController();
  const how = { images, signal: stop.signal, onProgress: () => stop.abort() };
  await assert.rejects(planByRunning(model, { ...gguf, targetBytes: 6e4 }, how), { code: 'aborted' });
  await model.close();
});
