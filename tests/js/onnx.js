/** Small ONNX models, written field by field as onnx.proto numbers them. No tests. */

/** A field of a protocol buffer: a number, or bytes. @param {number} field @param {number | Uint8Array | string} value */
export function wire(field, value) {
  if (typeof value === 'number') return Buffer.concat([varint(field * 8), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

/** Negative numbers are their complement to 2⁶⁴. @param {number} n */
function varint(n) {
  const out = [];
  let rest = BigInt.asUintN(64, BigInt(n));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return Buffer.from([...out, Number(rest)]);
}

const all = (/** @type {Uint8Array[]} */ parts) => Buffer.concat(parts);

/** An attribute of whole numbers. @param {string} name @param {number | number[]} value */
const attribute = (name, value) =>
  Array.isArray(value)
    ? all([wire(1, name), ...value.map((n) => wire(8, n)), wire(20, 7)])
    : all([wire(1, name), wire(3, value), wire(20, 2)]);

/**
 * @param {string} op
 * @param {string} inputs by name, with spaces between
 * @param {string} output
 * @param {{[attribute: string]: number | number[]}} [attributes]
 */
export const node = (op, inputs, output, attributes = {}) =>
  all([
    ...inputs.split(' ').map((name) => wire(1, name)),
    ...output.split(' ').map((name) => wire(2, name)),
    wire(3, `node ${output}`),
    wire(4, op),
    ...Object.entries(attributes).map(([name, value]) => wire(5, attribute(name, value))),
  ]);

/** Element types by their number. */
export const TYPES = { float: 1, int32: 6, int64: 7, string: 8, bool: 9, float16: 10, double: 11 };

/** An input or output. @param {string} name @param {keyof TYPES} type @param {(number | string)[]} dims a text is a dimension by name */
const value = (name, type, dims) => {
  const shape = all(dims.map((dim) => wire(1, typeof dim === 'number' ? wire(1, dim) : wire(2, dim))));
  return all([wire(1, name), wire(2, wire(1, all([wire(1, TYPES[type]), wire(2, shape)])))]);
};

/** @param {string} name @param {number[]} dims @param {Float32Array | BigInt64Array} values */
const initializer = (name, dims, values) =>
  all([
    ...dims.map((dim) => wire(1, dim)),
    wire(2, values instanceof Float32Array ? TYPES.float : TYPES.int64),
    wire(8, name),
    wire(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ]);

/**
 * @param {object} graph
 * @param {Uint8Array[]} graph.nodes
 * @param {{[name: string]: [keyof TYPES, (number | string)[]]}} graph.inputs
 * @param {{[name: string]: [keyof TYPES, (number | string)[]]}} graph.outputs
 * @param {{[name: string]: [number[], Float32Array | BigInt64Array]}} [graph.weights]
 * @param {number} [graph.opset]
 */
export function onnx({ nodes, inputs, outputs, weights = {}, opset = 13 }) {
  const graph = all([
    ...nodes.map((one) => wire(1, one)),
    wire(2, 'graph'),
    ...Object.entries(weights).map(([name, [dims, values]]) => wire(5, initializer(name, dims, values))),
    ...Object.entries(inputs).map(([name, [type, dims]]) => wire(11, value(name, type, dims))),
    ...Object.entries(outputs).map(([name, [type, dims]]) => wire(12, value(name, type, dims))),
  ]);
  return new Uint8Array(all([wire(1, 8), wire(8, wire(2, opset)), wire(7, graph)]));
}
