/**
 * What a model is run on: for each of its inputs a shape and values, random by rules that the graph and the names suggest, or given. Which rule was
 * taken is said, and each can be replaced.
 */
import { FewerbitsError } from '../errors.js';
import { toHalf } from './half.js';

/**
 * @typedef {import('./graph.js').Graph} Graph
 *
 * @typedef {{kind: 'gaussian'} | {kind: 'integers', low: number, high: number} | {kind: 'ones'} | {kind: 'zeros'} | {kind: 'positions'}
 *   | {kind: 'given'}} Fill
 *   independent normal numbers of mean 0 and deviation 1; whole numbers from `low` to `high`, both possible; 0, 1, 2 … along the last axis
 *
 * @typedef {object} Input
 * @property {string} name
 * @property {string} type as onnxruntime names it: `float32`, `int64`, …
 * @property {(number | string)[]} dims as the model declares them: a text is a size to choose
 * @property {Fill} fill
 * @property {'type' | 'table' | 'name' | 'asked' | 'given'} because why it is filled so: its type, the rows of the table that it chooses from, its
 *   name, or because it was asked for
 *
 * @typedef {{type: string, dims: readonly number[], data: ArrayLike<number | bigint | boolean>}} Given values of an input, row-major
 * @typedef {Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array | BigInt64Array
 *   | BigUint64Array} Data
 */

/** Element types of onnx.proto that can be filled. @type {{[type: number]: string}} */
const TYPES = {
  ...{ 1: 'float32', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 9: 'bool' },
  ...{ 10: 'float16', 11: 'float64', 12: 'uint32', 13: 'uint64' },
};

/** @type {{[type: string]: {new (length: number): Data}}} */
const ARRAYS = {
  ...{ float32: Float32Array, float64: Float64Array, float16: Uint16Array, bool: Uint8Array, uint8: Uint8Array },
  ...{ int8: Int8Array, uint16: Uint16Array, int16: Int16Array, int32: Int32Array, uint32: Uint32Array },
  ...{ int64: BigInt64Array, uint64: BigUint64Array },
};

/** Elements of one input, at most. */
const MOST = 1 << 27;

/** What passes whole numbers on to where they choose rows. */
const PASSES = new Set(
  'Cast Identity Reshape Squeeze Unsqueeze Flatten Slice Transpose Expand Concat Clip Where Mul Add Split'.split(' '),
);

/**
 * Every input of a model, and how it would be filled.
 * @param {Graph} graph
 * @param {{[input: string]: Fill}} [fills] replace what is guessed
 * @param {{[input: string]: Given}} [given]
 * @returns {Input[]}
 * @throws {FewerbitsError} `unsupported`, `invalid_argument`
 */
export function inputsOf(graph, fills = {}, given = {}) {
  const names = graph.inputs.map(({ name }) => name);
  const odd = [...Object.keys(fills), ...Object.keys(given)].find((name) => !names.includes(name));
  if (odd !== undefined) throw unknownInput(odd, names);
  return graph.inputs.map(({ name, type: number, dims }) => {
    const type = TYPES[number];
    if (type === undefined) {
      const facts = { tensor: name, expected: 'numbers or truth values', found: `element type ${number}` };
      throw new FewerbitsError('unsupported', 'the input cannot be filled', facts);
    }
    const sizes = (dims ?? []).map((dim, axis) => (dim === '' ? `${name}[${axis}]` : dim));
    const about = { name, type, dims: sizes };
    if (Object.hasOwn(given, name)) return { ...about, fill: { kind: 'given' }, because: 'given' };
    if (Object.hasOwn(fills, name)) return { ...about, fill: checked(name, type, fills[name]), because: 'asked' };
    return { ...about, ...guess(graph, name, type) };
  });
}

/** @param {string} name @param {string[]} names */
function unknownInput(name, names) {
  const facts = { tensor: name, expected: names.join(', ') || 'no input', found: name };
  return new FewerbitsError('invalid_argument', 'the model has no input of this name', facts);
}

/** Ways to fill an input of a type. @param {string} type */
export const kindsFor = (type) => [
  ...(/^float/.test(type) ? ['gaussian'] : []),
  ...['integers', 'ones', 'zeros', 'positions'],
];

