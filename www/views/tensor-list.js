import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { actions } from './actions.js';
import { chooseTensor, listed, setList } from '../state.js';
import { t } from '../i18n/index.js';
import { bytes, count, shapeText } from '../text/format.js';
import { shown, shownShort } from '../text/names.js';
import '../figures/spark.js';

const ROW = 46;
const AROUND = 6;

/** The tensors of the open file: a list of which only the visible rows exist, sorted and filtered. */
export class TensorList extends View {
  constructor() {
    super();
    this.first = 0;
    this.rows = 20;
    this.openPicker = false;
    this.timer = 0;
    /** @type {string | null} */
    this.last = null;
    /** @type {ResizeObserver | null} */
    this.observer = null;
    /** @type {{tensors: any, list: any, found: import('../types.js').Tensor[]} | null} */
    this.cache = null;
  }

  /** @param {import('../types.js').State} state */
  pick({ model, tensor, list, sparks, data }) {
    return { model, tensor, list, sparks, shown: data?.name };
  }

  /** @returns {import('../types.js').Tensor[]} */
  get found() {
    const { model, list } = this.state;
    const tensors = model?.tensors ?? [];
    if (this.cache?.tensors !== tensors || this.cache.list !== list) {
      this.cache = { tensors, list, found: listed(tensors, list) };
    }
    return this.cache.found;
  }

  render() {
    const { model, tensor, list, language } = this.state;
    const all = model?.tensors ?? [];
    const { found } = this;
    const dtypes = [...new Set(all.map((x) => x.dtype))].sort();
    return html`
      <button class="picker" aria-expanded=${this.openPicker} @click=${this.#picker}>
        <span class="label">${t('list.picker')}</span>
        <bdi class="value">${tensor === null ? '…' : bothEnds(tensor)}</bdi>
      </button>
      <div class="panel" ?data-open=${this.openPicker} @keydown=${this.#escape}>
        <div class="tools">
          <input
            type="search"
            aria-label=${t('list.filter')}
            placeholder=${t('list.filter')}
            .value=${list.query}
            autocomplete="off"
            spellcheck="false"
            @input=${this.#query}
            @keydown=${this.#intoList}
          />
          <button class="plain done" @click=${this.#picker}>${t('close')}</button>
          <div class="row">
            <label
              ><span class="sr">${t('list.sort')}</span>
              <select @change=${this.#sort}>
                ${['order', 'name', 'size', 'count', 'dtype'].map(
                  (value) =>
                    html`<option value=${value} ?selected=${value === list.sort}>${t(`list.sort.${value}`)}</option>`,
                )}
              </select></label
            >
            <button
              class="plain direction"
              aria-pressed=${list.descending}
              aria-label=${t('list.descending')}
              title=${t('list.descending')}
              @click=${() => this.#change({ descending: !list.descending })}
            >
              ${list.descending ? '↓' : '↑'}
            </button>
            <label
              ><span class="sr">${t('list.dtype')}</span>
              <select @change=${this.#dtype}>
                <option value="" ?selected=${!list.dtype}>${t('list.dtype.all')}</option>
                ${dtypes.map((d) => html`<option value=${d} ?selected=${d === list.dtype}>${d}</option>`)}
              </select></label
            >
            <span class="num soft found"
              >${
                found.length === all.length
                  ? count(all.length, language)
                  : `${count(found.length, language)} / ${count(all.length, language)}`
              }</span
            >
          </div>
        </div>
        <div
          class="rows"
          role="listbox"
          tabindex="0"
          aria-label=${t('list.title')}
          aria-activedescendant=${this.#active() ?? nothing}
          @scroll=${this.#scrolled}
          @keydown=${this.#keys}
        >
          <div class="spacer" role="presentation" data-height=${found.length * ROW}>
            ${this.#visible().map(([x, i]) => this.#row(x, i))}
          </div>
          ${model && found.length === 0 ? html`<p class="none soft">${t('list.none')}</p>` : nothing}
        </div>
      </div>
    `;
  }

