import { css, html, svg } from 'lit';
import { Figure } from './figure.js';
import { areaPath, largest } from './scale.js';

/** A histogram no larger than a word. Property: `counts`. */
export class Spark extends Figure {
  static properties = { counts: { attribute: false } };

  static styles = [
    Figure.styles,
    css`
      :host {
        width: 56px;
        height: 20px;
      }
      svg {
        height: 20px;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {ArrayLike<number> | null} */
    this.counts = null;
  }

  render() {
    const { counts } = this;
    if (!counts)
      return html`<svg viewBox="0 0 56 20" aria-hidden="true">
        <line class="grid" x1="0" x2="56" y1="19.5" y2="19.5"></line>
      </svg>`;
    const top = largest(counts) || 1;
    return html`<svg viewBox="0 0 56 20" aria-hidden="true">
      ${svg`<path class="f-fill" d=${areaPath(counts, 0, 56, 20, (n) => Math.sqrt(n / top) * 19, -1)}></path>`}
    </svg>`;
  }
}

customElements.define('fb-spark', Spark);
