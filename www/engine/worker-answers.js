/**
 * What the worker answers, by type of request. Each takes the request's payload and `{signal, onProgress}`, and returns
 * plain data and typed arrays of its own. It is handed the engine: only worker.js imports that.
 */
import { Sample, overRows } from './worker-sample.js';

/**
 * What of the package is used here.
 * @typedef {Pick<typeof import('../lib/index.js'), 'DigitsNet' | 'Weights' | 'evaluationCost' | 'openModel' | 'packedLength' |
 *   'packedLengthIsExact' | 'schemes' | 'stats'>} Engine
 */
/** @typedef {{signal: AbortSignal, onProgress: (progress: {loaded: number, total?: number}) => void}} Tools */

/** What only large tensors need, once it was fetched: to ask for it anew takes a turn of the event loop, of which a drag has few. @type {any} */
let portionPart = null;
/** @returns {Promise<typeof import('./worker-portion.js')>} */
const portionCode = async () => (portionPart ??= await import('./worker-portion.js'));

/** Values in a small histogram of the list, at most. */
const SAMPLE = 16384;

/**
 * @param {Engine} engine
 * @param {(model: any) => any} release closes a model that is no longer shown
 * @returns {{[type: string]: (payload?: any, tools?: any) => any}}
 */
export function answersWith(engine, release = (model) => model.close?.()) {
  /** @type {any} the open file */
  let model = null;
  /** @type {any} the open tensor, in wasm memory */
  let weights = null;
  /** Whether reading the open file costs requests. */
  let isRemote = false;
  /** The number that the page has given to the open file. */
  let opened = 0;
  /** @type {Sample | null} the sample network, while the sample is open */
  let sample = null;
  /** The last figures of each side: while one side is dragged the other stays. */
  let drawn = new Map();
  /** The open tensor's name and its ends. */
  let about = { name: '', min: 0, max: 0 };
  /** What schemes are compared and foretold on, copies: those that the figures show stay remembered; by size. @type {Map<number, any>} */
  let portions = new Map();
  const forget = () => {
    for (const portion of portions.values()) portion.free();
    portions = new Map();
  };
  /** The same of the pictures. */
  let painted = new Map();

  return {
    start: () => ({ schemes: engine.schemes() }),

    async open({ source, sample: heldOut, modelId = 0 }, { signal, onProgress }) {
      const next = await engine.openModel(source, { signal, onProgress });
      let network = null;
      try {
        if (heldOut) network = await Sample.load(engine, next, heldOut, signal);
      } catch (error) {
        await next.close?.();
        throw error;
      }
      if (model) await release(model);
      sample?.free();
      model = next;
      sample = network;
      isRemote = typeof source === 'string';
      opened = modelId;
      return outline(next);
    },

    async tensor({ name, bins }, { signal, onProgress }) {
      const next = await load(engine, model, name, signal, onProgress);
      const stats = next.stats({ bins });
      weights?.free();
      weights = next;
      about = { name, min: stats.min, max: stats.max };
      forget();
      drawn = new Map();
      painted = new Map();
      return { name, stats, matrix: [...next.matrix], suggestion: suggested(next) };
    },

    /**
     * The parts of the picture that are asked for, in one crossing. Of a scheme that would take long only the figures, from a portion of the
     * weights, where `foretell` allows it; `sampled` says from how many.
     */
    async show({ name, sides, figures, pictures, weight, foretell }) {
      if (weights === null || name !== about.name) throw otherTensor();
      if (foretell && figures && weights.count > 4 * SAMPLE) {
        const { foretell: early } = await portionCode();
        const told = early({ engine, weights, about, portions }, sides, figures, drawn);
        if (told) return told;
      }
      return {
        figures: figures && drawFigures(weights, sides, figures, drawn),
        pictures: pictures && drawPictures(weights, sides, pictures, painted),
        weight: weight && weight.index !== null ? traceWeight(weights, sides, weight) : null,
      };
    },

    async spark({ name, bins }, { signal }) {
      const tensor = model.tensors.find((/** @type {any} */ t) => t.name === name);
      const { values, sampled } = await sampleOf(engine, model, tensor, isRemote, signal);
      return { counts: engine.stats(values, { bins }).histogram?.counts ?? new Float64Array(bins), sampled };
    },

    /** What is open. Not for the page: a model cannot be sent. The sample lies beside the page. */
    held: () => ({ model, isRemote: isRemote && sample === null, modelId: opened }),

    /** Another build of the engine has come: what is open goes over to it. */
    move() {
      forget();
      if (weights !== null) {
        const there = new engine.Weights(weights.values(), weights.shape);
        weights.free();
        weights = there;
      }
      sample?.move();
    },

    /** The whole file under one scheme: matrices quantized, the rest kept; for the sample also what it still reads right. */
    file({ scheme }) {
      return { ...sizes(engine, model.tensors, scheme), accuracy: sample?.accuracy(scheme) ?? null };
    },

    /** One scheme on the open tensor, or on a portion of a large one: its bits per weight, and its SQNR from so many weights. */
    async compare({ name, scheme }) {
      const { compareOn } = await portionCode();
      if (weights === null || name !== about.name) throw otherTensor();
      return compareOn({ engine, weights, about, portions }, scheme);
    },
  };
}

const otherTensor = () => Object.assign(new Error('another tensor is open'), { code: 'superseded' });

/**
 * Histograms, levels, stairs and metrics of both sides.
 * @param {any} weights
 * @param {{a: any, b: any}} sides
 * @param {{axis: [number, number], bins: number, errorBins: number, samples: number, index: number | null}} spec
 * @param {Map<string, {key: string, figures: any, stairs: any}>} drawn
 */
