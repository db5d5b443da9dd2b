/**
 * Models that can be run: what each matrix's error counts, and, of those that the engine runs itself, what a plan does to the answers.
 *
 * Weights are found with one matrix after the other quantized and all others left as they are. Where errors are small, the damage of a matrix is
 * its relative squared error times a number of its own (the answers move in proportion to the weights' error, and their divergence with its
 * square), whatever the scheme: that number is its weight.
 */
import { options, whole, wrong } from '../check.js';
import { DigitsNet } from '../digits.js';
import { wasm } from '../engine.js';
import { FewerbitsError, throwIfAborted } from '../errors.js';
import { LanguageModel } from '../lm.js';
import { Weights } from '../weights.js';
import { DIGITS, runnable } from './runnable.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {{done: number, total: number, tensor: string}} Progress
 *
 * @typedef {object} MeasureOptions
 * @property {string} [text] of a language model: what it reads; by default what it says itself, drawn with a seed
 * @property {number} [tokens] of a language model: how many it reads, 256 by default
 * @property {Uint8Array} [images] of the digits network: `[n, 8, 8]`, 0…16; for weights such as those of digits-training.safetensors
 * @property {Uint8Array} [labels] of these images, for the number that is read rightly; weights need none
 * @property {import('../measure/session.js').Runtime} [ort] of an ONNX model: what runs it, such as `import * as ort from 'onnxruntime-web'`
 * @property {number} [runs] of an ONNX model: on so many random inputs, 8 by default
 * @property {number} [seed] of random inputs, 1 by default
 * @property {{[dimension: string]: number}} [sizes] of an ONNX model: dimensions that it leaves open
 * @property {{[input: string]: import('../measure/inputs.js').Fill}} [fills] of an ONNX model: in the place of what is guessed
 * @property {{[input: string]: import('../measure/inputs.js').Given}} [given] of an ONNX model: inputs in the place of random ones
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 *
 * @typedef {object} Runner a model that can be asked
 * @property {'digits' | 'language'} kind
 * @property {string[]} names of its matrices
 * @property {(name: string, values: Float32Array) => void} set
 * @property {(name: string) => {values: Float32Array, shape: readonly number[]} | undefined} floats as the file has them
 * @property {() => Float32Array} answers logits, rows of `width`
 * @property {number} width
 * @property {() => void} free
 * @property {readonly number[] | Uint8Array | Uint32Array | null} right the answer to each, where it is known
 * @typedef {import('./reasons.js').Damage} Damage
 * @typedef {{moved: number, terms: Float64Array | null}} Moved how far answers moved; `terms`: each of them, where that is their mean
 */

/** What a matrix is tried with: errors of half a percent, whatever its rows are. */
const PROBE = { id: 'int4', granularity: /** @type {const} */ ('group'), groupSize: 32 };
const TOKENS = 256;
/** Logits that are kept at most. */
const LOGITS = 1 << 24;
/** What a language model says by itself is drawn with these: what a plan is chosen by is not what it is judged by. */
const SEEDS = Object.freeze({ choosing: 1, judging: 2 });

/**
 * Weights for a plan's option `weights`: nats for a relative squared error of 1. With them a plan's cost is the Kullback–Leibler divergence, in
 * nats for each answer, that is expected of all errors together. Of an ONNX model, whose outputs may be anything: their relative squared error in
 * the place of nats.
 *
 * @param {Model} model
 * @param {MeasureOptions} [given]
 * @returns {Promise<{[tensor: string]: number}>}
 * @throws {FewerbitsError} `unsupported` for a model that cannot be run; `aborted`; of an ONNX model as `runBoth`, and `non_finite`
 */
