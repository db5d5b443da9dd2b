/**
 * Deep Compression of the digits network with retraining, as the paper describes it: pruned, the weights that stay trained again, shared, the shared values
 * fine-tuned, and all of it stored in a container that is read back. Loaded with the first such question.
 */
import { openModel, plan, shrink } from '../lib/core.js';
import { Trainer } from '../lib/trainer.js';
import { blobSink } from '../lib/shrink/sinks.js';

/** Steps between two looks at the clock. */
const STRIDE = 5;
/** Milliseconds of work before other questions have their turn. */
const TURN = 40;
/** Steps of 32 images: ten times through the sample's images for what was pruned, five for the shared values. */
const STEPS = { pruned: 450, shared: 225 };
/** The shared values are near what they shall be: a small rate. */
const RATES = { pruned: 0.001, shared: 0.0003 };

/**
 * What becomes of each matrix: what the paper prunes least, the first and the last layer, stays densest.
 * @type {readonly Layer[]}
 */
export const LAYERS = Object.freeze([
  { name: 'conv1.weight', ratio: 0.3, bits: 5 },
  { name: 'conv2.weight', ratio: 0.75, bits: 5 },
  { name: 'fc1.weight', ratio: 0.9, bits: 3 },
  { name: 'fc2.weight', ratio: 0.5, bits: 3 },
]);

/**
 * @typedef {import('../types.js').RetrainedLayer} Layer
 * @typedef {{images: Uint8Array, labels: Uint8Array}} Digits
 * @typedef {{name: string, shape: number[], values: Float32Array}} Tensor
 * @typedef {import('../types.js').RetrainedScore} Score
 * @typedef {import('../types.js').RetrainedRow} Row
 * @typedef {import('../types.js').Retrained} Outcome
 */

/** Others have their turn. */
const rest = () => new Promise((resolve) => void setTimeout(resolve));

/**
 * @param {{training: Digits, heldOut: Digits, tensors: readonly Tensor[]}} sample
 * @param {{layers?: readonly Layer[], seed?: number}} [choices]
 * @param {{signal?: AbortSignal, tell?: (progress: {stage: string, done: number, of: number, loss: number}) => void}} [tools]
 * @returns {Promise<Outcome>}
 */
export async function retrain({ training, heldOut, tensors }, { layers = LAYERS, seed = 1 } = {}, tools = {}) {
  const started = Date.now();
  const total = STEPS.pruned + STEPS.shared;
  const begin = (/** @type {'pruned' | 'shared'} */ stage, /** @type {readonly Tensor[]} */ from) => {
    const options = { steps: STEPS[stage], rate: RATES[stage], seed };
    const trainer = new Trainer(training.images, training.labels, options);
    for (const { name, values } of from) trainer.set(name, values);
    return trainer;
  };
  const score = (/** @type {Trainer} */ trainer) => trainer.score(heldOut.images, heldOut.labels);
  const weights = (/** @type {Trainer} */ trainer) =>
    tensors.map((tensor) => ({ ...tensor, values: trainer.weights(tensor.name) }));
  const prune = (/** @type {Trainer} */ trainer) => layers.forEach(({ name, ratio }) => trainer.prune(ratio, [name]));
  const share = (/** @type {Trainer} */ trainer) => layers.forEach(({ name, bits }) => trainer.share(bits, [name]));
  const learn = async (/** @type {Trainer} */ trainer, /** @type {string} */ stage, /** @type {number} */ before) => {
    let turn = Date.now();
    for (let at = trainer.run(STRIDE); ; at = trainer.run(STRIDE)) {
      if (Date.now() - turn > TURN || at.step >= at.of) {
        tools.tell?.({ stage, done: before + at.step, of: total, loss: at.loss });
        await rest();
        if (tools.signal?.aborted) throw Object.assign(new Error('cancelled'), { code: 'aborted' });
        turn = Date.now();
      }
      if (at.step >= at.of) return;
    }
  };

  const first = begin('pruned', tensors);
  /** @type {{[stage: string]: Score}} */
  const scores = { float: score(first) };
  /** @type {readonly Tensor[]} */
  let pruned;
  /** @type {readonly Tensor[]} */
  let retrained;
  try {
    prune(first);
    scores.pruned = score(first);
    pruned = weights(first);
    await learn(first, 'retrained', 0);
    scores.retrained = score(first);
    retrained = weights(first);
  } finally {
    first.free();
  }
  const second = begin('shared', retrained);
  /** @type {readonly Tensor[]} */
  let tuned;
  try {
    share(second);
    scores.shared = score(second);
    await learn(second, 'tuned', STEPS.pruned);
    scores.tuned = score(second);
    tuned = weights(second);
  } finally {
    second.free();
  }
  const third = begin('shared', pruned);
  /** @type {readonly Tensor[]} */
  let untrained;
  try {
    share(third);
    scores.untrained = score(third);
    untrained = weights(third);
  } finally {
    third.free();
  }
  const stored = await store(tuned, layers);
  const plain = await store(untrained, layers);
  const last = begin('shared', stored.back);
  try {
    scores.coded = score(last);
  } finally {
    last.free();
  }
  const { float, untrained: without } = scores;
  return {
    rows: rowsOf(stored.report, scores),
    plain: {
      rows: rowsOf(plain.report, { float, pruned: scores.pruned, shared: without, coded: without }),
      report: plain.report,
    },
    report: stored.report,
    file: stored.file,
    verified: stored.verified && plain.verified,
    seconds: (Date.now() - started) / 1000,
    layers,
  };
}