  #active() {
    const at = this.found.findIndex((x) => x.name === this.state.tensor);
    return at >= this.first - AROUND && at < this.first + this.rows + AROUND && at >= 0 ? `tensor-${at}` : undefined;
  }

  /** @returns {[import('../types.js').Tensor, number][]} */
  #visible() {
    const { found } = this;
    const from = Math.max(0, Math.min(this.first, found.length - this.rows) - AROUND);
    return found.slice(from, this.first + this.rows + AROUND).map((x, i) => [x, from + i]);
  }

  /**
   * @param {import('../types.js').Tensor} x
   * @param {number} i
   */
  #row(x, i) {
    const { tensor, sparks, language } = this.state;
    const spark = Object.hasOwn(sparks, x.name) ? sparks[x.name] : undefined;
    const chosen = x.name === tensor;
    const counts = spark && 'counts' in spark ? spark.counts : null;
    const sampled = spark && 'counts' in spark && spark.sampled;
    return html`<div
      class="tensor"
      id="tensor-${i}"
      role="option"
      aria-selected=${chosen}
      aria-setsize=${this.found.length}
      aria-posinset=${i + 1}
      data-top=${i * ROW}
      data-name=${x.name}
      ?data-unreadable=${x.readable !== true}
      @click=${this.#choose}
    >
      <fb-spark .counts=${counts} title=${sampled ? t('list.sampled') : ''}></fb-spark>
      <span class="name" title=${shown(x.name)}>${bothEnds(x.name)}</span>
      <span class="meta num"
        >${shapeText(x.shape, language, '×')} · ${x.dtype} ·
        ${bytes(x.byteLength)}${
          sampled ? html` · <abbr title=${t('list.sampled')}>${t('list.sampled.short')}</abbr>` : nothing
        }</span
      >
    </div>`;
  }

  firstUpdated() {
    const rows = /** @type {HTMLElement} */ (this.querySelector('.rows'));
    this.observer = new ResizeObserver(() => {
      const n = Math.ceil(rows.clientHeight / ROW) + 1;
      if (n !== this.rows) {
        this.rows = n;
        this.requestUpdate();
      }
    });
    this.observer.observe(rows);
  }

  updated() {
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('.tensor'))) {
      element.style.top = `${element.dataset.top}px`;
    }
    const spacer = /** @type {HTMLElement} */ (this.querySelector('.spacer'));
    spacer.style.height = `${spacer.dataset.height}px`;
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      actions.session?.wantSparks(
        this.#visible()
          .map(([x]) => x)
          .filter((x) => x.readable === true && x.count > 0)
          .map((x) => x.name),
      );
    }, 120);
    if (this.state.tensor !== this.last) this.#reveal();
    this.last = this.state.tensor;
  }

  /** Brings the chosen tensor into view. */
  #reveal() {
    const rows = /** @type {HTMLElement} */ (this.querySelector('.rows'));
    const at = this.found.findIndex((x) => x.name === this.state.tensor);
    if (at < 0 || rows.clientHeight === 0) return;
    const top = at * ROW;
    if (top < rows.scrollTop) rows.scrollTop = top;
    else if (top + ROW > rows.scrollTop + rows.clientHeight) rows.scrollTop = top + ROW - rows.clientHeight;
  }

  #scrolled = () => {
    const rows = /** @type {HTMLElement} */ (this.querySelector('.rows'));
    const first = Math.floor(rows.scrollTop / ROW);
    if (first === this.first) return;
    this.first = first;
    this.requestUpdate();
  };

  /** @param {Event} event */
  #choose = (event) => {
    const { name } = /** @type {HTMLElement} */ (event.currentTarget).dataset;
    if (name === undefined) return;
    store.update((s) => chooseTensor(s, name));
    if (this.openPicker) this.#picker();
  };

  /** @param {KeyboardEvent} event */
  #keys = (event) => {
    const { found } = this;
    const at = found.findIndex((x) => x.name === this.state.tensor);
    /** @type {{[key: string]: number}} */
    const to = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + this.rows - 2,
      PageUp: at - this.rows + 2,
      Home: 0,
      End: found.length - 1,
    };
    if (event.key === 'Enter' && this.openPicker) this.#picker();
    if (!(event.key in to) || found.length === 0) return;
    event.preventDefault();
    const next = found[Math.min(found.length - 1, Math.max(0, to[event.key]))];
    store.update((s) => chooseTensor(s, next.name));
  };

  /** @param {KeyboardEvent} event */
  #intoList = (event) => {
    if (event.key !== 'ArrowDown') return;
    event.preventDefault();
    /** @type {HTMLElement} */ (this.querySelector('.rows')).focus();
  };

  /** @param {KeyboardEvent} event */
  #escape = (event) => {
    if (event.key === 'Escape' && this.openPicker) this.#picker();
  };

  #picker = async () => {
    this.openPicker = !this.openPicker;
    this.requestUpdate();
    await this.updateComplete;
    const target = this.openPicker ? 'input[type=search]' : '.picker';
    /** @type {HTMLElement | null} */ (this.querySelector(target))?.focus();
    if (this.openPicker) this.#reveal();
  };

  /** @param {Partial<import('../types.js').State['list']>} list */
  #change(list) {
    /** @type {HTMLElement} */ (this.querySelector('.rows')).scrollTop = 0;
    store.update((s) => setList(s, list));
  }

  /** @param {Event} event */
  #query = (event) => this.#change({ query: /** @type {HTMLInputElement} */ (event.target).value });
  /** @param {Event} event */
  #sort = (event) => this.#change({ sort: /** @type {HTMLSelectElement} */ (event.target).value });
  /** @param {Event} event */
  #dtype = (event) => this.#change({ dtype: /** @type {HTMLSelectElement} */ (event.target).value });
}

/** Letters at the end of a name that a narrow row leaves whole: there names differ. */
const TAIL = 12;

/** A name that gives way in its middle where there is no room for it. @param {string} name */
function bothEnds(name) {
  const text = shownShort(name);
  if (text.length < 2 * TAIL) return text;
  // No letter is cut in two.
  const cut = text.length - TAIL - (/[\udc00-\udfff]/.test(text[text.length - TAIL]) ? 1 : 0);
  return html`<span class="head">${text.slice(0, cut)}</span><span class="tail">${text.slice(cut)}</span>`;
}

customElements.define('fb-tensor-list', TensorList);
