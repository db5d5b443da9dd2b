import { css, html, nothing, svg } from 'lit';
import { Figure } from './figure.js';
import { bars, cellPath, digitsOf, outline, placeOf, stretchesOf } from './block-cells.js';
import { count } from '../text/format.js';

/**
 * @typedef {import('../types.js').Block} Block
 * @typedef {import('./block-cells.js').Stretch} Stretch
 * @typedef {{title: string, bytes: string, byte: string, of: string, of1: string, reads: string, own: string, shared: string,
 *   names: string[]}} Words
 *   `names`: of the parts; `byte` has {n} {i} {hex} {bits} {part} to fill in, `of` {from} {to}, `of1` (of a part of one byte) {from}, `reads` {bits}
 */

const LABEL = 30;
const TALL = 19;

/**
 * A packed block, one cell for each byte, each part with a number and a pattern of its own; the bits that one weight is read
 * from are filled: those that it has alone full height, those that it shares half.
 *
 * Properties: `block`, `words`, `kind` ('quantized' or 'quantized-a').
 */
export class BlockMap extends Figure {
  static properties = {
    block: { attribute: false },
    words: { attribute: false },
    kind: { type: String },
    at: { state: true },
  };

  static styles = [
    Figure.styles,
    css`
      :host {
        --own: var(--q);
      }
      :host([kind='quantized-a']) {
        --own: var(--qa);
      }
      .title {
        margin: 0 0 4px;
      }
      .map {
        cursor: crosshair;
        touch-action: pan-y;
      }
      .cells {
        fill: none;
        stroke: var(--r);
        stroke-width: 1;
      }
      .pattern {
        stroke: var(--m);
        stroke-width: 1;
        fill: none;
      }
      .pattern circle {
        fill: var(--m);
        stroke: none;
      }
      .outline {
        fill: none;
        stroke: var(--m);
        stroke-width: 1.25;
      }
      .own {
        fill: var(--own);
        stroke: var(--p);
        stroke-width: 0.5;
      }
      .shared {
        fill: var(--i);
        stroke: var(--p);
        stroke-width: 0.5;
      }
      .number {
        fill: var(--i);
        font-size: 10px;
        font-weight: 700;
        paint-order: stroke;
        stroke: var(--p);
        stroke-width: 3;
        pointer-events: none;
      }
      .cursor {
        fill: none;
        stroke: var(--i);
        stroke-width: 2;
      }
      .readout {
        min-height: 1.4em;
        margin: 4px 0;
      }
      .map:focus-visible {
        outline: 2px solid var(--focus, var(--i));
        outline-offset: 2px;
      }
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 18px;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: flex;
        align-items: center;
        gap: 6px;
        min-width: 0;
      }
      li svg {
        flex: none;
        width: 19px;
      }
      .soft {
        color: var(--m);
      }
      code {
        font: inherit;
        letter-spacing: 0.06em;
        overflow-wrap: anywhere;
      }
      @media print {
        .own,
        .shared {
          print-color-adjust: exact;
          -webkit-print-color-adjust: exact;
        }
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Block | null} */
    this.block = null;
    /** @type {Words | null} */
    this.words = null;
    this.kind = 'quantized';
    /** The byte that is read out; null for the one in which the code begins. @type {number | null} */
    this.at = null;
  }

  /**
   * As the width decides how high this figure is, it is drawn anew only in the next frame: not while the boxes are measured.
   * @param {number} width
   */
  resized(width) {
    requestAnimationFrame(() => (this.width = width));
  }

  render() {
    const { block, words, width } = this;
    if (!block || !words || !width) return nothing;
    const stretches = this.keeper.keep('stretches', [block, words], () => stretchesOf(block, words.names));
    const columns = width >= LABEL + 32 * 16 ? 32 : 16;
    const wide = Math.min(20, (width - LABEL - 2) / columns);
    const rows = Math.ceil(block.bytes.length / columns);
    const grid = { left: LABEL, columns, wide, tall: TALL };
    const at = Math.min(this.at ?? codeByte(block), block.bytes.length - 1);
    const said = readout(at, stretches, block, words);
    const [cx, cy] = placeOf(grid, at);
    // The cells do not change from weight to weight of one scheme.
    const { cells, parts } = this.keeper.keep('cells', [JSON.stringify(block.parts), columns, wide], () => ({
      cells: cellPath(grid, 0, block.bytes.length),
      parts: stretches.map(({ from, bytes }) => ({ d: cellPath(grid, from, bytes), edge: outline(grid, from, bytes) })),
    }));
    return html`<p class="title">${words.title}</p>
      <svg
        class="map"
        viewBox="0 0 ${width} ${rows * TALL + 2}"
        height=${rows * TALL + 2}
        role="slider"
        tabindex="0"
        aria-label=${words.bytes}
        aria-valuemin="0"
        aria-valuemax=${block.bytes.length - 1}
        aria-valuenow=${at}
        aria-valuetext=${said}
        @keydown=${(/** @type {KeyboardEvent} */ e) => this.#keys(e, at, columns)}
        @pointermove=${(/** @type {PointerEvent} */ e) => this.#hover(e, columns, wide)}
        @pointerdown=${(/** @type {PointerEvent} */ e) => this.#hover(e, columns, wide)}
        @pointerleave=${() => (this.at = null)}
      >
        <title>${said}</title>
        <defs>${PATTERNS}</defs>
        ${Array.from({ length: rows }, (_, r) => svg`<text x=${LABEL - 5} y=${r * TALL + 14} text-anchor="end">${r * columns}</text>`)}
        ${parts.map(({ d }, i) => svg`<path d=${d} fill=${stretches[i].pattern}></path>`)}
        <path class="cells" d=${cells}></path>
        ${parts.map(({ edge }) => svg`<path class="outline" d=${edge}></path>`)}
        <path class="shared" d=${bars(grid, stretches, false)}></path>
        <path class="own" d=${bars(grid, stretches, true)}></path>
        ${stretches.map(({ from, index }) => {
          const [x, y] = placeOf(grid, from);
          return svg`<text class="number" x=${x + 2} y=${y + 10}>${index + 1}</text>`;
        })}
        <rect class="cursor" x=${cx} y=${cy} width=${wide} height=${TALL}></rect>
      </svg>
      <p class="readout" aria-hidden="true">${said}</p>
      <ul>
        ${stretches.map((part) => legend(part, block, words))}
        <li>
          <svg viewBox="0 0 19 19" height="19" aria-hidden="true">
            <rect class="own" x="4" y="1" width="11" height="17"></rect>
          </svg>
          <span class="soft">${words.own}</span>
        </li>
        <li>
          <svg viewBox="0 0 19 19" height="19" aria-hidden="true">
            <rect class="shared" x="4" y="10" width="11" height="8"></rect>
          </svg>
          <span class="soft">${words.shared}</span>
        </li>
      </ul>`;
  }

  /** @param {PointerEvent} event @param {number} columns @param {number} wide */
  #hover(event, columns, wide) {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - LABEL) / wide);
    const row = Math.floor((event.clientY - box.top - 1) / TALL);
    const at = row * columns + column;
    const inside = column >= 0 && column < columns && row >= 0 && at < (this.block?.bytes.length ?? 0);
    this.at = inside ? at : null;
  }

  /** @param {KeyboardEvent} event @param {number} at @param {number} columns */
  #keys(event, at, columns) {
    const last = (this.block?.bytes.length ?? 1) - 1;
    /** @type {{[key: string]: number}} */
    const moves = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at - columns,
      ArrowDown: at + columns,
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') this.at = null;
    if (!(event.key in moves)) return;
    event.preventDefault();
    const to = moves[event.key];
    if (to >= 0 && to <= last) this.at = to;
  }
}

/** One pattern for each part in turn. */
const PATTERNS = svg`
  <pattern id="p0" class="pattern" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M-1 6L6 -1M-1 1L1 -1M4 6L6 4" opacity="0.75"></path></pattern>
  <pattern id="p1" class="pattern" width="4" height="4" patternUnits="userSpaceOnUse"><circle cx="2" cy="2" r="0.8"></circle></pattern>
  <pattern id="p2" class="pattern" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M0 2.5H5" opacity="0.75"></path></pattern>
  <pattern id="p3" class="pattern" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M-1 -1L6 6M-1 4L1 6M4 -1L6 1" opacity="0.75"></path></pattern>`;

/**
 * A part in words: its bytes, and what the weight reads of them.
 * @param {Stretch} part
 * @param {Block} block
 * @param {Words} words
 */
function legend({ index, name, from, bytes, reads, pattern }, block, words) {
  const digits = reads.map((read) => digitsOf(block.bytes, read)).join(' + ');
  return html`<li data-part=${index}>
    <svg viewBox="0 0 19 19" height="19" aria-hidden="true">
      <defs>${PATTERNS}</defs>
      <rect x="0.5" y="0.5" width="18" height="18" fill=${pattern}></rect>
      <rect class="outline" x="0.5" y="0.5" width="18" height="18"></rect>
      <text class="number" x="3" y="11">${index + 1}</text>
    </svg>
    <span
      ><b>${name}</b>
      <span class="soft">${fill(bytes === 1 ? words.of1 : words.of, { from, to: from + bytes - 1 })}</span>
      ${digits ? html`<code>${fill(words.reads, { bits: digits })}</code>` : nothing}</span
    >
  </li>`;
}

/**
 * One byte in words.
 * @param {number} at
 * @param {Stretch[]} stretches
 * @param {Block} block
 * @param {Words} words
 */
function readout(at, stretches, block, words) {
  const byte = block.bytes[at] ?? 0;
  const part = stretches.find(({ from, bytes }) => at >= from && at < from + bytes);
  return fill(words.byte, {
    n: count(block.offset + at),
    i: at,
    hex: `0x${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    bits: byte.toString(2).padStart(8, '0'),
    part: part?.name ?? '',
  });
}

/** @param {string} text @param {{[name: string]: string | number}} values */
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));

/** @param {Block} block */
const codeByte = ({ fields }) => Math.floor((fields.at(-1)?.bit ?? 0) / 8);

customElements.define('fb-block-map', BlockMap);