/** In which of a report's stages the weights of a row are stored. */
const STORED = /** @type {const} */ ({
  float: 'float',
  pruned: 'pruned',
  retrained: 'pruned',
  shared: 'shared',
  tuned: 'shared',
  coded: 'coded',
});

/**
 * @param {import('../lib/shrink/report.js').Report} report
 * @param {{[stage: string]: Score}} scores
 * @returns {Row[]}
 */
function rowsOf({ stages }, scores) {
  const names = /** @type {Row['stage'][]} */ (Object.keys(STORED)).filter((stage) => scores[stage] !== undefined);
  return names.map((stage) => ({
    stage,
    bytes: stages?.[STORED[/** @type {keyof typeof STORED} */ (stage)]] ?? 0,
    score: scores[stage],
  }));
}

/**
 * Stores a network in a container, its weights as they are: what is zero is not stored, and shared values are kept. All of it is read back.
 * @param {readonly Tensor[]} tensors
 * @param {readonly Layer[]} layers
 */
async function store(tensors, layers) {
  const model = await openModel(safetensors(tensors));
  try {
    const rules = layers.map(({ name, bits }) => ({ match: name, scheme: { id: 'deep', prune: 'none', bits } }));
    const sink = blobSink();
    const report = await shrink(await plan(model, { to: 'deep', rules }), sink, { workers: 0 });
    const file = /** @type {Blob} */ (sink.files.get(''));
    const container = await openModel(await file.arrayBuffer());
    try {
      const back = [];
      for (const tensor of tensors) back.push({ ...tensor, values: await container.read(tensor.name) });
      const verified = back.every(({ values }, i) => isSame(values, tensors[i].values));
      return { report, file, back, verified };
    } finally {
      await container.close();
    }
  } finally {
    await model.close();
  }
}

/** Whether all bits are equal, but that −0 is 0. @param {Float32Array} a @param {Float32Array} b */
const isSame = (a, b) => a.length === b.length && a.every((x, i) => x === b[i]);

/** A file of f32 tensors. @param {readonly Tensor[]} tensors */
function safetensors(tensors) {
  let at = 0;
  const entries = tensors.map(({ name, shape, values }) => {
    const place = [at, (at += values.byteLength)];
    return [name, { dtype: 'F32', shape, data_offsets: place }];
  });
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const file = new Uint8Array(8 + header.length + at);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  let to = 8 + header.length;
  for (const { values } of tensors) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), to);
    to += values.byteLength;
  }
  return file;
}
