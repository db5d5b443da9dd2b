import { html, nothing, svg } from 'lit';
import { Figure } from '../figures/figure.js';
import { linear, ticks } from '../figures/scale.js';

const [LEFT, RIGHT, TOP, BOTTOM, HIGH] = [48, 8, 18, 22, 170];
/** What is exact stands here, above all that is not. */
const EXACT = TOP - 9;
/** Dots are drawn for so many tensors; more are a line alone. */
const DOTS = 120;

/**
 * SQNR along the graph, tensor after tensor, with the first big drop marked.
 *
 * Properties: `levels` (dB in the order of computing, `Infinity` where nothing is lost), `drop` (a place in them, or null), `axis` (words).
 */
export class LayersFigure extends Figure {
  static properties = { levels: { attribute: false }, drop: { attribute: false }, axis: { type: String } };

  constructor() {
    super();
    /** @type {number[]} */
    this.levels = [];
    /** @type {number | null} */
    this.drop = null;
    this.axis = '';
  }

  render() {
    const { width, levels, drop } = this;
    const finite = levels.filter(Number.isFinite);
    if (!width || finite.length === 0) return html`<svg height=${HIGH} aria-hidden="true"></svg>`;
    const low = Math.min(0, Math.floor(Math.min(...finite) / 10) * 10);
    const high = Math.max(low + 10, Math.ceil(Math.max(...finite) / 10) * 10);
    const x = linear([-0.5, levels.length - 0.5], [LEFT, width - RIGHT]);
    const scale = linear([low, high], [HIGH - BOTTOM, TOP]);
    const y = (/** @type {number} */ db) => (db === Infinity ? EXACT : scale.to(Math.max(low, db)));
    const points = levels.map((db, i) => `${x.to(i).toFixed(1)},${y(db).toFixed(1)}`);
    const dot = (/** @type {number} */ db, /** @type {number} */ i) =>
      svg`<circle class=${db === Infinity ? 'f-fill' : 'e-fill'} cx=${x.to(i)} cy=${y(db)} r="2.5"></circle>`;
    return html`<svg viewBox="0 0 ${width} ${HIGH}" height=${HIGH} role="img" aria-label=${this.label}>
      ${ticks(low, high, 4).values.map(
        (db) => svg`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(db)} y2=${y(db)}></line>
          <text x=${LEFT - 6} y=${y(db) + 4} text-anchor="end">${db} dB</text>`,
      )}
      <polyline class="e-line" points=${points.join(' ')}></polyline>
      ${levels.length <= DOTS ? levels.map(dot) : nothing}
      ${
        drop === null
          ? nothing
          : svg`<circle class="ink-line" cx=${x.to(drop)} cy=${y(levels[drop])} r="6.5"></circle>
            <line class="guide" x1=${x.to(drop)} x2=${x.to(drop)} y1=${TOP} y2=${HIGH - BOTTOM}></line>`
      }
      <text x=${LEFT} y=${HIGH - 5}>${this.axis}</text>
    </svg>`;
  }
}

customElements.define('fb-layers-figure', LayersFigure);
