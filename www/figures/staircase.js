import { html, nothing, svg } from 'lit';
import { Figure } from './figure.js';
import { linear, stepPath, ticks } from './scale.js';
import { tick } from '../text/format.js';

const LEFT = 40;
/** What a letter of a tick's label takes, at most. */
const LETTER = 6.4;
const FOOT = 30;
const EDGE = 8;

/**
 * Which value goes in and which comes out: the float line at 45° and the stairs of one or two schemes.
 *
 * Properties: `stairs`, `other` (staircases; `other` is side A's), `axis` [lo, hi] for both directions, `mark` {value, back},
 * `titles` {input, output}.
 * Events: `fb-point` {value | null}, `fb-pick` {value}.
 */
export class StaircaseFigure extends Figure {
  static properties = {
    stairs: { attribute: false },
    other: { attribute: false },
    axis: { attribute: false },
    mark: { attribute: false },
    titles: { attribute: false },
    height: { type: Number },
  };

  constructor() {
    super();
    /** @type {import('../types.js').Staircase | null} */
    this.stairs = null;
    /** @type {import('../types.js').Staircase | null} */
    this.other = null;
    /** @type {[number, number]} */
    this.axis = [-1, 1];
    /** @type {{value: number, back: number} | null} */
    this.mark = null;
    this.titles = { input: 'in', output: 'out' };
    this.height = 240;
  }

  render() {
    const { width, height, axis } = this;
    if (!width || !this.stairs) return html`<svg height=${height} aria-hidden="true"></svg>`;
    const up = ticks(axis[0], axis[1], 4);
    const longest = Math.max(...up.values.map((v) => tick(v, up.step).length), 0);
    const left = Math.min(width / 3, Math.max(LEFT, 8 + longest * LETTER));
    const x = linear(axis, [left, width - EDGE]);
    const y = linear(axis, [height - FOOT, EDGE]);
    const across = ticks(axis[0], axis[1], Math.max(2, Math.floor(width / 64)));
    const { mark, stairs, other } = this;
    const path = (/** @type {string} */ name, /** @type {import('../types.js').Staircase} */ steps) =>
      this.keeper.keep(name, [steps, width, height, ...axis], () => stepPath(steps.x, steps.y, x.to, y.to));
    return html`<svg
      viewBox="0 0 ${width} ${height}"
      height=${height}
      role="img"
      aria-label=${this.label}
      @pointermove=${(/** @type {PointerEvent} */ e) => this.#say('fb-point', e, x)}
      @pointerleave=${() => this.say('fb-point', { value: null })}
      @click=${(/** @type {PointerEvent} */ e) => this.#say('fb-pick', e, x)}
    >
      <defs>
        <clipPath id="inside">
          <rect x=${left} y=${EDGE - 2} width=${width - left - EDGE} height=${height - FOOT - EDGE + 4}></rect>
        </clipPath>
      </defs>
      ${across.values.map(
        (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${EDGE} y2=${height - FOOT}></line>
        <text x=${x.to(v)} y=${height - FOOT + 13} text-anchor="middle">${tick(v, across.step)}</text>`,
      )}
      ${up.values.map(
        (v) => svg`<line class="grid" x1=${left} x2=${width - EDGE} y1=${y.to(v)} y2=${y.to(v)}></line>
        <text x=${left - 5} y=${y.to(v) + 4} text-anchor="end">${tick(v, up.step)}</text>`,
      )}
      <text x=${width - EDGE} y=${height - 3} text-anchor="end">${this.titles.input} →</text>
      <text x=${left + 4} y=${EDGE + 9}>↑ ${this.titles.output}</text>
      <g clip-path="url(#inside)">
        <line class="f-line" x1=${x.to(axis[0])} y1=${y.to(axis[0])} x2=${x.to(axis[1])} y2=${y.to(axis[1])}></line>
        ${other ? svg`<path class="qa-line other" data-side="a" d=${path('other', other)}></path>` : nothing}
        <path class="q-line" data-side="b" d=${path('stairs', stairs)}></path>
        ${
          mark
            ? svg`<path class="guide" d="M${x.to(mark.value)} ${height - FOOT}V${y.to(mark.back)}H${left}"></path>
              <circle class="mark" cx=${x.to(mark.value)} cy=${y.to(mark.back)} r="4.5"></circle>`
            : nothing
        }
      </g>
    </svg>`;
  }

  /**
   * @param {string} name
   * @param {PointerEvent} event
   * @param {{from: (p: number) => number}} x
   */
  #say(name, event, x) {
    if (name === 'fb-point' && event.pointerType === 'touch') return;
    const value = x.from(event.clientX - this.getBoundingClientRect().left);
    const inside = value >= this.axis[0] && value <= this.axis[1];
    if (inside || name === 'fb-point') this.say(name, { value: inside ? value : null });
  }
}

customElements.define('fb-staircase', StaircaseFigure);
