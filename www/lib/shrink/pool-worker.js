/**
 * One worker of the pool: it has an engine of its own and packs rows that it is handed. Runs as a module worker in browsers and as a
 * thread in Node.
 */
import { init, memoryBytes, wasm } from '../engine.js';
import { builtin, isNode } from '../node.js';

const port = isNode ? builtin('worker_threads').parentPort : globalThis;
const started = init();
started.catch(() => {});

/** @param {import('./pool.js').Rows} rows the parts lie in the memory that they came in, where they fit */
function pack({ packing, dtype, bigEndian, bytes, dims, first, headRows = 0 }) {
  const room = new Uint8Array(bytes.buffer);
  return wasm().packRows(packing, dtype, bigEndian, bytes, Float64Array.from(dims), first, headRows, room);
}

/** @param {MessageEvent} event */
async function answer({ data: { id, packing, dtype, bigEndian, bytes, dims, first, headRows } }) {
  try {
    await started;
    const packed = pack({ packing, dtype, bigEndian, bytes, dims, first, headRows });
    const buffers = new Set(packed.parts.map((/** @type {Uint8Array} */ part) => part.buffer));
    port.postMessage({ id, ...packed, memory: memoryBytes() }, [...buffers]);
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