function drawFigures(weights, sides, spec, drawn) {
  const { axis, bins, errorBins, samples } = spec;
  const at = spec.index ?? 0;
  const [lo, hi] = axis;
  const draw = (/** @type {string} */ side, /** @type {any} */ scheme) => {
    if (!scheme) return { figures: scheme, stairs: null };
    const key = JSON.stringify([scheme, spec]);
    const last = drawn.get(side);
    if (last?.key === key) return last;
    const figures = weights.evaluate(scheme, { bins, range: axis, errorBins, at });
    const stairs = weights.count > 0 ? weights.staircase(scheme, { at, lo, hi, samples }) : null;
    drawn.set(side, { key, figures, stairs });
    return { figures, stairs };
  };
  const [a, b] = [draw('a', sides.a), draw('b', sides.b)];
  return { a: a.figures, b: b.figures, stairsA: a.stairs, stairsB: b.stairs };
}

/**
 * The matrix as the float weights, and as each side has it.
 * @param {any} weights
 * @param {{a: any, b: any}} sides
 * @param {{kind: string, region: number[], width: number, height: number}} spec
 * @param {Map<string, {key: string, picture: Float32Array}>} painted
 */
function drawPictures(weights, sides, { kind, region: [r0, r1, c0, c1], width, height }, painted) {
  const spec = { rows: [r0, r1], columns: [c0, c1], width, height };
  const draw = (/** @type {string} */ side, /** @type {any} */ scheme, /** @type {string} */ what) => {
    const key = JSON.stringify([scheme, what, spec]);
    const last = painted.get(side);
    if (last?.key === key) return last.picture;
    const picture = weights.image(scheme, { kind: what, ...spec });
    painted.set(side, { key, picture });
    return picture;
  };
  return {
    float: draw('float', null, 'values'),
    a: sides.a && draw('a', sides.a, kind),
    b: sides.b && draw('b', sides.b, kind),
  };
}

/**
 * One weight's way, and the stairs of the scale that it falls under where they are wanted.
 * @param {any} weights
 * @param {{a: any, b: any}} sides
 * @param {{index: number, axis: [number, number], samples: number}} spec
 */
function traceWeight(weights, sides, { index, axis: [lo, hi], samples }) {
  const trace = (/** @type {any} */ scheme) => scheme && weights.trace(scheme, index);
  const stairs = (/** @type {any} */ scheme) =>
    scheme && samples > 0 ? weights.staircase(scheme, { at: index, lo, hi, samples }) : null;
  return { a: trace(sides.a), b: trace(sides.b), stairsA: stairs(sides.a), stairsB: stairs(sides.b) };
}

/** The parts of an open model that the page shows. @param {any} model */
function outline(model) {
  return {
    name: model.name,
    format: model.format,
    byteLength: model.byteLength,
    metadata: { ...model.metadata },
    tensors: model.tensors.map((/** @type {any} */ t) => ({
      name: t.name,
      dtype: t.dtype,
      shape: [...t.shape],
      byteLength: t.byteLength,
      count: t.count,
      row: [...t.row],
      readable: t.readable,
    })),
  };
}

/**
 * Fills a tensor in wasm memory, chunk by chunk.
 * @param {Engine} engine
 * @param {any} model
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {Tools['onProgress']} onProgress
 */
async function load(engine, model, name, signal, onProgress) {
  const tensor = model.tensors.find((/** @type {any} */ t) => t.name === name);
  if (!tensor) throw Object.assign(new Error(`no tensor named ${name}`), { code: 'unknown_tensor', tensor: name });
  const weights = engine.Weights.allocate(tensor.shape);
  try {
    const chunks = model.chunks(name, { signal, onProgress });
    for await (const bytes of chunks) weights.push(bytes, chunks.dtype);
    return weights;
  } catch (error) {
    weights.free();
    throw error;
  }
}

/** Advice, where there is any to give. @param {any} weights */
function suggested(weights) {
  try {
    return weights.suggest();
  } catch {
    return null; // nothing can be advised for a tensor that is empty or not finite
  }
}

/**
 * All of a small tensor, some weights of a large one.
 * @param {Engine} engine
 * @param {any} model
 * @param {any} tensor
 * @param {boolean} isRemote
 * @param {AbortSignal} signal
 * @returns {Promise<{values: Float32Array, sampled: boolean}>}
 */
async function sampleOf(engine, model, tensor, isRemote, signal) {
  const { name, count } = tensor;
  if (count <= 4 * SAMPLE) return { values: await model.read(name, { signal }), sampled: false };
  const { someOf } = await portionCode();
  return { values: await someOf(engine, model, tensor, SAMPLE, isRemote ? 1 : 8, signal), sampled: true };
}

/**
 * Bytes before and after, known from the shapes alone.
 * @param {Engine} engine
 * @param {any[]} tensors
 * @param {any} scheme
 */
function sizes(engine, tensors, scheme) {
  let before = 0;
  let after = 0;
  let count = 0;
  for (const tensor of tensors.filter(({ partOf }) => partOf === undefined)) {
    before += tensor.byteLength;
    count += tensor.count;
    const packed = (/** @type {any} */ s) => engine.packedLength(tensor.shape, s);
    after += isQuantized(tensor) ? overRows(scheme, packed) : tensor.byteLength;
  }
  return {
    before,
    after,
    count,
    bits: count > 0 ? (after * 8) / count : 0,
    tensors: tensors.length,
    exact: engine.packedLengthIsExact(scheme),
  };
}

/** @param {any} tensor */
export function isQuantized(tensor) {
  return tensor.shape.length > 1 && tensor.count > 0 && /^(F|BF)\d/.test(tensor.dtype);
}
