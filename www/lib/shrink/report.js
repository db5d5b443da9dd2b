/**
 * What a job says of itself when it is done. No code lives here.
 *
 * @typedef {object} Stages bytes of a tensor after each stage of Deep Compression
 * @property {number} weights all of them
 * @property {number} kept that are not zero
 * @property {number} padding zeros that are stored because a gap is too wide
 * @property {number} codeBits bits of a code
 * @property {number} indexBits bits of a gap; 0 where every weight has a code
 * @property {number} values shared values
 * @property {number} float all weights, 4 bytes each
 * @property {number} pruned the stored weights, 4 bytes each, and their gaps
 * @property {number} shared shared values, codes and gaps
 * @property {number} coded the record, codes and gaps as Huffman has them
 *
 * @typedef {object} TensorReport
 * @property {string} name
 * @property {string} target
 * @property {{dtype: string, byteLength: number}} from
 * @property {string} dtype
 * @property {number} byteLength
 * @property {number} count
 * @property {import('../types.js').Scheme | null} scheme
 * @property {number | null} sqnrDb `null` where nothing was changed
 * @property {number | null} rmse
 * @property {number | null} maxAbs
 * @property {Stages} [stages] of a record of Deep Compression
 *
 * @typedef {{float: number, pruned: number, shared: number, coded: number}} StageBytes
 *
 * @typedef {object} Report
 * @property {string} model
 * @property {string} to
 * @property {{name: string, byteLength: number}[]} files
 * @property {number} inputBytes
 * @property {number} outputBytes
 * @property {number} bitsPerWeight
 * @property {number} seconds
 * @property {number} peakMemory bytes of WebAssembly memory and of buffers under way, at most
 * @property {TensorReport[]} tensors
 * @property {StageBytes} [stages] bytes of the whole file after each stage of Deep Compression, with what is not compressed
 */
export {};
