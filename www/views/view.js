import { LitElement, html } from 'lit';
import { store } from '../store.js';
import { Keeper } from '../keep.js';

/**
 * A view draws a part of the state and owns none of it. `pick` names that part; the view is drawn again when one of the
 * picked values is another one. Views render into the page itself, so that its one style sheet reaches them.
 */
export class View extends LitElement {
  constructor() {
    super();
    /** @type {{[name: string]: any}} */
    this.picked = {};
    this.leave = () => {};
    this.keeper = new Keeper();
    /** Terms whose explanation is open. @type {Set<string>} */
    this.helping = new Set();
  }

  createRenderRoot() {
    return this;
  }

  /**
   * @param {import('../types.js').State} _state
   * @returns {{[name: string]: any}}
   */
  pick(_state) {
    return {};
  }

  get state() {
    return store.state;
  }

  connectedCallback() {
    super.connectedCallback();
    this.picked = { language: store.state.language, ...this.pick(store.state) };
    const leave = store.subscribe((state) => {
      const next = { language: state.language, ...this.pick(state) };
      const same = Object.keys(next).every((key) => Object.is(next[/** @type {'language'} */ (key)], this.picked[key]));
      if (same) return;
      this.picked = next;
      this.requestUpdate();
    });
    this.leave = () => void leave();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.leave();
  }

  /**
   * A word of the field that explains itself when pressed.
   * @param {string} key
   * @param {string} title
   * @param {string} help
   */
  term(key, title, help) {
    return html`<button
      class="term"
      title=${help}
      aria-expanded=${this.helping.has(key)}
      @click=${() => this.explain(key)}
    >
      ${title}
    </button>`;
  }

  /** @param {string} key */
  explain(key) {
    if (!this.helping.delete(key)) this.helping.add(key);
    this.requestUpdate();
  }
}
