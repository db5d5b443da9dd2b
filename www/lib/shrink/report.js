/**
 * What a job says of itself when it is done. No code lives here.
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
 */
export {};
