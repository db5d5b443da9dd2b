import { initialState } from './state.js';

/** @typedef {import('./types.js').State} State */

/** Holds the one state. Changes go through pure updates; listeners run once per microtask. */
export class Store {
  /** @param {State} [state] */
  constructor(state = initialState()) {
    this.state = state;
    /** @type {Set<(state: State) => void>} */
    this.listeners = new Set();
    this.queued = false;
  }

  /** @param {(state: State) => State} change */
  update(change) {
    const next = change(this.state);
    if (next === this.state) return;
    this.state = next;
    if (this.queued) return;
    this.queued = true;
    queueMicrotask(() => {
      this.queued = false;
      for (const listener of this.listeners) listener(this.state);
    });
  }

  /** @param {(state: State) => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** The page's store. Figures never touch it; views read it and hand it updates from state.js. */
export const store = new Store();
