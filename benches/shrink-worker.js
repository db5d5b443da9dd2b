/** The worker of `shrink.html`: one job on a File as the page does it, with workers of its own. */
import { init, memoryBytes, openModel, plan, shrink } from '../www/lib/index.js';
import { wasm } from '../www/lib/engine.js';
import { readyWorkers } from '../www/lib/shrink/pool.js';
import { keepIn } from '../www/engine/worker-sinks.js';

/** Takes everything and keeps nothing. */
const NOWHERE = {
  open: async () => ({ isDone: true, write: async () => {}, close: async () => {}, abort: async () => {} }),
};

/** @param {Blob} file */
async function checksum(file) {
  let crc = 0;
  for (let at = 0; at < file.size; at += 4 << 20) {
    crc = wasm().crc32(crc, new Uint8Array(await file.slice(at, at + (4 << 20)).arrayBuffer()));
  }
  return crc >>> 0;
}

/** @param {{file: File, options: any, workers: number, isSummed?: boolean, isDiscarded?: boolean}} job */
async function run({ file, options, workers, isSummed, isDiscarded }) {
  await init();
  const opened = performance.now();
  const model = await openModel(file);
  const listed = performance.now() - opened;
  if (!options) return { listed, tensors: model.tensors.length, memory: memoryBytes() };
  const kept = isDiscarded ? null : await keepIn({ kind: 'storage' }, ['']);
  try {
    const begun = performance.now();
    readyWorkers(workers);
    const { peakMemory } = await shrink(await plan(model, options), kept?.sink ?? NOWHERE, { workers });
    const ms = performance.now() - begun;
    const crc = isSummed && kept ? await checksum((await kept.made())[0].file) : null;
    return { ms, listed, peakMemory, crc };
  } finally {
    await model.close();
    await kept?.drop();
  }
}

addEventListener('message', async ({ data }) => {
  postMessage(await run(data).catch((error) => ({ error: `${error?.code}: ${error?.message}` })));
});
