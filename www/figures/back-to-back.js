import { css, html, nothing, svg } from 'lit';
import { Figure, still } from './figure.js';
import { areaPath, barPath, catchments, heights, isDiscrete, largest, linear, ticks } from './scale.js';
import { barWidth, blurOf, clippedCounts, drawnCounts, isDense, peakOf } from './halves.js';
import { ease, glide } from './glide.js';
import { number, percent, shortCount, tick } from '../text/format.js';

/**
 * @typedef {import('../types.js').Histogram} Histogram
 * @typedef {import('./halves.js').Half} Half
 * @typedef {{counts: ArrayLike<number>, peak: number}} Moment counts on their way, and what stands at full height
 * @typedef {{low: number, high: number, movable: boolean, shared: boolean, lowLabel: string, highLabel: string}} Clip
 *   `shared`: these ends hold for all weights, not for one of many scales alone
 */

const BAND = 46;
const LEFT = 44;
const RIGHT = 14;
const FOOT = 20;
const HEAD = 4;
const GLIDE_MS = 150;

/**
 * The main figure: one distribution above the axis, another below it, on one scale. Between them stands the funnel
 * that shows which stretch of values falls on which level.
 *
 * Properties: `upper`, `lower` (Half, with the `levels` of one of its `runs`), `reference` (Histogram of the float weights, drawn as an outline behind halves that are
 * not float), `levels`, `stairs` ({x, y}: which input gives which output), `clip` (Clip or null), `axis` [lo, hi], `log`,
 * `mark` {value, back} or null, `moving` (true while a control is dragged: no gliding).
 * Events: `fb-range` {low, high, done}, `fb-point` {value | null}, `fb-pick`, `fb-zoom` {axis | null}.
 */
export class BackToBack extends Figure {
  static properties = {
    upper: { attribute: false },
    lower: { attribute: false },
    reference: { attribute: false },
    levels: { attribute: false },
    stairs: { attribute: false },
    clip: { attribute: false },
    axis: { attribute: false },
    log: { type: Boolean },
    mark: { attribute: false },
    moving: { type: Boolean },
    height: { type: Number },
    axisTitle: { type: String },
    frame: { state: true },
  };

