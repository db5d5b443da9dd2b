/**
 * Runs an ONNX model when the Shrink room wants its errors weighed, in a worker that is ended with it: models are large, and the runtime computes
 * without a pause.
 */
import { EngineClient } from './engine/client.js';

/**
 * @typedef {{stage: 'reading' | 'runtime' | 'run', done: number, total: number}
 *   | {stage: 'inputs', about: import('./shrink/weighing-state.js').About}} Progress
 *
 * @param {EngineClient} engine which has the model open
 * @param {import('./shrink/measure-state.js').Settings} settings
 * @param {{signal: AbortSignal, onProgress: (progress: Progress) => void}} tools
 * @returns {Promise<{[tensor: string]: number}>}
 */
export async function weigh(engine, settings, { signal, onProgress }) {
  const files = await engine.call(
    'shrink-originals',
    {},
    { signal, onProgress: (progress) => onProgress({ stage: 'reading', ...progress }) },
  );
  const client = new EngineClient(
    () =>
      new Worker(new URL('./engine/worker-measure.js', import.meta.url), { type: 'module', name: 'fewerbits weigh' }),
  );
  const end = () => client.stop();
  signal.addEventListener('abort', end, { once: true });
  try {
    const { runs, seed, sizes, fills, given } = settings;
    const payload = {
      files,
      address: new URL('ort/', document.baseURI).href,
      options: { runs, seed, sizes, fills, given },
    };
    return await client.call('weigh', payload, { signal, onProgress });
  } finally {
    signal.removeEventListener('abort', end);
    client.stop();
  }
}
