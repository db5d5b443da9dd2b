/**
 * What the worker answers to the lesson's figures, each about the sample network: nothing is remembered between questions but the network itself.
 * Weights cross as histograms, levels and pictures. Loaded with the first question.
 */
import { DigitsNet, Weights, article, compare, openModel, quantize, stats } from '../lib/core.js';
import { overRows } from './worker-sample.js';
import { meant, meantCode, meantValue } from './worker-formula.js';

/** @typedef {{name: string, shape: number[], values: Float32Array, weights: any}} Tensor */
/** @typedef {{network: any, tensors: Map<string, Tensor>, images: Uint8Array, labels: Uint8Array}} Sample */

/** Weights of a bell curve, for comparison: some more would not move the decibels' first digit. */
const BELL = [64, 1024];
/** Runs in one measurement: clocks of browsers are coarse. */
const REPEATS = 2;

export class Lesson {
  constructor() {
    /** @type {Promise<Sample> | null} */
    this.loading = null;
    /** @type {Sample | null} */
    this.sample = null;
    /** @type {Weights | null} */
    this.bell = null;
    /** Whether the sample is in a build that another one has replaced. */
    this.moved = false;
    /** @type {{[type: string]: (payload: any, tools: any) => any}} */
    this.answers = {
      'lesson-look': (payload, { sample }) => look(sample, payload),
      'lesson-scheme': (payload, { sample }) => scheme(sample, payload),
      'lesson-printed': (payload, { sample }) => printed(sample, payload),
      'lesson-read': (payload, { sample }) => read(sample, payload),
      'lesson-trace': (payload, { sample }) => trace(sample, payload),
      'lesson-many': (payload, { sample }) => this.#many(sample, payload),
      'lesson-time': (payload, { sample }) => time(sample, payload),
      'lesson-stages': (payload, { sample }) => stages(sample, payload),
      'lesson-plan': (payload, { sample }) => planned(sample, payload),
      'lesson-train': async (payload, tools) =>
        (await import('./worker-training.js')).train(tools.sample, payload, tools),
      'lesson-continue': async (payload, tools) => (await import('./worker-language.js')).continued(payload, tools),
      'lesson-retrain': (payload, tools) => retrained(payload, tools),
      'lesson-levels': (payload) => levels(payload),
      'lesson-requests': () => requested(),
    };
  }

  /**
   * @param {string} type
   * @param {{models: string}} payload
   * @param {any} tools
   */
  async answer(type, payload, tools) {
    const answer = this.answers[type];
    if (!answer) throw Object.assign(new Error(`no answer to ${type}`), { code: 'invalid_argument' });
    // The language model is another network.
    if (type === 'lesson-continue') return answer(payload, tools);
    this.loading ??= load(payload.models).catch((error) => {
      this.loading = null;
      throw error;
    });
    this.sample = await this.loading;
    if (this.moved) this.#renew(this.sample);
    return answer(payload, { ...tools, sample: this.sample });
  }

  /** Another build of the engine has come. The sample may be on its way: with the next question it goes over. */
  move() {
    this.moved = true;
  }

  /** The small build lacks schemes, and the network's integers and signs. @param {Sample} sample */
  #renew(sample) {
    this.moved = false;
    this.bell?.free();
    this.bell = null;
    for (const tensor of sample.tensors.values()) {
      tensor.weights.free();
      tensor.weights = new Weights(tensor.values, tensor.shape);
    }
    sample.network.free();
    sample.network = network(sample);
  }

  /**
   * Schemes on one tensor, or on weights of a bell curve: bits, decibels, bytes; and what the network still reads where that is asked.
   * @param {Sample} sample
   * @param {{tensor: string, schemes: any[], zeros?: number, net?: boolean}} payload `zeros`: that share of the smallest weights is zero before
   */
  #many(sample, { tensor, schemes, zeros = 0, net }) {
    this.bell ??= new Weights(bellCurve(BELL[0] * BELL[1]), BELL);
    const given = tensor === 'bell' ? this.bell : of(sample, tensor).weights;
    const weights = zeros > 0 ? sparse(given, zeros) : given;
    const list = schemes.map((one) => {
      const { bitsPerWeight, byteLength, metrics } = overRows(one, (s) =>
        weights.evaluate(s, { bins: 1, errorBins: 1 }),
      );
      const correct = net ? correctUnder(sample, () => one) : null;
      return { bits: bitsPerWeight, bytes: byteLength, sqnrDb: metrics.sqnrDb, rmse: metrics.rmse, correct };
    });
    if (weights !== given) weights.free();
    return list;
  }
}

