/**
 * What the error of each weight of an ONNX model counts: the model is run with one weight after the other quantized and all others as they are, and
 * what that does to the outputs is divided by the weight's own error.
 *
 * The weights in question are inputs of the session, so that one session serves for all of them (for as many as take {@link GROUP} bytes: a larger
 * model has one session after the other). Memory is that of the model, of a group's weights twice, and of one run's outputs.
 */
import { wasm } from '../engine.js';
import { FewerbitsError, throwIfAborted } from '../errors.js';
import { inside } from '../model.js';
import { openPlanning } from '../shrink/plan.js';
import { Weights } from '../weights.js';
import { Feeds } from './feeds.js';
import { withInputs } from './graph.js';
import { fromHalf, toHalf } from './half.js';
import { MOST_ALONE } from './limits.js';
import { answer, graphOf, start } from './session.js';
import { Tally, isFloat } from './tally.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('./session.js').Runtime} Runtime
 * @typedef {import('./session.js').Session} Session
 * @typedef {import('./feeds.js').Filled} Filled
 *
 * @typedef {object} OwnOptions
 * @property {Runtime} ort
 * @property {import('../types.js').Scheme} probe what a weight is tried with
 * @property {AbortSignal} [signal] looked at between runs
 * @property {(progress: {done: number, total: number, tensor: string}) => void} [onProgress] runs that are done, of all
 * @typedef {OwnOptions & import('./feeds.js').FeedOptions} WeighOptions
 *
 * @typedef {{float: Filled, rough: Filled, error: number}} Tried a weight as it is and as the probe leaves it; `error`: between them, relative and
 *   squared
 */

/** Bytes of weights that are inputs of one session, about. */
export const GROUP = 1 << 26;
/** Bytes that are read at once. */
const PIECE = 16 << 20;

/**
 * The relative squared error of the outputs (their mean, where there are several) for a relative squared error of 1 of each weight that a plan can
 * change.
 * @param {Model} model
 * @param {WeighOptions} options
 * @returns {Promise<{[tensor: string]: number}>}
 * @throws {FewerbitsError} `too_large`, `malformed`, `unsupported`, `unsupported_operator`, `invalid_argument`, `shape_mismatch`, `invalid_input`,
 *   `non_finite`, `out_of_memory`, `run_failed`, `aborted`
 */
export async function weighOnnx(model, { ort, probe, signal, onProgress = () => {}, ...how }) {
  const file = await read(model, signal);
  const graph = graphOf(file);
  const feeds = new Feeds(graph, how);
  const names = await changeable(model);
  const total = names.length * feeds.runs;
  /** @type {{[tensor: string]: number}} */
  const weights = Object.create(null);
  let done = 0;
  for (const group of grouped(model, names)) {
    throwIfAborted(signal);
    /** @type {Map<string, Tried>} */
    const tried = new Map();
    for (const name of group) tried.set(name, await tryOut(model, name, probe, signal));
    const session = await start(ort, { ...file, bytes: withInputs(file.bytes, new Set(group)) });
    try {
      const outputs = floatsOf(session, graph, file.name);
      const distances = new Map(group.map((name) => [name, outputs.map((output) => new Tally(output))]));
      const asItIs = group.map((name) => /** @type {Tried} */ (tried.get(name)).float);
      for (let run = 0; run < feeds.runs; run++) {
        const inputs = feeds.of(run);
        const reference = await answer(ort, session, [...inputs, ...asItIs], outputs, file.name);
        for (const name of group) {
          onProgress({ done, total, tensor: name });
          // A signal can come only while nothing runs.
          await new Promise((resolve) => void setTimeout(resolve, 0));
          throwIfAborted(signal);
          done++;
          const { rough, error } = /** @type {Tried} */ (tried.get(name));
          if (error === 0) continue;
          const others = asItIs.filter((one) => one.name !== name);
          const found = await answer(ort, session, [...inputs, ...others, rough], outputs, file.name);
          for (const tally of distances.get(name) ?? []) tally.add(reference[tally.name], found[tally.name]);
          for (const output of Object.values(found)) output.dispose?.();
        }
        for (const output of Object.values(reference)) output.dispose?.();
      }
      for (const name of group) {
        const { error } = /** @type {Tried} */ (tried.get(name));
        weights[name] = error === 0 ? 0 : moved(distances.get(name) ?? [], name, file.name) / error;
      }
    } finally {
      await session.release().catch(() => {});
    }
  }
  onProgress({ done: total, total, tensor: '' });
  return { ...weights };
}

/**
 * The mean of the outputs' relative squared errors; of those that are zero throughout there is none.
 * @param {Tally[]} tallies
 * @param {string} tensor
 * @param {string} file
 */
