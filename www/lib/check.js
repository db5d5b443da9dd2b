/**
 * Arguments held to their types at the door: what is wrong is refused with code `invalid_argument`, what was expected and what was found.
 */
import { FewerbitsError } from './errors.js';

/**
 * @param {string} what such as "the shape"
 * @param {string} expected
 * @param {unknown} value
 */
export function wrong(what, expected, value) {
  const facts = { expected, found: described(value) };
  return new FewerbitsError('invalid_argument', `${what} cannot be taken`, facts);
}

/**
 * What a value is, for people: short texts and numbers as they are, the rest by kind.
 * @param {unknown} value
 */
export function described(value) {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (value === null || /^(undefined|boolean|number)$/.test(typeof value)) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  const length = Array.isArray(value) || ArrayBuffer.isView(value) ? Reflect.get(value, 'length') : undefined;
  return typeof length === 'number' ? `${kind} of ${length}` : kind;
}

/**
 * Options, an empty object where there are none.
 * @template {object} T
 * @param {T | undefined} value
 * @param {string} [what]
 * @returns {T}
 */
export function options(value, what = 'the options') {
  if (value === undefined) return /** @type {T} */ ({});
  return record(value, what);
}

/**
 * An object with names.
 * @template {object} T
 * @param {T} value
 * @param {string} what
 * @param {string} [expected]
 * @returns {T}
 */
export function record(value, what, expected = 'an object') {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)) return value;
  throw wrong(what, expected, value);
}

/**
 * @param {Float32Array} value
 * @returns {Float32Array}
 */
export function floats(value) {
  if (value instanceof Float32Array) return value;
  throw wrong('the values', 'a Float32Array', value);
}

/**
 * @param {Uint8Array} value
 * @param {string} [what]
 * @returns {Uint8Array}
 */
export function bytes(value, what = 'the bytes') {
  if (value instanceof Uint8Array) return value;
  throw wrong(what, 'a Uint8Array', value);
}

/**
 * Dimensions, outermost first.
 * @param {readonly number[]} value
 * @returns {readonly number[]}
 */
export function shape(value) {
  if (Array.isArray(value)) return value;
  throw wrong('the shape', 'an array of whole numbers, such as [64, 128]', value);
}

/**
 * @param {string} value
 * @param {string} what
 * @returns {string}
 */
export function text(value, what) {
  if (typeof value === 'string') return value;
  throw wrong(what, 'a text', value);
}

/**
 * @param {number} value
 * @param {string} what
 * @returns {number}
 */
export function number(value, what) {
  if (typeof value === 'number' && !Number.isNaN(value)) return value;
  throw wrong(what, 'a number', value);
}

/**
 * A whole number, 0 or above.
 * @param {number} value
 * @param {string} what
 * @returns {number}
 */
export function whole(value, what) {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(what, 'a whole number, 0 or above', value);
}

/**
 * Options of the calls that read: `signal` and a function for progress.
 * @template {{signal?: AbortSignal, onProgress?: Function}} T
 * @param {T | undefined} value
 * @returns {T}
 */
export function reading(value) {
  const given = options(value);
  const { signal, onProgress } = given;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrong('the signal', 'an AbortSignal', signal);
  if (onProgress !== undefined && typeof onProgress !== 'function') throw wrong('onProgress', 'a function', onProgress);
  return given;
}
