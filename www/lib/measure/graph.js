/**
 * What of an ONNX file has to be known to run it: its inputs, its outputs, its nodes and the shapes of its weights. Read from the protocol buffer
 * by the field numbers of onnx.proto; what weights hold is passed over. Graphs inside nodes (the branches of an `If`) are not looked into.
 */
import { FewerbitsError } from '../errors.js';

/**
 * @typedef {object} Node
 * @property {string} op the operator's type
 * @property {string[]} inputs names; empty where an optional input is left out
 * @property {string[]} outputs
 * @property {{[attribute: string]: number}} numbers attributes that are whole numbers
 *
 * @typedef {object} Value an input or output of the graph
 * @property {string} name
 * @property {number} type by onnx.proto's `DataType`; 0 for what is not a tensor
 * @property {(number | string)[] | null} dims a text where the model names the dimension, `''` where it says nothing; null: not even how many
 *
 * @typedef {object} Graph
 * @property {Node[]} nodes in the file's order, which is one that can be computed
 * @property {Value[]} inputs without those that the file itself has values for
 * @property {Value[]} outputs
 * @property {Map<string, number[]>} weights shapes by name
 */

/** A field of a message: its number, and its value or where its bytes are. @typedef {{field: number, value: number, start: number, end: number}} Field */

/**
 * @param {Uint8Array} bytes an ONNX file
 * @returns {Graph}
 * @throws {FewerbitsError} `malformed`
 */
export function readGraph(bytes) {
  const reader = new Reader(bytes);
  /** @type {Graph} */
  const graph = { nodes: [], inputs: [], outputs: [], weights: new Map() };
  let found = false;
  for (const { field, start, end } of reader.fields(0, bytes.length)) {
    // A message that is there twice is one message with the fields of both.
    if (field !== 7) continue;
    found = true;
    for (const part of reader.fields(start, end)) {
      if (part.field === 1) graph.nodes.push(node(reader, part));
      if (part.field === 5) graph.weights.set(...weight(reader, part));
      if (part.field === 11) graph.inputs.push(value(reader, part));
      if (part.field === 12) graph.outputs.push(value(reader, part));
      if (part.field === 15) graph.weights.set(...sparseWeight(reader, part));
    }
  }
  if (!found) throw new FewerbitsError('malformed', 'there is no graph in this ONNX file');
  graph.inputs = graph.inputs.filter(({ name }) => !graph.weights.has(name));
  return graph;
}

/**
 * The same model with more outputs: a second `graph` of outputs alone, which the rules of protocol buffers make one with the first.
 * @param {Uint8Array} bytes
 * @param {string[]} names of tensors in the graph
 * @returns {Uint8Array}
 */
export function withOutputs(bytes, names) {
  const more = names.map((name) => message(12, message(1, new TextEncoder().encode(name))));
  const graph = message(7, joined(more));
  return joined([bytes, graph]);
}

/**
 * The same model with some of its weights as inputs: what they hold is left out, and given with each run.
 * @param {Uint8Array} bytes
 * @param {Set<string>} names of initializers
 * @returns {Uint8Array}
 * @throws {FewerbitsError} `malformed`
 */
export function withInputs(bytes, names) {
  const reader = new Reader(bytes);
  /** @type {Uint8Array[]} */
  const parts = [];
  /** @type {Map<string, Uint8Array>} */
  const declarations = new Map();
  /** @type {Set<string>} */
  const declared = new Set();
  for (const { field, start, end, whole } of reader.whole(0, bytes.length)) {
    if (field !== 7) {
      parts.push(whole);
      continue;
    }
    /** @type {Uint8Array[]} */
    const kept = [];
    for (const part of reader.whole(start, end)) {
      const [name, dims] = part.field === 5 ? weight(reader, part) : ['', []];
      // Old models declare their weights among the inputs too.
      if (part.field === 11) declared.add(value(reader, part).name);
      if (part.field === 5 && names.has(name)) declarations.set(name, declaration(name, typeOf(reader, part), dims));
      else kept.push(part.whole);
    }
    parts.push(header(7, kept), ...kept);
  }
  const more = [...declarations].filter(([name]) => !declared.has(name)).map(([, one]) => one);
  return joined([...parts, header(7, more), ...more]);
}

/** An input of the graph. @param {string} name @param {number} type @param {number[]} dims */
function declaration(name, type, dims) {
  const shape = message(2, joined(dims.map((dim) => message(1, numbered(1, dim)))));
  const tensor = message(1, joined([numbered(1, type), shape]));
  return message(11, joined([message(1, new TextEncoder().encode(name)), message(2, tensor)]));
}

/** An initializer's element type. @param {Reader} reader @param {Field} of */
function typeOf(reader, { start, end }) {
  let type = 0;
  for (const part of reader.fields(start, end)) if (part.field === 2) type = part.value;
  return type;
}

/** @param {number} field @param {Uint8Array} content */
const message = (field, content) => joined([header(field, [content]), content]);

/** @param {number} field @param {number} n */
const numbered = (field, n) => Uint8Array.from([...varint(field * 8), ...varint(n)]);

/** What stands before a message. @param {number} field @param {Uint8Array[]} parts of it */
function header(field, parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Uint8Array.from([...varint(field * 8 + 2), ...varint(length)]);
}

