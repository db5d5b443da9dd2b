import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { select } from '../state.js';
import { t, schemeTitle } from '../i18n/index.js';
import { bitsPerWeight, bytes, count, decibel, fixed, number, percent } from '../text/format.js';
import { describeMetrics, describeStats } from '../text/describe.js';
import { fileStem } from '../text/names.js';
import { fetchAhead, saving } from './saving.js';

/** @typedef {import('../types.js').Evaluation} Evaluation */

/** What the damage is, in numbers: side A beside side B. */
export class Measures extends View {
  /** @param {import('../types.js').State} state */
  pick({ result, data, catalogue, language }) {
    return { result, data, catalogue, language };
  }

  render() {
    const { result } = this.state;
    if (!result) return nothing;
    const { a, b, sampled } = result;
    const { language } = this.state;
    return html`<section aria-labelledby="measures-title">
      <h3 id="measures-title">${t('measures.title')}</h3>
      <p class="foretold" role="status">
        ${sampled === null ? nothing : t('measures.sampled', { n: count(sampled, language), all: count(b.count, language) })}
      </p>
      <table class="measures">
        <thead>
          <tr>
            <th scope="col">${t('measure')}</th>
            ${a ? html`<th scope="col" class="quantized-a">A</th>` : nothing}
            <th scope="col" class="quantized">B</th>
          </tr>
        </thead>
        <tbody>
          ${ROWS.map(([key, show]) => {
            const about = sampled !== null && !OF_SHAPE.includes(key) ? '≈\u00a0' : '';
            const cell = (/** @type {Evaluation} */ e) =>
              e.count > 0 || OF_NOTHING.includes(key) ? about + show(e) : '–';
            return html`<tr data-metric=${key}>
              <th scope="row">
                ${this.term(key, t(`metric.${key}`), t(`metric.${key}.help`))}
                ${this.helping.has(key) ? html`<p class="helptext">${t(`metric.${key}.help`)}</p>` : nothing}
              </th>
              ${a ? html`<td class="num">${cell(a)}</td>` : nothing}
              <td class="num">${cell(b)}</td>
            </tr>`;
          })}
        </tbody>
      </table>
      <p class="row">
        <button class="plain" ?disabled=${b.count === 0 || sampled !== null} @click=${() => this.#worst(b)}>
          ${t('measures.worst')}
        </button>
        <span class="exports" @pointerenter=${fetchAhead} @focusin=${fetchAhead}>
          <button
            class="plain"
            ?disabled=${sampled !== null}
            aria-label=${t('export.metrics', { kind: 'CSV' })}
            @click=${() => this.#save('csv')}
          >
            CSV
          </button>
          <button
            class="plain"
            ?disabled=${sampled !== null}
            aria-label=${t('export.metrics', { kind: 'JSON' })}
            @click=${() => this.#save('json')}
          >
            JSON
          </button>
        </span>
      </p>
    </section>`;
  }

  /** @param {Evaluation} b */
  #worst(b) {
    store.update((s) => select(s, b.metrics.maxAbsIndex));
  }

  /** @param {'csv' | 'json'} kind */
  async #save(kind) {
    const ready = saving();
    const tools = ready instanceof Promise ? await ready : ready;
    const text = kind === 'csv' ? tools.metricsCsv(this.state) : tools.metricsJson(this.state);
    tools.save(
      text,
      `${fileStem(this.state.data?.name)}-metrics.${kind}`,
      kind === 'csv' ? 'text/csv' : 'application/json',
    );
  }
}

/** Of no weights at all only the size means anything. */
const OF_NOTHING = ['byteLength'];
/** Known without the weights. */
const OF_SHAPE = ['byteLength', 'bitsPerWeight'];

/** @type {[string, (e: Evaluation) => string][]} */
const ROWS = [
  ['sqnrDb', (e) => decibel(e.metrics.sqnrDb)],
  ['rmse', (e) => number(e.metrics.rmse)],
  ['mae', (e) => number(e.metrics.mae)],
  ['maxAbs', (e) => number(e.metrics.maxAbs)],
  ['cosine', (e) => fixed(e.metrics.cosine, 6)],
  ['zeroed', (e) => percent(e.metrics.zeroed)],
  ['bitsPerWeight', (e) => bitsPerWeight(e.bitsPerWeight)],
  ['byteLength', (e) => bytes(e.byteLength)],
];

/**
 * What only finite weights have, with its digits.
 * @type {['min' | 'max' | 'mean' | 'std' | 'skewness' | 'kurtosis', number][]}
 */
const FINITE = [
  ['min', 4],
  ['max', 4],
  ['mean', 4],
  ['std', 4],
  ['skewness', 3],
  ['kurtosis', 3],
];

/** The weights and the damage, in words. */
export class Words extends View {
  /** @param {import('../types.js').State} state */
  pick({ result, data, sides, catalogue }) {
    return { result, data, sides, catalogue };
  }

  render() {
    const { data, result, sides, catalogue, language } = this.state;
    if (!data) return nothing;
    const { stats } = data;
    const info = catalogue.find((s) => s.id === sides.b.id);
    const at = (/** @type {number} */ q) => stats.quantiles.find((x) => Math.abs(x.q - q) < 1e-9)?.value;
    const finite = stats.count > stats.nan + stats.infinite;
    /** @type {[string, string | undefined][]} */
    const facts = [
      ['count', count(stats.count, language)],
      ...FINITE.map(
        ([key, digits]) =>
          /** @type {[string, string | undefined]} */ ([key, finite ? number(stats[key], digits) : undefined]),
      ),
      ['median', !finite || at(0.5) === undefined ? undefined : number(/** @type {number} */ (at(0.5)))],
      ['zeros', count(stats.zeros, language)],
      ['nan', stats.nan ? count(stats.nan, language) : undefined],
      ['infinite', stats.infinite ? count(stats.infinite, language) : undefined],
    ];
    return html`<section class="words" aria-labelledby="words-title">
      <div>
        <h3 id="words-title">${t('words.stats')}</h3>
        <p class="prose">${describeStats(stats)}</p>
        <dl class="facts num">
          ${facts
            .filter(([, value]) => value !== undefined)
            .map(
              ([key, value]) =>
                html`<div data-stat=${key}>
                  <dt>${this.term(key, t(`stat.${key}`), t(`stat.${key}.help`))}</dt>
                  <dd>
                    ${value} ${this.helping.has(key) ? html`<p class="helptext">${t(`stat.${key}.help`)}</p>` : nothing}
                  </dd>
                </div>`,
            )}
        </dl>
      </div>
      <div>
        <h3>${t('words.damage', { b: info ? schemeTitle(info) : sides.b.id })}</h3>
        ${result ? html`<p class="prose">${describeMetrics(result.b, stats)}</p>` : nothing}
      </div>
    </section>`;
  }
}

customElements.define('fb-measures', Measures);
customElements.define('fb-words', Words);
