/**
 * Runs both models when the Shrink room asks for it, in a worker that is ended to stop it, and puts what comes of it into the state.
 */
import { EngineClient } from './engine/client.js';
import { shrinkOf } from './shrink/state.js';
import { measureOf, setMeasure, setSettings } from './shrink/measure-state.js';

/**
 * @typedef {import('./types.js').State} State
 * @typedef {import('./shrink/measure-state.js').Measure} Measure
 */

export class Measuring {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./engine/client.js').EngineClient} engine
   */
  constructor(store, engine) {
    this.store = store;
    this.engine = engine;
    this.client = new EngineClient(
      () =>
        new Worker(new URL('./engine/worker-measure.js', import.meta.url), {
          type: 'module',
          name: 'fewerbits measure',
        }),
    );
    /** @type {AbortController | null} */
    this.running = null;
    // With its job it is over.
    store.subscribe((state) => {
      if (this.running && measureOf(state).state !== 'running') this.stop();
    });
  }

  async start() {
    const { store } = this;
    const { job } = shrinkOf(store.state);
    const { model } = store.state;
    if (this.running || job?.state !== 'done') return;
    const controller = new AbortController();
    this.running = controller;
    const update = (/** @type {Partial<Measure>} */ part) => {
      if (this.running === controller) store.update((s) => setMeasure(s, part));
    };
    store.update((s) => setMeasure(s, { state: 'running', stage: 'reading', done: 0, total: 0, problem: null }));
    const { settings } = measureOf(store.state);
    try {
      if (model?.id !== job.plan.modelId) throw Object.assign(new Error('another model is open now'), { code: 'gone' });
      const float = await this.engine.call(
        'shrink-originals',
        {},
        {
          signal: controller.signal,
          onProgress: (progress) => update({ stage: 'reading', ...progress }),
        },
      );
      const address = new URL('ort/', document.baseURI).href;
      // The file itself comes first, then what lies beside it.
      const isFirst = (/** @type {{name: string}} */ { name }) => /\.onnx$/i.test(name);
      const quantized = [...job.made].sort((a, b) => Number(isFirst(b)) - Number(isFirst(a)));
      const result = await this.client.call(
        'measure',
        { float, quantized, address, options: settings },
        {
          signal: controller.signal,
          onProgress: ({ stage, ...progress }) => update(stage === 'inputs' ? progress : { stage, ...progress }),
        },
      );
      update({ state: 'done', result, inputs: result.inputs, sizes: result.sizes });
    } catch (error) {
      update({ state: 'failed', problem: problemOf(error) });
    } finally {
      if (this.running === controller) this.running = null;
      // Models are large: the thread that held them goes, with its memory.
      this.client.stop();
    }
  }

  /** What was measured before stays. */
  stop() {
    const { running } = this;
    this.running = null;
    running?.abort();
    this.client.stop();
    this.store.update((s) => {
      const { state, result } = measureOf(s);
      return state === 'running' ? setMeasure(s, { state: result ? 'done' : 'ready' }) : s;
    });
  }

  /** Arrays from files become inputs. @param {File[]} files */
  async give(files) {
    try {
      const found = await this.engine.call('shrink-arrays', { files });
      this.store.update((s) => setSettings(s, { given: { ...measureOf(s).settings.given, ...found } }));
    } catch (error) {
      this.store.update((s) => setMeasure(s, { problem: problemOf(error) }));
    }
  }
}

/** @param {unknown} error @returns {import('./types.js').Problem} */
function problemOf(error) {
  const { code = 'unexpected', message, file, tensor, expected, found } = /** @type {any} */ (error);
  return { code, message: message ?? String(error), file, tensor, expected, found, what: 'measure' };
}
