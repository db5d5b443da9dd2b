/**
 * See, quantize and shrink neural-network weights, in a browser or in Node.
 *
 * ```js
 * import { init, quantize } from 'fewerbits';
 * await init();
 * const q = quantize(weights, [out, in], { id: 'int4', granularity: 'group', groupSize: 32 });
 * q.bitsPerWeight; // 5: 4 for the code, 1 for the share of a scale
 * const back = q.dequantize();
 * q.free();
 * ```
 *
 * Arrays are row-major. Every error is an `Error` with a stable `code` and, where known, `file`, `tensor`, `offset`, `expected` and
 * `found`. All calls but `init` and `openModel` are synchronous: run them in a worker where a page must not wait.
 * @module
 */

export * from './core.js';
export { LanguageModel } from './lm.js';
export { MATRICES, Trainer } from './trainer.js';
