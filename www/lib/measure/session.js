/**
 * Models in a runtime, which is the caller's: a file and what lies beside it, a session of it, what it answers, and what its errors mean.
 */
import { FewerbitsError, inFile } from '../errors.js';
import { readGraph, withOutputs } from './graph.js';

/**
 * @typedef {import('./feeds.js').Filled} Filled
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
 * @typedef {{bytes: Uint8Array, name: string, external: {path: string, data: Uint8Array}[], size: number}} Opened
 */

/** A runtime's errors are thrown; what it logs besides is for its makers. */
const QUIET = { logSeverityLevel: /** @type {const} */ (4) };

/** @param {OnnxFile} file @param {string} standIn for its name @returns {Opened} */
export function opened(file, standIn) {
  const { bytes, name = standIn, external = [] } = file instanceof Uint8Array ? { bytes: file } : file;
  return { bytes, name, external, size: external.reduce((sum, { data }) => sum + data.length, bytes.length) };
}

/** @param {Omit<Opened, 'size'>} model @throws {FewerbitsError} `malformed` */
export function graphOf({ bytes, name }) {
  try {
    return readGraph(bytes);
  } catch (error) {
    throw inFile(error, name);
  }
}

/** @param {Runtime} ort */
export const runtimeName = (ort) => `onnxruntime-web ${ort.env?.versions?.web ?? ''}`.trim();

/**
 * @param {Runtime} ort
 * @param {Omit<Opened, 'size'>} model
 * @param {string[]} [more] outputs
 * @returns {Promise<Session>}
 */
export async function start(ort, { bytes, name, external }, more = []) {
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
 * @param {Filled[]} inputs
 * @param {string[]} outputs that are wanted
 * @param {string} file in errors
 * @returns {Promise<{[output: string]: any}>}
 */
export async function answer(ort, session, inputs, outputs, file) {
  try {
    const feeds = Object.fromEntries(
      inputs.map(({ name, type, shape, data }) => [name, new ort.Tensor(type, half(type, data), shape)]),
    );
    return await session.run(feeds, outputs, QUIET);
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
