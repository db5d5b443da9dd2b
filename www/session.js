/**
 * Keeps the engine's work in step with the state: sees what the state asks for, asks the worker for it, and puts the answers
 * into the state. The only place that knows both.
 */
import * as change from './state.js';
import { codedError } from './engine/client.js';

/** @typedef {import('./types.js').State} State */
/** @typedef {import('./engine/client.js').CodedError} CodedError */

const BINS = 512;
const ERROR_BINS = 160;
const SAMPLES = 2048;
/** Work that takes longer than this is shown, with a way out. */
const PATIENCE = 400;

export class Session {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./engine/client.js').EngineClient} client
   */
  constructor(store, client) {
    this.store = store;
    this.client = client;
    this.asked = { tensor: '', evaluate: '', pictures: '', weight: '', file: '' };
    this.epoch = 0;
    this.models = 0;
    /** @type {AbortController | null} */
    this.opening = null;
    /** @type {AbortController | null} */
    this.loading = null;
    /** @type {string[]} */
    this.sparkQueue = [];
    this.sparking = false;
    this.pictureSize = [256, 192];
    client.onNotice = (notice, detail) => {
      if (notice !== 'requests' || detail.length === this.store.state.requests.length) return;
      store.update((s) => ({ ...s, requests: detail }));
    };
    store.subscribe((state) => this.follow(state));
  }

  async start() {
    try {
      const { schemes } = await this.client.call('start');
      this.store.update((s) => change.setCatalogue(s, schemes));
      await this.openSample();
    } catch (error) {
      this.#refuse(error, 'start');
    }
  }

  openSample() {
    const here = (/** @type {string} */ name) => new URL(`models/${name}`, document.baseURI).href;
    return this.open(here('digits.safetensors'), {
      name: 'digits.safetensors',
      sample: here('digits-heldout.safetensors'),
    });
  }

  /**
   * Opens a file, a folder's files or an address. What was open stays until the new one is.
   * @param {any} source what openModel takes
   * @param {{name: string, url?: string, sample?: string}} about
   */
  async open(source, { name, url, sample }) {
    this.opening?.abort();
    const controller = new AbortController();
    this.opening = controller;
    const started = performance.now();
    const show = (/** @type {number} */ done, /** @type {number | null} */ total) =>
      this.store.update((s) => ({ ...s, opening: { name, done, total, started } }));
    const timer = setTimeout(() => show(0, null), PATIENCE);
    try {
      const model = await this.client.call(
        'open',
        { source, sample: sample ?? null },
        {
          signal: controller.signal,
          lane: 'open',
          preempt: true,
          onProgress: ({ loaded, total }) => {
            if (performance.now() - started > PATIENCE) show(loaded, total ?? null);
          },
        },
      );
      this.asked = { tensor: '', evaluate: '', pictures: '', weight: '', file: '' };
      this.sparkQueue = [];
      const opened = { ...model, id: ++this.models, sample: sample !== undefined, url: url ?? null };
      this.store.update((s) => change.modelOpened(s, opened));
    } catch (error) {
      if (this.opening === controller) this.#refuse(error, 'open', name);
    } finally {
      clearTimeout(timer);
      if (this.opening === controller) {
        this.opening = null;
        this.store.update((s) => (s.opening ? { ...s, opening: null } : s));
      }
    }
  }

  cancelOpening() {
    this.opening?.abort();
  }

  cancelLoading() {
    this.loading?.abort();
  }

  /** Long work on a setting: the worker is ended and the last setting that worked comes back. */
  cancelComputing() {
    this.client.stop();
    this.asked = { ...this.asked, evaluate: '', pictures: '', weight: '', file: '' };
    this.store.update((s) => ({ ...s, computing: null, sides: s.result?.sides ?? s.sides }));
  }

  /** @param {State} state */
  follow(state) {
    if (!state.model || state.fatal) return;
    if (state.tensor !== null && state.tensor !== state.data?.name) this.#load(state, state.tensor);
    else if (this.loading && state.tensor === state.data?.name) this.loading.abort();
    if (!state.data) return;
    this.#evaluate(state);
    this.#pictures(state);
    this.#weight(state);
    this.#file(state);
  }

