import { html, nothing, svg } from 'lit';
import { Figure } from './figure.js';
import { areaPath, barPath, heights, isDiscrete, largest, linear, ticks } from './scale.js';
import { shortCount, tick } from '../text/format.js';

const LEFT = 10;
const FOOT = 30;
const EDGE = 8;

/**
 * How large the errors are: a histogram of value − result.
 *
 * Properties: `histogram`, `other` (Histogram; `other` is side A's, as an outline), `log`, `mark` (an error or null), `title`.
 */
export class ErrorHistogram extends Figure {
  static properties = {
    histogram: { attribute: false },
    other: { attribute: false },
    log: { type: Boolean },
    mark: { attribute: false },
    caption: { type: String },
    beyond: { type: String },
    height: { type: Number },
  };

  constructor() {
    super();
    /** @type {import('../types.js').Histogram | null} */
    this.histogram = null;
    /** @type {import('../types.js').Histogram | null} */
    this.other = null;
    this.log = false;
    /** @type {number | null} */
    this.mark = null;
    this.caption = '';
    /** Words for errors outside the axis, with {n}. */
    this.beyond = '{n}';
    this.height = 240;
  }

  render() {
    const { width, height, histogram, other } = this;
    if (!width || !histogram) return html`<svg height=${height} aria-hidden="true"></svg>`;
    const reach = Math.max(extent(histogram), other ? extent(other) : 0);
    const [lo, hi] = [-reach, reach];
    const x = linear([lo, hi], [LEFT, width - EDGE]);
    const base = height - FOOT;
    const room = base - EDGE - 16;
    const density = (/** @type {import('../types.js').Histogram} */ h) => h.counts.length / (h.hi - h.lo || 1);
    // Two histograms over different widths are drawn as densities on one scale.
    const weight = other ? density(other) / density(histogram) : 1;
    const peak = Math.max(1, largest(histogram.counts), other ? largest(other.counts) * weight : 0);
    const tall = heights(peak, room, this.log);
    const axis = ticks(lo, hi, Math.max(2, Math.floor(width / 64)));
    return html`<svg viewBox="0 0 ${width} ${height}" height=${height} role="img" aria-label=${this.label}>
      <defs>
        <clipPath id="inside"><rect x=${LEFT} y="0" width=${width - LEFT - EDGE} height=${height}></rect></clipPath>
      </defs>
      ${axis.values.map(
        (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${EDGE} y2=${base}></line>
        <text x=${x.to(v)} y=${base + 13} text-anchor="middle">${tick(v, axis.step)}</text>`,
      )}
      <g clip-path="url(#inside)">
        <path
          class="e-fill"
          d=${
            isDiscrete(histogram.counts)
              ? barPath(histogram.counts, x.to(histogram.lo), x.to(histogram.hi), base, tall, -1, 6)
              : areaPath(histogram.counts, x.to(histogram.lo), x.to(histogram.hi), base, tall, -1)
          }
        ></path>
        ${
          other
            ? svg`<path class="ink-line other" data-side="a" d=${areaPath(
                other.counts,
                x.to(other.lo),
                x.to(other.hi),
                base,
                (n) => tall(n * weight),
                -1,
              )}></path>`
            : nothing
        }
      </g>
      <line class="ink-line" x1=${LEFT} x2=${width - EDGE} y1=${base} y2=${base}></line>
      ${
        this.mark !== null && this.mark >= lo && this.mark <= hi
          ? svg`<line class="guide" x1=${x.to(this.mark)} x2=${x.to(this.mark)} y1=${EDGE} y2=${base}></line>
            <circle class="mark" cx=${x.to(this.mark)} cy=${base} r="4.5"></circle>`
          : nothing
      }
      <text x=${width - EDGE} y=${height - 3} text-anchor="end">${this.caption} →</text>
      ${histogram.below > 0 ? svg`<text x=${LEFT} y=${EDGE + 4} class="out">← ${this.#outside(histogram.below)}</text>` : nothing}
      ${
        histogram.above > 0
          ? svg`<text x=${width - EDGE} y=${EDGE + 4} text-anchor="end" class="out">${this.#outside(histogram.above)} →</text>`
          : nothing
      }
    </svg>`;
  }

  /** @param {number} n */
  #outside(n) {
    return this.beyond.replace('{n}', shortCount(n));
  }
}

/**
 * How far the errors of a histogram reach from zero, and a little more; all of it where some lie outside.
 * @param {import('../types.js').Histogram} histogram
 */
function extent({ lo, hi, counts, below, above }) {
  const whole = Math.max(-lo, hi);
  if (below + above > 0) return whole;
  const n = counts.length;
  const at = (/** @type {number} */ i) => Math.abs(lo + ((hi - lo) * i) / n);
  let reach = 0;
  let places = 0;
  for (let i = 0; i < n; i++) {
    if (!(counts[i] > 0)) continue;
    places++;
    reach = Math.max(reach, at(i), at(i + 1));
  }
  // One place alone, such as no error at all, is a line and not a stretch.
  return places > 1 ? Math.min(whole, reach * 1.12) : whole;
}

customElements.define('fb-error-histogram', ErrorHistogram);