/** @param {string} models where the files are @returns {Promise<Sample>} */
async function load(models) {
  const [model, heldOut] = await Promise.all([
    openModel(new URL('digits.safetensors', models).href),
    openModel(new URL('digits-heldout.safetensors', models).href),
  ]);
  try {
    /** @type {Map<string, Tensor>} */
    const tensors = new Map();
    for (const { name, shape } of model.tensors) {
      const values = await model.read(name);
      tensors.set(name, { name, shape: [...shape], values, weights: new Weights(values, shape) });
    }
    const [images, labels] = [await heldOut.readBytes('images'), await heldOut.readBytes('labels')];
    const sample = { tensors, images, labels, network: null };
    return { ...sample, network: network(sample) };
  } finally {
    await model.close();
    await heldOut.close();
  }
}

/** @param {{tensors: Map<string, Tensor>, images: Uint8Array, labels: Uint8Array}} sample */
function network({ tensors, images, labels }) {
  const made = new DigitsNet();
  for (const { name, values } of tensors.values()) made.set(name, values);
  made.setHeldOut(images, labels);
  return made;
}

/** @param {Sample} sample @param {string} name */
function of(sample, name) {
  const tensor = sample.tensors.get(name);
  if (!tensor) throw Object.assign(new Error(`no tensor named ${name}`), { code: 'unknown_tensor', tensor: name });
  return tensor;
}

/** @param {Sample} sample */
const matrices = ({ tensors }) => [...tensors.values()].filter(({ shape }) => shape.length > 1);

/**
 * How many digits are read right when each matrix is what `make` makes of it (null: itself). The network is float again afterwards.
 * @param {Sample} sample
 * @param {(tensor: Tensor) => Float32Array | null} make
 */
function correctWith(sample, make) {
  try {
    for (const tensor of matrices(sample)) sample.network.set(tensor.name, make(tensor) ?? tensor.values);
    return sample.network.accuracy().correct;
  } finally {
    for (const { name, values } of matrices(sample)) sample.network.set(name, values);
  }
}

/** @param {Sample} sample @param {(tensor: Tensor) => any} schemeOf null for float */
const correctUnder = (sample, schemeOf) =>
  correctWith(sample, (tensor) => {
    const one = schemeOf(tensor);
    return one && overRows(one, (s) => tensor.weights.reconstruct(s));
  });

/** @param {Sample} sample @param {{tensor: string, bins: number, range?: [number, number], quantiles?: number[]}} payload */
function look(sample, { tensor, bins, range, quantiles }) {
  const { shape, weights } = of(sample, tensor);
  return { shape, stats: weights.stats({ bins, ...(range && { range }), ...(quantiles && { quantiles }) }) };
}

/**
 * One tensor under several schemes, on one axis, with what the network reads when all matrices have the scheme (`net: 'all'`) or this one alone
 * (`'one'`); `others` is what the other matrices have then. `boost` makes one weight another one first.
 * @param {Sample} sample
 * @param {{tensor: string, schemes: any[], axis: [number, number], bins: number, errorBins?: number, samples?: number, at?: number,
 *   net?: 'all' | 'one', others?: any, boost?: {index: number, value: number} | null}} payload
 */
function scheme(sample, { tensor, schemes, axis, bins, errorBins = 1, samples = 0, at = 0, net, others, boost }) {
  const held = of(sample, tensor);
  const values = boost ? held.values.slice() : held.values;
  if (boost) values[boost.index] = boost.value;
  const weights = boost ? new Weights(values, held.shape) : held.weights;
  try {
    const found = weights.stats({ bins, range: axis });
    const total = sample.labels.length;
    const list = schemes.map((one) => {
      const evaluation = weights.evaluate(one, { bins, range: axis, errorBins, at });
      const stairs = samples > 0 ? weights.staircase(one, { at, lo: axis[0], hi: axis[1], samples }) : null;
      const isHere = (/** @type {Tensor} */ t) => t.name === tensor;
      const correct = !net
        ? null
        : correctWith(sample, (t) => {
            if (isHere(t)) return weights.reconstruct(one);
            return net === 'all' ? overRows(others ?? one, (s) => t.weights.reconstruct(s)) : null;
          });
      return { evaluation, stairs, correct };
    });
    return { stats: found, shape: held.shape, list, total, float: correctWith(sample, () => null) };
  } finally {
    if (boost) weights.free();
  }
}

/**
 * The article's formula on all matrices: as it is printed, as it is meant, and with an integer zero point.
 * @param {Sample} sample
 * @param {{tensor: string, view: 'float' | 'printed' | 'meant' | 'zero', min: number, max: number, bits: number, index: number,
 *   axis: [number, number], bins: number}} payload
 */
