/**
 * What the worker answers to the lesson about training: loaded with the first such question.
 */
import { openModel } from '../lib/core.js';
import { Trainer } from '../lib/trainer.js';

/** Steps between two looks at the clock. */
const STRIDE = 5;
/** Milliseconds of work before other questions have their turn. */
const TURN = 40;

/** @typedef {{images: Uint8Array, labels: Uint8Array}} Digits */
/** @typedef {{tensors: Map<string, {values: Float32Array}>, images: Uint8Array, labels: Uint8Array}} Sample */

/** @type {Promise<Digits> | null} */
let training = null;

/** @param {string} models */
export function digitsToLearn(models) {
  training ??= trainingDigits(models).catch((error) => {
    training = null;
    throw error;
  });
  return training;
}

/** @param {string} models @returns {Promise<Digits>} */
async function trainingDigits(models) {
  const file = await openModel(new URL('digits-training.safetensors', models).href);
  try {
    return { images: await file.readBytes('images'), labels: await file.readBytes('labels') };
  } finally {
    await file.close();
  }
}

/** Others have their turn. */
const rest = () => new Promise((resolve) => void setTimeout(resolve));

/**
 * The network rounded after training, and trained with rounding, from the same float weights: straight through, and with the float network as
 * teacher too. Means over the seeds, on the held-out digits.
 * @param {Sample} sample
 * @param {{bits: number, seeds: number[], models: string}} payload without seeds: rounding alone
 * @param {{signal: AbortSignal, tell: (progress: any) => void}} tools
 */
export async function train(sample, { bits, seeds, models }, { signal, tell }) {
  const { images, labels } = await digitsToLearn(models);
  const begin = (/** @type {any} */ options) => {
    const trainer = new Trainer(images, labels, options);
    for (const [name, { values }] of sample.tensors) trainer.set(name, values);
    return trainer;
  };
  const scored = (/** @type {Trainer} */ trainer) => trainer.score(sample.images, sample.labels);
  const started = performance.now();
  const plain = begin({});
  /** @type {{float: any, rounded: any}} */
  let before;
  try {
    const float = scored(plain);
    plain.round(bits);
    before = { float, rounded: scored(plain) };
  } finally {
    plain.free();
  }
  /** @type {{straight: any[], distilled: any[]}} */
  const after = { straight: [], distilled: [] };
  const jobs = seeds.flatMap((seed) => [
    { way: /** @type {const} */ ('straight'), seed },
    { way: /** @type {const} */ ('distilled'), seed },
  ]);
  /** @type {{way: string, seed: number, step: number, loss: number}[]} */
  const curve = [];
  for (const [i, { way, seed }] of jobs.entries()) {
    const trainer = begin({ seed, distil: way === 'distilled' ? {} : null });
    try {
      if (way === 'distilled') trainer.teach();
      trainer.round(bits);
      let turn = performance.now();
      for (let at = trainer.run(STRIDE); ; at = trainer.run(STRIDE)) {
        if (performance.now() - turn > TURN || at.step >= at.of) {
          curve.push({ way, seed, step: at.step, loss: at.loss });
          tell({ done: i + at.step / at.of, of: jobs.length, way, seed, loss: at.loss });
          await rest();
          if (signal.aborted) throw Object.assign(new Error('cancelled'), { code: 'aborted' });
          turn = performance.now();
        }
        if (at.step >= at.of) break;
      }
      after[way].push(scored(trainer));
    } finally {
      trainer.free();
    }
  }
  return {
    bits,
    ...before,
    after: { straight: mean(after.straight), distilled: mean(after.distilled) },
    seconds: (performance.now() - started) / 1000,
  };
}

/** @param {{loss: number, correct: number, total: number}[]} scores */
function mean(scores) {
  if (scores.length === 0) return null;
  const of = (/** @type {'loss' | 'correct'} */ what) =>
    scores.reduce((sum, one) => sum + one[what], 0) / scores.length;
  return { loss: of('loss'), correct: of('correct'), total: scores[0].total, seeds: scores.length };
}