/** @param {string} name @param {string} type @param {Fill} fill @returns {Fill} */
function checked(name, type, fill) {
  const kinds = kindsFor(type);
  const refuse = (/** @type {string} */ expected, /** @type {unknown} */ found) =>
    new FewerbitsError('invalid_argument', 'the input cannot be filled so', {
      ...{ tensor: name, expected, found: String(found) },
    });
  if (!kinds.includes(fill?.kind)) throw refuse(kinds.join(', '), fill?.kind);
  if (fill.kind !== 'integers') return fill;
  const { low, high } = fill;
  const isRange = Number.isSafeInteger(low) && Number.isSafeInteger(high) && low <= high && high - low < 2 ** 32;
  if (!isRange) throw refuse('whole numbers from low to high', `${low} to ${high}`);
  return fill;
}

/**
 * @param {Graph} graph
 * @param {string} name
 * @param {string} type
 * @returns {{fill: Fill, because: Input['because']}}
 */
function guess(graph, name, type) {
  if (/mask/i.test(name)) return { fill: { kind: 'ones' }, because: 'name' };
  if (/^float/.test(type)) return { fill: { kind: 'gaussian' }, because: 'type' };
  if (type === 'bool') return { fill: { kind: 'integers', low: 0, high: 1 }, because: 'type' };
  if (/position/i.test(name)) return { fill: { kind: 'positions' }, because: 'name' };
  // One segment, as nearly always.
  if (/token_type|segment/i.test(name)) return { fill: { kind: 'zeros' }, because: 'name' };
  const rows = rowsChosen(graph, name);
  if (rows !== null) return { fill: { kind: 'integers', low: 0, high: Math.max(0, rows - 1) }, because: 'table' };
  return { fill: { kind: 'integers', low: 0, high: 1 }, because: 'type' };
}

/**
 * Rows of the smallest table that an input's numbers choose from, followed through what only moves them.
 * @param {Graph} graph
 * @param {string} input
 * @returns {number | null}
 */
function rowsChosen({ nodes, weights }, input) {
  const reached = new Set([input]);
  /** Tables under the names that they have after decoding. @type {Map<string, number[]>} */
  const tables = new Map(weights);
  let least = Infinity;
  for (const { op, inputs, outputs, numbers } of nodes) {
    const table = tables.get(inputs[0] ?? '');
    const isGather = op === 'Gather' || op === 'GatherBlockQuantized';
    if (isGather && table && reached.has(inputs[1])) {
      const axis = numbers.axis ?? numbers.gather_axis ?? 0;
      least = Math.min(least, table[axis < 0 ? axis + table.length : axis] ?? Infinity);
    } else if (table && (op === 'DequantizeLinear' || op === 'Cast' || op === 'Identity')) {
      if (outputs[0]) tables.set(outputs[0], table);
    } else if (PASSES.has(op) && inputs.some((name) => reached.has(name))) {
      for (const name of outputs) reached.add(name);
    }
  }
  return Number.isFinite(least) ? least : null;
}

/** What a declared dimension is made of: `past + 1` is a size to choose and a number. @param {string} dim */
const terms = (dim) => (/^[^+]+(\+[^+]+)+$/.test(dim) ? dim.split('+').map((term) => term.trim()) : [dim]);
const isNumber = (/** @type {string} */ term) => /^\d+$/.test(term);

/**
 * The sizes that a model leaves open, with what they are unless they are chosen.
 * @param {Input[]} inputs
 * @param {{[dimension: string]: number}} [chosen]
 * @param {{[input: string]: Given}} [given] whose shapes say what sizes are
 * @returns {{[dimension: string]: number}}
 * @throws {FewerbitsError} `invalid_argument`
 */
export function sizesOf(inputs, chosen = {}, given = {}) {
  /** @type {{[dimension: string]: number}} */
  const sizes = Object.create(null);
  for (const { name, dims } of inputs) {
    if (!Object.hasOwn(given, name)) continue;
    dims.forEach((dim, axis) => {
      if (typeof dim === 'string' && terms(dim).length === 1) sizes[dim] ??= given[name].dims[axis];
    });
  }
  for (const { dims, type } of inputs) {
    dims.forEach((dim, axis) => {
      if (typeof dim !== 'string') return;
      for (const term of terms(dim)) {
        if (!isNumber(term)) sizes[term] ??= chosen[term] ?? usual(term, axis, dims.length, type);
      }
    });
  }
  const wrong = Object.entries(sizes).find(([, size]) => !Number.isInteger(size) || size < 0 || size > MOST);
  if (wrong) {
    const facts = { expected: `a whole number up to ${MOST}`, found: `${wrong[0]} = ${wrong[1]}` };
    throw new FewerbitsError('invalid_argument', 'a size cannot be taken', facts);
  }
  return sizes;
}

