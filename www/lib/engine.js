/**
 * Loading and holding the WebAssembly module: one instance per thread.
 * @module
 */

import * as glue from './wasm/fewerbits.js';
import { options } from './check.js';
import { FewerbitsError } from './errors.js';
import { builtin, hasBuiltins } from './node.js';

/** @typedef {BufferSource | WebAssembly.Module | Response | URL | string} ModuleSource */

/** The smallest module that uses a vector instruction; what cannot validate it cannot run the engine. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** @type {Promise<void> | null} */
let loading = null;
/** @type {WebAssembly.Memory | null} */
let memory = null;

/**
 * Loads the module, once; calls that follow share it. Every other call of the package comes after it.
 *
 * @param {object} [given]
 * @param {ModuleSource} [given.module] the `.wasm` file, where it does not lie beside this script: bytes, a compiled module, a
 *   response, or where to fetch it
 * @returns {Promise<void>}
 * @throws {FewerbitsError} `no_simd` where WebAssembly lacks SIMD128; `network` where the module cannot be had
 */
export async function init(given) {
  const { module } = options(given);
  loading ??= load(module).catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** @param {ModuleSource} [module] */
async function load(module) {
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(SIMD_PROBE)) {
    throw new FewerbitsError('no_simd', 'This engine needs WebAssembly with SIMD128, which is missing here', {
      expected: 'Chrome 91, Firefox 89, Safari 16.4, Node 16.4 or later',
    });
  }
  let source = module;
  if (source === undefined && import.meta.url.startsWith('file:') && hasBuiltins) {
    // Node: `fetch` does not read files.
    const { readFile } = builtin('fs/promises');
    source = await readFile(new URL('./wasm/fewerbits_bg.wasm', import.meta.url));
  }
  try {
    const exports = await glue.default(source === undefined ? undefined : { module_or_path: source });
    memory = exports.memory;
  } catch (cause) {
    throw new FewerbitsError('network', 'The WebAssembly module could not be loaded', { cause });
  }
}

/**
 * The module's functions and classes.
 *
 * @returns {typeof glue}
 * @throws {FewerbitsError} `not_ready` before `init()`
 */
export function wasm() {
  if (memory === null) throw new FewerbitsError('not_ready', 'Call and await init() first');
  return glue;
}

/**
 * Bytes of WebAssembly memory that this thread's instance holds. It grows and never shrinks.
 *
 * @returns {number}
 */
export function memoryBytes() {
  return memory?.buffer.byteLength ?? 0;
}
