/**
 * Runs ONNX models: two on the same inputs, or one again and again to weigh its errors. A thread of its own: the runtime computes without a pause,
 * and ending the thread is the way to stop it. The runtime is fetched from beside the page when it is first asked for.
 */
import { FewerbitsError } from '../lib/errors.js';
import { Feeds } from '../lib/measure/feeds.js';
import { readGraph } from '../lib/measure/graph.js';
import { named } from '../lib/measure/inputs.js';
import { runBoth } from '../lib/measure/run-both.js';
import { runtimeName } from '../lib/measure/session.js';

/** @typedef {{name: string, file: Blob}[]} Files the model's first, what lies beside it after it */

/** Milliseconds between two messages about runs. */
const BEAT = 50;

/** @type {Promise<any> | null} */
let runtime = null;

self.addEventListener('message', async (/** @type {MessageEvent} */ event) => {
  const { id, type, ...payload } = event.data;
  const answer = { measure, weigh }[/** @type {string} */ (type)];
  if (!answer) return;
  try {
    const done = await answer(payload, (/** @type {any} */ progress) => self.postMessage({ id, progress }));
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
  const ort = await loaded(address, onProgress);
  const models = [await opened(float), await opened(quantized)];
  const inputs = readGraph(models[0].bytes).inputs.map(({ name }) => name);
  return runBoth(models[0], models[1], { ...options, given: named(options.given, inputs), ort, onProgress });
}

/**
 * What a model's errors count. The engine is needed besides the runtime.
 * @param {{files: Files, address: string, options: any}} payload
 * @param {(progress: any) => void} onProgress
 */
async function weigh({ files, address, options: { given, ...options } }, onProgress) {
  const ort = await loaded(address, onProgress);
  const { init, measureWeights, openModel } = await import('../lib/core.js');
  await init();
  const [{ file, name }] = files;
  const graph = readGraph(await bytesOf(file, name));
  const how = {
    ...options,
    given: named(
      given,
      graph.inputs.map((input) => input.name),
    ),
  };
  const { inputs, sizes, runs, seed } = new Feeds(graph, how);
  const isGiven = inputs.every(({ fill }) => fill.kind === 'given');
  // Said before it is run: what does not run can be mended then.
  onProgress({ stage: 'inputs', about: { inputs, sizes, runs, seed, isGiven, runtime: runtimeName(ort) } });
  const model = await openModel(files.map((one) => ({ path: one.name, file: one.file })));
  let last = 0;
  return measureWeights(model, {
    ...{ ...how, ort },
    onProgress: ({ done, total }) => {
      const now = performance.now();
      if (done > 0 && now - last < BEAT) return;
      last = now;
      onProgress({ stage: 'run', done, total });
    },
  });
}

/** @param {string} address @param {(progress: any) => void} onProgress */
async function loaded(address, onProgress) {
  onProgress({ stage: 'runtime', done: 0, total: 1 });
  runtime ??= load(address);
  return runtime.catch((error) => {
    runtime = null;
    const facts = { found: String(error?.message ?? error), cause: error };
    throw new FewerbitsError('network', 'the runtime could not be loaded', facts);
  });
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
