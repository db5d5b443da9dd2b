/** Inputs that a person gives: npy files by their names, and npz by the names in them. */
import { FewerbitsError } from '../errors.js';
import { inside } from '../model.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('./inputs.js').Given} Given
 */

/** @type {{[dtype: string]: [type: string, array: any]}} */
const WHOLE = {
  ...{ I8: ['int8', Int8Array], U8: ['uint8', Uint8Array], BOOL: ['bool', Uint8Array] },
  ...{ I16: ['int16', Int16Array], U16: ['uint16', Uint16Array], I32: ['int32', Int32Array] },
  ...{ U32: ['uint32', Uint32Array], I64: ['int64', BigInt64Array], U64: ['uint64', BigUint64Array] },
};

/**
 * Every array of an opened npy or npz file, under its name.
 * @param {Model} model
 * @returns {Promise<[name: string, given: Given][]>}
 * @throws {FewerbitsError} `unsupported`, and as reading does
 */
export async function givenIn(model) {
  /** @type {[string, Given][]} */
  const all = [];
  for (const { name, dtype, shape, count } of model.tensors) {
    if (!(dtype in WHOLE)) {
      all.push([name, { type: 'float32', dims: shape, data: await model.read(name) }]);
      continue;
    }
    const placed = inside.get(model)?.tensors.find((tensor) => tensor.name === name);
    if (placed && ((placed.fortranOrder && shape.length > 1) || placed.bigEndian)) {
      const facts = { file: model.name, tensor: name, expected: 'little-endian numbers, row by row (C order)' };
      throw new FewerbitsError('unsupported', 'whole numbers are stored in another order', facts);
    }
    const [type, Own] = WHOLE[dtype];
    const bytes = await model.readBytes(name);
    all.push([name, { type, dims: shape, data: new Own(bytes.slice().buffer, 0, count) }]);
  }
  return all;
}
