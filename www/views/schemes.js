import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { setScheme } from '../state.js';
import { Comparison, comparisonKey, plainScheme, untried } from '../comparison.js';
import { actions } from './actions.js';
import { exportButtons } from './exports.js';
import { t, schemeTitle } from '../i18n/index.js';
import { bitsPerWeight, count, decibel } from '../text/format.js';
import { shownShort } from '../text/names.js';
import '../figures/scatter.js';

/**
 * @typedef {import('../types.js').Compared} Compared
 * @typedef {import('../figures/scatter.js').Point} Point
 */

/** All schemes on the open tensor, bits against dB. They are tried while this can be seen. */
export class Schemes extends View {
  /** @param {import('../types.js').State} state */
  pick({ catalogue, sides, active, data, result, compared, model }) {
    return { catalogue, sides, active, data, result, compared, model };
  }

  constructor() {
    super();
    this.narrow = matchMedia('(max-width: 760px)');
    /** @type {IntersectionObserver | null} */
    this.watch = null;
    /** @type {Comparison | null} */
    this.comparison = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.narrow.addEventListener('change', this.#again);
    if (actions.session) this.comparison ??= new Comparison(store, actions.session);
    this.watch = new IntersectionObserver((entries) => this.comparison?.watch(entries.at(-1)?.isIntersecting ?? false));
    this.watch.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.narrow.removeEventListener('change', this.#again);
    this.watch?.disconnect();
    this.comparison?.watch(false);
  }

  #again = () => this.requestUpdate();

  render() {
    const { data, catalogue, language, sides, result } = this.state;
    const key = comparisonKey(this.state);
    if (!data || key === null) return nothing;
    const schemes = this.state.compared?.key === key ? this.state.compared.schemes : {};
    const from = [catalogue, schemes, sides, language, data];
    const points = this.keeper.keep('points', from, () => this.#points(schemes));
    const chosen = this.keeper.keep('chosen', [result, language, catalogue], () => this.#chosen());
    const words = this.keeper.keep('words', [language], () => ({
      x: t('schemes.x'),
      y: t('metric.sqnrDb'),
      line: t('schemes.line'),
      list: t('schemes.list'),
    }));
    return html`<figure aria-busy=${untried(this.state).length > 0}>
      <div class="bar">
        <figcaption>${t('figure.schemes')} <span class="soft num">${this.#progress(schemes)}</span></figcaption>
        <span class="tools">${exportButtons(this, { tag: 'fb-scatter', what: 'schemes', title: this.#title })}</span>
      </div>
      <fb-scatter
        .label=${t('figure.schemes.text', {
          name: shownShort(data.name),
          n: points.length,
          sides: chosen.map(({ side, label, text }) => `${side?.toUpperCase()}: ${label}, ${text}`).join('; '),
        })}
        .points=${points}
        .chosen=${chosen}
        .words=${words}
        .height=${this.narrow.matches ? 330 : 400}
        @fb-choose=${this.#choose}
      ></fb-scatter>
      <p class="note soft">
        ${this.#sampled(schemes)} ${t('schemes.limit')} ${t('schemes.hint', { side: this.state.active.toUpperCase() })}
        ${this.#failed(schemes)}
      </p>
    </figure>`;
  }

  #title = () => `${shownShort(this.state.data?.name ?? '')} · ${t('figure.schemes')}`;

  /** @param {{[id: string]: Compared}} schemes @returns {Point[]} */
  #points(schemes) {
    const { catalogue, sides } = this.state;
    return catalogue.flatMap((info) => {
      const found = schemes[info.id];
      if (!found || 'failed' in found || Number.isNaN(found.sqnrDb)) return [];
      const plain = JSON.stringify(plainScheme(this.state, info.id));
      const side = plain === JSON.stringify(sides.b) ? 'b' : plain === JSON.stringify(sides.a) ? 'a' : null;
      const [bits, db] = [found.bits, found.sqnrDb];
      return [{ key: info.id, label: schemeTitle(info), bits, db, text: numbers(bits, db), side }];
    });
  }

  /** The sides as they are set, measured on all weights. @returns {Point[]} */
  #chosen() {
    const { result, catalogue } = this.state;
    return /** @type {import('../types.js').Side[]} */ (['a', 'b']).flatMap((side) => {
      const evaluation = result?.[side];
      if (!evaluation || evaluation.count === 0) return [];
      const info = catalogue.find(({ id }) => id === evaluation.scheme.id);
      const bits = evaluation.bitsPerWeight;
      const db = evaluation.metrics.sqnrDb;
      const label = info ? schemeTitle(info) : evaluation.scheme.id;
      return [{ key: `side ${side}`, label, bits, db, text: numbers(bits, db), side }];
    });
  }

  /** @param {{[id: string]: Compared}} schemes */
  #progress(schemes) {
    const all = this.state.catalogue.length;
    const left = untried(this.state).length;
    return left === 0 || Object.keys(schemes).length === 0 ? '' : t('schemes.progress', { n: all - left, all });
  }

  /** Where a portion stands for all. @param {{[id: string]: Compared}} schemes */
  #sampled(schemes) {
    const all = this.state.data?.stats.count ?? 0;
    // Slow schemes are tried on fewer weights.
    const least = Math.min(...Object.values(schemes).map((found) => ('from' in found ? found.from : Infinity)));
    if (least >= all) return nothing;
    const { language } = this.state;
    return html`<b class="sampled"
      >${t('schemes.sampled', { n: count(least, language), all: count(all, language) })}</b
    >`;
  }

  /** @param {{[id: string]: Compared}} schemes */
  #failed(schemes) {
    const names = this.state.catalogue.filter(({ id }) => {
      const found = schemes[id];
      return found && ('failed' in found || Number.isNaN(found.sqnrDb));
    });
    if (names.length === 0) return nothing;
    return html`<span class="failed">${t('schemes.failed', { names: names.map(schemeTitle).join(', ') })}</span>`;
  }

  /** @param {CustomEvent} event */
  #choose = ({ detail }) => store.update((s) => setScheme(s, s.active, plainScheme(s, detail.key)));
}

/** @param {number} bits @param {number} db */
const numbers = (bits, db) =>
  t('schemes.numbers', { bits: bitsPerWeight(bits), db: db === Infinity ? t('schemes.exact') : decibel(db) });

customElements.define('fb-schemes', Schemes);