export async function measureWeights(model, given) {
  const { signal, onProgress = () => {}, ...how } = options(given);
  throwIfAborted(signal);
  if (runnable(model) === 'onnx') {
    const { ort } = how;
    if (!ort) throw wrong('ort', "a runtime for ONNX models: import * as ort from 'onnxruntime-web'", ort);
    const { runs, seed, sizes, fills, given: values } = how;
    const { weighOnnx } = await import('../measure/weigh.js');
    return weighOnnx(model, { ort, probe: PROBE, ...{ runs, seed, sizes, fills, given: values }, signal, onProgress });
  }
  const runner = await runnerOf(model, how, 'choosing', signal);
  try {
    const total = runner.names.length;
    const distance = divergenceFrom(runner);
    const weights = await weigh(runner, distance, async (tensor, done) => {
      onProgress({ done, total, tensor });
      await breath(signal);
    });
    onProgress({ done: total, total, tensor: '' });
    return weights;
  } finally {
    runner.free();
  }
}

/**
 * The weight of each matrix: how far a rough one moves the answers, by its error.
 * @param {Runner} runner
 * @param {() => Moved} distance of the answers as they are from those of the floats
 * @param {(tensor: string, done: number) => Promise<void>} before each
 * @returns {Promise<{[tensor: string]: number}>}
 */
export async function weigh(runner, distance, before) {
  /** @type {{[tensor: string]: number}} */
  const weights = Object.create(null);
  for (const [done, name] of runner.names.entries()) {
    await before(name, done);
    const { values, shape } = /** @type {{values: Float32Array, shape: readonly number[]}} */ (runner.floats(name));
    const { rough, error } = probed(values, shape);
    weights[name] = 0;
    if (error === 0) continue;
    runner.set(name, rough);
    weights[name] = distance().moved / error;
    runner.set(name, values);
  }
  return { ...weights };
}

/** Lets messages in. @param {AbortSignal} [signal] */
export async function breath(signal) {
  await new Promise((resolve) => void setTimeout(resolve, 0));
  throwIfAborted(signal);
}

/**
 * @param {Model} model
 * @param {MeasureOptions} how
 * @param {keyof SEEDS} what for
 * @param {AbortSignal} [signal]
 * @returns {Promise<Runner>}
 */
export async function runnerOf(model, how, what, signal) {
  return kindOf(model) === 'language' ? language(model, how, SEEDS[what], signal) : digits(model, how, signal);
}

/**
 * What the engine runs itself.
 * @param {Model} model
 * @returns {Runner['kind']}
 * @throws {FewerbitsError} `unsupported`
 */
export function kindOf(model) {
  const kind = runnable(model);
  if (kind === 'language' || kind === 'digits') return kind;
  throw new FewerbitsError('unsupported', 'the engine cannot run this model', {
    file: model.name,
    expected: 'the digits network, or a llama in one GGUF file with its tokenizer',
    found: model.format,
  });
}

/**
 * @param {Model} model
 * @param {MeasureOptions} how
 * @param {number} seed
 * @param {AbortSignal} [signal]
 * @returns {Promise<Runner>}
 */
async function language(model, { text, tokens = TOKENS }, seed, signal) {
  const most = whole(tokens, 'the number of tokens');
  if (most < 2) throw wrong('the number of tokens', 'a whole number, 2 or above', tokens);
  const lm = await LanguageModel.load(model, {
    context: (text === undefined ? Math.min(most, TOKENS) : most) + 1,
    signal,
  });
  try {
    const width = lm.sizes.vocabulary;
    const room = Math.max(2, Math.min(most, Math.floor(LOGITS / width)));
    const read =
      text === undefined
        ? await passages(lm, room, seed, signal)
        : [beginning(lm, lm.tokenize(text)).subarray(0, room)];
    if (!read[0] || read[0].length < 2) throw wrong('the text', 'two tokens or more', text);
    const floats = new Map(lm.matrices.map(({ name }) => [name, lm.floats(name)]));
    return {
      kind: 'language',
      names: [...floats.keys()],
      floats: (name) => floats.get(name),
      set: (name, values) => lm.set(name, values),
      answers: () => joined(read.map((tokens) => lm.logitsOf(tokens))),
      width,
      // What the model says itself is no measure of what it knows.
      right: text === undefined ? null : read[0].subarray(1),
      free: () => lm.free(),
    };
  } catch (error) {
    lm.free();
    throw error;
  }
}

