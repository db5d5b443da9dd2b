import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import * as change from '../state.js';
import { indexAt, moveRange, nearest, step, zoomAxis } from '../navigate.js';
import { t, tn, runTitle, schemeTitle } from '../i18n/index.js';
import { bytes, count, number, shapeText } from '../text/format.js';
import { unitScale } from '../text/describe.js';
import { isLong, shown, shownShort } from '../text/names.js';
import { exportButtons } from './exports.js';
import { calmed } from '../figures/scale.js';
import '../figures/back-to-back.js';
import '../figures/staircase.js';
import '../figures/error-histogram.js';

/** @typedef {import('../types.js').State} State */

/** @type {[number, number]} */
const UNIT = [-1, 1];

/** The figures of the chosen tensor. */
export class Explore extends View {
  /** @param {State} state */
  pick({ model, tensor, data, result, pictures, weight, view, sides, catalogue, hover, selected, theme, loading }) {
    return { model, tensor, data, result, pictures, weight, view, sides, catalogue, hover, selected, theme, loading };
  }

  constructor() {
    super();
    this.narrow = matchMedia('(max-width: 760px)');
    this.dark = matchMedia('(prefers-color-scheme: dark)');
    /** The tensor whose long name is shown whole. @type {string | null} */
    this.whole = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.narrow.addEventListener('change', this.#again);
    this.dark.addEventListener('change', this.#again);
  }

  /** The matrix comes once the first figures stand. */
  updated() {
    if (this.state.result) import('../figures/matrix.js').catch(() => {});
  }

  #again = () => this.requestUpdate();

  render() {
    const { data, model, tensor, language } = this.state;
    if (!model || !data) return this.#empty();
    const info = model.tensors.find((x) => x.name === data.name);
    const waiting = tensor !== data.name;
    return html`
      <header class="subject" ?data-waiting=${waiting}>
        ${this.#heading(data.name)}
        <span class="soft num"
          >${info ? `[${shapeText(info.shape, language)}] · ${info.dtype} · ${bytes(info.byteLength)}` : ''}</span
        >
      </header>
      ${this.#main()}
      <div class="three">${this.#staircase()} ${this.#errors()} ${this.#matrix()}</div>
    `;
  }

  /** The tensor's name; one that would fill many lines is cut in its middle and can be shown whole. @param {string} name */
  #heading(name) {
    if (!isLong(name)) return html`<h2><bdi>${shown(name)}</bdi></h2>`;
    const whole = this.whole === name;
    return html`<h2 title=${shown(name)} ?data-whole=${whole}><bdi>${whole ? shown(name) : shownShort(name)}</bdi></h2>
      <button class="plain" aria-expanded=${whole} @click=${() => this.#unfold(whole ? null : name)}>
        ${whole ? t('name.short') : t('name.whole', { n: count(name.length, this.state.language) })}
      </button>`;
  }

  /** @param {string | null} name */
  #unfold(name) {
    this.whole = name;
    this.requestUpdate();
  }

