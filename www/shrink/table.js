import { html, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { live } from 'lit/directives/live.js';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { schemesOf } from '../lib/shrink/targets.js';
import { t, tOr, schemeTitle } from '../i18n/index.js';
import { bitsPerWeight, bytes, count, decibel, shapeText } from '../text/format.js';
import { shown, shownShort } from '../text/names.js';
import { schemeText } from '../url.js';
import { valueOf } from './actions.js';
import { lossClass } from './damage.js';
import * as change from './state.js';

/**
 * @typedef {import('./state.js').Row} Row
 * @typedef {import('./state.js').Shrink} Shrink
 */

const AROUND = 6;

/** All tensors and what becomes of them. Only the rows that can be seen exist, and only the one in hand has all its choices. */
export class Table extends View {
  constructor() {
    super();
    this.narrow = matchMedia('(max-width: 760px)');
    this.first = 0;
    this.seen = 20;
    /** The row in hand. @type {string | null} */
    this.hand = null;
    /** @type {ResizeObserver | null} */
    this.observer = null;
  }

  /** @param {import('../types.js').State} state */
  pick({ shrink, catalogue }) {
    const { plan, damage, job, list, choice, eye, why } = shrink ?? {};
    return {
      why,
      plan,
      damage,
      finished: job?.finished,
      state: job?.state,
      of: job?.plan,
      list,
      choice,
      eye,
      catalogue,
    };
  }

  connectedCallback() {
    super.connectedCallback();
    this.narrow.addEventListener('change', this.#again);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.narrow.removeEventListener('change', this.#again);
    this.observer?.disconnect();
  }

  #again = () => this.requestUpdate();

  /** Pixels of a row. */
  get height() {
    return this.narrow.matches ? 66 : 34;
  }

  /** @returns {Row[]} */
  get found() {
    const shrink = change.shrinkOf(this.state);
    const plan = shrink.job?.plan ?? shrink.plan;
    if (!plan) return [];
    const { list, damage, job } = shrink;
    // Sorted by damage the rows move as it becomes known, else they stay.
    const moving = list.sort === 'damage' || list.sort === 'pay' ? [damage, job?.finished] : [];
    return this.keeper.keep('found', [plan, list, ...moving], () => change.listed(shrink, plan));
  }

  render() {
    const shrink = change.shrinkOf(this.state);
    const { language } = this.state;
    const plan = shrink.job?.plan ?? shrink.plan;
    if (!plan) return nothing;
    const { found, height } = this;
    const { list } = shrink;
    const from = Math.max(0, Math.min(this.first, found.length - this.seen) - AROUND);
    const rows = found.slice(from, this.first + this.seen + AROUND).map((row, i) => ({ row, i: from + i }));
    return html`<section aria-label=${t('shrink.table')}>
      <div class="tools">
        <input
          type="search"
          aria-label=${t('shrink.filter')}
          placeholder=${t('shrink.filter')}
          .value=${list.query}
          autocomplete="off"
          spellcheck="false"
          @input=${(/** @type {Event} */ e) => this.#list({ query: valueOf(e) })}
        />
        <label
          ><span class="sr">${t('shrink.show')}</span>
          <select class="show" @change=${(/** @type {Event} */ e) => this.#list({ show: valueOf(e) })}>
            ${['all', 'changed', 'left', 'fallback', 'hand'].map(
              (x) => html`<option value=${x} ?selected=${x === list.show}>${t(`shrink.show.${x}`)}</option>`,
            )}
          </select></label
        >
        <label
          ><span class="sr">${t('list.sort')}</span>
          <select class="sort" @change=${(/** @type {Event} */ e) => this.#list({ sort: valueOf(e) })}>
            ${['order', 'name', 'after', 'damage', 'pay'].map(
              (x) => html`<option value=${x} ?selected=${x === list.sort}>${t(`shrink.sort.${x}`)}</option>`,
            )}
          </select></label
        >
        <span class="num soft found"
          >${
            found.length === plan.rows.length
              ? count(found.length, language)
              : `${count(found.length, language)} / ${count(plan.rows.length, language)}`
          }</span
        >
      </div>
      <div
        class="rows"
        role="table"
        tabindex="0"
        aria-label=${t('shrink.table')}
        aria-rowcount=${found.length + 1}
        @scroll=${this.#scrolled}
        @pointerover=${this.#take}
        @focusin=${this.#take}
      >
        <div role="rowgroup" class="heads">
          <div class="row titles" role="row" aria-rowindex="1">
            <span class="name" role="columnheader">${t('shrink.column.name')}</span>
            <span class="shape" role="columnheader">${t('shrink.column.shape')}</span>
            <span class="becomes" role="columnheader">${t('shrink.column.becomes')}</span>
            <span class="sizes" role="columnheader">${t('shrink.column.bytes')}</span>
            <span class="bits" role="columnheader">${t('shrink.column.bits')}</span>
            <span class="loss" role="columnheader" title=${t('shrink.column.sqnr.help')}
              >${t('shrink.column.sqnr')}</span
            >
          </div>
        </div>
        <div class="body" role="rowgroup" data-height=${found.length * height}>
          ${repeat(
            rows,
            ({ row }) => row.name,
            ({ row, i }) => this.#row(row, i, shrink, plan),
          )}
        </div>
      </div>
      ${found.length === 0 ? html`<p class="none soft">${t('list.none')}</p>` : nothing}
    </section>`;
  }

  /**
   * @param {Row} row
   * @param {number} i
   * @param {Shrink} shrink
   * @param {import('./state.js').Plan} plan
   */
  #row(row, i, shrink, plan) {
    const { language } = this.state;
    const damage = change.damageOf(shrink, row);
    const done = shrink.job !== null && Object.hasOwn(shrink.job.finished, row.name);
    const under = shrink.eye !== null && plan.rows[shrink.eye] === row;
    return html`<div
      class="row"
      role="row"
      aria-rowindex=${i + 2}
      data-top=${i * this.height}
      data-name=${row.name}
      ?data-done=${done}
      ?data-under=${under}
    >
      <span class="name" role="rowheader" title=${shown(row.name)}
        ><bdi>${shownShort(row.name, 80)}</bdi>${
          row.target === row.name
            ? nothing
            : html` <span class="soft">→ <bdi>${shownShort(row.target, 60)}</bdi></span>`
        }</span
      >
      <span class="shape num soft" role="cell">${shapeText(row.shape, language, '×')}</span>
      <span class="becomes" role="cell"
        ><span class="soft from">${row.from}</span>
        ${shrink.job ? html`<span class="to">→ ${row.dtype}</span>` : this.#select(row, plan)}
        ${shrink.job || row.near === null ? nothing : this.#steps(row, row.near, shrink)}
        ${
          row.insteadOf === null
            ? nothing
            : html`<span class="mark" title=${t('shrink.fallback.help', { type: row.insteadOf })}
                >${t('shrink.fallback', { type: row.insteadOf })}</span
              >`
        }
        ${
          row.left === null || row.left.code === 'asked' || row.near !== null
            ? nothing
            : html`<span class="soft why" title=${tOr(`shrink.why.${row.left.code}`, row.left.text)}
                >${tOr(`shrink.why.${row.left.code}`, row.left.text)}</span
              >`
        }</span
      >
      <span class="sizes num" role="cell"
        ><span class="float">${bytes(row.before)}</span>${
          row.after === row.before && row.scheme === null
            ? nothing
            : html` <span class="soft">→</span> <span class="quantized">${bytes(row.after)}</span>`
        }</span
      >
      <span class="bits num" role="cell">${row.count > 0 ? bitsPerWeight((row.after * 8) / row.count) : ''}</span>
      <span class="loss num" role="cell"><i class="swatch ${lossClass(damage)}"></i>${this.#loss(row, damage)}</span>
    </div>`;
  }

  /** @param {Row} row @param {import('./state.js').Damage | null} damage */
  #loss(row, damage) {
    if (row.scheme === null) return html`<span class="soft">${t('shrink.unchanged')}</span>`;
    if (!damage || damage.sqnrDb === null)
      return html`<span class="soft" aria-label=${t('shrink.legend.unknown')}>–</span>`;
    if (damage.sqnrDb === Infinity) return t('shrink.exact');
    const text = decibel(damage.sqnrDb);
    return damage.sampled ? html`<abbr title=${t('shrink.sampled.help')}>≈ ${text}</abbr>` : text;
  }

  /**
   * One press up or down, and why it is where it is.
   * @param {Row} row
   * @param {import('../lib/shrink/reasons.js').Near} near
   * @param {Shrink} shrink
   */
  #steps(row, { up, down }, shrink) {
    const name = shownShort(row.name, 60);
    const step = (/** @type {typeof up} */ to, /** @type {string} */ way, /** @type {string} */ sign) =>
      html`<button
        class="plain icon step ${way}"
        ?disabled=${to === null}
        aria-label=${t(`shrink.step.${way}`, { name, type: to?.dtype ?? '' })}
        title=${to === null ? '' : t(`shrink.step.${way}.help`, { type: to.dtype, bytes: bytes(Math.abs(to.bytes)) })}
        @click=${() => to && store.update((s) => change.chooseTensor(s, row.name, /** @type {any} */ (to.scheme ?? 'keep')))}
      >
        ${sign}
      </button>`;
    return html`<span class="steps"
      >${step(up, 'up', '▲')}${step(down, 'down', '▼')}<button
        class="plain ask-why"
        aria-expanded=${shrink.why === row.name}
        aria-label=${t('shrink.why.ask', { name })}
        @click=${() => store.update((s) => change.setShrink(s, { why: shrink.why === row.name ? null : row.name }))}
      >
        ${t('shrink.why')}
      </button></span
    >`;
  }

  /** @param {Row} row @param {import('./state.js').Plan} plan */
  #select(row, plan) {
    const { choice } = change.shrinkOf(this.state);
    const own = Object.hasOwn(choice.tensors, row.name) ? choice.tensors[row.name] : null;
    const value = own === null ? '' : own === 'keep' ? 'keep' : schemeText(/** @type {any} */ (own));
    const label = plan.to === 'safetensors' ? studied(row) : row.dtype;
    return html`<select
      aria-label=${t('shrink.row', { name: shownShort(row.name, 60) })}
      ?data-hand=${own !== null}
      .value=${live(value)}
      @change=${(/** @type {Event} */ e) => this.#choose(row.name, valueOf(e))}
    >
      ${
        this.hand === row.name || own !== null
          ? this.#options(value, label)
          : html`<option value="" selected>${label}</option>`
      }
    </select>`;
  }

  /** @param {string} value @param {string} label what it becomes */
  #options(value, label) {
    const target = change.targetOf(this.state);
    if (!target) return nothing;
    const groups = schemesOf(target, this.state.catalogue, change.shrinkOf(this.state).choice.layout);
    const known =
      value === '' || value === 'keep' || groups.some(({ schemes }) => schemes.some(({ id }) => id === value));
    return html`<option value="" ?selected=${value === ''}>${value === '' ? label : t('shrink.as.rest')}</option>
      <option value="keep" ?selected=${value === 'keep'}>${t('shrink.keep')}</option>
      ${known ? nothing : html`<option value=${value} selected>${value}</option>`}
      ${groups.map(
        ({ kind, schemes }) =>
          html`<optgroup label=${t(`shrink.group.${kind}`)}>
            ${schemes.map((x) => html`<option value=${x.id} ?selected=${x.id === value}>${schemeTitle(x)}</option>`)}
          </optgroup>`,
      )}`;
  }

  /** @param {string} name @param {string} value */
  #choose(name, value) {
    const wish = value === '' ? null : value === 'keep' ? /** @type {const} */ ('keep') : { id: value };
    store.update((s) => change.chooseTensor(s, name, wish));
  }

  firstUpdated() {
    const rows = this.querySelector('.rows');
    if (!rows) return;
    this.observer = new ResizeObserver(() => {
      const n = Math.ceil(rows.clientHeight / this.height) + 1;
      if (n !== this.seen) {
        this.seen = n;
        this.requestUpdate();
      }
    });
    this.observer.observe(rows);
  }

  updated() {
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('.body > .row'))) {
      element.style.top = `${element.dataset.top}px`;
    }
    const body = /** @type {HTMLElement | null} */ (this.querySelector('.body'));
    if (body) body.style.height = `${body.dataset.height}px`;
  }

  /** Brings a tensor's row into view and its choices into hand. @param {string} name */
  async reveal(name) {
    if (!this.found.some((row) => row.name === name)) this.#list({ query: '', show: 'all' });
    const at = this.found.findIndex((row) => row.name === name);
    const rows = this.querySelector('.rows');
    if (at < 0 || !rows) return;
    rows.scrollTop = at * this.height - rows.clientHeight / 2;
    this.#scrolled();
    await this.updateComplete;
    const row = [.../** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('.body > .row'))].find(
      (x) => x.dataset.name === name,
    );
    /** @type {HTMLElement | null | undefined} */ (row?.querySelector('select'))?.focus();
  }

  #scrolled = () => {
    const rows = this.querySelector('.rows');
    if (!rows) return;
    const first = Math.floor(rows.scrollTop / this.height);
    if (first === this.first) return;
    this.first = first;
    this.requestUpdate();
  };

  /** The row under the pointer or with the focus gets all its choices before it can be opened. @param {Event} event */
  #take = (event) => {
    const row = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.('.body > .row'));
    const name = row?.dataset.name;
    if (name === undefined || name === this.hand) return;
    this.hand = name;
    this.requestUpdate();
  };

  /** @param {Partial<Shrink['list']>} list */
  #list(list) {
    const rows = this.querySelector('.rows');
    if (rows) rows.scrollTop = 0;
    this.first = 0;
    store.update((s) => change.setShrink(s, { list: { ...change.shrinkOf(s).list, ...list } }));
  }
}

/** What a tensor becomes: floats after a scheme say which. @param {Row} row */
function studied({ dtype, scheme }) {
  if (scheme === null) return dtype;
  const text = schemeText(/** @type {any} */ (scheme));
  return /^(f16|bf16|f32|fp8_e4m3|fp8_e5m2)$/.test(text) || text.toUpperCase() === dtype ? dtype : `${text} · ${dtype}`;
}

customElements.define('fb-shrink-table', Table);
