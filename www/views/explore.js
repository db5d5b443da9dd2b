import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import * as change from '../state.js';
import { indexAt, moveRange, nearest, step, zoomAxis } from '../navigate.js';
import { t, runTitle, schemeTitle } from '../i18n/index.js';
import { bytes, count, number, shapeText } from '../text/format.js';
import { save, toPng, toSvg } from '../figures/export.js';
import { calmed } from '../figures/scale.js';
import '../figures/back-to-back.js';
import '../figures/staircase.js';
import '../figures/error-histogram.js';
import '../figures/matrix.js';

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
  }

  connectedCallback() {
    super.connectedCallback();
    this.narrow.addEventListener('change', this.#again);
    this.dark.addEventListener('change', this.#again);
  }

  #again = () => this.requestUpdate();

  render() {
    const { data, model, tensor } = this.state;
    if (!model || !data) return this.#empty();
    const info = model.tensors.find((x) => x.name === data.name);
    const waiting = tensor !== data.name;
    return html`
      <header class="subject" ?data-waiting=${waiting}>
        <h2>${data.name}</h2>
        <span class="soft num"
          >${info ? `[${shapeText(info.shape)}] · ${info.dtype} · ${bytes(info.byteLength)}` : ''}</span
        >
      </header>
      ${this.#main()}
      <div class="three">${this.#staircase()} ${this.#errors()} ${this.#matrix()}</div>
    `;
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
      this.keeper.keep('clip', [range.low, range.high, movable, language], () => ({
        ...range,
        movable,
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
      kind: 'quantized',
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
    const { data, result } = this.state;
    return t('figure.main.text', {
      a: upper.label,
      b: lower.label,
      name: data?.name ?? '',
      n: result ? result.b.levels.length : 0,
    });
  }

  #levelsNote() {
    const { result, language } = this.state;
    const run = result?.b.run;
    if (result?.b.count === 0) return t('say.empty');
    if (!result || !run) return '';
    const levels = count(result.b.levels.length, language);
    const scale = number(run.scale, 4);
    return result.b.runs > 1
      ? t('levels.of.run', { n: levels, run: runTitle(run), runs: count(result.b.runs, language), scale })
      : t('levels.of.all', { n: levels, scale });
  }

  #staircase() {
    const { result, data } = this.state;
    const weight = this.#mark();
    return html`<figure>
      <div class="bar">
        <figcaption>${t('figure.staircase')}</figcaption>
        <span class="tools">${this.#exports('fb-staircase', 'staircase')}</span>
      </div>
      <fb-staircase
        .label=${t('figure.staircase.text', { name: data?.name ?? '', b: this.#sideTitle('b') })}
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
    const { result, view, data } = this.state;
    const weight = this.#mark();
    return html`<figure>
      <div class="bar">
        <figcaption>${t('figure.error')}</figcaption>
        <span class="tools">${this.#exports('fb-error-histogram', 'error')}</span>
      </div>
      <fb-error-histogram
        .label=${t('figure.error.text', { name: data?.name ?? '', rmse: result ? number(result.b.metrics.rmse) : '' })}
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
    const { pictures, view, data, result, theme } = this.state;
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
        .label=${t('figure.matrix.text', { name: data?.name ?? '', rows, columns })}
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
          >${region[1] - region[0]} × ${region[3] - region[2]} ·
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
    return html`<span class="exports">
      <button
        class="plain"
        @click=${() => this.#export(tag, what, 'svg')}
        aria-label=${t('export.svg', { what: t(`figure.${what}.short`) })}
      >
        SVG
      </button>
      <button
        class="plain"
        @click=${() => this.#export(tag, what, 'png')}
        aria-label=${t('export.png', { what: t(`figure.${what}.short`) })}
      >
        PNG
      </button>
    </span>`;
  }

  /**
   * @param {string} tag
   * @param {string} what
   * @param {'svg' | 'png'} kind
   */
  async #export(tag, what, kind) {
    const figure = /** @type {import('../figures/figure.js').Figure} */ (this.querySelector(tag));
    const { data } = this.state;
    const title = `${data?.name ?? ''} · ${this.#sideTitle('a')} | ${this.#sideTitle('b')}`;
    const text = toSvg(figure, { title, description: figure.label });
    const name = `${data?.name ?? 'tensor'}-${what}.${kind}`;
    if (kind === 'svg') save(text, name, 'image/svg+xml');
    else save(await toPng(text), name);
  }

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