  /** The open tensor's name inside a sentence. */
  get #name() {
    const name = this.state.data?.name ?? '';
    return this.keeper.keep('name', [name, this.state.language], () => shownShort(name));
  }

  /** Nothing to show yet: the figure's axis stands there, waiting. */
  #empty() {
    const { model, catalogue, tensor } = this.state;
    const key =
      catalogue.length === 0
        ? 'starting'
        : model?.tensors.length === 0
          ? 'tensors'
          : model && tensor === null
            ? 'choose'
            : 'loading';
    const text = t(`empty.${key}`);
    return html`<div class="waiting">
      <span class="axis" aria-hidden="true"></span>
      <p>${text}</p>
    </div>`;
  }

  /**
   * @param {import('../types.js').Side} side
   * @param {import('../types.js').Sides} [sides]
   */
  #sideTitle(side, sides = this.state.sides) {
    const scheme = sides[side];
    const info = this.state.catalogue.find((s) => s.id === scheme?.id);
    return scheme === null ? t('float') : info ? schemeTitle(info) : (scheme?.id ?? '');
  }

  /** The weight that all figures light up. */
  #mark() {
    const { weight, hover, selected, data } = this.state;
    if (!weight || !data || weight.epoch !== data.epoch || (hover ?? selected) === null) return null;
    return weight;
  }

  #main() {
    const { data, result, view, sides, catalogue } = this.state;
    if (!data) return nothing;
    const axis = result?.axis ?? change.axisOf(this.state);
    const float = this.#calm('float', result?.b.reference ?? data.stats.histogram);
    const weight = this.#mark();
    const shown = result?.sides ?? sides;
    const { language } = this.state;
    const upper = this.#half('a', shown, float);
    const lower = this.#half('b', shown, float);
    const movable = change.hasRange(catalogue, sides.b);
    const range = change.rangeOf(this.state, 'b');
    const clip =
      range &&
      this.keeper.keep('clip', [range.low, range.high, movable, this.#oneRange, language], () => ({
        ...range,
        movable,
        shared: this.#oneRange,
        lowLabel: t('clip.low'),
        highLabel: t('clip.high'),
      }));
    return html`<figure class="main-figure">
      <div class="bar">
        <figcaption>${t('figure.main', { a: this.#sideTitle('a'), b: this.#sideTitle('b') })}</figcaption>
        <span class="tools">
          <span class="segmented" role="group" aria-label=${t('counts')}>
            <button aria-pressed=${!view.log} @click=${() => store.update((s) => change.setView(s, { log: false }))}>
              ${t('linear')}
            </button>
            <button aria-pressed=${view.log} @click=${() => store.update((s) => change.setView(s, { log: true }))}>
              ${t('log')}
            </button>
          </span>
          <button
            class="plain icon"
            aria-label=${t('zoom.in')}
            title=${t('zoom.in')}
            @click=${() => this.#zoomAxis(0.6)}
          >
            +
          </button>
          <button
            class="plain icon"
            aria-label=${t('zoom.out')}
            title=${t('zoom.out')}
            @click=${() => this.#zoomAxis(1 / 0.6)}
          >
            −
          </button>
          <button class="plain" ?disabled=${!view.axis} @click=${() => this.#zoomAxis(null)}>${t('zoom.all')}</button>
          ${this.#exports('fb-back-to-back', 'distribution')}
        </span>
      </div>
      <fb-back-to-back
        .label=${this.#mainLabel(upper, lower)}
        .upper=${upper}
        .lower=${lower}
        .reference=${float}
        .levels=${result?.b.levels ?? null}
        .stairs=${weight?.stairsB ?? result?.stairsB ?? null}
        .clip=${clip}
        .axis=${axis}
        .log=${view.log}
        .moving=${result?.continuous ?? true}
        .mark=${this.#place(weight)}
        .height=${this.narrow.matches ? 270 : 380}
        @fb-range=${this.#range}
        @fb-point=${this.#point}
        @fb-pick=${this.#pick}
        @fb-zoom=${(/** @type {CustomEvent} */ e) => this.#zoomAxis(e.detail.factor)}
      ></fb-back-to-back>
      <p class="note soft"><span>${this.#levelsNote()}</span><span>${t(view.log ? 'heights.log' : 'heights')}</span></p>
    </figure>`;
  }

  /**
   * One half of the main figure.
   * @param {import('../types.js').Side} side
   * @param {import('../types.js').Sides} shown the schemes that the result is of
   * @param {import('../types.js').Histogram} float
   * @returns {import('../figures/back-to-back.js').Half}
   */
  #half(side, shown, float) {
    const { result, language, catalogue } = this.state;
    const evaluation = result?.[side];
    const raw = result?.b.reference;
    if (shown[side] === null) {
      return this.keeper.keep(side, [float, raw, language], () => ({
        kind: 'float',
        histogram: float,
        raw,
        label: t('float'),
      }));
    }
    return this.keeper.keep(side, [float, evaluation, language, catalogue], () => ({
      kind: side === 'a' ? 'quantized-a' : 'quantized',
      histogram: evaluation?.histogram ?? {
        ...float,
        counts: new Float64Array(float.counts.length),
        below: 0,
        above: 0,
      },
      label: `${side.toUpperCase()} · ${this.#sideTitle(side, shown)}`,
      levels: evaluation?.levels,
      runs: evaluation?.runs,
    }));
  }

  /**
   * A histogram of float values as it is drawn.
   * @param {string} name
   * @param {import('../types.js').Histogram} histogram
   */
  #calm(name, histogram) {
    return this.keeper.keep(name, [histogram], () => calmed(histogram));
  }

  /** Where the marked weight goes in and comes out. @param {import('../types.js').Weight | null} weight */
  #place(weight) {
    return weight && this.keeper.keep('mark', [weight], () => ({ value: weight.b.value, back: weight.b.back }));
  }

  /** @param {any} upper @param {any} lower */
  #mainLabel(upper, lower) {
    const { result } = this.state;
    return t('figure.main.text', {
      a: upper.label,
      b: lower.label,
      name: this.#name,
      n: result ? result.b.levels.length : 0,
    });
  }

  /** How many levels there are, whose they are, and how far apart. */
  #levelsNote() {
    const { result, data, language } = this.state;
    if (result?.b.count === 0) return t('say.empty');
    const { run, runs = 1, levels } = result?.b ?? {};
    if (!result || !data || !run || !levels) return '';
    const facts = { n: count(levels.length, language), scale: number(run.scale, 4) };
    const unit = unitScale(result.b, data.stats);
    const parts =
      runs > 1
        ? [tn('levels.of.run', levels.length, { ...facts, run: runTitle(run), runs: count(runs, language) })]
        : [tn('levels.of.all', levels.length, facts)];
    if (unit) parts.push(t(`levels.unit.${unit}`));
    else if (!this.#oneRange) parts.push(t('levels.ends', { run: runTitle(run) }));
    return parts.join(' · ');
  }

  /** Whether the ends of the range that is drawn hold for all weights, and not for one of many scales alone. */
  get #oneRange() {
    const { result } = this.state;
    return (result?.b.runs ?? 1) === 1 || result?.b.scheme.range === 'manual';
  }

  /** Which line is whose, where both sides are drawn in one figure. @param {'stairs' | 'error'} what */
  #keys(what) {
    if (!this.state.result?.a) return nothing;
    return html`<span class="keys ${what}"
      ><span><i class="key a"></i>A</span><span><i class="key b"></i>B</span></span
    >`;
  }

  #staircase() {
    const { result } = this.state;
    const weight = this.#mark();
    return html`<figure>
      <div class="bar">
        <figcaption>${t('figure.staircase')}${this.#keys('stairs')}</figcaption>
        <span class="tools">${this.#exports('fb-staircase', 'staircase')}</span>
      </div>
      <fb-staircase
        .label=${t('figure.staircase.text', { name: this.#name, b: this.#sideTitle('b') })}
        .stairs=${weight?.stairsB ?? result?.stairsB ?? null}
        .other=${weight?.stairsA ?? result?.stairsA ?? null}
        .axis=${result?.axis ?? UNIT}
        .titles=${this.keeper.keep('stairs', [this.state.language], () => ({ input: t('input'), output: t('output') }))}
        .mark=${this.#place(weight)}
        @fb-point=${this.#point}
        @fb-pick=${this.#pick}
      ></fb-staircase>
    </figure>`;
  }

  #errors() {
    const { result, view } = this.state;
    const weight = this.#mark();
    return html`<figure>
      <div class="bar">
        <figcaption>${t('figure.error')}${this.#keys('error')}</figcaption>
        <span class="tools">${this.#exports('fb-error-histogram', 'error')}</span>
      </div>
      <fb-error-histogram
        .label=${t('figure.error.text', { name: this.#name, rmse: result ? number(result.b.metrics.rmse) : '' })}
        .histogram=${result ? this.#calm('error b', result.b.error) : null}
        .other=${result?.a ? this.#calm('error a', result.a.error) : null}
        .log=${view.log}
        .caption=${t('error.axis')}
        .beyond=${t('error.beyond')}
        .mark=${weight ? weight.b.error : null}
      ></fb-error-histogram>
    </figure>`;
  }

  #matrix() {
    const { pictures, view, data, result, theme, language } = this.state;
    const weight = this.#mark();
    const [rows, columns] = data?.matrix ?? [1, 1];
    const worst = Math.max(result?.b.metrics.maxAbs ?? 0, result?.a?.metrics.maxAbs ?? 0);
    const region = change.regionOf(this.state);
    return html`<figure class="matrix">
      <div class="bar">
        <figcaption>${t('figure.matrix')}</figcaption>
        <span class="tools">
          <span class="segmented" role="group" aria-label=${t('matrix.kind')}>
            <button
              aria-pressed=${view.matrix === 'values'}
              @click=${() => store.update((s) => change.setView(s, { matrix: 'values' }))}
            >
              ${t('matrix.values')}
            </button>
            <button
              aria-pressed=${view.matrix === 'error'}
              @click=${() => store.update((s) => change.setView(s, { matrix: 'error' }))}
            >
              ${t('matrix.error')}
            </button>
          </span>
          ${this.#exports('fb-matrix', 'matrix')}
        </span>
      </div>
      <fb-matrix
        .label=${t('figure.matrix.text', {
          name: this.#name,
          rows: count(rows, language),
          columns: count(columns, language),
        })}
        .pictures=${pictures}
        .split=${view.split}
        .span=${pictures?.span ?? 1}
        .errorSpan=${worst || 1}
        .size=${data?.matrix ?? UNIT}
        .theme=${theme === 'system' ? (this.dark.matches ? 'dark' : 'light') : theme}
        .titles=${this.keeper.keep(
          'sides',
          [result?.sides ?? this.state.sides, this.state.language, this.state.catalogue],
          () => ({
            left: `A · ${this.#sideTitle('a', result?.sides)}`,
            right: `B · ${this.#sideTitle('b', result?.sides)}`,
            split: t('matrix.split'),
          }),
        )}
        .mark=${weight && this.keeper.keep('cell', [weight], () => ({ row: weight.b.row, column: weight.b.column }))}
        @fb-cell=${this.#cell}
        @fb-pick-cell=${this.#pickCell}
        @fb-step=${this.#step}
        @fb-split=${(/** @type {CustomEvent} */ e) => store.update((s) => change.setView(s, { split: e.detail.split }))}
        @fb-region=${(/** @type {CustomEvent} */ e) => store.update((s) => change.setView(s, { region: e.detail.region }))}
      ></fb-matrix>
      <p class="note soft">
        <button
          class="plain icon"
          aria-label=${t('matrix.closer')}
          title=${t('matrix.closer')}
          @click=${() => this.#zoomMatrix(0.5)}
        >
          +
        </button>
        <button
          class="plain icon"
          aria-label=${t('matrix.further')}
          title=${t('matrix.further')}
          ?disabled=${!view.region}
          @click=${() => this.#zoomMatrix(2)}
        >
          −
        </button>
        <span class="num"
          >${shapeText([region[1] - region[0], region[3] - region[2]], language)} ·
          ${view.matrix === 'values' ? inkText(pictures?.span ?? UNIT) : t('matrix.ink.error', { span: number(worst, 3) })}</span
        >
      </p>
    </figure>`;
  }

  /** @param {number} factor */
  #zoomMatrix(factor) {
    /** @type {import('../figures/matrix.js').MatrixFigure | null} */ (this.querySelector('fb-matrix'))?.zoom(factor);
  }

  /**
   * @param {string} tag
   * @param {string} what
   */
  #exports(tag, what) {
    return exportButtons(this, { tag, what, title: this.#exportTitle });
  }

  #exportTitle = () => `${this.#name} · ${this.#sideTitle('a')} | ${this.#sideTitle('b')}`;

  /** @param {number | null} factor */
  #zoomAxis(factor) {
    store.update((st) => zoomAxis(st, factor));
  }

  /** @param {CustomEvent} event */
  #range = ({ detail }) => store.update((s) => moveRange(s, 'b', detail));

  /** @param {CustomEvent} event */
  #point = ({ detail }) =>
    store.update((s) => change.point(s, detail.value === null ? null : nearest(s, detail.value)));

  /** @param {CustomEvent} event */
  #pick = ({ detail }) => store.update((s) => change.select(s, nearest(s, detail.value)));

  /** @param {CustomEvent} event */
  #cell = ({ detail }) =>
    store.update((s) => change.point(s, detail.row === null ? null : indexAt(s, detail.row, detail.column)));

  /** @param {CustomEvent} event */
  #pickCell = ({ detail }) => store.update((s) => change.select(s, indexAt(s, detail.row, detail.column)));

  /** @param {CustomEvent} event */
  #step = ({ detail }) => store.update((s) => step(s, detail));
}

/** @param {[number, number]} span */
function inkText([lo, hi]) {
  return lo === -hi
    ? t('matrix.ink', { span: number(hi, 3) })
    : t('matrix.ink.range', { lo: number(lo, 3), hi: number(hi, 3) });
}

customElements.define('fb-explore', Explore);
