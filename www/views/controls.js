import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { View } from './view.js';
import { store } from '../store.js';
import * as change from '../state.js';
import { niceStep } from '../figures/scale.js';
import { count, number, withMinus } from '../text/format.js';
import {
  language,
  t,
  familyTitle,
  optionHelp,
  optionTitle,
  schemeSummary,
  schemeTitle,
  valueTitle,
  tOr,
} from '../i18n/index.js';

/**
 * @typedef {import('../types.js').Option} Option
 * @typedef {import('../types.js').SchemeInfo} SchemeInfo
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {import('../types.js').Side} Side
 */

/** The two sides and the controls of the one in hand, built from the catalogue and nothing else. */
export class Controls extends View {
  constructor() {
    super();
    this.openSheet = false;
  }

  /** @param {import('../types.js').State} state */
  pick({ catalogue, sides, active, data, model }) {
    return { catalogue, sides, active, data, model };
  }

  /** @returns {Side} */
  get side() {
    return this.state.active;
  }

  render() {
    const { sides, catalogue } = this.state;
    const { side } = this;
    const scheme = sides[side];
    const info = catalogue.find((s) => s.id === scheme?.id);
    return html`
      <div class="sheet" ?data-open=${this.openSheet}>
        <div class="head">
          <div class="sides" role="group" aria-label=${t('sides')}>
            ${/** @type {Side[]} */ (['a', 'b']).map((s) => this.#tab(s))}
          </div>
          <button class="grab plain" aria-expanded=${this.openSheet} @click=${this.#toggle}>
            ${t(this.openSheet ? 'sheet.less' : 'sheet.more')}
          </button>
        </div>
        ${
          catalogue.length === 0
            ? html`<p class="soft">${t('empty.starting')}</p>`
            : html`${this.#picker(info)}
                <div class="options">
                  ${info && scheme ? this.#options(info, scheme) : html`<p class="soft">${t('side.float.help')}</p>`}
                </div>
                <div class="foot">${this.#foot()}</div>
                ${this.#suggestion()}`
        }
      </div>
    `;
  }

  /** @param {Side} side */
  #tab(side) {
    const scheme = this.state.sides[side];
    const info = this.state.catalogue.find((s) => s.id === scheme?.id);
    const title = scheme === null ? t('float') : info ? schemeTitle(info) : scheme.id;
    return html`<button
      class="tab ${scheme === null ? 'float' : side === 'a' ? 'quantized-a' : 'quantized'}"
      aria-pressed=${side === this.side}
      @click=${() => store.update((s) => ({ ...s, active: side }))}
    >
      <b>${side.toUpperCase()}</b> <span>${title}</span>
    </button>`;
  }

  /** @param {SchemeInfo | undefined} info */
  #picker(info) {
    const { catalogue } = this.state;
    const { side } = this;
    const families = [...new Set(catalogue.map((s) => s.family))];
    const kin = info ? catalogue.filter((s) => s.family === info.family) : [];
    const widths = kin.map((s) => s.bits);
    const ladder = kin.length > 2 && widths.every((b) => b !== null) && new Set(widths).size === widths.length;
    const sorted = [...kin].sort((a, b) => (a.bits ?? 0) - (b.bits ?? 0));
    const at = sorted.findIndex((s) => s.id === info?.id);
    return html`
      <div class="option scheme">
        <label for="scheme-${side}">${t('scheme')}</label>
        <select id="scheme-${side}" class="wide" @change=${this.#scheme}>
          ${side === 'a' ? html`<option value="" ?selected=${!info}>${t('float')}</option>` : nothing}
          ${families.map(
            (family) =>
              html`<optgroup label=${familyTitle(family)}>
                ${catalogue
                  .filter((s) => s.family === family)
                  .map((s) => html`<option value=${s.id} ?selected=${s.id === info?.id}>${schemeTitle(s)}</option>`)}
              </optgroup>`,
          )}
        </select>
      </div>
      ${
        ladder && info
          ? html`<div class="option bits">
              <label for="bits-${side}">${t('bits')}</label>
              <input
                id="bits-${side}"
                type="range"
                min="0"
                max=${sorted.length - 1}
                step="1"
                .value=${live(String(at))}
                aria-valuetext=${t('bits.value', { n: info.bits ?? 0 })}
                @input=${(/** @type {Event} */ e) => this.#rung(sorted, e)}
              />
              <output class="num">${info.bits}</output>
            </div>`
          : nothing
      }
      ${info ? html`<p class="summary soft">${schemeSummary(info)} ${this.#source(info)}</p>` : nothing}
    `;
  }

  /** @param {SchemeInfo} info */
  #source(info) {
    if (!info.source || !/^https:\/\//.test(info.source.url)) return nothing;
    return html`<a href=${info.source.url} target="_blank" rel="noopener noreferrer">${info.source.title}</a>`;
  }

  /**
   * @param {SchemeInfo} info
   * @param {Scheme} scheme
   */
  #options(info, scheme) {
    return info.options
      .filter((option) => change.applies(info, scheme, option))
      .map((option) => this.#option(option, change.optionValue(info, scheme, option.name)));
  }

  /**
   * @param {Option} option
   * @param {any} value
   */
  #option(option, value) {
    const help = optionHelp(option);
    const open = this.helping.has(option.name);
    const id = `option-${this.side}-${option.name}`;
    const control =
      option.kind === 'flag'
        ? this.#flag(option, value, id)
        : option.kind === 'choice'
          ? this.#choice(option, value, id)
          : this.#number(option, value, id);
    const title = optionTitle(option);
    const segments = option.kind === 'choice' && isShort(option);
    return html`<div
      class="option"
      data-option=${option.name}
      data-kind=${option.kind}
      ?data-changed=${value !== option.default}
    >
      <span class="title">
        ${segments ? html`<span id="${id}-label">${title}</span>` : html`<label for=${id}>${title}</label>`}
        ${
          help
            ? html`<button
                class="plain help"
                aria-expanded=${open}
                aria-label=${t('help', { what: title })}
                title=${help}
                @click=${() => this.explain(option.name)}
              >
                ?
              </button>`
            : nothing
        }
      </span>
      ${control} ${open ? html`<p class="helptext soft">${help}</p>` : nothing}
    </div>`;
  }

  /** @param {Option} option @param {boolean} value @param {string} id */
  #flag(option, value, id) {
    return html`<input
      id=${id}
      type="checkbox"
      role="switch"
      .checked=${live(value)}
      @change=${(/** @type {Event} */ e) => this.#set(option, /** @type {HTMLInputElement} */ (e.target).checked)}
    />`;
  }

  /** @param {Option} option @param {string} value @param {string} id */
  #choice(option, value, id) {
    const values = option.values ?? [];
    if (!isShort(option)) {
      return html`<select
        id=${id}
        @change=${(/** @type {Event} */ e) => this.#set(option, /** @type {HTMLSelectElement} */ (e.target).value)}
      >
        ${values.map((v) => html`<option value=${v.value} ?selected=${v.value === value}>${valueTitle(option, v)}</option>`)}
      </select>`;
    }
    return html`<span class="segmented" role="radiogroup" aria-labelledby="${id}-label">
      ${values.map(
        (v) =>
          html`<label
            ><input
              type="radio"
              name=${id}
              value=${v.value}
              .checked=${live(v.value === value)}
              @change=${() => this.#set(option, v.value)}
            /><span>${valueTitle(option, v)}</span></label
          >`,
      )}
    </span>`;
  }

  /** @param {Option} option @param {number} value @param {string} id */
  #number(option, value, id) {
    const { min, max, step } = this.#limits(option);
    const width = (max ?? Infinity) - (min ?? -Infinity);
    const ranged =
      min !== undefined && max !== undefined && width > 0 && width <= (option.kind === 'number' ? 1e4 : 64);
    const suggestions = option.suggestions ?? [];
    return html`<span class="number">
      ${
        ranged
          ? html`<input
              type="range"
              aria-label=${optionTitle(option)}
              min=${min}
              max=${max}
              step=${option.kind === 'integer' ? 1 : 'any'}
              .value=${live(String(value))}
              @input=${(/** @type {Event} */ e) => this.#type(option, e, true)}
              @change=${(/** @type {Event} */ e) => this.#type(option, e, false)}
            />`
          : nothing
      }
      ${
        suggestions.length > 0 && !ranged
          ? html`<span class="segmented chips" role="group" aria-label=${optionTitle(option)}
              >${suggestions.map(
                (n) => html`<button aria-pressed=${n === value} @click=${() => this.#set(option, n)}>${n}</button>`,
              )}</span
            >`
          : nothing
      }
      <input
        id=${id}
        type="number"
        class="num"
        min=${min ?? nothing}
        max=${max ?? nothing}
        step="any"
        data-step=${step}
        @keydown=${this.#nudge}
        .value=${live(String(option.kind === 'integer' ? value : Number(Number(value ?? 0).toPrecision(6))))}
        @change=${(/** @type {Event} */ e) => this.#type(option, e, false)}
      />
      ${option.unit ? html`<span class="unit soft">${tOr(`unit.${option.unit}`, option.unit)}</span>` : nothing}
    </span>`;
  }

  /** An axis ends where the open tensor's shape ends. @param {Option} option */
  #limits(option) {
    const { model, data } = this.state;
    const rank = model?.tensors.find((x) => x.name === data?.name)?.shape.length;
    const axis = option.name === 'axis' && rank ? { max: rank - 1 } : {};
    const own = option.kind === 'integer' ? 1 : option.step;
    // Values of weights have no step of their own: one that suits their spread.
    const step = own ?? niceStep((data?.stats.absMax || 1) / 100);
    return { min: option.min, max: option.max, step, ...axis };
  }

  #foot() {
    const { sides } = this.state;
    return html`
      <button class="plain" @click=${this.#reset} ?disabled=${Object.keys(sides[this.side] ?? {}).length < 2}>
        ${t('reset')}
      </button>
      <button class="plain" @click=${() => store.update(change.copySide)}>${t('copy')}</button>
      <button class="plain" ?disabled=${sides.a === null} @click=${() => store.update(change.swapSides)}>
        ${t('swap')}
      </button>
    `;
  }

  #suggestion() {
    const { data, sides, catalogue } = this.state;
    const suggestion = data?.suggestion;
    if (!suggestion) return nothing;
    const { scheme, reasons } = suggestion;
    const none = reasons.find((r) => NO_CHOICE.includes(r.code));
    if (none) return html`<div class="suggestion"><p class="soft">${reasonText(none)}</p></div>`;
    const info = catalogue.find((s) => s.id === scheme.id);
    const wanted = JSON.stringify(change.tidy(catalogue, scheme));
    const same = wanted === JSON.stringify(sides.b);
    return html`<div class="suggestion">
      <h3>${t('suggest.title')} <b class="quantized">${info ? schemeTitle(info) : scheme.id}</b></h3>
      <ul>
        ${reasons.map((r) => html`<li>${reasonText(r)}</li>`)}
      </ul>
      ${
        same
          ? html`<p class="soft">${t('suggest.same')}</p>`
          : html`<button @click=${() => store.update((s) => change.setScheme(s, 'b', scheme))}>
              ${t('suggest.apply')}
            </button>`
      }
    </div>`;
  }

  /** @param {Event} event */
  #scheme = (event) => {
    const id = /** @type {HTMLSelectElement} */ (event.target).value;
    const { side } = this;
    store.update((s) => (id === '' ? { ...change.setScheme(s, side, null) } : change.setSchemeId(s, side, id)));
  };

  /** @param {SchemeInfo[]} ladder @param {Event} event */
  #rung(ladder, event) {
    const { id } = ladder[Number(/** @type {HTMLInputElement} */ (event.target).value)];
    store.update((s) => change.setSchemeId(s, this.side, id));
  }

  /** @param {Option} option @param {string | number | boolean} value */
  #set(option, value) {
    store.update((s) => change.setOption(s, this.side, option.name, value));
  }

