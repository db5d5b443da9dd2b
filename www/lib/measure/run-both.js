/**
 * A float ONNX model and the one that was made of it, run on the same inputs: how far the outputs are apart, and where along the graph that
 * begins. The runtime is the caller's: `onnxruntime-web`, or whatever else has its `InferenceSession` and `Tensor`. What comes out is the distance of
 * two models on these inputs, not an accuracy.
 *
 * Sums over runs are kept and no outputs, so memory is that of both models and of one run of each.
 */
import { FewerbitsError, throwIfAborted } from '../errors.js';
import { Feeds } from './feeds.js';
import { MOST_BYTES } from './limits.js';
import { answer, graphOf, opened, runtimeName, start } from './session.js';
import { Tally, isFloat } from './tally.js';

/**
 * @typedef {import('./graph.js').Graph} Graph
 * @typedef {import('./inputs.js').Input} Input
 * @typedef {import('./tally.js').Compared} Compared
 * @typedef {import('./session.js').OnnxFile} OnnxFile
 * @typedef {import('./session.js').Runtime} Runtime
 * @typedef {import('./session.js').Session} Session
 *
 * @typedef {object} OwnOptions
 * @property {Runtime} ort such as `import * as ort from 'onnxruntime-web'`
 * @property {boolean} [layers] also what is between the layers
 * @property {AbortSignal} [signal] looked at between runs
 * @property {(progress: Progress) => void} [onProgress]
 * @typedef {OwnOptions & import('./feeds.js').FeedOptions} RunOptions
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
  const { ort, layers = false, signal, onProgress = () => {} } = options;
  const started = performance.now();
  const models = [opened(float, 'the float model'), opened(quantized, 'the quantized model')];
  const size = models.reduce((sum, { size: own }) => sum + own, 0);
  if (size > MOST_BYTES) {
    const facts = { expected: `${MOST_BYTES} bytes of both at most`, found: `${size} bytes` };
    throw new FewerbitsError('too_large', 'the models are too large to be run here', facts);
  }
  const graphs = models.map(graphOf);
  const feeds = new Feeds(graphs[0], options);
  const { runs, seed, sizes, inputs } = feeds;
  onProgress({ stage: 'inputs', inputs, sizes });
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
    const names = [...wanted, ...inner];
    const tallies = new Map(names.map((name) => [name, new Tally(name)]));
    for (let run = 0; run < runs; run++) {
      throwIfAborted(signal);
      onProgress({ stage: 'run', done: run, total: runs });
      const filled = feeds.of(run);
      const [a, b] = [
        await answer(ort, sessions[0], filled, names, models[0].name),
        await answer(ort, sessions[1], filled, names, models[1].name),
      ];
      for (const [name, tally] of tallies) tally.add(a[name], b[name]);
      for (const output of [...Object.values(a), ...Object.values(b)]) output.dispose?.();
    }
    onProgress({ stage: 'run', done: runs, total: runs });
    const result = (/** @type {string} */ name) => /** @type {Tally} */ (tallies.get(name)).result();
    return {
      kind: KIND,
      runtime: runtimeName(ort),
      ...{ runs, seed, sizes, inputs },
      outputs: wanted.map(result),
      layers: layers ? along(graphs[0], names.map(result), between.skipped) : null,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    for (const session of sessions) await session.release().catch(() => {});
  }
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