function printed(sample, { tensor, view, min, max, bits, index, axis, bins }) {
  const [least, most] = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  const withZero = { id: `int${bits}`, symmetric: false };
  const rangesOf = (/** @type {Tensor} */ t) => {
    const { min: low, max: high } = t.weights.stats({ bins: 0 });
    return { low, high, least, most };
  };
  const make = (/** @type {Tensor} */ t) => {
    if (view === 'printed') return article.quantizeZero(t.values, min, max).values;
    if (view === 'meant') return meant(t.values, rangesOf(t));
    return view === 'zero' ? t.weights.reconstruct(withZero) : t.values;
  };
  const held = of(sample, tensor);
  const result = make(held);
  const x = held.values[index];
  const ranges = rangesOf(held);
  const q = meantCode(x, ranges);
  const run = view === 'zero' ? held.weights.trace(withZero, index).run : null;
  const zero = view === 'meant' ? meantValue(meantCode(0, ranges), ranges) : view === 'zero' ? 0 : null;
  return {
    reference: held.weights.stats({ bins, range: axis }).histogram,
    result: stats(result, { bins, range: axis }).histogram,
    distinct: distinct(result),
    zeros: result.reduce((/** @type {number} */ n, /** @type {number} */ v) => n + (v === 0 ? 1 : 0), 0),
    count: result.length,
    correct: correctWith(sample, make),
    total: sample.labels.length,
    weight: { x, back: result[index], q, zeroPoint: run?.zeroPoint ?? null, scale: run?.scale ?? null },
    ranges,
    zero,
  };
}

/** Values that occur, ascending, where there are few. @param {Float32Array} values */
function distinct(values) {
  const found = new Set();
  for (const v of values) if (found.add(v + 0).size > 300) return null;
  return Float32Array.from(found).sort();
}

/**
 * Some of the held-out digits, and what the network takes them for under each scheme (null: float).
 * @param {Sample} sample
 * @param {{schemes: any[], images: number[]}} payload
 */
function read(sample, { schemes, images }) {
  const size = 64;
  const taken = schemes.map((one) => {
    try {
      for (const { name, values, weights } of matrices(sample))
        sample.network.set(name, one ? overRows(one, (s) => weights.reconstruct(s)) : values);
      const logits = sample.network.logits();
      const { correct } = sample.network.accuracy();
      return { said: images.map((i) => first(logits.subarray(10 * i, 10 * i + 10))), correct };
    } finally {
      for (const { name, values } of matrices(sample)) sample.network.set(name, values);
    }
  });
  return {
    images: images.map((i) => sample.images.slice(size * i, size * i + size)),
    labels: images.map((i) => sample.labels[i]),
    taken,
    total: sample.labels.length,
  };
}

/** The place of the first of the largest. @param {Float32Array} logits */
function first(logits) {
  let at = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[at]) at = i;
  return at;
}

/** One weight's way through a scheme. @param {Sample} sample @param {{tensor: string, scheme: any, index: number, around: number}} payload */
function trace(sample, { tensor, scheme: one, index, around }) {
  const { weights, values, shape } = of(sample, tensor);
  const from = index - (index % around);
  return {
    trace: weights.trace(one, index),
    from,
    around: values.slice(from, from + around),
    shape,
    ...overRows(one, (s) => {
      const { bitsPerWeight, byteLength, metrics } = weights.evaluate(s, { bins: 1, errorBins: 1 });
      return { bits: bitsPerWeight, bytes: byteLength, sqnrDb: metrics.sqnrDb };
    }),
    correct: correctUnder(sample, () => one),
    total: sample.labels.length,
  };
}

/**
 * The network over all held-out images in several arithmetics, by turns: the median of the rounds, in ms.
 * @param {Sample} sample
 * @param {{arithmetics: string[], rounds: number}} payload
 */
function time(sample, { arithmetics, rounds }) {
  const ready = arithmetics.map((arithmetic) => ({
    arithmetic,
    net: sample.network.prepare({ arithmetic }),
    correct: sample.network.accuracy({ arithmetic }).correct,
    /** @type {number[]} */
    times: [],
  }));
  try {
    // The first rounds are for the compiler.
    for (let round = -3; round < rounds; round++) {
      for (const { net, times } of ready) {
        const start = performance.now();
        for (let i = 0; i < REPEATS; i++) net.run();
        if (round >= 0) times.push((performance.now() - start) / REPEATS);
      }
    }
  } finally {
    for (const { net } of ready) net.free();
  }
  const median = (/** @type {number[]} */ list) => list.sort((a, b) => a - b)[list.length >> 1];
  return {
    times: Object.fromEntries(ready.map(({ arithmetic, times }) => [arithmetic, median(times)])),
    correct: Object.fromEntries(ready.map(({ arithmetic, correct }) => [arithmetic, correct])),
    total: sample.labels.length,
    rounds,
  };
}

