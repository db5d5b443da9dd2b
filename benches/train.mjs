/**
 * What learning at few bits gains on the digits network: held-out loss and right images after rounding, after training with straight-through
 * rounding, and distilled, the mean of three seeds; and Deep Compression's retraining after pruning and sharing. `cargo xtask bench train`
 * builds the engine and prints the tables.
 */
import { DigitsNet, Trainer, init, openModel } from '../www/lib/index.js';

const MODELS = new URL('../www/public/models/', import.meta.url);
const SEEDS = [1, 2, 3];
const open = (/** @type {string} */ name) => openModel(new URL(name, MODELS).pathname);

await init();
const model = await open('digits.safetensors');
const weights = await Promise.all(
  model.tensors.map(async ({ name }) => /** @type {const} */ ([name, await model.read(name)])),
);
const images = async (/** @type {string} */ name) => {
  const file = await open(name);
  return /** @type {const} */ ([await file.readBytes('images'), await file.readBytes('labels')]);
};
const training = await images('digits-training.safetensors');
const heldOut = await images('digits-heldout.safetensors');
const label = (/** @type {import('../www/lib/trainer.js').Score} */ s) =>
  `${s.loss.toFixed(4)} | ${s.correct.toFixed(1)}`;

/**
 * @param {import('../www/lib/trainer.js').TrainerOptions} options
 * @param {(trainer: Trainer) => void} form
 * @param {boolean} [learns]
 */
function once(options, form, learns = true, start = weights) {
  const trainer = new Trainer(...training, options);
  for (const [name, values] of start) trainer.set(name, values);
  trainer.teach();
  form(trainer);
  const begun = performance.now();
  if (learns) trainer.run(10_000);
  const seconds = (performance.now() - begun) / 1000;
  const result = { ...trainer.score(...heldOut), seconds };
  const learned = weights.map(([name]) => /** @type {const} */ ([name, trainer.weights(name)]));
  trainer.free();
  return { result, learned };
}

/** @param {import('../www/lib/trainer.js').TrainerOptions} options @param {(trainer: Trainer) => void} form */
function mean(options, form) {
  const all = SEEDS.map((seed) => once({ ...options, seed }, form).result);
  const of = (/** @type {'loss' | 'correct' | 'seconds'} */ key) =>
    all.reduce((sum, s) => sum + s[key], 0) / all.length;
  return { loss: of('loss'), correct: of('correct'), total: 360, accuracy: 0, seconds: of('seconds') };
}

console.log('Held-out loss in nats and right images of 360; learned: mean of seeds 1, 2, 3.\n');
console.log(
  '| weights | rounded after training: loss | right | learned: loss | right | distilled: loss | right | seconds each |',
);
console.log('|---|--:|--:|--:|--:|--:|--:|--:|');
console.log(`| float | ${label(once({}, () => {}, false).result)} | | | | | |`);
for (const bits of [2, 3, 4]) {
  const round = (/** @type {Trainer} */ trainer) => trainer.round(bits);
  const [learned, distilled] = [mean({}, round), mean({ distil: {} }, round)];
  const after = once({}, round, false).result;
  console.log(
    `| ${bits} bits | ${label(after)} | ${label(learned)} | ${label(distilled)} | ${learned.seconds.toFixed(1)}, ${distilled.seconds.toFixed(1)} |`,
  );
}
const scratch = SEEDS.map((seed) => {
  const trainer = new Trainer(...training, { seed, rate: 0.002, steps: 450 });
  const begun = performance.now();
  trainer.run(450);
  const seconds = (performance.now() - begun) / 1000;
  const score = trainer.score(...heldOut);
  trainer.free();
  return { ...score, seconds };
});
const average = (/** @type {'loss' | 'correct' | 'seconds'} */ key) =>
  scratch.reduce((sum, s) => sum + s[key], 0) / SEEDS.length;
console.log(
  `\nIn float from nothing, 450 steps: loss ${average('loss').toFixed(4)}, ${average('correct').toFixed(1)} right, ${average('seconds').toFixed(1)} s.\n`,
);

console.log('| Deep Compression’s stages | loss | right |');
console.log('|---|--:|--:|');
/** What the paper prunes least stays densest: the first and the last layer. @type {[string, number][]} */
const RATIOS = [['conv1.weight', 0.3], ['conv2.weight', 0.75], ['fc1.weight', 0.9], ['fc2.weight', 0.5]]; // prettier-ignore
const prune = (/** @type {Trainer} */ t) => RATIOS.forEach(([name, ratio]) => t.prune(ratio, [name]));
const share = (/** @type {Trainer} */ t) => {
  t.share(5, ['conv1.weight', 'conv2.weight']);
  t.share(3, ['fc1.weight', 'fc2.weight']);
};
console.log(`| pruned (30, 75, 90, 50 % of the four layers) | ${label(once({}, prune, false).result)} |`);
const retrained = once({ steps: 450 }, prune);
console.log(`| retrained | ${label(retrained.result)} |`);
console.log(`| shared (5, 5, 3, 3 bits) | ${label(once({}, share, false, retrained.learned).result)} |`);
const tuned = once({ rate: 0.0003 }, share, true, retrained.learned);
console.log(`| centroids fine-tuned | ${label(tuned.result)} |`);
const net = new DigitsNet();
for (const [name, values] of tuned.learned) net.set(name, values);
net.setHeldOut(...heldOut);
console.log(`\nThe fine-tuned weights in the network itself: ${net.accuracy().correct} right.`);
net.free();