/** @param {number} n 0 or above */
function varint(n) {
  /** @type {number[]} */
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  return [...out, n];
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param {Reader} reader @param {Field} of @returns {Node} */
function node(reader, { start, end }) {
  /** @type {Node} */
  const made = { op: '', inputs: [], outputs: [], numbers: Object.create(null) };
  for (const part of reader.fields(start, end)) {
    if (part.field === 1) made.inputs.push(reader.text(part));
    if (part.field === 2) made.outputs.push(reader.text(part));
    if (part.field === 4) made.op = reader.text(part);
    if (part.field !== 5) continue;
    let [name, number] = ['', /** @type {number | null} */ (null)];
    for (const own of reader.fields(part.start, part.end)) {
      if (own.field === 1) name = reader.text(own);
      if (own.field === 3) number = own.value;
    }
    if (number !== null) made.numbers[name] = number;
  }
  return made;
}

/** @param {Reader} reader @param {Field} of @returns {[name: string, shape: number[]]} */
function weight(reader, { start, end }) {
  let name = '';
  /** @type {number[]} */
  const dims = [];
  for (const part of reader.fields(start, end)) {
    if (part.field === 1) dims.push(...reader.numbers(part));
    if (part.field === 8) name = reader.text(part);
  }
  return [name, dims];
}

/** @param {Reader} reader @param {Field} of @returns {[name: string, shape: number[]]} */
function sparseWeight(reader, { start, end }) {
  let name = '';
  /** @type {number[]} */
  const dims = [];
  for (const part of reader.fields(start, end)) {
    if (part.field === 1) [name] = weight(reader, part);
    if (part.field === 3) dims.push(...reader.numbers(part));
  }
  return [name, dims];
}

/** @param {Reader} reader @param {Field} of @returns {Value} */
function value(reader, { start, end }) {
  /** @type {Value} */
  const made = { name: '', type: 0, dims: null };
  for (const part of reader.fields(start, end)) {
    if (part.field === 1) made.name = reader.text(part);
    if (part.field !== 2) continue;
    for (const kind of reader.fields(part.start, part.end)) {
      if (kind.field !== 1) continue;
      for (const own of reader.fields(kind.start, kind.end)) {
        if (own.field === 1) made.type = own.value;
        if (own.field === 2) made.dims = [...reader.fields(own.start, own.end)].map((dim) => dimension(reader, dim));
      }
    }
  }
  return made;
}

/** @param {Reader} reader @param {Field} of */
function dimension(reader, { start, end }) {
  /** @type {number | string} */
  let dim = '';
  for (const part of reader.fields(start, end)) {
    if (part.field === 1) dim = part.value < 0 ? '' : part.value;
    if (part.field === 2) dim = reader.text(part);
  }
  return dim;
}

/** Fields of messages, held to their bytes. */
class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.words = new TextDecoder();
  }

  /**
   * @param {number} start
   * @param {number} end
   * @returns {Generator<Field, void>}
   */
  *fields(start, end) {
    let at = start;
    while (at < end) {
      const key = this.#varint(at, end);
      const field = Math.floor(key / 8);
      at = this.at;
      /** @type {Field} */
      let found;
      switch (key % 8) {
        case 0:
          found = { field, value: this.#varint(at, end), start: at, end: this.at };
          break;
        case 1:
          found = { field, value: NaN, start: at, end: at + 8 };
          break;
        case 2: {
          const length = this.#varint(at, end);
          found = { field, value: NaN, start: this.at, end: this.at + length };
          break;
        }
        case 5:
          found = { field, value: NaN, start: at, end: at + 4 };
          break;
        default:
          throw malformed(at, 'a field of a known kind', `kind ${key % 8}`);
      }
      if (!(found.end >= found.start && found.end <= end)) throw malformed(at, `at most ${end - at} bytes`, 'more');
      at = found.end;
      yield found;
    }
  }

  /**
   * The same with all bytes of each field.
   * @param {number} start
   * @param {number} end
   * @returns {Generator<Field & {whole: Uint8Array}, void>}
   */
  *whole(start, end) {
    let from = start;
    for (const field of this.fields(start, end)) {
      yield { ...field, whole: this.bytes.subarray(from, field.end) };
      from = field.end;
    }
  }

  /** Numbers that are repeated: one for each field, or all in one. @param {Field} field */
  numbers({ value: one, start, end }) {
    if (!Number.isNaN(one)) return [one];
    /** @type {number[]} */
    const all = [];
    for (let at = start; at < end; at = this.at) all.push(this.#varint(at, end));
    return all;
  }

  /** @param {Field} field */
  text({ start, end }) {
    return this.words.decode(this.bytes.subarray(start, end));
  }

  /** A signed number; leaves its end in `at`. @param {number} from @param {number} end */
  #varint(from, end) {
    let [low, scale] = [0, 1];
    for (let at = from; at < end && at < from + 10; at++) {
      const byte = this.bytes[at];
      low += (byte & 127) * scale;
      scale *= 128;
      if (byte > 127) continue;
      this.at = at + 1;
      // Ten bytes hold a negative number, as its complement to 2⁶⁴.
      return at < from + 9 ? low : this.#long(from, at);
    }
    throw malformed(from, 'a number', 'one that does not end');
  }

  /** @param {number} from @param {number} last */
  #long(from, last) {
    let whole = 0n;
    for (let at = last; at >= from; at--) whole = (whole << 7n) | BigInt(this.bytes[at] & 127);
    return Number(BigInt.asIntN(64, whole));
  }
}

/** @param {number} offset @param {string} expected @param {string} found */
const malformed = (offset, expected, found) =>
  new FewerbitsError('malformed', 'the ONNX file cannot be read', { offset, expected, found });