/**
 * Deep Compression without retraining: what each stage makes of the matrices, in bytes, each packed, read back and compared.
 * @param {Sample} sample
 * @param {{ratio: number, bits: number}} payload
 */
function stages(sample, { ratio, bits }) {
  const prune = ratio > 0 ? { prune: 'ratio', pruneRatio: ratio } : {};
  const list = [
    { name: 'float', scheme: null },
    { name: 'prune', scheme: { id: 'f16', ...prune } },
    { name: 'share', scheme: { id: 'kmeans', bits, ...prune } },
    { name: 'huffman', scheme: { id: 'kmeans', bits, ...prune, entropy: 'huffman' } },
  ];
  const all = matrices(sample);
  const count = all.reduce((n, { values }) => n + values.length, 0);
  const total = sample.labels.length;
  return {
    count,
    total,
    stages: list.map(({ name, scheme: one }) => {
      if (!one)
        return { name, bytes: 4 * count, kept: count, correct: correctWith(sample, () => null), verified: true };
      let [bytes, kept, verified] = [0, 0, true];
      const back = new Map();
      for (const { name: tensor, values, shape, weights } of all) {
        const packed = quantize(values, shape, one);
        try {
          const again = packed.dequantize();
          bytes += packed.byteLength;
          kept += again.reduce((n, v) => n + (v === 0 ? 0 : 1), 0);
          const wanted = weights.reconstruct(one);
          verified &&= compare(wanted, again, { bins: 0 }).maxAbs === 0;
          back.set(tensor, again);
        } finally {
          packed.free();
        }
      }
      return { name, bytes, kept, correct: correctWith(sample, (t) => back.get(t.name)), verified };
    }),
  };
}

/**
 * A scheme of its own for each matrix: bytes and accuracy; and what each would cost alone.
 * @param {Sample} sample
 * @param {{plan: {[tensor: string]: any}, each: any[]}} payload
 */
function planned(sample, { plan, each }) {
  const all = matrices(sample);
  const total = sample.labels.length;
  const bytes = all.reduce((sum, { name, values, weights }) => {
    const one = plan[name];
    return (
      sum + (one ? overRows(one, (s) => weights.evaluate(s, { bins: 1, errorBins: 1 }).byteLength) : 4 * values.length)
    );
  }, 0);
  return {
    total,
    bytes,
    count: all.reduce((n, { values }) => n + values.length, 0),
    correct: correctUnder(sample, ({ name }) => plan[name] ?? null),
    float: correctWith(sample, () => null),
    tensors: all.map(({ name, shape, values }) => ({ name, shape, count: values.length })),
    alone: each.map((one) =>
      all.map(({ name }) => correctUnder(sample, (tensor) => (tensor.name === name ? one : null))),
    ),
  };
}

/** Deep Compression with retraining. @param {{models: string}} payload @param {any} tools */
async function retrained({ models }, { sample, signal, tell }) {
  const [{ retrain }, { digitsToLearn }] = await Promise.all([
    import('./worker-retrain.js'),
    import('./worker-training.js'),
  ]);
  const { images, labels } = sample;
  const tensors = [...sample.tensors.values()].map(({ name, shape, values }) => ({ name, shape, values }));
  const digits = { training: await digitsToLearn(models), heldOut: { images, labels }, tensors };
  return retrain(digits, {}, { signal, tell });
}

/** All values that a small float can take, from the engine's own table. @param {{ids: string[]}} payload */
function levels({ ids }) {
  // Levels are listed as far as the weights reach.
  const some = new Weights(Float32Array.of(-8, 8), [2]);
  try {
    return ids.map((id) => {
      const { levels: all } = some.evaluate({ id }, { bins: 1, errorBins: 1, range: [-8, 8] });
      return { id, levels: all };
    });
  } finally {
    some.free();
  }
}

/** A copy of which that share of the smallest weights is zero. @param {Weights} weights @param {number} zeros */
function sparse(weights, zeros) {
  const values = weights.values();
  const limit = values.map(Math.abs).sort()[Math.floor(zeros * values.length)];
  return new Weights(
    values.map((v) => (Math.abs(v) < limit ? 0 : v)),
    weights.shape,
  );
}

/** Every address that this thread has asked for. */
const requested = () => performance.getEntriesByType('resource').map(({ name }) => name);

/** Weights of a bell curve, by Box and Muller from a generator with a seed. @param {number} n */
function bellCurve(n) {
  let seed = 1;
  const uniform = () => {
    // mulberry32
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return Float32Array.from(
    { length: n },
    () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}
