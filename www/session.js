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
/** Pixels of the matrix, at most: more than this the figure does not show. */
const PICTURE = [256, 192];
/** Work that takes longer than this is shown, with a way out. */
const PATIENCE = 400;
/** How long a setting must stand before figures that were foretold from a sample are computed from all weights. */
const REST = 250;

export class Session {
  /**
   * @param {import('./store.js').Store} store
   * @param {import('./engine/client.js').EngineClient} client
   */
  constructor(store, client) {
    this.store = store;
    this.client = client;
    this.asked = { tensor: '', file: '' };
    /** Keys of the parts computed last. @type {{[part: string]: string}} */
    this.shown = {};
    this.showing = false;
    this.epoch = 0;
    /** The tensor whose figures were asked for a second time. */
    this.again = 0;
    this.models = 0;
    /** @type {AbortController | null} */
    this.opening = null;
    /** @type {AbortController | null} */
    this.loading = null;
    /** @type {string[]} */
    this.sparkQueue = [];
    this.sparking = false;
    /** What was foretold last, and when it may be computed. */
    this.foretold = { key: '', from: 0 };
    /** The settings whose figures were computed last. @type {import('./types.js').Sides | null} */
    this.computed = null;
    /** When a figure was last asked for. */
    this.stirred = -Infinity;
    client.onNotice = (notice, detail) => {
      if (notice === 'requests') store.update((s) => ({ ...s, requests: detail }));
      if (notice === 'schemes') store.update((s) => (s.catalogue.length > 0 ? change.setCatalogue(s, detail) : s));
    };
    store.subscribe((state) => this.follow(state));
  }

