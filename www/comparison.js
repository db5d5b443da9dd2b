/**
 * The comparison of all schemes on the open tensor: one after the other in the background, while somebody looks at it. Fetched
 * with the figure that shows it.
 */
import { inRows } from './state.js';

/** How long nothing else must have been asked for before a scheme is tried. */
const QUIET = 150;
/** Tensors whose comparison is kept. */
const KEPT = 64;
/** What ends a comparison for now and says nothing about the scheme. */
const PASSING = ['aborted', 'superseded', 'unknown_scheme'];

export class Comparison {
  /**
   * @param {import('./store.js').Store} store
   * @param {{client: {pending: {size: number}, call: (type: string, payload: any) => Promise<any>}, stirred: number}} session
   *   `stirred`: when a figure was last asked for
   */
  constructor(store, session) {
    this.store = store;
    this.session = session;
    this.watched = false;
    this.running = false;
    /** Comparisons of tensors looked at before. @type {Map<string, import('./types.js').Comparison>} */
    this.kept = new Map();
    store.subscribe(() => {
      if (this.watched) this.#recall();
      this.#run();
    });
  }

  /**
   * It goes on while somebody looks at it.
   * @param {boolean} watched
   */
  watch(watched) {
    this.watched = watched;
    this.#run();
  }

  /** Scheme after scheme, each in a message of its own, so that whoever begins to drag waits for one at most. */
  async #run() {
    if (this.running || !this.watched) return;
    this.running = true;
    try {
      let goesOn = true;
      while (goesOn) goesOn = (await this.#quiet()) && (await this.#tryNext());
    } finally {
      this.running = false;
    }
  }

  /** Waits until the worker has nothing to do and nobody moves anything; false where there is nothing left to try. */
  async #quiet() {
    for (;;) {
      this.#recall();
      if (!this.watched || untried(this.store.state).length === 0) return false;
      const rest = this.session.stirred + QUIET - performance.now();
      if (this.session.client.pending.size === 0 && rest <= 0) return true;
      await new Promise((done) => void setTimeout(done, Math.max(30, rest)));
    }
  }

  /** What was found out about the open tensor before. */
  #recall() {
    const key = comparisonKey(this.store.state);
    const kept = key === null ? undefined : this.kept.get(key);
    if (kept && this.store.state.compared?.key !== key) this.store.update((s) => ({ ...s, compared: kept }));
  }

  /** Tries one scheme; false where the comparison cannot go on now. */
  async #tryNext() {
    const { state } = this.store;
    const [id] = untried(state);
    const key = comparisonKey(state);
    if (id === undefined || key === null) return false;
    /** @type {import('./types.js').Compared} */
    let result;
    try {
      const scheme = plainScheme(state, id);
      result = await this.session.client.call('compare', { name: state.data?.name, scheme });
    } catch (error) {
      const { code = 'unexpected' } = /** @type {import('./engine/client.js').CodedError} */ (error);
      if (PASSING.includes(code)) return false;
      result = { failed: code };
    }
    this.store.update((s) => tried(s, key, id, result));
    const { compared } = this.store.state;
    if (compared?.key === key) this.#keep(compared);
    return true;
  }

  /** @param {import('./types.js').Comparison} compared */
  #keep(compared) {
    this.kept.delete(compared.key);
    this.kept.set(compared.key, compared);
    for (const key of this.kept.keys()) {
      if (this.kept.size <= KEPT) break;
      this.kept.delete(key);
    }
  }
}

/**
 * A scheme at its defaults, as far as the open tensor can have it so: with blocks that run over rows where they do not divide
 * them, and with values that are not finite made finite where there are any.
 * @param {import('./types.js').State} state
 * @param {string} id
 * @returns {import('./types.js').Scheme}
 */
export function plainScheme({ catalogue, data }, id) {
  if (!data) return { id };
  const info = catalogue.find((s) => s.id === id);
  const { nan, infinite } = data.stats;
  const saturates = info?.options.find((o) => o.name === 'nonFinite')?.values?.some((v) => v.value === 'saturate');
  /** @type {import('./types.js').Scheme} */
  const scheme = nan + infinite > 0 && saturates ? { id, nonFinite: 'saturate' } : { id };
  return inRows(catalogue, scheme, data.matrix[1]);
}

/**
 * What the comparison of schemes is of; null where there is nothing to compare.
 * @param {import('./types.js').State} state
 */
export function comparisonKey({ model, data }) {
  return model && data && data.stats.count > 0 ? JSON.stringify([model.id, data.name]) : null;
}

/**
 * The schemes that were not yet tried on the open tensor.
 * @param {import('./types.js').State} state
 */
export function untried(state) {
  const key = comparisonKey(state);
  if (key === null) return [];
  const known = state.compared?.key === key ? state.compared.schemes : {};
  return state.catalogue.filter(({ id }) => !Object.hasOwn(known, id)).map(({ id }) => id);
}

/**
 * One more scheme was tried on a tensor, the open one or not.
 * @param {import('./types.js').State} state
 * @param {string} key
 * @param {string} id
 * @param {import('./types.js').Compared} result
 * @returns {import('./types.js').State}
 */
export function tried(state, key, id, result) {
  if (key !== comparisonKey(state)) return state;
  const known = state.compared?.key === key ? state.compared.schemes : {};
  return { ...state, compared: { key, schemes: { ...known, [id]: result } } };
}
