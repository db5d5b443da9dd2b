import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { speak, t, tn } from '../i18n/index.js';
import { bytes } from '../text/format.js';
import { shown } from '../text/names.js';

/** Name, the sentence that matters, and the switches for language and theme. */
export class TopBar extends View {
  constructor() {
    super();
    this.listing = false;
  }

  /** @param {import('../types.js').State} state */
  pick({ requests, theme, room }) {
    return { requests, theme, room };
  }

  render() {
    const { requests, theme, language } = this.state;
    return html`
      <a class="wordmark" href="#/learn" aria-label="Fewerbits">Fewer<b>bits</b></a>
      <nav class="rooms" aria-label=${t('rooms')}>
        ${
          /** @type {const} */ (['learn', 'explore', 'shrink']).map(
            (room) =>
              html`<a
                href="#/${room}"
                aria-current=${room === this.state.room ? 'page' : nothing}
                @click=${(/** @type {MouseEvent} */ e) => this.#enter(e, room)}
                >${t(`room.${room}`)}</a
              >`,
          )
        }
      </nav>
      <span class="tagline">${t('tagline')}</span>
      <span class="local">
        <span class="lamp" aria-hidden="true"></span>
        <span>${t('local')}</span>
        <button class="plain count" aria-expanded=${this.listing} @click=${this.#toggle} title=${t('requests.help')}>
          ${tn('requests', requests.length)}
        </button>
        ${this.listing ? this.#list() : nothing}
      </span>
      <span class="switches">
        <button class="plain language" lang=${language === 'zh' ? 'en' : 'zh'} @click=${this.#language}>
          ${language === 'zh' ? 'English' : '中文'}
        </button>
        <label class="theme"
          ><span class="sr">${t('theme')}</span>
          <select @change=${this.#theme}>
            ${['system', 'light', 'dark'].map(
              (value) => html`<option value=${value} ?selected=${value === theme}>${t(`theme.${value}`)}</option>`,
            )}
          </select></label
        >
      </span>
    `;
  }

  #list() {
    const { requests } = this.state;
    return html`<div class="requests" role="region" aria-label=${t('requests.title')}>
      <p>${t('requests.help')}</p>
      ${
        requests.length === 0
          ? html`<p class="soft">${t('requests.none')}</p>`
          : html`<ol>
              ${requests.map((r) => html`<li><bdi>${shown(r.url)}</bdi><span class="num">${r.bytes ? bytes(r.bytes) : ''}</span></li>`)}
            </ol>`
      }
    </div>`;
  }

  /** A room is found as it was left: the link alone would begin anew. @param {MouseEvent} event @param {'learn' | 'explore' | 'shrink'} room */
  #enter(event, room) {
    // In the lesson the link leads to its contents.
    if (event.ctrlKey || event.metaKey || event.shiftKey || room === this.state.room) return;
    event.preventDefault();
    store.update((s) => ({ ...s, room, continuous: false }));
  }

  #toggle = () => this.#show(!this.listing);

  /** @param {boolean} listing */
  #show(listing) {
    this.listing = listing;
    this.requestUpdate();
    const change = listing ? 'addEventListener' : 'removeEventListener';
    document[change]('pointerdown', this.#away);
    document[change]('keydown', this.#away);
  }

  /** A press elsewhere, or Escape, puts the list away. @param {Event} event */
  #away = (event) => {
    const inside = event.target instanceof Node && this.querySelector('.local')?.contains(event.target);
    const escape = event instanceof KeyboardEvent && event.key === 'Escape';
    if (escape) /** @type {HTMLElement | null} */ (this.querySelector('.count'))?.focus();
    if (escape || (event.type === 'pointerdown' && !inside)) this.#show(false);
  };

  #language = async () => {
    const next = store.state.language === 'zh' ? 'en' : 'zh';
    await speak(next);
    store.update((s) => ({ ...s, language: next }));
  };

  /** @param {Event} event */
  #theme = (event) => {
    const theme = /** @type {'system' | 'light' | 'dark'} */ (/** @type {HTMLSelectElement} */ (event.target).value);
    store.update((s) => ({ ...s, theme }));
  };
}

customElements.define('fb-top-bar', TopBar);
