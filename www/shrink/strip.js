import { html } from 'lit';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { t } from '../i18n/index.js';
import { bytes, count, decibel } from '../text/format.js';
import { shownShort } from '../text/names.js';
import { STEPS, palette, stepOf } from './damage.js';
import * as change from './state.js';

/** @typedef {import('./state.js').Row} Row */

const HEIGHT = 76;

/**
 * The whole model as one strip: a segment per tensor, as wide as its bytes are now and filled as high as what is left of them, so that ink is the
 * new file's size; coloured by damage. While a job runs the strip fills up.
 */
export class Strip extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink, theme }) {
    const { plan, damage, job, eye, measuring } = shrink ?? {};
    return { plan, damage, finished: job?.finished, of: job?.plan, state: job?.state, eye, measuring, theme };
  }

  constructor() {
    super();
    this.dark = matchMedia('(prefers-color-scheme: dark)');
    /** Where each row begins, in bytes, and where the last ends. @type {Float64Array} */
    this.edges = new Float64Array(1);
    /** @type {ResizeObserver | null} */
    this.observer = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.dark.addEventListener('change', this.#again);
    this.observer = new ResizeObserver(() => this.#draw());
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.dark.removeEventListener('change', this.#again);
    this.observer?.disconnect();
  }

  #again = () => this.requestUpdate();

  /** @returns {Row[]} */
  get rows() {
    const { plan, job } = change.shrinkOf(this.state);
    return (job?.plan ?? plan)?.rows ?? [];
  }

  render() {
    const shrink = change.shrinkOf(this.state);
    const { rows } = this;
    const { language } = this.state;
    const at = shrink.eye;
    const row = at === null ? undefined : rows[at];
    const unmeasured = rows.some((x) => x.scheme !== null && change.damageOf(shrink, x) === null);
    return html`<figure>
      <canvas
        role="slider"
        tabindex="0"
        aria-label=${t('shrink.strip')}
        aria-valuemin="1"
        aria-valuemax=${Math.max(1, rows.length)}
        aria-valuenow=${(at ?? 0) + 1}
        aria-valuetext=${row ? this.#about(row) : t('shrink.strip.text', { n: count(rows.length, language) })}
        @pointermove=${this.#point}
        @pointerleave=${() => this.#look(null)}
        @click=${this.#reveal}
        @keydown=${this.#keys}
      ></canvas>
      <div class="under">
        <p class="about num" data-eye=${at ?? ''}>
          ${row ? this.#about(row) : html`<span class="soft">${t(shrink.job?.state === 'running' ? 'shrink.strip.running' : 'shrink.strip.hint')}</span>`}
        </p>
        <ul class="legend num" aria-label=${t('shrink.legend')}>
          <li><i class="swatch loss-none"></i>${t('shrink.legend.none')}</li>
          ${STEPS.map((least, i) => html`<li><i class="swatch loss-${i}"></i>${i < STEPS.length - 1 ? `≥ ${least}` : `< ${STEPS[i - 1]}`}</li>`)}
          <li class="soft">dB</li>
          ${unmeasured ? html`<li><i class="swatch loss-unknown"></i>${t(shrink.measuring ? 'shrink.legend.measuring' : 'shrink.legend.unknown')}</li>` : ''}
        </ul>
      </div>
    </figure>`;
  }

  /** @param {Row} row */
  #about(row) {
    const damage = change.damageOf(change.shrinkOf(this.state), row);
    const parts = [
      shownShort(row.name, 60),
      `${row.from} → ${row.dtype}`,
      `${bytes(row.before)} → ${bytes(row.after)}`,
    ];
    if (row.scheme === null) parts.push(t('shrink.unchanged'));
    else if (damage && damage.sqnrDb !== null) {
      parts.push(
        damage.sqnrDb === Infinity
          ? t('shrink.exact')
          : `${decibel(damage.sqnrDb)}${damage.sampled ? ` (${t('shrink.sampled')})` : ''}`,
      );
    }
    return parts.join(' · ');
  }

  updated() {
    const canvas = this.querySelector('canvas');
    if (canvas) this.observer?.observe(canvas);
    this.#draw();
  }

  #draw() {
    const canvas = this.querySelector('canvas');
    const context = canvas?.getContext('2d');
    if (!canvas || !context || canvas.clientWidth === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const [w, h] = [Math.round(width * ratio), Math.round(HEIGHT * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const shrink = change.shrinkOf(this.state);
    const { rows } = this;
    const colours = palette(getComputedStyle(this), context);
    const hatch = hatched(context, colours.unknown, colours.paper);
    this.edges = edgesOf(rows);
    const scale = width / (this.edges[rows.length] || 1);
    context.fillStyle = colours.ground;
    context.fillRect(0, 0, width, HEIGHT);
    const { job } = shrink;
    const top = (/** @type {Row} */ row) => HEIGHT * (1 - Math.min(1, row.before > 0 ? row.after / row.before : 1));
    rows.forEach((row, i) => {
      const [x, wide] = [this.edges[i] * scale, row.before * scale];
      if (job && job.state !== 'done' && !Object.hasOwn(job.finished, row.name)) return;
      const damage = change.damageOf(shrink, row);
      if (!damage || damage.sqnrDb === null) context.fillStyle = hatch;
      else context.fillStyle = damage.sqnrDb === Infinity ? colours.none : colours.steps[stepOf(damage.sqnrDb)];
      context.fillRect(x, top(row), wide, HEIGHT - top(row));
    });
    // The new file's outline: how high each tensor will stand.
    context.strokeStyle = colours.ink;
    context.lineWidth = 1;
    context.beginPath();
    rows.forEach((row, i) => {
      const y = Math.round(top(row)) + 0.5;
      context.lineTo(this.edges[i] * scale, y);
      context.lineTo(this.edges[i + 1] * scale, y);
    });
    context.stroke();
    context.fillStyle = colours.rule;
    rows.forEach((row, i) => {
      if (i > 0 && row.before * scale > 3) context.fillRect(Math.round(this.edges[i] * scale) - 0.5, 0, 1, HEIGHT);
    });
    if (shrink.eye !== null && rows[shrink.eye]) {
      context.strokeStyle = colours.ink;
      context.lineWidth = 2;
      const wide = Math.max(3, rows[shrink.eye].before * scale);
      const x = Math.min(this.edges[shrink.eye] * scale, width - wide);
      context.strokeRect(x + 1, 1, wide - 2, HEIGHT - 2);
    }
  }

  /** @param {PointerEvent} event */
  #point = (event) => {
    const { rows, edges } = this;
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * edges[rows.length];
    let [low, high] = [0, rows.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (edges[middle] <= at) low = middle;
      else high = middle;
    }
    this.#look(rows.length > 0 ? low : null);
  };

  /** @param {number | null} eye */
  #look(eye) {
    if (change.shrinkOf(this.state).eye !== eye) store.update((s) => change.setShrink(s, { eye }));
  }

  #reveal = () => {
    const row = this.rows[change.shrinkOf(this.state).eye ?? -1];
    if (row) /** @type {any} */ (document.querySelector('fb-shrink-table'))?.reveal(row.name);
  };

  /** @param {KeyboardEvent} event */
  #keys = (event) => {
    const last = this.rows.length - 1;
    const { eye } = change.shrinkOf(this.state);
    const at = eye ?? -1;
    /** @type {{[key: string]: number}} */
    const to = {
      ArrowRight: at + 1,
      ArrowUp: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at - 1,
      PageUp: at + 20,
      PageDown: at - 20,
      Home: 0,
      End: last,
    };
    if (event.key === 'Enter') return this.#reveal();
    if (!(event.key in to) || last < 0) return;
    event.preventDefault();
    this.#look(Math.min(last, Math.max(0, to[event.key])));
  };
}

/** @param {Row[]} rows */
function edgesOf(rows) {
  const edges = new Float64Array(rows.length + 1);
  rows.forEach((row, i) => (edges[i + 1] = edges[i] + row.before));
  return edges;
}

/**
 * Stripes, for what is not known.
 * @param {CanvasRenderingContext2D} context
 * @param {string} line
 * @param {string} ground
 */
function hatched(context, line, ground) {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const pen = tile.getContext('2d');
  if (!pen) return ground;
  pen.fillStyle = ground;
  pen.fillRect(0, 0, 6, 6);
  pen.strokeStyle = line;
  pen.beginPath();
  for (const at of [-3, 3, 9]) {
    pen.moveTo(at - 3, 9);
    pen.lineTo(at + 9, -3);
  }
  pen.stroke();
  return context.createPattern(tile, 'repeat') ?? ground;
}

customElements.define('fb-shrink-strip', Strip);
