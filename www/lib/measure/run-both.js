/**
 * A float ONNX model and the one that was made of it, run on the same inputs: how far the outputs are apart, and where along the graph that
 * begins. The runtime is the caller's: `onnxruntime-web`, or whatever else has its `InferenceSession` and `Tensor`. What comes out is the distance of
 * two models on these inputs, not an accuracy.
 *
 * Sums over runs are kept and no outputs, so memory is that of both models and of one run of each.
 */
import { FewerbitsError, inFile, throwIfAborted } from '../errors.js';
import { readGraph, withOutputs } from './graph.js';
import { Random, filled, inputsOf, shapeOf, sizesOf, takenFrom } from './inputs.js';
import { MOST_BYTES } from './limits.js';
import { Tally, isFloat } from './tally.js';

/**
 * @typedef {import('./graph.js').Graph} Graph
 * @typedef {import('./inputs.js').Input} Input
 * @typedef {import('./inputs.js').Fill} Fill
 * @typedef {import('./inputs.js').Given} Given
 * @typedef {import('./tally.js').Compared} Compared
 *
 * @typedef {Uint8Array | {bytes: Uint8Array, name?: string, external?: {path: string, data: Uint8Array}[]}} OnnxFile a file, its name in errors,
 *   and what lies beside it under the paths that it names
 *
 * @typedef {object} Session what is used of a runtime's
 * @property {readonly {name: string, isTensor: boolean, type?: string}[]} outputMetadata
 * @property {(feeds: {[input: string]: any}, fetches: string[], options: object) => Promise<{[output: string]: any}>} run
 * @property {() => Promise<void>} release
 *
 * @typedef {object} Runtime
 * @property {{create: (bytes: Uint8Array, options: object) => Promise<any>}} InferenceSession
 * @property {{new (type: any, data: any, dims: readonly number[]): any}} Tensor
 * @property {{versions?: {[part: string]: string | undefined}}} [env]
 *
 * @typedef {object} RunOptions
 * @property {Runtime} ort such as `import * as ort from 'onnxruntime-web'`
 * @property {number} [runs] 8 by default; one where every input is given
 * @property {number} [seed] of random inputs, 1 by default
 * @property {{[dimension: string]: number}} [sizes] of dimensions that the model leaves open
 * @property {{[input: string]: Fill}} [fills] in the place of what is guessed
 * @property {{[input: string]: Given}} [given] values in the place of random ones
 * @property {boolean} [layers] also what is between the layers
 * @property {AbortSignal} [signal] looked at between runs
 * @property {(progress: Progress) => void} [onProgress]
 *
 * @typedef {{stage: 'inputs', inputs: (Input & {shape: number[]})[], sizes: {[dimension: string]: number}}
 *   | {stage: 'float' | 'quantized' | 'run', done: number, total: number}} Progress
 *   what both will be run on, before anything runs; starting one model, the other; runs that are done
 *
 * @typedef {Compared & {op: string, fall: number}} Layer `op`: of the node that computes it; `fall`: dB between it and the worst of what that
 *   node reads, where what is exact counts as 30 dB
 *
 * @typedef {object} Layers
 * @property {Layer[]} tensors in the order in which they are computed
 * @property {number} skipped tensors of the float model that the quantized one has not, or computes otherwise
 * @property {number | null} firstDrop the first of `tensors` that falls by {@link DROP} dB or more
 *
 * @typedef {object} Measured
 * @property {string} kind what this is, in words
 * @property {string} runtime
 * @property {number} runs
 * @property {number} seed
 * @property {(Input & {shape: number[]})[]} inputs
 * @property {{[dimension: string]: number}} sizes
 * @property {Compared[]} outputs
 * @property {Layers | null} layers
 * @property {number} seconds
 */

/** dB of a fall that is called a drop: sixteen times the noise. */
export const DROP = 12;
/** What is exact counts as this many dB where a fall from it is measured: a thousandth of its power. */
const EXACT = 30;

/** A runtime's errors are thrown; what it logs besides is for its makers. */
const QUIET = { logSeverityLevel: /** @type {const} */ (4) };

const KIND = 'outputs of the float model against those of the quantized one on the same inputs; not an accuracy';

