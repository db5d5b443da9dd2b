/**
 * Packs rows with the engine of this thread. Of a record of Deep Compression it also says what each stage came to.
 */
import { wasm } from '../engine.js';

/**
 * @param {import('./pool.js').Rows} rows the parts lie in the memory that they came in, where they fit
 * @returns {import('./pool.js').Packed}
 */
export function packRows({ packing, dtype, bigEndian, bytes, dims, first, headRows = 0 }) {
  const room = new Uint8Array(bytes.buffer);
  const { packRows: pack, deepStages } = wasm();
  const packed = pack(packing, dtype, bigEndian, bytes, Float64Array.from(dims), first, headRows, room);
  if (packing.startsWith('{"pack":"record"')) packed.stages = JSON.parse(deepStages(packed.parts[0], packed.count));
  return packed;
}
