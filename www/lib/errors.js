/**
 * Errors with a stable `code` and the facts behind them.
 *
 * | code | what happened |
 * |---|---|
 * | `aborted` | the caller's signal said so |
 * | `exists` | what would be written is there already |
 * | `freed` | something was used after `free()` or `close()` |
 * | `invalid_argument` | a call was given something outside its documented domain |
 * | `invalid_input` | a model does not run on the inputs that it was given |
 * | `invalid_option` | the scheme's option does not take that value |
 * | `malformed` | the file breaks a rule of its format |
 * | `missing_file` | a file that belongs to the model was not given or is not there: a shard, or the index of shards |
 * | `network` | a server did not give what was asked for |
 * | `no_simd` | WebAssembly lacks SIMD128 here |
 * | `non_finite` | weights hold NaN or infinities and the scheme was not told to saturate them |
 * | `no_room` | the browser's storage does not take so much more |
 * | `not_ready` | `init()` has not resolved |
 * | `out_of_memory` | memory for the result could not be had |
 * | `run_failed` | the runtime does not take the model |
 * | `several_models` | the folder or list holds more than one model: one has to be chosen |
 * | `shape_mismatch` | the shape does not hold as many elements as were given |
 * | `too_large` | models are too large to be run here |
 * | `truncated` | the file ends before what its header promises, or became shorter while it was open |
 * | `unexpected` | something broke that should not: an error of this package |
 * | `unknown_format` | the file or folder is no model of any known kind |
 * | `unknown_option` | the scheme or call has no option of this name |
 * | `unknown_scheme` | no scheme has this id |
 * | `unknown_tensor` | there is no tensor of this name |
 * | `unreachable` | no choice of schemes meets the target: the smallest size that can be reached is said |
 * | `unreadable` | a file or folder is missing, changed or forbidden |
 * | `unsupported_operator` | the runtime lacks an operator of the model |
 * | `unwritable` | a file cannot be written: forbidden, or no room |
 * | `verification_failed` | what was packed does not read back as it should |
 * | `worker_died` | a worker of the engine died, out of memory perhaps |
 * | `unsupported` | the file is known and well formed and cannot be read, or cannot become what was asked for: complex numbers, … |
 *
 * @typedef {object} Facts
 * @property {string} [file] the file concerned
 * @property {string} [tensor] the tensor concerned
 * @property {number} [offset] byte offset in the file
 * @property {string} [expected] what would have been right
 * @property {string} [found] what was there
 * @property {unknown} [cause] the error below this one
 */

/** What every call of the package throws. */
export class FewerbitsError extends Error {
  /** Errors that come out of WebAssembly, or over from a worker, are of this class too. @param {unknown} value */
  static [Symbol.hasInstance](value) {
    return value instanceof Error && value.name === 'FewerbitsError';
  }

  /**
   * @param {string} code a name that never changes
   * @param {string} message one sentence without the facts
   * @param {Facts} [facts]
   */
  constructor(code, message, facts) {
    const { file, tensor, offset, expected, found, cause } = facts ?? {};
    let text = tensor === undefined ? message : `tensor ${JSON.stringify(tensor)}: ${message}`;
    if (file !== undefined) text = `${file}: ${text}`;
    if (offset !== undefined) text += ` at ${offset}`;
    if (expected !== undefined) text += `; expected ${expected}`;
    if (found !== undefined) text += `${expected === undefined ? ';' : ','} found ${found}`;
    super(text, cause === undefined ? undefined : { cause });
    this.name = 'FewerbitsError';
    this.code = code;
    this.file = file;
    this.tensor = tensor;
    this.offset = offset;
    this.expected = expected;
    this.found = found;
  }
}

/**
 * The same error, which now names the file it is about. One that names a file already is left alone.
 * @param {unknown} error
 * @param {string} file
 * @returns {unknown}
 */
export function inFile(error, file) {
  const e = /** @type {Error & Facts & {code?: string}} */ (error);
  if (e instanceof Error && typeof e.code === 'string' && e.file === undefined) {
    e.file = file;
    e.message = `${file}: ${e.message}`;
  }
  return error;
}

/**
 * Throws code `aborted` when the signal has been aborted.
 * @param {AbortSignal} [signal]
 */
export function throwIfAborted(signal) {
  if (signal?.aborted) throw aborted(signal);
}

/** What waits for each signal: however many reads there are, it has one listener, for as long as it lives. @type {WeakMap<AbortSignal, Set<() => void>>} */
const waiting = new WeakMap();

/**
 * The promise, or code `aborted` as soon as the signal says so: for reads that cannot be stopped themselves.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(aborted(signal));
    if (signal.aborted) stop();
    const stops = waiting.get(signal) ?? stopsOf(signal);
    stops.add(stop);
    promise.then(resolve, reject).finally(() => stops.delete(stop));
  });
}

/** @param {AbortSignal} signal */
function stopsOf(signal) {
  /** @type {Set<() => void>} */
  const stops = new Set();
  signal.addEventListener('abort', () => stops.forEach((stop) => stop()), { once: true });
  waiting.set(signal, stops);
  return stops;
}

/** @param {AbortSignal} signal */
function aborted(signal) {
  return new FewerbitsError('aborted', 'the operation was aborted', { cause: signal.reason });
}