/**
 * @param {OnnxFile} float
 * @param {OnnxFile} quantized
 * @param {RunOptions} options
 * @returns {Promise<Measured>}
 * @throws {FewerbitsError} `too_large`, `malformed`, `unsupported`, `unsupported_operator`, `invalid_argument`, `shape_mismatch`, `invalid_input`,
 *   `out_of_memory`, `run_failed`, `aborted`
 */
export async function runBoth(float, quantized, options) {
  const { ort, seed = 1, layers = false, given = {}, signal, onProgress = () => {} } = options;
  const started = performance.now();
  const models = [opened(float, 'the float model'), opened(quantized, 'the quantized model')];
  const size = models.reduce((sum, { size: own }) => sum + own, 0);
  if (size > MOST_BYTES) {
    const facts = { expected: `${MOST_BYTES} bytes of both at most`, found: `${size} bytes` };
    throw new FewerbitsError('too_large', 'the models are too large to be run here', facts);
  }
  const graphs = models.map(({ bytes, name }) => {
    try {
      return readGraph(bytes);
    } catch (error) {
      throw inFile(error, name);
    }
  });
  const inputs = inputsOf(graphs[0], options.fills, given);
  const sizes = sizesOf(inputs, options.sizes, given);
  const shapes = inputs.map((input) =>
    input.fill.kind === 'given' ? takenFrom(input, given[input.name]).shape : shapeOf(input, sizes),
  );
  const about = inputs.map((input, i) => ({ ...input, shape: shapes[i] }));
  onProgress({ stage: 'inputs', inputs: about, sizes });
  const isRandom = inputs.some(({ fill }) => fill.kind === 'gaussian' || fill.kind === 'integers');
  const runs = isRandom ? counted(options.runs ?? 8) : 1;
  const own = graphs[0].outputs.map(({ name }) => name);
  const between = layers ? shared(graphs[0], graphs[1]) : { names: [], skipped: 0 };

  /** @type {Session[]} */
  const sessions = [];
  try {
    for (const [i, which] of /** @type {const} */ (['float', 'quantized']).entries()) {
      throwIfAborted(signal);
      onProgress({ stage: which, done: i, total: 2 });
      sessions.push(await start(ort, models[i], between.names));
    }
    const floats = new Set(
      sessions[0].outputMetadata
        .filter(({ isTensor, type }) => isTensor && isFloat(type ?? ''))
        .map(({ name }) => name),
    );
    const tensors = new Set(sessions[0].outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name));
    const wanted = own.filter((name) => tensors.has(name));
    const inner = between.names.filter((name) => floats.has(name));
    const tallies = new Map([...wanted, ...inner].map((name) => [name, new Tally(name)]));
    for (let run = 0; run < runs; run++) {
      throwIfAborted(signal);
      onProgress({ stage: 'run', done: run, total: runs });
      const values = inputs.map((input, i) =>
        input.fill.kind === 'given'
          ? takenFrom(input, given[input.name]).data
          : filled(input, shapes[i], new Random(seed, run, i)),
      );
      const [a, b] = [
        await answer(ort, sessions[0], about, values, tallies, models[0].name),
        await answer(ort, sessions[1], about, values, tallies, models[1].name),
      ];
      for (const [name, tally] of tallies) tally.add(a[name], b[name]);
      for (const output of [...Object.values(a), ...Object.values(b)]) output.dispose?.();
    }
    onProgress({ stage: 'run', done: runs, total: runs });
    const result = (/** @type {string} */ name) => /** @type {Tally} */ (tallies.get(name)).result();
    return {
      kind: KIND,
      runtime: `onnxruntime-web ${ort.env?.versions?.web ?? ''}`.trim(),
      ...{ runs, seed, sizes },
      inputs: about,
      outputs: wanted.map(result),
      layers: layers ? along(graphs[0], [...wanted, ...inner].map(result), between.skipped) : null,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    for (const session of sessions) await session.release().catch(() => {});
  }
}

/** @param {number} runs */
function counted(runs) {
  if (Number.isInteger(runs) && runs > 0 && runs <= 10_000) return runs;
  const facts = { expected: 'a whole number from 1 to 10000', found: String(runs) };
  throw new FewerbitsError('invalid_argument', 'so many runs cannot be made', facts);
}

/** @param {OnnxFile} file @param {string} standIn for its name */
function opened(file, standIn) {
  const { bytes, name = standIn, external = [] } = file instanceof Uint8Array ? { bytes: file } : file;
  return { bytes, name, external, size: external.reduce((sum, { data }) => sum + data.length, bytes.length) };
}

