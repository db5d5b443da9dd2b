/** The wasm module: loaded once, then held. */
import * as glue from './wasm/fewerbits.js';
import { FewerbitsError } from './errors.js';
import { isNode } from './sources.js';

let ready = false;

/**
 * Loads the wasm module; must have resolved before anything else is called.
 * @param {{module?: BufferSource | WebAssembly.Module}} [options] the module's bytes, where they are at hand
 */
export async function init({ module } = {}) {
  if (ready) return;
  const url = new URL('./wasm/fewerbits_bg.wasm', import.meta.url);
  if (module === undefined && isNode) {
    const fs = 'node:fs/promises';
    module = await (await import(/* @vite-ignore */ fs)).readFile(url);
  }
  await glue.default({ module_or_path: module ?? url });
  ready = true;
}

/** The functions of the wasm module. */
export function wasm() {
  if (!ready) throw new FewerbitsError('invalid_argument', 'the engine is not loaded: await init() first');
  return glue;
}
