import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { detailLine } from './file-strip.js';
import { speakOf, t } from '../i18n/index.js';
import { tell } from '../text/tell.js';
import { filesOf } from './drop.js';
import { whenNear } from './near.js';
import './top-bar.js';
import './file-strip.js';
import './tensor-list.js';
import './explore.js';
import './controls.js';
import './weight.js';
import './measures.js';

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
    /** Whether the Shrink room's code is there. @type {'no' | 'coming' | 'there' | 'absent'} */
    this.shrink = 'no';
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
    // It is asked for again when it is entered again.
    if (room !== 'shrink' && this.shrink === 'absent') this.shrink = 'no';
    return html`
      <header class="top"><fb-top-bar></fb-top-bar></header>
      ${fatal ? this.#fatal(fatal) : room === 'shrink' ? this.#shrink() : this.#explore()}
      <fb-open-box></fb-open-box>
      ${dropping ? html`<div class="dropping" aria-hidden="true"><p>${t('drop')}</p></div>` : nothing}
    `;
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

  /** This room's code is fetched when it is first entered. */
  #shrink() {
    if (this.shrink === 'no') {
      this.shrink = 'coming';
      const arrive = (/** @type {'there' | 'absent'} */ how) => {
        this.shrink = how;
        this.requestUpdate();
      };
      Promise.all([speakOf('shrink'), import('../shrink/room.js')]).then(
        () => arrive('there'),
        () => arrive('absent'),
      );
    }
    return html`
      <section aria-label=${t('file.title')}><fb-file-strip></fb-file-strip></section>
      <main id="main" class="shrink" tabindex="-1">
        ${
          this.shrink === 'there'
            ? html`<fb-shrink></fb-shrink>`
            : html`<h1 class="sr">${t('room.shrink')}</h1>
                <div class="waiting"><p>${this.shrink === 'absent' ? t('room.absent') : ''}</p></div>`
        }
      </main>
    `;
  }

  updated() {
    const schemes = this.querySelector('fb-schemes');
    // Before the first figures stand everything is near.
    if (!schemes || schemes === this.watched || !this.state.result) return;
    this.watched = schemes;
    whenNear(schemes, () => speakOf('schemes').then(() => import('./schemes.js')));
  }

  /** @param {import('../types.js').Problem} problem */
  #fatal(problem) {
    const told = tell(problem, () => this.requestUpdate());
    if (!told) return nothing;
    const { what, remedy, detail } = told;
    return html`<main class="fatal" role="alert">
      <h1>${what}</h1>
      <p>${remedy}</p>
      <p class="detail soft">${detailLine(detail)}</p>
    </main>`;
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
