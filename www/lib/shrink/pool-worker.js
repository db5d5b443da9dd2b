/**
 * One worker of the pool: it has an engine of its own and packs rows that it is handed, or measures what packings lose on them. Runs as a module worker in browsers and as a
 * thread in Node.
 */
import { init, memoryBytes, wasm } from '../engine.js';
import { builtin, isNode } from '../node.js';
import { packRows } from './rows.js';

const port = isNode ? builtin('worker_threads').parentPort : globalThis;
const started = init();
started.catch(() => {});

/** @param {import('./pool.js').Samples} samples */
function survey({ packings, dtype, bigEndian, bytes, dims, places, count, used }) {
  const [d, u] = [Float64Array.from(dims), Float64Array.from(used)];
  return wasm().surveyRows(packings, dtype, bigEndian, bytes, d, places, count, u);
}

/** @param {MessageEvent} event */
async function answer({ data: { id, ...work } }) {
  try {
    await started;
    if (work.packings !== undefined) {
      port.postMessage({ id, losses: survey(work), memory: memoryBytes() });
      return;
    }
    const packed = packRows(work);
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