/** @param {string} name @param {number} axis @param {number} rank @param {string} type */
function usual(name, axis, rank, type) {
  if (/past/i.test(name)) return 0;
  if (/batch/i.test(name) || axis === 0) return 1;
  const isImage = /height|width/i.test(name) || (rank === 4 && axis > 1 && /^float/.test(type));
  return isImage ? 224 : 16;
}

/** @param {Input} input @param {{[dimension: string]: number}} sizes @returns {number[]} */
export function shapeOf({ name, dims }, sizes) {
  const shape = dims.map((dim) => {
    if (typeof dim === 'number') return dim;
    return terms(dim).reduce((sum, term) => sum + (isNumber(term) ? Number(term) : sizes[term]), 0);
  });
  const n = shape.reduce((product, size) => product * size, 1);
  if (n > MOST) {
    const facts = { tensor: name, expected: `at most ${MOST} numbers`, found: shape.join(' × ') };
    throw new FewerbitsError('invalid_argument', 'the input is too large', facts);
  }
  return shape;
}

/**
 * Values for one run.
 * @param {Input} input
 * @param {number[]} shape
 * @param {Random} random
 * @returns {Data}
 */
export function filled({ type, fill }, shape, random) {
  const n = shape.reduce((product, size) => product * size, 1);
  const data = new ARRAYS[type](n);
  const last = shape.at(-1) ?? 1;
  /** @type {(i: number) => number} */
  const at =
    fill.kind === 'gaussian'
      ? () => random.gaussian()
      : fill.kind === 'integers'
        ? () => fill.low + Math.floor(random.uniform() * (fill.high - fill.low + 1))
        : fill.kind === 'positions'
          ? (i) => i % last
          : () => (fill.kind === 'ones' ? 1 : 0);
  const put = writer(type, data);
  for (let i = 0; i < n; i++) put(i, at(i));
  return data;
}

/**
 * Given values as the model takes them.
 * @param {Input} input
 * @param {Given} given
 * @returns {{shape: number[], data: Data}}
 * @throws {FewerbitsError} `shape_mismatch`
 */
export function takenFrom({ name, type, dims }, { type: from, dims: shape, data: values }) {
  const fits = shape.length === dims.length && dims.every((dim, i) => typeof dim === 'string' || dim === shape[i]);
  const n = shape.reduce((product, size) => product * size, 1);
  if (!fits || n !== values.length) {
    const facts = {
      tensor: name,
      expected: dims.join(' × ') || 'one number',
      found: shape.join(' × ') || 'one number',
    };
    throw new FewerbitsError('shape_mismatch', 'the given input has another shape', facts);
  }
  const isFloat = (/** @type {string} */ kind) => kind.startsWith('float');
  if (isFloat(from) && !isFloat(type)) {
    const facts = { tensor: name, expected: type, found: from };
    throw new FewerbitsError('invalid_argument', 'the given input has another type', facts);
  }
  const data = new ARRAYS[type](n);
  const put = writer(type, data);
  for (let i = 0; i < n; i++) put(i, values[i]);
  return { shape: [...shape], data };
}

/**
 * Writes numbers in a type of their own.
 * @param {string} type
 * @param {Data} data
 * @returns {(i: number, value: number | bigint | boolean) => void}
 */
function writer(type, data) {
  const any = /** @type {any} */ (data);
  if (type === 'int64' || type === 'uint64') return (i, x) => (any[i] = BigInt(x));
  if (type === 'float16') return (i, x) => (any[i] = toHalf(Number(x)));
  if (type === 'bool') return (i, x) => (any[i] = x ? 1 : 0);
  return (i, x) => (any[i] = Number(x));
}

/**
 * What was given, by the model's names: a single array is meant for a single input, whatever it is called.
 * @param {{[name: string]: Given}} given
 * @param {string[]} inputs
 * @returns {{[input: string]: Given}}
 */
export function named(given, inputs) {
  const names = Object.keys(given);
  return names.length === 1 && inputs.length === 1 ? { [inputs[0]]: given[names[0]] } : given;
}

/** Numbers that a seed alone decides (mulberry32; pairs by Box and Muller). */
export class Random {
  /** @param {number[]} seed */
  constructor(...seed) {
    this.state = seed.reduce((mixed, part) => Math.imul(mixed ^ (part + 0x9e3779b9), 0x85ebca6b) ^ (mixed >>> 13), 1);
    /** @type {number | null} */
    this.spare = null;
  }

  /** From 0 to below 1. */
  uniform() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  }

  gaussian() {
    if (this.spare !== null) {
      const { spare } = this;
      this.spare = null;
      return spare;
    }
    const length = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = length * Math.sin(angle);
    return length * Math.cos(angle);
  }
}