function moved(tallies, tensor, file) {
  const known = tallies.flatMap(({ sums: { aa, ee } }) => (aa > 0 ? [ee / aa] : []));
  if (known.length > 0) return known.reduce((sum, error) => sum + error, 0) / known.length;
  const nonFinite = tallies.reduce((sum, tally) => sum + tally.nonFinite, 0);
  if (nonFinite > 0) {
    const facts = { file, tensor, expected: 'finite numbers', found: `${nonFinite} that are NaN or infinite` };
    throw new FewerbitsError('non_finite', 'what the model gives is no number on these inputs', facts);
  }
  const facts = { file, expected: 'an output that is not zero throughout', found: 'zeros' };
  throw new FewerbitsError('invalid_input', 'what the model gives cannot be compared on these inputs', facts);
}

/**
 * The file and what lies beside it.
 * @param {Model} model
 * @param {AbortSignal} [signal]
 */
async function read(model, signal) {
  const { sources = [], tensors = [] } = inside.get(model) ?? {};
  if (sources.length === 0) throw new FewerbitsError('freed', 'the model has been closed', { file: model.name });
  const beside = new Map(tensors.flatMap(({ beside: path, source }) => (path === null ? [] : [[path, source]])));
  const size = [sources[0], ...beside.values()].reduce((sum, one) => sum + one.size, 0);
  if (size > MOST_ALONE) {
    const facts = { file: model.name, expected: `${MOST_ALONE} bytes at most`, found: `${size} bytes` };
    throw new FewerbitsError('too_large', 'the model is too large to be run here', facts);
  }
  /** @type {{path: string, data: Uint8Array}[]} */
  const external = [];
  for (const [path, source] of beside) external.push({ path, data: await whole(source, signal) });
  return { name: model.name, bytes: await whole(sources[0], signal), external };
}

/** @param {import('../sources.js').Source} source @param {AbortSignal} [signal] */
async function whole(source, signal) {
  if ('missing' in source) {
    throw new FewerbitsError('missing_file', 'what lies beside the model was not given', { file: source.name });
  }
  const bytes = new Uint8Array(source.size);
  for (let at = 0; at < bytes.length; at += PIECE) {
    bytes.set(await source.read(at, Math.min(bytes.length, at + PIECE), { signal }), at);
  }
  return bytes;
}

/** Weights that some scheme for all would change. @param {Model} model */
async function changeable(model) {
  const planning = await openPlanning(model);
  try {
    /** @type {Set<string>} */
    const names = new Set();
    for (const id of ['f16', 'int8']) {
      const { tensors } = await planning.plan({ to: 'onnx', scheme: { id } });
      for (const { name, scheme } of tensors) if (scheme !== null) names.add(name);
    }
    return model.tensors.map(({ name }) => name).filter((name) => names.has(name));
  } finally {
    planning.free();
  }
}

/** @param {Model} model @param {string[]} names @returns {string[][]} */
function grouped(model, names) {
  const counts = new Map(model.tensors.map(({ name, count }) => [name, count]));
  /** @type {string[][]} */
  const groups = [];
  let room = 0;
  for (const name of names) {
    const size = 4 * (counts.get(name) ?? 0);
    if (size > room) {
      groups.push([]);
      room = GROUP;
    }
    groups[groups.length - 1].push(name);
    room -= size;
  }
  return groups;
}

/**
 * @param {Model} model
 * @param {string} name
 * @param {import('../types.js').Scheme} probe
 * @param {AbortSignal} [signal]
 * @returns {Promise<Tried>}
 */
async function tryOut(model, name, probe, signal) {
  const { shape, dtype } = /** @type {import('../model.js').Tensor} */ (model.tensors.find((one) => one.name === name));
  const values = await model.read(name, { signal });
  const weights = new Weights(values, shape);
  try {
    const made = weights.reconstruct(probe);
    const isHalf = dtype === 'F16';
    // In f16 what is compared is what the runtime is given.
    const rough = isHalf ? made.map((x) => fromHalf(toHalf(x))) : made;
    const { sqnrDb } = wasm().compare(values, rough, { bins: 0 });
    const filled = (/** @type {Float32Array} */ x) => ({
      ...{ name, shape, type: isHalf ? 'float16' : 'float32' },
      data: isHalf ? Uint16Array.from(x, toHalf) : x,
    });
    return { float: filled(values), rough: filled(rough), error: 10 ** (-sqnrDb / 10) };
  } finally {
    weights.free();
  }
}

/**
 * Outputs that can be held against each other.
 * @param {Session} session
 * @param {import('./graph.js').Graph} graph
 * @param {string} file
 */
function floatsOf(session, graph, file) {
  const own = new Set(graph.outputs.map(({ name }) => name));
  const found = session.outputMetadata.filter(
    ({ name, isTensor, type }) => own.has(name) && isTensor && isFloat(type ?? ''),
  );
  if (found.length > 0) return found.map(({ name }) => name);
  const facts = { file, expected: 'an output of floating-point numbers', found: [...own].join(', ') || 'none' };
  throw new FewerbitsError('unsupported', 'no output of the model tells how far it has moved', facts);
}