  /** @param {Option} option @param {Event} event @param {boolean} continuous */
  #type(option, event, continuous) {
    const { value } = /** @type {HTMLInputElement} */ (event.target);
    const typed = Number(value);
    if (value === '' || !Number.isFinite(typed)) return this.requestUpdate();
    const { max } = this.#limits(option);
    store.update((s) => change.setOption(s, this.side, option.name, Math.min(max ?? Infinity, typed), continuous));
    if (!continuous) this.requestUpdate();
  }

  /** Arrow keys move a number by a step that suits it. @param {KeyboardEvent} event */
  #nudge = (event) => {
    const way = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0;
    if (way === 0) return;
    event.preventDefault();
    const input = /** @type {HTMLInputElement} */ (event.target);
    const step = Number(input.dataset.step) * (event.shiftKey ? 10 : 1);
    const moved = Number(input.value) + way * step;
    input.value = String(Number.isInteger(step) && Number.isInteger(moved) ? moved : Number(moved.toPrecision(6)));
    input.dispatchEvent(new Event('change'));
  };

  #reset = () => {
    const { side } = this;
    store.update((s) => {
      const scheme = s.sides[side];
      return scheme ? change.setScheme(s, side, { id: scheme.id }) : s;
    });
  };

  #toggle = () => {
    this.openSheet = !this.openSheet;
    document.documentElement.toggleAttribute('data-sheet', this.openSheet);
    // The sheet leaves room for the main figure: what stands above that figure does not take it.
    if (this.openSheet) document.querySelector('.main-figure')?.scrollIntoView({ block: 'start' });
    this.requestUpdate();
  };
}

/** Reasons for which no scheme is better than another: there is nothing to apply. */
const NO_CHOICE = ['empty', 'nothing_finite', 'subnormal'];

/** @param {{code: string, text: string, facts: number[]}} reason */
function reasonText({ code, text, facts }) {
  const values = Object.fromEntries(
    facts.map((fact, i) => [String(i), Number.isInteger(fact) ? count(fact, language()) : number(fact, 3)]),
  );
  return tOr(`reason.${code}`, withMinus(text), values);
}

/** Few and short enough to stand side by side. @param {Option} option */
function isShort(option) {
  const values = option.values ?? [];
  return values.length <= 3 && values.reduce((n, v) => n + valueTitle(option, v).length, 0) <= 26;
}

customElements.define('fb-controls', Controls);