/**
 * Names of what nodes compute in both models, besides outputs.
 * @param {Graph} float
 * @param {Graph} quantized
 */
function shared(float, quantized) {
  const computed = (/** @type {Graph} */ { nodes }) => nodes.flatMap(({ outputs }) => outputs).filter(Boolean);
  const theirs = new Set(computed(quantized));
  const ours = new Set(computed(float));
  for (const { name } of float.outputs) ours.delete(name);
  const names = [...ours].filter((name) => theirs.has(name));
  return { names, skipped: ours.size - names.length };
}

/**
 * @param {Runtime} ort
 * @param {{bytes: Uint8Array, name: string, external: {path: string, data: Uint8Array}[]}} model
 * @param {string[]} more outputs
 * @returns {Promise<Session>}
 */
async function start(ort, { bytes, name, external }, more) {
  try {
    const whole = more.length > 0 ? withOutputs(bytes, more) : bytes;
    return await ort.InferenceSession.create(whole, {
      executionProviders: ['wasm'],
      ...QUIET,
      ...(external.length > 0 ? { externalData: external } : {}),
    });
  } catch (error) {
    throw understood(error, name, 'start');
  }
}

/**
 * @param {Runtime} ort
 * @param {Session} session
 * @param {(Input & {shape: number[]})[]} inputs
 * @param {any[]} values
 * @param {Map<string, Tally>} tallies
 * @param {string} file
 */
async function answer(ort, session, inputs, values, tallies, file) {
  try {
    const feeds = Object.fromEntries(
      inputs.map(({ name, type, shape }, i) => [name, new ort.Tensor(type, half(type, values[i]), shape)]),
    );
    return await session.run(feeds, [...tallies.keys()], QUIET);
  } catch (error) {
    throw understood(error, file, 'run');
  }
}

/** A runtime takes f16 as the platform's own arrays where there are such. @param {string} type @param {any} data */
function half(type, data) {
  const Own = /** @type {any} */ (globalThis).Float16Array;
  return type === 'float16' && Own ? new Own(data.buffer) : data;
}

/**
 * What a runtime's error means. It says so in words alone.
 * @param {unknown} error
 * @param {string} file whose model it was
 * @param {'start' | 'run'} stage
 */
function understood(error, file, stage) {
  const found = String(/** @type {any} */ (error)?.message ?? error).slice(0, 400);
  const facts = { file, found, cause: error };
  const isTrap = error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
  if (isTrap || /bad_alloc|out of memory|memory access out of bounds|failed to allocate|Aborted\(/i.test(found)) {
    return new FewerbitsError('out_of_memory', 'there was not enough memory to run the model', facts);
  }
  if (/no available backend/i.test(found)) {
    return new FewerbitsError('network', 'the runtime could not be loaded', { found, cause: error });
  }
  if (/No Op registered for|Could not find an implementation for|ERROR_CODE: 9\b/.test(found)) {
    return new FewerbitsError('unsupported_operator', 'the runtime lacks an operator of the model', facts);
  }
  if (stage === 'run') return new FewerbitsError('invalid_input', 'the model did not run on these inputs', facts);
  return new FewerbitsError('run_failed', 'the runtime does not take the model', facts);
}

/**
 * Where along the graph the error grows.
 * @param {Graph} graph
 * @param {Compared[]} compared
 * @param {number} skipped
 * @returns {Layers}
 */
function along({ nodes }, compared, skipped) {
  const known = new Map(compared.filter(({ sqnrDb }) => sqnrDb !== null).map((one) => [one.name, one]));
  /** How much of each tensor is left; nothing has been lost of weights and of the model's inputs. @type {Map<string, number>} */
  const levels = new Map();
  /** @type {Layer[]} */
  const tensors = [];
  for (const { op, inputs, outputs } of nodes) {
    const before = Math.min(EXACT, ...inputs.map((name) => levels.get(name) ?? EXACT));
    for (const name of outputs) {
      const own = known.get(name);
      // What was not compared passes on what it was given.
      const now = own ? Math.min(EXACT, Number(own.sqnrDb)) : before;
      levels.set(name, now);
      if (own) tensors.push({ ...own, op, fall: Math.max(0, before - now) });
    }
  }
  const first = tensors.findIndex(({ fall }) => fall >= DROP);
  return { tensors, skipped, firstDrop: first < 0 ? null : first };
}
