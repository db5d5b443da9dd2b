import { LitElement, css } from 'lit';
import { Keeper } from '../keep.js';

/**
 * What every figure shares: its width follows its box, text for those who cannot see it, and colours by role. A figure
 * takes plain data as properties, reads no state, and says what happened by events; it can stand alone on any page.
 */
export class Figure extends LitElement {
  /** @type {import('lit').PropertyDeclarations} */
  static properties = {
    label: { type: String },
    width: { state: true },
  };

  /** @type {import('lit').CSSResultGroup} */
  static styles = css`
    :host {
      display: block;
      position: relative;
      --f: var(--float, #0072b2);
      --q: var(--quantized, #d55e00);
      --qa: var(--quantized-a, #c48200);
      --e: var(--error, #cc79a7);
      --k: var(--clipped, #8c2d19);
      --i: var(--ink, #16181d);
      --p: var(--paper, #fff);
      --l: var(--level, #16181d66);
      --r: var(--rule, #d9dbdf);
      --m: var(--ink-soft, #5b606b);
      font: 12px/1.3 var(--sans, system-ui, sans-serif);
      font-variant-numeric: tabular-nums;
      color: var(--i);
    }
    svg {
      display: block;
      width: 100%;
      overflow: visible;
      font: inherit;
      user-select: none;
      -webkit-user-select: none;
    }
    text {
      fill: var(--m);
      font-size: 11px;
    }
    .f-fill {
      fill: var(--f);
    }
    .q-fill {
      fill: var(--q);
    }
    .stripe {
      fill: var(--qa);
    }
    .e-fill {
      fill: var(--e);
    }
    .f-line {
      fill: none;
      stroke: var(--f);
      stroke-width: 1.5;
    }
    .q-line {
      fill: none;
      stroke: var(--q);
      stroke-width: 1.75;
      stroke-linejoin: round;
    }
    .qa-line {
      fill: none;
      stroke: var(--qa);
      stroke-linejoin: round;
    }
    .e-line {
      fill: none;
      stroke: var(--e);
      stroke-width: 1.5;
    }
    .other {
      stroke-dasharray: 5 2;
      stroke-width: 1.75;
    }
    .grid {
      stroke: var(--r);
      stroke-width: 1;
      shape-rendering: crispEdges;
    }
    .level {
      stroke: var(--l);
      stroke-width: 1;
    }
    .ink-line {
      stroke: var(--i);
      stroke-width: 1;
      fill: none;
    }
    .mark {
      fill: var(--p);
      stroke: var(--i);
      stroke-width: 2;
    }
    .guide {
      stroke: var(--i);
      stroke-width: 1;
      stroke-dasharray: 2 2;
      fill: none;
    }
    .clip {
      stroke: var(--k);
      stroke-width: 1.25;
    }
    .hatch {
      stroke: var(--k);
      stroke-width: 1.75;
    }
    .clip-fill {
      fill: var(--k);
    }
    [tabindex]:focus {
      outline: none;
    }
    :host(:focus-visible),
    canvas:focus-visible {
      outline: 2px solid var(--focus, var(--i));
      outline-offset: 2px;
    }
    .ring {
      fill: none;
      stroke: none;
    }
    [tabindex]:focus-visible .ring {
      stroke: var(--focus, var(--i));
      stroke-width: 2;
    }
  `;

  constructor() {
    super();
    this.label = '';
    this.width = 0;
    /** Paths that were computed once and still hold. */
    this.keeper = new Keeper();
    /** @type {ResizeObserver | null} */
    this.observer = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.observer = new ResizeObserver(([entry]) => {
      const width = Math.round(entry.contentRect.width);
      if (width > 0 && width !== this.width) this.resized(width);
    });
    this.observer.observe(this);
  }

  /**
   * The box has another width.
   * @param {number} width
   */
  resized(width) {
    this.width = width;
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.observer?.disconnect();
  }

  /**
   * @param {string} name
   * @param {any} detail
   */
  say(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** The figure as it stands, for export. @returns {SVGSVGElement | null} */
  get picture() {
    return this.renderRoot.querySelector('svg');
  }
}

/** Whether the reader has asked for stillness. */
export const still = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