  static styles = [
    Figure.styles,
    css`
      .handle {
        cursor: ew-resize;
        touch-action: none;
      }
      .handle .grip {
        fill: var(--p);
        stroke: var(--i);
        stroke-width: 1.5;
      }
      .handle:hover .grip,
      .handle[data-held] .grip {
        fill: var(--i);
      }
      .handle .ridge {
        stroke: var(--i);
        stroke-width: 1;
      }
      .handle:hover .ridge,
      .handle[data-held] .ridge {
        stroke: var(--p);
      }
      .handle.fixed {
        cursor: default;
      }
      .side {
        pointer-events: none;
        font-size: 12px;
        font-weight: 600;
        paint-order: stroke;
        stroke: var(--p);
        stroke-width: 4;
        stroke-linejoin: round;
      }
      .side.float {
        fill: var(--float-text, var(--f));
      }
      .side.quantized {
        fill: var(--quantized-text, var(--q));
      }
      .side.quantized-a {
        fill: var(--quantized-a-text, var(--qa));
      }
      .funnel {
        fill: var(--l);
        fill-opacity: 0.3;
      }
      .funnel.lit {
        fill: var(--i);
        fill-opacity: 0.5;
      }
      .reference {
        fill: none;
        stroke: var(--f);
        stroke-width: 1;
        opacity: 0.85;
      }
      .plot {
        touch-action: pan-y;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Half | null} */
    this.upper = null;
    /** @type {Half | null} */
    this.lower = null;
    /** @type {Histogram | null} */
    this.reference = null;
    /** @type {Float32Array | null} */
    this.levels = null;
    /** @type {import('../types.js').Staircase | null} */
    this.stairs = null;
    /** @type {Clip | null} */
    this.clip = null;
    /** @type {[number, number]} */
    this.axis = [-1, 1];
    this.log = false;
    /** @type {{value: number, back: number} | null} */
    this.mark = null;
    this.moving = false;
    this.height = 380;
    this.axisTitle = '';
    this.frame = 0;
    /** What is drawn while mass glides. @type {{upper: Moment, lower: Moment} | null} */
    this.between = null;
    /** What was drawn last. @type {{upper: Half, lower: Half, axis: string} | null} */
    this.drawn = null;
    this.token = 0;
    /** @type {{side: 'low' | 'high', pointer: number} | null} */
    this.held = null;
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    if (!changed.has('lower') && !changed.has('upper')) return;
    const { upper, lower } = this;
    if (!upper || !lower) return;
    const last = this.drawn;
    this.drawn = { upper, lower, axis: this.axis.join() };
    const bins = last?.lower.histogram.counts.length;
    const comparable = last?.axis === this.drawn.axis && bins === lower.histogram.counts.length;
    if (last && comparable && !this.moving && !still()) {
      this.#glideFrom(last);
    } else {
      this.token++;
      this.between = null;
    }
  }

  /** Lets mass travel from the halves drawn before to those of now. @param {{upper: Half, lower: Half}} last */
  #glideFrom(last) {
    const { upper, lower } = this;
    if (!upper || !lower) return;
    const token = ++this.token;
    const start = performance.now();
    const ways = [
      { from: this.between?.upper.counts ?? last.upper.histogram.counts, last: last.upper, to: upper },
      { from: this.between?.lower.counts ?? last.lower.histogram.counts, last: last.lower, to: lower },
    ].map(({ from, last: before, to }) => {
      const move = glide(from, to.histogram.counts);
      const [low, high] = [before, to].map((half) => peakOf(half, this.reference, this.#perUnit));
      return (/** @type {number} */ t) => ({ counts: move(t), peak: low ** (1 - t) * high ** t });
    });
    const step = () => {
      if (token !== this.token) return;
      const t = Math.min(1, (performance.now() - start) / GLIDE_MS);
      this.between = t < 1 ? { upper: ways[0](ease(t)), lower: ways[1](ease(t)) } : null;
      this.frame++;
      if (t < 1) requestAnimationFrame(step);
    };
    step();
  }

  #scale() {
    return linear(this.axis, [LEFT, this.width - RIGHT]);
  }

  render() {
    const { width, height, upper, lower } = this;
    if (!width || !upper || !lower) return html`<svg height=${height} aria-hidden="true"></svg>`;
    const half = (height - BAND - FOOT - HEAD) / 2;
    const top = HEAD + half;
    const bottom = top + BAND;
    const x = this.#scale();
    const axis = ticks(this.axis[0], this.axis[1], Math.max(3, Math.floor(width / 90)));
    return html`<svg
      viewBox="0 0 ${width} ${height}"
      height=${height}
      role="group"
      aria-label=${this.label}
      @pointermove=${this.#hover}
      @pointerleave=${() => this.say('fb-point', { value: null })}
      @click=${this.#pick}
      @keydown=${this.#zoomKeys}
    >
      <defs>
        <pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <line class="hatch" x1="0" y1="0" x2="0" y2="5"></line>
        </pattern>
        <pattern id="stripes" width="4" height="4" patternUnits="userSpaceOnUse">
          <rect class="stripe" width="4" height="3"></rect>
        </pattern>
        <clipPath id="inside"><rect x=${LEFT} y="0" width=${width - LEFT - RIGHT} height=${height}></rect></clipPath>
      </defs>
      <rect class="plot" x=${LEFT} y="0" width=${width - LEFT - RIGHT} height=${height} fill="transparent"></rect>
      ${axis.values.map(
        (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${HEAD} y2=${height - FOOT}></line>
          <text x=${x.to(v)} y=${height - 5} text-anchor="middle">${tick(v, axis.step)}</text>`,
      )}
      ${this.#shares(upper, top, half, -1)} ${this.#shares(lower, bottom, half, 1)}
      <g clip-path="url(#inside)">
        ${this.#half(upper, this.between?.upper, top, half, -1)}
        ${this.#half(lower, this.between?.lower, bottom, half, 1)} ${this.#clipped(top, half)}
        ${this.#funnel(top, bottom)} ${this.#marked(top, bottom, half)}
      </g>
      <line class="ink-line" x1=${LEFT} x2=${width - RIGHT} y1=${top} y2=${top}></line>
      <line class="ink-line" x1=${LEFT} x2=${width - RIGHT} y1=${bottom} y2=${bottom}></line>
      ${this.clip ? [this.#handle('low', top, bottom), this.#handle('high', top, bottom)] : nothing}
      <text class="side ${upper.kind}" x=${LEFT + 6} y=${HEAD + 12}>${upper.label}</text>
      <text class="side ${lower.kind}" x=${LEFT + 6} y=${height - FOOT - 8}>${lower.label}</text>
    </svg>`;
  }

  /**
   * @param {Half} half
   * @param {Moment | undefined} moment
   * @param {number} base
   * @param {number} room
   * @param {1 | -1} sign
   */
  #half(half, moment, base, room, sign) {
    const counts = moment?.counts ?? half.histogram.counts;
    const x = this.#scale();
    const { lo, hi } = half.histogram;
    const height = heights(moment?.peak ?? this.#peak(half), room * 0.94, this.log);
    const x0 = x.to(lo);
    const x1 = x.to(hi);
    const float = half.kind === 'float';
    const name = sign < 0 ? 'upper' : 'lower';
    const space = [this.width, this.height, this.log, ...this.axis];
    const d = this.keeper.keep(name, [counts, half, ...space], () =>
      (float ? !isDiscrete(half.raw?.counts ?? counts) : blurOf(half, this.#perUnit) > 0)
        ? areaPath(drawnCounts(half, counts, this.#perUnit), x0, x1, base, height, sign)
        : barPath(counts, x0, x1, base, height, sign, barWidth(half, this.#perUnit)),
    );
    const ref = float ? null : this.reference;
    const outline =
      ref &&
      this.keeper.keep(`${name} outline`, [ref, half, ...space], () => {
        const peak = isDense(half, ref, this.#perUnit) ? this.#peak(half) : largest(ref.counts) || 1;
        const tall = heights(peak, room * 0.94, this.log);
        return areaPath(ref.counts, x.to(ref.lo), x.to(ref.hi), base, tall, sign);
      });
    return svg`${outline ? svg`<path class="reference" d=${outline}></path>` : nothing}
      ${
        half.kind === 'quantized-a'
          ? svg`<path class="striped" data-half=${name} d=${d} fill="url(#stripes)"></path>`
          : svg`<path class=${float ? 'f-fill' : 'q-fill'} data-half=${name} d=${d}></path>`
      }`;
  }

  /** The count that stands at full height. @param {Half} half */
  #peak(half) {
    const from = [half, this.reference, this.width, ...this.axis];
    return this.keeper.keep(`peak of ${half.label}`, from, () => peakOf(half, this.reference, this.#perUnit));
  }

  /** Pixels per unit of value. */
  get #perUnit() {
    return (this.width - LEFT - RIGHT) / (this.axis[1] - this.axis[0]);
  }

  /**
   * Light lines at round shares of all weights, labelled at the left.
   * @param {Half} half
   * @param {number} base
   * @param {number} room
   * @param {1 | -1} sign
   */
  #shares(half, base, room, sign) {
    const peak = this.#peak(half);
    const height = heights(peak, room * 0.94, this.log);
    let total = half.histogram.below + half.histogram.above;
    for (const n of half.histogram.counts) total += n;
    if (!(total > 0)) return nothing;
    /** @type {number[]} */
    const counts = [];
    if (this.log) for (let n = 1; n <= peak; n *= 10) counts.push(n);
    else for (const share of ticks(0, peak / total, 4).values.slice(1)) counts.push(share * total);
    const shown = counts.length > 5 ? counts.filter((_, i) => i % 2 === 0) : counts;
    return shown.map((n) => {
      const y = base + sign * height(n);
      return svg`<line class="grid" x1=${LEFT} x2=${this.width - RIGHT} y1=${y} y2=${y}></line>
        <text x=${LEFT - 6} y=${y + 4} text-anchor="end">${this.log ? shortCount(n) : share(n / total)}</text>`;
    });
  }

  /** Weights beyond the ends, hatched. @param {number} base @param {number} room */
  #clipped(base, room) {
    const { clip, upper } = this;
    // The ends of one scale among many say nothing about the weights of the others.
    if (!clip?.shared || upper?.kind !== 'float') return nothing;
    const from = [upper, clip.low, clip.high, this.width, this.height, this.log, ...this.axis];
    const d = this.keeper.keep('clipped', from, () => this.#clippedPath(clip, upper, base, room));
    return d === ''
      ? nothing
      : svg`<path d=${d} fill="var(--p)"></path><path class="clipped" d=${d} fill="url(#hatch)"></path>`;
  }

  /**
   * @param {Clip} clip
   * @param {Half} upper
   * @param {number} base
   * @param {number} room
   */
  #clippedPath(clip, upper, base, room) {
    const x = this.#scale();
    const { histogram } = upper;
    const height = heights(this.#peak(upper), room * 0.94, this.log);
    const out = clippedCounts(upper, clip);
    return areaPath(out, x.to(histogram.lo), x.to(histogram.hi), base, height, -1);
  }

  /** From each stretch of values to the level it falls on. @param {number} top @param {number} bottom */
  #funnel(top, bottom) {
    const { stairs, levels, mark } = this;
    const x = this.#scale();
    if (!stairs || stairs.x.length < 2) return nothing;
    const falls = this.keeper.keep('falls', [stairs], () => catchments(stairs.x, stairs.y));
    const [lo, hi] = this.axis;
    // One path for all of them: an element for each would be made and dropped at every step of a drag.
    const ticks = (/** @type {number[]} */ places, /** @type {number} */ height) =>
      svg`<path class="level" d=${places.map((at) => `M${at} ${bottom - height}V${bottom}`).join('')}></path>`;
    if (falls.length > 300) {
      const every = Math.max(1, Math.ceil((levels?.length ?? 0) / (this.width / 3)));
      const shown = [...(levels ?? [])].filter((v, i) => i % every === 0 && v >= lo && v <= hi);
      return ticks(
        shown.map((v) => x.to(v)),
        10,
      );
    }
    const gap = falls.length > 80 ? 0 : 0.5;
    let [dim, lit] = ['', ''];
    for (const { from, to, value } of falls) {
      const at = x.to(value);
      const shape = `M${x.to(from) + gap} ${top}H${x.to(to) - gap}L${at + 0.5} ${bottom}H${at - 0.5}Z`;
      if (mark !== null && mark.value >= from && mark.value <= to && falls.length < 80) lit += shape;
      else dim += shape;
    }
    return svg`<path class="funnel" d=${dim}></path><path class="funnel lit" d=${lit}></path>
      ${ticks(
        falls.map(({ value }) => x.to(value)),
        9,
      )}`;
  }

  /** @param {number} top @param {number} bottom @param {number} room */
  #marked(top, bottom, room) {
    if (!this.mark) return nothing;
    const x = this.#scale();
    const from = x.to(this.mark.value);
    const to = x.to(this.mark.back);
    return svg`<path class="guide" d="M${from} ${top - room}V${top}L${to} ${bottom}V${bottom + room}"></path>
      <circle class="mark" cx=${from} cy=${top} r="4.5"></circle><circle class="mark" cx=${to} cy=${bottom} r="4.5"></circle>`;
  }

  /** @param {'low' | 'high'} side @param {number} top @param {number} bottom */
  #handle(side, top, bottom) {
    const clip = /** @type {Clip} */ (this.clip);
    const x = this.#scale();
    const value = clip[side];
    const at = Math.min(this.width - RIGHT, Math.max(LEFT, x.to(value)));
    const outside = value < this.axis[0] || value > this.axis[1];
    const middle = (top + bottom) / 2;
    const lean = side === 'low' ? -1 : 1;
    const dashes = outside ? '2 4' : clip.shared ? 'none' : '6 4';
    const line = svg`<line class="clip" x1=${at} x2=${at} y1=${HEAD} y2=${this.height - FOOT} stroke-dasharray=${dashes}></line>`;
    if (!clip.movable) return line;
    return svg`<g
      class="handle" role="slider" tabindex="0" data-side=${side}
      aria-orientation="horizontal"
      aria-label=${side === 'low' ? clip.lowLabel : clip.highLabel}
      aria-valuenow=${Number(value.toPrecision(6))} aria-valuetext=${number(value)}
      aria-valuemin=${Number(this.axis[0].toPrecision(6))} aria-valuemax=${Number(this.axis[1].toPrecision(6))}
      @pointerdown=${this.#grab} @pointermove=${this.#drag} @pointerup=${this.#drop} @pointercancel=${this.#drop}
      @keydown=${this.#keys} @click=${(/** @type {Event} */ e) => e.stopPropagation()}
    >
      ${line}
      <rect x=${at - 15} y=${top - 6} width="30" height=${BAND + 12} fill="transparent"></rect>
      <path class="grip" d="M${at} ${middle - 15}h${lean * 9}l${lean * 4} 4v22l${lean * -4} 4H${at}Z"></path>
      <line class="ridge" x1=${at + lean * 5} x2=${at + lean * 5} y1=${middle - 7} y2=${middle + 7}></line>
      <line class="ridge" x1=${at + lean * 8.5} x2=${at + lean * 8.5} y1=${middle - 7} y2=${middle + 7}></line>
      <rect class="ring" x=${Math.min(at, at + lean * 13) - 4} y=${middle - 19} width="21" height="38" rx="4"></rect>
    </g>`;
  }

  /** @param {PointerEvent} event */
  #valueAt(event) {
    const box = this.getBoundingClientRect();
    return this.#scale().from(event.clientX - box.left);
  }

  /** @param {PointerEvent} event */
  #grab = (event) => {
    const target = /** @type {SVGGElement} */ (event.currentTarget);
    target.setPointerCapture(event.pointerId);
    target.setAttribute('data-held', '');
    target.focus();
    this.held = { side: target.dataset.side === 'low' ? 'low' : 'high', pointer: event.pointerId };
    event.preventDefault();
  };

  /** @param {PointerEvent} event */
  #drag = (event) => {
    if (this.held?.pointer !== event.pointerId) return;
    event.stopPropagation();
    this.#move(this.held.side, this.#valueAt(event), false);
  };

  /** @param {PointerEvent} event */
  #drop = (event) => {
    if (this.held?.pointer !== event.pointerId || !this.clip) return;
    /** @type {Element} */ (event.currentTarget).removeAttribute('data-held');
    this.held = null;
    this.say('fb-range', { low: this.clip.low, high: this.clip.high, done: true, settled: true });
  };

  /** @param {KeyboardEvent} event */
  #keys = (event) => {
    const side = /** @type {SVGGElement} */ (event.currentTarget).dataset.side === 'low' ? 'low' : 'high';
    const clip = /** @type {Clip} */ (this.clip);
    const step = ((this.axis[1] - this.axis[0]) / 200) * (event.shiftKey ? 10 : 1);
    /** @type {{[key: string]: number}} */
    const moves = {
      ArrowLeft: clip[side] - step,
      ArrowDown: clip[side] - step,
      ArrowRight: clip[side] + step,
      ArrowUp: clip[side] + step,
      PageDown: clip[side] - 10 * step,
      PageUp: clip[side] + 10 * step,
      Home: this.axis[0],
      End: this.axis[1],
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    this.#move(side, moves[event.key], true);
  };

  /**
   * @param {'low' | 'high'} side
   * @param {number} value
   * @param {boolean} done
   */
  #move(side, value, done) {
    if (!this.clip) return;
    const [lo, hi] = this.axis;
    const least = (hi - lo) / 1000;
    const inside = Number(Math.min(hi, Math.max(lo, value)).toPrecision(4));
    const { low, high } = this.clip;
    const next =
      side === 'low' ? { low: Math.min(inside, high - least), high } : { low, high: Math.max(inside, low + least) };
    this.say('fb-range', { ...next, side, done });
  }

  /** @param {PointerEvent} event */
  #hover = (event) => {
    if (this.held || event.pointerType === 'touch') return;
    const value = this.#valueAt(event);
    this.say('fb-point', { value: value >= this.axis[0] && value <= this.axis[1] ? value : null });
  };

  /** @param {PointerEvent} event */
  #pick = (event) => {
    const value = this.#valueAt(event);
    if (value >= this.axis[0] && value <= this.axis[1]) this.say('fb-pick', { value });
  };

  /** @param {KeyboardEvent} event */
  #zoomKeys = (event) => {
    const factor = { '+': 0.7, '=': 0.7, '-': 1 / 0.7 }[event.key];
    if (event.key === '0') this.say('fb-zoom', { factor: null });
    else if (factor) this.say('fb-zoom', { factor });
    else return;
    event.preventDefault();
  };
}

/** @param {number} value */
const share = (value) => (value >= 0.0995 ? percent(value, 0) : percent(value, value < 0.00995 ? 2 : 1));

customElements.define('fb-back-to-back', BackToBack);