/**
 * What the model says by itself, each time from the beginning: no longer at once than it may have learnt to.
 * @param {LanguageModel} lm
 * @param {number} room
 * @param {number} seed
 * @param {AbortSignal} [signal]
 */
async function passages(lm, room, seed, signal) {
  lm.seed(seed);
  /** @type {Uint32Array[]} */
  const found = [];
  for (let left = room; left >= 2;) {
    await breath(signal);
    const tokens = said(lm, Math.min(left, TOKENS));
    if (tokens.length >= 2) found.push(tokens);
    left -= Math.max(2, tokens.length);
  }
  return found;
}

/** @param {LanguageModel} lm @param {number} room */
function said(lm, room) {
  lm.begin('');
  /** @type {number[]} */
  const tokens = [];
  while (tokens.length < room - 1) {
    const next = lm.next({ temperature: 1 });
    if (next === null) break;
    tokens.push(next.token);
  }
  return beginning(lm, tokens);
}

/** @param {Float32Array[]} parts */
function joined(parts) {
  if (parts.length === 1) return parts[0];
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

/** @param {LanguageModel} lm @param {Uint32Array | number[]} tokens */
const beginning = (lm, tokens) => Uint32Array.from(lm.first === undefined ? tokens : [lm.first, ...tokens]);

/**
 * @param {Model} model
 * @param {MeasureOptions} how
 * @param {AbortSignal} [signal]
 * @returns {Promise<Runner>}
 */
async function digits(model, { images, labels }, signal) {
  if (!(images instanceof Uint8Array) || images.length === 0 || images.length % 64 !== 0) {
    throw wrong('the images', 'a Uint8Array of 64 bytes for each image', images);
  }
  /** @type {Map<string, {values: Float32Array, shape: readonly number[]}>} */
  const all = new Map();
  for (const { name, shape } of model.tensors) all.set(name, { shape, values: await model.read(name, { signal }) });
  const net = new DigitsNet();
  try {
    for (const [name, { values }] of all) net.set(name, values);
    net.setHeldOut(images, labels ?? new Uint8Array(images.length / 64));
    return {
      kind: 'digits',
      names: DIGITS.map((layer) => `${layer}.weight`),
      floats: (name) => all.get(name),
      set: (name, values) => net.set(name, values),
      answers: () => net.logits(),
      width: 10,
      right: labels ?? null,
      free: () => net.free(),
    };
  } catch (error) {
    net.free();
    throw error;
  }
}

/**
 * What a plan does to a model's answers: its tensors as planned, run by the engine, beside the float ones.
 *
 * @param {import('./plan.js').Plan} plan
 * @param {MeasureOptions} [given]
 * @returns {Promise<Damage>}
 * @throws {FewerbitsError} `unsupported` for a model that the engine cannot run; `aborted`
 */
export async function measureDamage(plan, given) {
  const { signal, onProgress = () => {}, ...how } = options(given);
  throwIfAborted(signal);
  const runner = await runnerOf(plan.model, how, 'judging', signal);
  try {
    const before = logProbabilities(runner.answers(), runner.width);
    const changed = plan.tensors.filter(({ name, scheme }) => scheme !== null && runner.floats(name));
    for (const [done, { name, scheme }] of changed.entries()) {
      onProgress({ done, total: changed.length, tensor: name });
      await breath(signal);
      runner.set(name, reconstructed(/** @type {any} */ (runner.floats(name)), /** @type {any} */ (scheme)));
    }
    const after = logProbabilities(runner.answers(), runner.width);
    onProgress({ done: changed.length, total: changed.length, tensor: '' });
    return compared(runner, before, after);
  } finally {
    runner.free();
  }
}

/**
 * @param {Runner} runner
 * @param {Float64Array} before
 * @param {Float64Array} after
 * @returns {Damage}
 */
function compared({ kind, width, right }, before, after) {
  const answers = before.length / width;
  const best = (/** @type {Float64Array} */ of) =>
    Array.from({ length: answers }, (_, i) => likeliest(of, i * width, width));
  const [a, b] = [best(before), best(after)];
  const nats = (/** @type {Float64Array} */ of) => {
    let [sum, n] = [0, 0];
    right?.forEach((/** @type {number} */ answer, /** @type {number} */ i) => {
      if (i < answers) [sum, n] = [sum - of[i * width + answer], n + 1];
    });
    return sum / Math.max(1, n);
  };
  const count = (/** @type {number[]} */ of) => of.filter((answer, i) => answer === right?.[i]).length;
  return {
    ...{ kind, answers, divergence: divergence(before, after, width), same: a.filter((x, i) => x === b[i]).length },
    loss: right === null ? null : { before: nats(before), after: nats(after) },
    right: right === null || kind !== 'digits' ? null : { before: count(a), after: count(b) },
  };
}

/** The first of the largest. @param {Float64Array} values @param {number} from @param {number} width */
function likeliest(values, from, width) {
  let best = 0;
  for (let i = 1; i < width; i++) if (values[from + i] > values[from + best]) best = i;
  return best;
}

/** @param {{values: Float32Array, shape: readonly number[]}} tensor @param {import('../types.js').Scheme} scheme */
export function reconstructed({ values, shape }, scheme) {
  const weights = new Weights(values, shape);
  try {
    return weights.reconstruct(scheme);
  } finally {
    weights.free();
  }
}

/** A matrix read back from the probe, and its relative squared error. @param {Float32Array} values @param {readonly number[]} shape */
function probed(values, shape) {
  const rough = reconstructed({ values, shape }, PROBE);
  const { sqnrDb } = wasm().compare(values, rough, { bins: 0 });
  return { rough, error: 10 ** (-sqnrDb / 10) };
}

/** @param {Float32Array} logits @param {number} width */
function logProbabilities(logits, width) {
  const out = new Float64Array(logits.length);
  for (let row = 0; row < logits.length; row += width) {
    let largest = -Infinity;
    for (let i = 0; i < width; i++) largest = Math.max(largest, logits[row + i]);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(logits[row + i] - largest);
    const all = largest + Math.log(sum);
    for (let i = 0; i < width; i++) out[row + i] = logits[row + i] - all;
  }
  return out;
}

/** How far a runner's answers have moved from what they are now: Kullback–Leibler, nats for each. @param {Runner} runner */
export function divergenceFrom(runner) {
  const { width } = runner;
  const reference = logProbabilities(runner.answers(), width);
  return () => {
    const terms = divergences(reference, logProbabilities(runner.answers(), width), width);
    return { moved: mean(terms), terms };
  };
}

/** The same by the cosine of all logits together: what it lacks of 1. @param {Runner} runner @returns {() => Moved} */
export function cosineFrom(runner) {
  const reference = runner.answers();
  return () => {
    const answers = runner.answers();
    let [ab, aa, bb] = [0, 0, 0];
    for (let i = 0; i < answers.length; i++) {
      const [a, b] = [reference[i], answers[i]];
      [ab, aa, bb] = [ab + a * b, aa + a * a, bb + b * b];
    }
    return { moved: Math.max(0, 1 - ab / Math.sqrt(aa * bb)), terms: null };
  };
}

/** Mean Kullback–Leibler divergence of the rows, in nats. @param {Float64Array} p @param {Float64Array} q @param {number} width */
const divergence = (p, q, width) => mean(divergences(p, q, width));

/** Of each row. @param {Float64Array} p @param {Float64Array} q @param {number} width */
function divergences(p, q, width) {
  const rows = new Float64Array(p.length / width);
  for (let i = 0; i < p.length; i++) rows[Math.floor(i / width)] += Math.exp(p[i]) * (p[i] - q[i]);
  return rows;
}

/** @param {Float64Array} terms */
const mean = (terms) => Math.max(0, terms.reduce((sum, x) => sum + x, 0) / terms.length);
