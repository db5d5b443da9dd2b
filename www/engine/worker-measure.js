/**
 * Runs both models. A thread of its own: the runtime computes without a pause, and ending the thread is the way to stop it. The runtime is fetched
 * from beside the page when it is first asked for.
 */
import { FewerbitsError } from '../lib/errors.js';
import { readGraph } from '../lib/measure/graph.js';
import { named } from '../lib/measure/inputs.js';
import { runBoth } from '../lib/measure/run-both.js';

/** @typedef {{name: string, file: Blob}[]} Files the model's first, what lies beside it after it */

/** @type {Promise<any> | null} */
let runtime = null;

self.addEventListener('message', async (/** @type {MessageEvent} */ event) => {
  const { id, type, ...payload } = event.data;
  if (type !== 'measure') return;
  try {
    const done = await measure(payload, (/** @type {any} */ progress) => self.postMessage({ id, progress }));
    self.postMessage({ id, done });
  } catch (error) {
    const { code = 'unexpected', message, file, tensor, expected, found } = /** @type {any} */ (error);
    // After a trap nothing that the runtime holds can be trusted.
    if (code === 'out_of_memory') runtime = null;
    self.postMessage({ id, error: { code, message: String(message ?? error), file, tensor, expected, found } });
  }
});

/**
 * @param {{float: Files, quantized: Files, address: string, options: any}} payload
 * @param {(progress: any) => void} onProgress
 */
async function measure({ float, quantized, address, options }, onProgress) {
  onProgress({ stage: 'runtime', done: 0, total: 1 });
  runtime ??= load(address);
  const ort = await runtime.catch((error) => {
    runtime = null;
    const facts = { found: String(error?.message ?? error), cause: error };
    throw new FewerbitsError('network', 'the runtime could not be loaded', facts);
  });
  const models = [await opened(float), await opened(quantized)];
  const inputs = readGraph(models[0].bytes).inputs.map(({ name }) => name);
  return runBoth(models[0], models[1], { ...options, given: named(options.given, inputs), ort, onProgress });
}

/** @param {string} address of the folder that it lies in */
async function load(address) {
  const ort = await import(/* @vite-ignore */ `${address}ort.wasm.min.mjs`);
  ort.env.wasm.wasmPaths = address;
  // One thread: more would need headers that not every host can send.
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'fatal';
  return ort;
}

/** @param {Files} files */
async function opened([first, ...others]) {
  const external = [];
  for (const { name: path, file } of others) external.push({ path, data: await bytesOf(file, path) });
  return { name: first.name, bytes: await bytesOf(first.file, first.name), external };
}

/** @param {Blob} file @param {string} name */
async function bytesOf(file, name) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    const facts = { file: name, found: String(/** @type {any} */ (cause)?.message ?? cause), cause };
    throw new FewerbitsError('unreadable', 'the file could not be read: it may have changed or gone', facts);
  }
}
