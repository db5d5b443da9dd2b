/** Training through the package. Its gradients are held against differences in tests/nn_train.rs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DigitsNet, MATRICES, Trainer, init, openModel } from './index.js';

await init();
const open = (/** @type {string} */ name) =>
  openModel(fileURLToPath(new URL(`../public/models/${name}.safetensors`, import.meta.url)));
const digits = await open('digits');
const weights = await Promise.all(
  digits.tensors.map(async ({ name }) => /** @type {const} */ ([name, await digits.read(name)])),
);
const images = async (/** @type {string} */ name) => {
  const file = await open(name);
  return /** @type {const} */ ([await file.readBytes('images'), await file.readBytes('labels')]);
};
const [training, heldOut] = [await images('digits-training'), await images('digits-heldout')];

/** @param {import('./trainer.js').TrainerOptions} [options] */
function sample(options) {
  const trainer = new Trainer(...training, options);
  for (const [name, values] of weights) trainer.set(name, values);
  return trainer;
}

test('learning at two bits beats rounding after training, and the network itself says so', () => {
  const trainer = sample({ steps: 60, distil: {} });
  assert.equal(trainer.score(...heldOut).correct, 358);
  trainer.teach();
  trainer.round(2);
  const before = trainer.score(...heldOut);
  const first = trainer.run(10);
  assert.deepEqual([first.step, first.of], [10, 60]);
  assert.equal(trainer.run(1000).step, 60);
  const after = trainer.score(...heldOut);
  assert.ok(after.loss < before.loss && after.correct > before.correct, JSON.stringify([before, after]));
  const net = new DigitsNet();
  for (const [name] of weights) net.set(name, trainer.weights(name));
  net.setHeldOut(...heldOut);
  assert.equal(net.accuracy().correct, after.correct);
  net.free();
  trainer.free();
  assert.throws(() => trainer.run(), { code: 'freed' });
});

test('pruned weights stay zero, shared ones few', () => {
  const trainer = sample({ steps: 4 });
  trainer.prune(0.5);
  trainer.run(4);
  const values = trainer.weights('fc1.weight');
  assert.ok(values.filter((v) => v === 0).length >= values.length / 2);
  trainer.share(2, ['fc2.weight']);
  assert.ok(new Set(trainer.weights('fc2.weight')).size <= 5);
  trainer.free();
});

test('what cannot be learned is refused', () => {
  assert.throws(() => new Trainer(training[0], training[1].subarray(1)), { code: 'shape_mismatch' });
  assert.throws(() => new Trainer(...training, { rate: 0 }), { code: 'invalid_argument' });
  const trainer = sample();
  assert.throws(() => trainer.set('x', new Float32Array(1)), { code: 'unknown_tensor' });
  assert.throws(() => trainer.round(1), { code: 'invalid_argument' });
  assert.throws(() => trainer.prune(2), { code: 'invalid_argument' });
  trainer.free();
  assert.equal(MATRICES.length, 4);
});
