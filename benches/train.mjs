/**
 * What learning at few bits gains on the digits network: held-out loss and right images after rounding, after training with straight-through
 * rounding, and distilled, the mean of three seeds; and Deep Compression's retraining after pruning and sharing. `cargo xtask bench train`
 * builds the engine and prints the tables.
 */
import { retrain } from '../www/engine/worker-retrain.js';
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
function once(options, form, learns = true) {
  const trainer = new Trainer(...training, options);
  for (const [name, values] of weights) trainer.set(name, values);
  trainer.teach();
  form(trainer);
  const begun = performance.now();
  if (learns) trainer.run(10_000);
  const seconds = (performance.now() - begun) / 1000;
  const result = { ...trainer.score(...heldOut), seconds };
  trainer.free();
  return result;
}

/** @param {import('../www/lib/trainer.js').TrainerOptions} options @param {(trainer: Trainer) => void} form */
function mean(options, form) {
  const all = SEEDS.map((seed) => once({ ...options, seed }, form));
  const of = (/** @type {'loss' | 'correct' | 'seconds'} */ key) =>
    all.reduce((sum, s) => sum + s[key], 0) / all.length;
  return { loss: of('loss'), correct: of('correct'), total: 360, accuracy: 0, seconds: of('seconds') };
}

console.log('Held-out loss in nats and right images of 360; learned: mean of seeds 1, 2, 3.\n');
console.log(
  '| weights | rounded after training: loss | right | learned: loss | right | distilled: loss | right | seconds each |',
);
console.log('|---|--:|--:|--:|--:|--:|--:|--:|');
console.log(`| float | ${label(once({}, () => {}, false))} | | | | | |`);
for (const bits of [2, 3, 4]) {
  const round = (/** @type {Trainer} */ trainer) => trainer.round(bits);
  const [learned, distilled] = [mean({}, round), mean({ distil: {} }, round)];
  const after = once({}, round, false);
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

const tensors = weights.map(([name, values]) => {
  const shape = model.tensors.find((tensor) => tensor.name === name)?.shape ?? [];
  return { name, shape, values };
});
const digits = ([images, labels]) => ({ images, labels });
const outcome = await retrain({ training: digits(training), heldOut: digits(heldOut), tensors });
const TITLES = {
  float: 'float',
  pruned: 'pruned, with indices',
  retrained: 'the rest trained again',
  shared: 'values shared',
  tuned: 'shared values fine-tuned',
  coded: 'Huffman coded, read back',
};
const what = outcome.layers.map(({ ratio, bits }) => `${ratio * 100} % at ${bits} bits`).join(', ');
console.log(
  `Deep Compression, the four layers pruned and shared: ${what}; bytes of the whole file, biases and header too.\n`,
);
console.log('| stage | bytes | smaller | loss | right | without retraining: bytes | smaller | loss | right |');
console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|');
const cells = (/** @type {any} */ row, /** @type {any} */ [first]) =>
  row
    ? `${row.bytes} | ${(first.bytes / row.bytes).toFixed(1)}× | ${row.score.loss.toFixed(4)} | ${row.score.correct}`
    : ' | | | ';
for (const row of outcome.rows) {
  const plain = outcome.plain.rows.find(({ stage }) => stage === row.stage);
  console.log(`| ${TITLES[row.stage]} | ${cells(row, outcome.rows)} | ${cells(plain, outcome.plain.rows)} |`);
}
console.log('\n| tensor | kept | padding zeros | code + gap, bits | float | pruned | shared | coded | smaller |');
console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|');
for (const { name, stages } of outcome.report.tensors) {
  if (!stages) continue;
  const { kept, weights: all, padding, codeBits, indexBits, float, pruned, shared, coded } = stages;
  const bits = `${codeBits} + ${indexBits}`;
  console.log(
    `| ${name} | ${kept} of ${all} | ${padding} | ${bits} | ${float} | ${pruned} | ${shared} | ${coded} | ${(float / coded).toFixed(1)}× |`,
  );
}
console.log(`\nEvery weight read back as trained: ${outcome.verified}; ${outcome.seconds.toFixed(1)} s.`);
const net = new DigitsNet();
const container = await openModel(await outcome.file.arrayBuffer());
for (const { name } of container.tensors) net.set(name, await container.read(name));
net.setHeldOut(...heldOut);
console.log(`The container in the network itself: ${net.accuracy().correct} right.`);
net.free();
await container.close();
