import { css, html, nothing } from 'lit';
import { Figure } from './figure.js';
import { parseColour, ramp } from './colours.js';

/** @typedef {import('../types.js').Pictures} Pictures */

/**
 * The tensor as an image: side A left of a handle, side B right of it. Values are inked from the least (paper) to the
 * greatest (full ink); errors from none (paper) to the largest.
 *
 * Properties: `pictures`, `split` 0…1, `span` (the values at paper and at full ink), `errorSpan`, `mark` {row, column}, `titles`, `size` [rows, columns], `theme`
 * (any name: another one means other colours).
 * Events: `fb-cell` {row, column | null}, `fb-pick-cell` {row, column}, `fb-split` {split}, `fb-region` {region}, `fb-step` {dx, dy}.
 */
export class MatrixFigure extends Figure {
  static properties = {
    pictures: { attribute: false },
    split: { type: Number },
    span: { attribute: false },
    errorSpan: { type: Number },
    mark: { attribute: false },
    size: { attribute: false },
    titles: { attribute: false },
    height: { type: Number },
    theme: { type: String },
  };

  static styles = [
    Figure.styles,
    css`
      .frame {
        position: relative;
        overflow: hidden;
        border: 1px solid var(--i);
        cursor: crosshair;
        background: var(--p);
      }
      canvas {
        display: block;
        width: 100%;
        height: 100%;
        image-rendering: pixelated;
        outline-offset: -3px;
      }
      .split {
        position: absolute;
        top: 0;
        bottom: 0;
        left: 0;
        width: 28px;
        margin-left: -14px;
        cursor: ew-resize;
        touch-action: none;
      }
      .split::before {
        content: '';
        position: absolute;
        inset: 0 auto 0 13px;
        width: 2px;
        background: var(--i);
        box-shadow: 0 0 0 1px var(--p);
      }
      .split i {
        position: absolute;
        top: 50%;
        left: 4px;
        width: 20px;
        height: 28px;
        margin-top: -14px;
        box-sizing: border-box;
        border: 1.5px solid var(--i);
        background: var(--p);
        border-radius: 4px;
      }
      .split i::before {
        content: '';
        position: absolute;
        inset: 7px 6px;
        border: solid var(--i);
        border-width: 0 1px;
      }
      .split:hover i {
        background: var(--i);
      }
      .split:hover i::before {
        border-color: var(--p);
      }
      .split:focus-visible i {
        outline: 2px solid var(--focus, var(--i));
        outline-offset: 3px;
      }
      .mark {
        position: absolute;
        box-sizing: border-box;
        border: 2px solid var(--i);
        outline: 2px solid var(--p);
        pointer-events: none;
        border-radius: 1px;
      }
      .corner {
        position: absolute;
        bottom: 4px;
        padding: 1px 6px;
        background: var(--p);
        color: var(--i);
        font-size: 11px;
        pointer-events: none;
        max-width: 42%;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .corner.left {
        left: 4px;
      }
      .corner.right {
        right: 4px;
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Pictures | null} */
    this.pictures = null;
    this.split = 0.5;
    /** @type {[number, number]} */
    this.span = [-1, 1];
    this.errorSpan = 1;
    /** @type {{row: number, column: number} | null} */
    this.mark = null;
    /** @type {[number, number]} */
    this.size = [1, 1];
    this.titles = { left: 'A', right: 'B', split: 'split', picture: '' };
    this.height = 240;
    this.theme = 'light';
    /** @type {{x: number, y: number, region: number[], moved: boolean} | null} */
    this.grip = null;
  }

  render() {
    const twoSided = this.pictures && !(this.pictures.kind === 'error' && !this.pictures.a);
    return html`<div class="frame" @wheel=${this.#wheel}>
      <canvas
        tabindex="0"
        role="application"
        aria-label=${this.label}
        @pointerdown=${this.#down}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointerleave=${() => this.say('fb-cell', { row: null, column: null })}
        @keydown=${this.#keys}
      ></canvas>
      <div class="mark" hidden></div>
      ${
        twoSided
          ? html`<span class="corner left">${this.titles.left}</span>
              <span class="corner right">${this.titles.right}</span>
              <div
                class="split"
                role="slider"
                tabindex="0"
                aria-label=${this.titles.split}
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=${Math.round(this.split * 100)}
                @pointerdown=${this.#grab}
                @pointermove=${this.#drag}
                @keydown=${this.#splitKeys}
              >
                <i></i>
              </div>`
          : nothing
      }
    </div>`;
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    const frame = /** @type {HTMLElement} */ (this.renderRoot.querySelector('.frame'));
    frame.style.height = `${this.height}px`;
    // The page still scrolls under a finger while there is nothing to pan.
    const [r0, r1, c0, c1] = this.pictures?.region ?? [0, 0, 0, 0];
    const whole = r1 - r0 >= this.size[0] && c1 - c0 >= this.size[1];
    frame.style.touchAction = whole ? 'pan-y' : 'none';
    const handle = /** @type {HTMLElement | null} */ (this.renderRoot.querySelector('.split'));
    if (handle) handle.style.left = `${this.split * 100}%`;
    this.#placeMark();
    const error = this.pictures?.kind === 'error';
    const matters = ['pictures', 'split', 'theme', error ? 'errorSpan' : 'span'];
    if (matters.some((name) => changed.has(name))) this.#paint();
  }

  #placeMark() {
    const box = /** @type {HTMLElement} */ (this.renderRoot.querySelector('.mark'));
    const { mark, pictures } = this;
    const [r0, r1, c0, c1] = pictures?.region ?? [0, 1, 0, 1];
    const visible = mark && mark.row >= r0 && mark.row < r1 && mark.column >= c0 && mark.column < c1;
    box.hidden = !visible;
    if (!visible) return;
    const w = this.width - 2;
    const h = this.height - 2;
    const cell = { w: w / (c1 - c0), h: h / (r1 - r0) };
    const size = { w: Math.max(10, cell.w), h: Math.max(10, cell.h) };
    box.style.width = `${size.w}px`;
    box.style.height = `${size.h}px`;
    box.style.left = `${(mark.column - c0 + 0.5) * cell.w - size.w / 2}px`;
    box.style.top = `${(mark.row - r0 + 0.5) * cell.h - size.h / 2}px`;
  }

  #paint() {
    const canvas = this.renderRoot.querySelector('canvas');
    const { pictures } = this;
    if (!canvas) return;
    if (!pictures) {
      // Nothing of the tensor before may stay.
      canvas.getContext('2d')?.clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    const { width, height, kind } = pictures;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d');
    if (!context) return;
    const inks = this.#inks();
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const cut = kind === 'error' && !pictures.a ? 0 : Math.round(this.split * width);
    const error = kind === 'error';
    const left = pictures.a ?? pictures.float;
    const leftInk = error ? inks.e : pictures.a ? inks.qa : inks.f;
    const rightInk = error ? inks.e : inks.q;
    const most = this.errorSpan;
    const box = { width, height };
    if (error) {
      putErrors(pixels, left, leftInk, most, { ...box, from: 0, to: cut });
      putErrors(pixels, pictures.b, rightInk, most, { ...box, from: cut, to: width });
    } else {
      putValues(pixels, left, leftInk, this.span, { ...box, from: 0, to: cut });
      putValues(pixels, pictures.b, rightInk, this.span, { ...box, from: cut, to: width });
    }
    context.putImageData(image, 0, 0);
  }

  /** The colours of the theme, read once for each. */
  #inks() {
    return this.keeper.keep('inks', [this.theme], () => {
      const style = getComputedStyle(this);
      const read = (/** @type {string} */ name) => parseColour(style.getPropertyValue(name).trim());
      const paper = read('--p');
      const dark = paper[0] + paper[1] + paper[2] < 384;
      const deep = (/** @type {number} */ v) => (dark ? v + (255 - v) * 0.75 : v * 0.22);
      const ink = (/** @type {string} */ name) => {
        const [r, g, b] = read(name);
        return ramp(paper, [r, g, b], [deep(r), deep(g), deep(b)]);
      };
      return { f: ink('--f'), q: ink('--q'), qa: ink('--qa'), e: ink('--e') };
    });
  }

  /** @param {PointerEvent | WheelEvent} event @returns {[number, number]} */
  #place(event) {
    const box = /** @type {Element} */ (this.renderRoot.querySelector('canvas')).getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  /** @param {[number, number]} place */
  #cell([x, y]) {
    const [r0, r1, c0, c1] = this.pictures?.region ?? [0, ...this.size, 0];
    const row = Math.min(r1 - 1, Math.max(r0, Math.floor(r0 + y * (r1 - r0))));
    const column = Math.min(c1 - 1, Math.max(c0, Math.floor(c0 + x * (c1 - c0))));
    return { row, column };
  }

  /** @param {PointerEvent} event */
  #down = (event) => {
    const [x, y] = this.#place(event);
    this.grip = { x, y, region: [...(this.pictures?.region ?? [])], moved: false };
    /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
  };

  /** @param {PointerEvent} event */
  #move = (event) => {
    const place = this.#place(event);
    const { grip } = this;
    if (!grip) {
      if (event.pointerType !== 'touch') this.say('fb-cell', this.#cell(place));
      return;
    }
    const [r0, r1, c0, c1] = grip.region;
    const rows = Math.round((grip.y - place[1]) * (r1 - r0));
    const columns = Math.round((grip.x - place[0]) * (c1 - c0));
    if (Math.abs(grip.x - place[0]) + Math.abs(grip.y - place[1]) > 0.02) grip.moved = true;
    if (grip.moved && (rows || columns)) this.#ask([r0 + rows, r1 + rows, c0 + columns, c1 + columns]);
  };

  /** @param {PointerEvent} event */
  #up = (event) => {
    if (this.grip && !this.grip.moved) this.say('fb-pick-cell', this.#cell(this.#place(event)));
    this.grip = null;
  };

  /** @param {WheelEvent} event */
  #wheel = (event) => {
    const focused = this.shadowRoot?.activeElement !== null;
    if (!event.ctrlKey && !focused) return;
    event.preventDefault();
    this.zoom(Math.exp(event.deltaY * 0.002), this.#place(event));
  };

  /**
   * @param {number} factor below 1 looks closer
   * @param {[number, number]} [at] where the eye is, 0…1 across and down
   */
  zoom(factor, at = [0.5, 0.5]) {
    const [r0, r1, c0, c1] = this.pictures?.region ?? [0, 1, 0, 1];
    const rows = Math.max(Math.min(4, this.size[0]), Math.round((r1 - r0) * factor));
    const columns = Math.max(Math.min(4, this.size[1]), Math.round((c1 - c0) * factor));
    const row = Math.round(r0 + at[1] * (r1 - r0 - rows));
    const column = Math.round(c0 + at[0] * (c1 - c0 - columns));
    this.#ask([row, row + rows, column, column + columns]);
  }

  /** Moves a region inside the matrix and asks for it. @param {number[]} region */
  #ask([r0, r1, c0, c1]) {
    const [rows, columns] = this.size;
    const high = Math.min(rows, r1 - r0);
    const wide = Math.min(columns, c1 - c0);
    const top = Math.min(rows - high, Math.max(0, r0));
    const left = Math.min(columns - wide, Math.max(0, c0));
    const whole = high === rows && wide === columns;
    this.say('fb-region', { region: whole ? null : [top, top + high, left, left + wide] });
  }

  /** @param {KeyboardEvent} event */
  #keys = (event) => {
    const far = event.shiftKey ? 10 : 1;
    /** @type {{[key: string]: [number, number]}} */
    const steps = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
    if (event.key in steps) this.say('fb-step', { dx: steps[event.key][0], dy: steps[event.key][1] });
    else if (event.key === '+' || event.key === '=') this.zoom(0.5, this.#focus());
    else if (event.key === '-') this.zoom(2, this.#focus());
    else if (event.key === '0') this.say('fb-region', { region: null });
    else if (event.key === 'Escape') this.say('fb-step', { dx: 0, dy: 0, clear: true });
    else return;
    event.preventDefault();
  };

  /** Where keys zoom: at the marked weight, if one is marked. @returns {[number, number]} */
  #focus() {
    const [r0, r1, c0, c1] = this.pictures?.region ?? [0, 1, 0, 1];
    if (!this.mark) return [0.5, 0.5];
    const part = (/** @type {number} */ v) => Math.min(1, Math.max(0, v));
    return [part((this.mark.column - c0) / (c1 - c0)), part((this.mark.row - r0) / (r1 - r0))];
  }

  /** @param {PointerEvent} event */
  #grab = (event) => {
    /** @type {HTMLElement} */ (event.currentTarget).setPointerCapture(event.pointerId);
    /** @type {HTMLElement} */ (event.currentTarget).focus();
    event.preventDefault();
  };

  /** @param {PointerEvent} event */
  #drag = (event) => {
    if (!(/** @type {Element} */ (event.currentTarget).hasPointerCapture(event.pointerId))) return;
    this.say('fb-split', { split: Math.min(1, Math.max(0, this.#place(event)[0])) });
  };

  /** @param {KeyboardEvent} event */
  #splitKeys = (event) => {
    const step = event.shiftKey ? 0.1 : 0.02;
    /** @type {{[key: string]: number}} */
    const to = { ArrowLeft: this.split - step, ArrowRight: this.split + step, Home: 0, End: 1 };
    if (!(event.key in to)) return;
    event.preventDefault();
    this.say('fb-split', { split: Math.min(1, Math.max(0, to[event.key])) });
  };

  /** The image in an SVG, for export. */
  get picture() {
    const canvas = this.renderRoot.querySelector('canvas');
    if (!canvas) return null;
    const NS = 'http://www.w3.org/2000/svg';
    const picture = document.createElementNS(NS, 'svg');
    picture.setAttribute('viewBox', `0 0 ${this.width} ${this.height}`);
    const image = document.createElementNS(NS, 'image');
    image.setAttribute('href', canvas.toDataURL('image/png'));
    image.setAttribute('width', String(this.width));
    image.setAttribute('height', String(this.height));
    image.setAttribute('preserveAspectRatio', 'none');
    image.setAttribute('image-rendering', 'pixelated');
    picture.append(image);
    return picture;
  }
}

/** @typedef {{width: number, height: number, from: number, to: number}} Columns some columns of a picture */

/**
 * @param {Uint32Array} pixels
 * @param {Float32Array} values
 * @param {Uint32Array} ink
 * @param {[number, number]} span
 * @param {Columns} columns
 */
function putValues(pixels, values, ink, [lo, hi], { width, height, from, to }) {
  const k = 255 / (hi - lo);
  for (let y = 0; y < height; y++) {
    for (let x = from, i = y * width + from; x < to; x++, i++) {
      const v = (values[i] - lo) * k;
      pixels[i] = ink[v > 255 ? 255 : v > 0 ? v | 0 : 0];
    }
  }
}

/**
 * @param {Uint32Array} pixels
 * @param {Float32Array} values
 * @param {Uint32Array} ink
 * @param {number} most
 * @param {Columns} columns
 */
function putErrors(pixels, values, ink, most, { width, height, from, to }) {
  const k = 255 / most;
  for (let y = 0; y < height; y++) {
    for (let x = from, i = y * width + from; x < to; x++, i++) {
      const v = Math.abs(values[i]) * k;
      pixels[i] = ink[v > 255 ? 255 : v > 0 ? v | 0 : 0];
    }
  }
}

customElements.define('fb-matrix', MatrixFigure);