  /** @param {State} state @param {string} name */
  async #load(state, name) {
    const key = `${state.model?.id} ${name}`;
    if (this.asked.tensor === key) return;
    this.asked.tensor = key;
    const tensor = state.model?.tensors.find((t) => t.name === name);
    if (!tensor) return this.store.update((s) => change.tensorRefused(s));
    this.loading?.abort();
    const controller = new AbortController();
    this.loading = controller;
    const started = performance.now();
    const show = (/** @type {number} */ done, /** @type {number | null} */ total) =>
      this.store.update((s) => ({ ...s, loading: { name, done, total, started } }));
    const timer = setTimeout(() => show(0, tensor.byteLength), PATIENCE);
    try {
      if (tensor.readable !== true) {
        throw Object.assign(codedError('unsupported', tensor.readable), { tensor: name, found: tensor.dtype });
      }
      const data = await this.client.call(
        'tensor',
        { name, bins: BINS },
        {
          signal: controller.signal,
          lane: 'tensor',
          preempt: true,
          onProgress: ({ loaded, total }) => {
            if (performance.now() - started > PATIENCE) show(loaded, total ?? null);
          },
        },
      );
      const epoch = ++this.epoch;
      this.store.update((s) => ({
        ...s,
        data: { ...data, epoch },
        loading: null,
        result: null,
        pictures: null,
        weight: null,
        continuous: true,
        selected: s.selected !== null && s.selected < tensor.count ? s.selected : null,
      }));
    } catch (error) {
      if (this.loading !== controller) return;
      this.#refuse(error, 'tensor', undefined, name);
      this.asked.tensor = '';
      this.store.update((s) => change.tensorRefused(s));
    } finally {
      clearTimeout(timer);
      if (this.loading === controller) {
        this.loading = null;
        this.store.update((s) => (s.loading ? { ...s, loading: null } : s));
      }
    }
  }

  /** @param {State} state */
  async #evaluate(state) {
    const { sides, data, selected } = state;
    if (!data || state.catalogue.length === 0) return;
    const axis = change.axisOf(state);
    const key = JSON.stringify([data.epoch, sides, axis, selected]);
    if (key === this.asked.evaluate) return;
    this.asked.evaluate = key;
    const timer = setTimeout(() => this.store.update((s) => ({ ...s, computing: performance.now() })), PATIENCE);
    const started = performance.now();
    try {
      const answer = await this.client.call(
        'evaluate',
        { sides, axis, bins: BINS, errorBins: ERROR_BINS, samples: SAMPLES, index: selected },
        { lane: 'evaluate' },
      );
      const ms = performance.now() - started;
      this.store.update((s) =>
        s.data?.epoch === data.epoch
          ? {
              ...s,
              result: { ...answer, sides, axis, epoch: data.epoch, continuous: state.continuous, ms },
              problem: s.problem?.what === 'scheme' ? null : s.problem,
              // A first look has a weight to follow: the one that this scheme hits hardest.
              selected: s.result === null && s.selected === null ? (answer.b.metrics.maxAbsIndex ?? null) : s.selected,
            }
          : s,
      );
    } catch (error) {
      this.#refuse(error, 'scheme', undefined, data.name);
    } finally {
      clearTimeout(timer);
      if (key === this.asked.evaluate) this.store.update((s) => (s.computing === null ? s : { ...s, computing: null }));
    }
  }

  /** @param {State} state */
  async #pictures(state) {
    const { sides, data, view } = state;
    if (!data || state.catalogue.length === 0) return;
    const region = change.regionOf(state);
    const width = Math.min(this.pictureSize[0], (region[3] - region[2]) * 8);
    const height = Math.min(this.pictureSize[1], (region[1] - region[0]) * 8);
    const key = JSON.stringify([data.epoch, sides, view.matrix, region, width, height]);
    if (key === this.asked.pictures || width < 1 || height < 1) return;
    this.asked.pictures = key;
    try {
      const spec = { sides, kind: view.matrix, region, width, height };
      const answer = await this.client.call('pictures', spec, { lane: 'pictures' });
      this.store.update((s) =>
        s.data?.epoch === data.epoch
          ? { ...s, pictures: { ...answer, ...spec, span: spanOf(data.stats), epoch: data.epoch } }
          : s,
      );
    } catch (error) {
      this.#refuse(error, 'scheme', undefined, data.name);
    }
  }

  /** @param {State} state */
  async #weight(state) {
    const { sides, data } = state;
    const index = state.hover ?? state.selected;
    if (!data || state.catalogue.length === 0) return;
    const key = JSON.stringify([data.epoch, sides, index]);
    if (key === this.asked.weight) return;
    this.asked.weight = key;
    if (index === null) return this.store.update((s) => (s.weight ? { ...s, weight: null } : s));
    try {
      const answer = await this.client.call('weight', { sides, index }, { lane: 'weight' });
      this.store.update((s) =>
        s.data?.epoch === data.epoch && (s.hover ?? s.selected) !== null
          ? { ...s, weight: { ...answer, index, epoch: data.epoch } }
          : s,
      );
    } catch (error) {
      this.#refuse(error, 'scheme', undefined, data.name);
    }
  }

  /** @param {State} state */
  async #file(state) {
    const { model, sides } = state;
    if (!model || state.catalogue.length === 0) return;
    const key = JSON.stringify([model.id, sides.b]);
    if (key === this.asked.file) return;
    this.asked.file = key;
    try {
      const answer = await this.client.call('file', { scheme: sides.b }, { lane: 'file' });
      this.store.update((s) => (s.model?.id === model.id ? { ...s, file: answer } : s));
    } catch (error) {
      const { code } = /** @type {CodedError} */ (error);
      if (code !== 'superseded' && code !== 'aborted') this.store.update((s) => ({ ...s, file: null }));
    }
  }

  /**
   * Small histograms for the rows that can be seen now; earlier wishes not yet served are dropped.
   * @param {string[]} names
   */
  wantSparks(names) {
    const { sparks } = this.store.state;
    this.sparkQueue = names.filter((name) => !(name in sparks));
    if (!this.sparking) this.#serveSparks();
  }

  async #serveSparks() {
    this.sparking = true;
    const id = this.store.state.model?.id;
    for (let name = this.sparkQueue.shift(); name !== undefined; name = this.sparkQueue.shift()) {
      const wanted = name;
      /** @type {import('./types.js').Spark} */
      let spark = { failed: true };
      try {
        spark = await this.client.call('spark', { name, bins: 32 });
      } catch {
        // A tensor without a picture in the list is no news; opening it will say what is wrong with it.
      }
      this.store.update((s) => (s.model?.id === id ? { ...s, sparks: { ...s.sparks, [wanted]: spark } } : s));
    }
    this.sparking = false;
  }

  /**
   * @param {unknown} error
   * @param {import('./types.js').Problem['what']} what
   * @param {string} [file]
   * @param {string} [tensor]
   */
  #refuse(error, what, file, tensor) {
    const e = /** @type {CodedError} */ (error);
    if (e.code === 'superseded' || e.code === 'aborted') return;
    const { code = 'unexpected', message, offset, expected, found } = e;
    const problem = { code, message, offset, expected, found, file: e.file ?? file, tensor: e.tensor ?? tensor, what };
    if (what === 'start') this.store.update((s) => ({ ...s, fatal: problem }));
    else this.store.update((s) => ({ ...s, problem }));
  }
}

/**
 * The value at full ink: nearly all weights lie within it, so that one outlier does not wash the picture out.
 * @param {import('./types.js').Stats} stats
 */
function spanOf(stats) {
  const at = (/** @type {number} */ q) =>
    stats.quantiles.reduce((best, x) => (Math.abs(x.q - q) < Math.abs(best.q - q) ? x : best), stats.quantiles[0])
      ?.value ?? 0;
  const span = Math.max(Math.abs(at(0.005)), Math.abs(at(0.995)));
  return span > 0 && Number.isFinite(span) ? span : stats.absMax || 1;
}