  async start() {
    try {
      const { a, b } = this.store.state.sides;
      const wanted = [a, b].filter((scheme) => scheme !== null);
      const { schemes } = await this.client.call('start', { wanted });
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
    const id = ++this.models;
    try {
      const model = await this.client.call(
        'open',
        { source, sample: sample ?? null, modelId: id },
        {
          signal: controller.signal,
          lane: 'open',
          preempt: true,
          onProgress: ({ loaded, total }) => {
            if (performance.now() - started > PATIENCE) show(loaded, total ?? null);
          },
        },
      );
      this.asked = { tensor: '', file: '' };
      this.shown = {};
      this.sparkQueue = [];
      // Of several files the engine knows no common name.
      const opened = {
        ...model,
        name: Array.isArray(source) ? name : model.name,
        id,
        sample: sample !== undefined,
        url: url ?? null,
      };
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

  /**
   * Long work on a setting: the worker is ended and the last setting that worked comes back. What the Shrink room has under way or has made is
   * not ended with it: while that is there the work goes on, and its answer is dropped.
   */
  cancelComputing() {
    const { shrink, batch } = this.store.state;
    const results = [shrink?.job, ...(batch?.rows ?? [])].some((one) => (one?.made.length ?? 0) > 0);
    if (!results && !this.client.isAt('shrink-')) this.client.stop();
    this.asked.file = '';
    this.shown = {};
    this.store.update((s) => ({ ...s, computing: null, sides: this.computed ?? s.result?.sides ?? s.sides }));
  }

  /** @param {State} state */
  follow(state) {
    if (!state.model || state.fatal) return;
    if (state.tensor !== null && state.tensor !== state.data?.name) this.#load(state, state.tensor);
    else if (this.loading && state.tensor === state.data?.name) this.loading.abort();
    if (!state.data) return;
    this.#show();
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
        sides: change.sidesFor(s, tensor.shape, data.matrix[1]),
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

  /**
   * What the figures need and do not have: computed in one crossing, so that all of them change together. One at a
   * time; what the state asks for by then is looked at afresh after each, so nothing queues up during a drag.
   */
  async #show() {
    if (this.showing) return;
    this.showing = true;
    try {
      for (let wanted = this.#wanted(); wanted !== null; wanted = this.#wanted()) await this.#showOnce(wanted);
    } finally {
      this.showing = false;
    }
  }

  /** The parts of the picture whose key is not the one that was computed last; null where none is wanted. */
  #wanted() {
    const state = this.store.state;
    const { sides, data, view, selected } = state;
    if (!data || state.catalogue.length === 0 || state.fatal) return null;
    const setting = JSON.stringify([data.epoch, sides]);
    const isForetold = setting === this.foretold.key;
    if (isForetold && performance.now() < this.foretold.from) return null;
    const axis = change.axisOf(state);
    const region = change.regionOf(state);
    const width = Math.min(PICTURE[0], Math.max(1, (region[3] - region[2]) * 8));
    const height = Math.min(PICTURE[1], Math.max(1, (region[1] - region[0]) * 8));
    const index = state.hover ?? selected;
    const parts = {
      figures: { axis, bins: BINS, errorBins: ERROR_BINS, samples: SAMPLES, index: selected },
      pictures: { kind: view.matrix, region, width, height },
      weight: { index, axis, samples: index === selected ? 0 : SAMPLES },
    };
    /** @type {{[part: string]: any}} */
    const missing = {};
    for (const [part, spec] of Object.entries(parts)) {
      const key = JSON.stringify([data.epoch, sides, spec]);
      if (key === this.shown[part]) continue;
      this.shown[part] = key;
      missing[part] = spec;
    }
    if (Object.keys(missing).length === 0) return null;
    const { epoch, name } = data;
    return { parts: missing, sides, epoch, name, continuous: state.continuous, foretell: !isForetold };
  }

  /** @param {{parts: {[part: string]: any}, sides: import('./types.js').Sides, epoch: number, name: string, continuous: boolean, foretell: boolean}} wanted */
  async #showOnce({ parts, sides, epoch, name, continuous, foretell }) {
    const started = performance.now();
    this.stirred = started;
    const timer = setTimeout(() => this.store.update((s) => ({ ...s, computing: started })), PATIENCE);
    try {
      const answer = await this.client.call('show', { name, sides, ...parts, foretell });
      const { sampled = null } = answer;
      if (sampled !== null) this.#computeLater(JSON.stringify([epoch, sides]));
      else if (answer.figures) this.computed = sides;
      const ms = performance.now() - started;
      // Read by `cargo xtask bench page`, and by whoever opens the browser's profiler.
      performance.measure('fewerbits:show', { start: started });
      this.store.update((s) => {
        if (s.data?.epoch !== epoch) return s;
        const next = { ...s };
        if (answer.figures) {
          next.result = { ...answer.figures, sides, axis: parts.figures.axis, epoch, continuous, ms, sampled };
          if (s.problem?.what === 'scheme') next.problem = null;
          // A first look has a weight to follow: the one that this scheme hits hardest.
          if (sampled === null && s.selected === null && (s.result === null || s.result.sampled !== null))
            next.selected = answer.figures.b.metrics.maxAbsIndex ?? null;
        }
        if (answer.pictures) {
          next.pictures = { ...answer.pictures, ...parts.pictures, sides, span: spanOf(s.data.stats), epoch };
        }
        if (parts.weight && sampled === null)
          next.weight = answer.weight && { ...answer.weight, index: parts.weight.index, epoch };
        return next;
      });
    } catch (error) {
      if (this.store.state.data?.epoch === epoch) {
        // The worker has another tensor, which was given up too late: it is brought back to this one, and asked again once.
        if (/** @type {CodedError} */ (error).code === 'superseded' && this.again !== epoch) {
          this.again = epoch;
          this.shown = {};
        }
        this.#refuse(error, 'scheme', undefined, name);
      }
    } finally {
      clearTimeout(timer);
      this.store.update((s) => (s.computing === null ? s : { ...s, computing: null }));
    }
  }

  /** Asks for everything anew once the setting has stood for a while. @param {string} key of what was foretold */
  #computeLater(key) {
    this.foretold = { key, from: performance.now() + REST };
    this.shown = {};
    setTimeout(() => this.#show(), REST + 1);
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
    this.sparkQueue = names.filter((name) => !Object.hasOwn(sparks, name));
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
 * The values at paper and at full ink: nearly all weights lie between them, so that one outlier does not wash the picture
 * out; zero is in the middle where there are weights on both sides of it.
 * @param {import('./types.js').Stats} stats
 * @returns {[number, number]}
 */
export function spanOf({ quantiles, min, max, absMax }) {
  const at = (/** @type {number} */ q, /** @type {number} */ otherwise) =>
    quantiles.find((x) => Math.abs(x.q - q) < 1e-9)?.value ?? otherwise;
  const lo = at(0.001, min);
  const hi = at(0.999, max);
  if (lo < 0 && hi > 0) return [-Math.max(-lo, hi), Math.max(-lo, hi)];
  if (lo < hi) return [lo, hi];
  const room = absMax || 1;
  return [Math.min(0, lo) - (lo < 0 ? 0 : room), Math.max(0, hi) + room];
}
