import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { speakOf, t } from '../i18n/index.js';
import { actions } from './actions.js';
import { filesOf } from './drop.js';
import { whenNear } from './near.js';
import './top-bar.js';

/** @typedef {'no' | 'coming' | 'there' | 'absent'} Arrival */

/** The session of what is open, begun; what it opens may still be on its way. */
async function begun() {
  // What cannot be fetched fails; what cannot be opened is told by the session itself.
  await Promise.race([actions.made, actions.begin()]);
}

/** The whole page: its rooms' frame, and files dropped anywhere on it. */
export class Page extends View {
  /** @param {import('../types.js').State} state */
  pick({ fatal, dropping, result, room }) {
    return { fatal, dropping, room, begun: result !== null };
  }

  constructor() {
    super();
    /** The comparison's place, whose code is fetched when it comes near. @type {Element | null} */
    this.watched = null;
    /** Whether the code of the rooms is there. @type {{learn: Arrival, explore: Arrival, shrink: Arrival}} */
    this.rooms = { learn: 'no', explore: 'no', shrink: 'no' };
  }

  connectedCallback() {
    super.connectedCallback();
    for (const [type, handler] of this.#handlers) window.addEventListener(type, handler);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    for (const [type, handler] of this.#handlers) window.removeEventListener(type, handler);
  }

  render() {
    const { fatal, dropping, room } = this.state;
    // A room that did not come is asked for again when it is entered again.
    for (const other of /** @type {const} */ (['learn', 'explore', 'shrink']))
      if (room !== other && this.rooms[other] === 'absent') this.rooms[other] = 'no';
    return html`
      <header class="top"><fb-top-bar></fb-top-bar></header>
      ${this.#room(room, fatal)}
      <fb-open-box></fb-open-box>
      ${dropping ? html`<div class="dropping" aria-hidden="true"><p>${t('drop')}</p></div>` : nothing}
    `;
  }

  /**
   * The room, once its code is there.
   * @param {import('../types.js').State['room']} room
   * @param {import('../types.js').Problem | null} fatal
   */
  #room(room, fatal) {
    if (this.rooms[room] === 'no') this.#bring(room);
    if (this.rooms[room] !== 'there') {
      return html`<main id="main" tabindex="-1">
        <h1 class="sr">${t(`room.${room}`)}</h1>
        <div class="waiting"><p>${this.rooms[room] === 'absent' ? t('room.absent') : ''}</p></div>
      </main>`;
    }
    if (room === 'learn') return html`<fb-learn></fb-learn>`;
    if (fatal) return html`<fb-fatal></fb-fatal>`;
    return room === 'shrink' ? this.#shrink() : this.#explore();
  }

  /** Fetches a room's code. @param {import('../types.js').State['room']} room */
  #bring(room) {
    this.rooms[room] = 'coming';
    const code = {
      learn: () => import('../learn/room.js'),
      explore: () => import('./explore-room.js'),
      // It works with the session from its first moment on.
      shrink: () => Promise.all([speakOf('shrink'), import('./explore-room.js'), import('../shrink/room.js'), begun()]),
    };
    const arrive = (/** @type {Arrival} */ how) => {
      this.rooms[room] = how;
      this.requestUpdate();
    };
    code[room]().then(
      () => arrive('there'),
      () => arrive('absent'),
    );
  }

  #explore() {
    return html`
      <section aria-label=${t('file.title')}><fb-file-strip></fb-file-strip></section>
      <div class="explore">
        <nav aria-label=${t('list.title')}><fb-tensor-list></fb-tensor-list></nav>
        <main id="main" tabindex="-1">
          <h1 class="sr">${t('title')}</h1>
          <fb-explore></fb-explore>
          <fb-weight></fb-weight>
          <fb-words></fb-words>
          <fb-schemes></fb-schemes>
        </main>
        <aside aria-label=${t('controls')}>
          <fb-controls></fb-controls>
          <fb-measures></fb-measures>
        </aside>
      </div>
    `;
  }

  #shrink() {
    return html`
      <section aria-label=${t('file.title')}><fb-file-strip></fb-file-strip></section>
      <main id="main" class="shrink" tabindex="-1"><fb-shrink></fb-shrink></main>
    `;
  }

  updated() {
    const schemes = this.querySelector('fb-schemes');
    // Before the first figures stand everything is near.
    if (!schemes || schemes === this.watched || !this.state.result) return;
    this.watched = schemes;
    import('./weight.js').catch(() => {});
    whenNear(schemes, () => speakOf('schemes').then(() => import('./schemes.js')));
  }

  /** @param {Event} event */
  #over = (event) => {
    const { dataTransfer } = /** @type {DragEvent} */ (event);
    if (!dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    dataTransfer.dropEffect = 'copy';
    if (!store.state.dropping) store.update((s) => ({ ...s, dropping: true }));
  };

  /** @param {Event} event */
  #leave = (event) => {
    if (/** @type {DragEvent} */ (event).relatedTarget) return;
    store.update((s) => ({ ...s, dropping: false }));
  };

  /** @param {Event} event */
  #drop = async (event) => {
    const { dataTransfer } = /** @type {DragEvent} */ (event);
    if (!dataTransfer) return;
    event.preventDefault();
    store.update((s) => ({ ...s, dropping: false }));
    const files = await filesOf(dataTransfer);
    if (files.length > 0) (await import('./open-box.js')).openFiles(files);
  };

  /** @type {[string, (event: Event) => void][]} */
  #handlers = [
    ['dragover', this.#over],
    ['dragenter', this.#over],
    ['dragleave', this.#leave],
    ['drop', this.#drop],
  ];
}

customElements.define('fb-page', Page);
