/**
 * Loading and holding the WebAssembly module: one instance per thread.
 * @module
 */

import { options } from './check.js';
import { FewerbitsError } from './errors.js';
import { builtin, hasBuiltins } from './node.js';

/** @typedef {BufferSource | WebAssembly.Module | Response | URL | string} ModuleSource */

/** The smallest module that uses a vector instruction; what cannot validate it cannot run the engine. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** Where Node finds the module. A name of its own, so that a bundler does not take it for something that a page needs. */
const MODULE = './wasm/fewerbits_bg.wasm';

/** @typedef {typeof import('./wasm/fewerbits.js')} Bindings */

/** @type {{bindings: Bindings | undefined, done: Promise<void>} | null} */
let loading = null;
/** @type {Bindings | null} */
let glue = null;
/** @type {WebAssembly.Memory | null} */
let memory = null;

/**
 * Loads the module, once; calls that follow share it. Every other call of the package comes after it.
 *
 * @param {object} [given]
 * @param {ModuleSource} [given.module] the `.wasm` file, where it does not lie beside this script: bytes, a compiled module, a
 *   response, or where to fetch it
 * @param {Bindings} [given.bindings] those of another build of the engine. Calls go to the build that was loaded last; a tensor stays with
 *   the one it was made with
 * @returns {Promise<void>}
 * @throws {FewerbitsError} `no_simd` where WebAssembly lacks SIMD128; `network` where the module cannot be had
 */
export async function init(given) {
  const { module, bindings } = options(given);
  if (loading === null || loading.bindings !== bindings) {
    const done = load(module, bindings).catch((error) => {
      loading = null;
      throw error;
    });
    loading = { bindings, done };
  }
  return loading.done;
}

/**
 * @param {ModuleSource} [module]
 * @param {Bindings} [bindings]
 */
async function load(module, bindings) {
  if (typeof WebAssembly !== 'object' || !WebAssembly.validate(SIMD_PROBE)) {
    throw new FewerbitsError('no_simd', 'This engine needs WebAssembly with SIMD128, which is missing here', {
      expected: 'Chrome 91, Firefox 89, Safari 16.4, Node 16.4 or later',
    });
  }
  let source = module;
  if (source === undefined && bindings === undefined && import.meta.url.startsWith('file:') && hasBuiltins) {
    // Node: `fetch` does not read files.
    const { readFile } = builtin('fs/promises');
    source = await readFile(new URL(MODULE, import.meta.url));
  }
  try {
    const loaded = bindings ?? (await import('./wasm/fewerbits.js'));
    const exports = await loaded.default(source === undefined ? undefined : { module_or_path: source });
    [glue, memory] = [loaded, exports.memory];
  } catch (cause) {
    throw new FewerbitsError('network', 'The WebAssembly module could not be loaded', { cause });
  }
}

/**
 * The module's functions and classes.
 *
 * @returns {Bindings}
 * @throws {FewerbitsError} `not_ready` before `init()`
 */
export function wasm() {
  if (glue === null) throw new FewerbitsError('not_ready', 'Call and await init() first');
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

/**
 * Frees what the engine holds, and hides no error that came before: after a trap the engine takes nothing back, and what it says of that is
 * not what went wrong.
 *
 * @param {{free(): void} | null} held
 */
export function release(held) {
  try {
    held?.free();
  } catch {
    // The engine is dead, as the error under way says; its memory goes with it.
  }
}
