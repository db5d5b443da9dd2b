/**
 * One worker of the pool: it has an engine of its own and packs rows that it is handed. Runs as a module worker in browsers and as a
 * thread in Node.
 */
import { init, memoryBytes, wasm } from '../engine.js';
import { builtin, isNode } from '../node.js';

const port = isNode ? builtin('worker_threads').parentPort : globalThis;
const started = init();
started.catch(() => {});

/** @param {MessageEvent} event */
async function answer({ data: { id, packing, dtype, bigEndian, bytes, dims } }) {
  try {
    await started;
    const { parts, metrics, energy } = wasm().packRows(packing, dtype, bigEndian, bytes, Float64Array.from(dims));
    const buffers = parts.map((/** @type {Uint8Array} */ part) => part.buffer);
    port.postMessage({ id, parts, metrics, energy, memory: memoryBytes() }, buffers);
  } catch (error) {
    const e = /** @type {any} */ (error);
    // A trap leaves the memory in no known state: this worker is done for.
    if (e instanceof WebAssembly.RuntimeError) {
      port.postMessage({ id, died: e.message });
      return;
    }
    const { code = 'unexpected', message, tensor, offset, expected, found } = e;
    port.postMessage({ id, error: { code, message, tensor, offset, expected, found } });
  }
}

if (isNode) port.on('message', (/** @type {any} */ data) => answer(/** @type {MessageEvent} */ ({ data })));
else port.addEventListener('message', answer);
