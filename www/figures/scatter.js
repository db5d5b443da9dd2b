import { css, html, nothing, svg } from 'lit';
import { Figure } from './figure.js';
import { linear, ticks } from './scale.js';
import { DB_PER_BIT, frontier, neighbour, placeLabels, textWidth, windowOf } from './points.js';

/**
 * @typedef {{key: string, label: string, bits: number, db: number, text: string, side?: 'a' | 'b' | null}} Point
 *   `text`: its numbers as words; `side`: the side that has this very scheme
 * @typedef {{x: string, y: string, line: string, list: string}} Words titles of the axes, of the line and of the points
 */

const LEFT = 36;
const RIGHT = 14;
const HEAD = 24;
const FOOT = 38;
/** How near the pointer comes to mean a point, in pixels. */
const REACH = 26;

/**
 * Schemes by what they cost and what they keep: bits per weight against dB, with the line of 6.02 dB per bit.
 *
 * Properties: `points` (Point[], each to be chosen), `chosen` (Point[] with a `side`, the sides as they are set), `words`, `height`.
 * Events: `fb-choose` {key}.
 */
export class Scatter extends Figure {
  static properties = {
    points: { attribute: false },
    chosen: { attribute: false },
    words: { attribute: false },
    height: { type: Number },
    at: { state: true },
  };

  static styles = [
    Figure.styles,
    css`
      .point {
        cursor: pointer;
      }
      .dot {
        fill: var(--p);
        stroke: var(--m);
        stroke-width: 1.5;
      }
      .leads .dot {
        fill: var(--i);
        stroke: var(--i);
      }
      .point[data-at] .dot {
        stroke: var(--i);
        stroke-width: 2.5;
      }
      .edge {
        fill: none;
        stroke: var(--m);
        stroke-width: 1;
      }
      .limit {
        fill: none;
        stroke: var(--m);
        stroke-width: 1.25;
        stroke-dasharray: 5 4;
      }
      .name {
        pointer-events: none;
        fill: var(--i);
        paint-order: stroke;
        stroke: var(--p);
        stroke-width: 3;
      }
      .side-mark {
        stroke: var(--p);
        stroke-width: 1.5;
      }
      .letter {
        fill: var(--p);
        font-size: 10px;
        font-weight: 700;
      }
      .side,
      .tip {
        pointer-events: none;
      }
      .tip rect {
        fill: var(--p);
        stroke: var(--i);
      }
      .tip text {
        fill: var(--i);
      }
      .tip .title {
        font-weight: 600;
      }
      .axis-title {
        fill: var(--i);
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Point[]} */
    this.points = [];
    /** @type {Point[]} */
    this.chosen = [];
    /** @type {Words} */
    this.words = { x: '', y: '', line: '', list: '' };
    this.height = 400;
    /** The point that is named now. @type {string | null} */
    this.at = null;
    /** The point that the keyboard comes back to. @type {string | null} */
    this.last = null;
  }

  render() {
    const { width, height, points, chosen, words } = this;
    if (!width) return html`<svg height=${height} aria-hidden="true"></svg>`;
    const plan = this.keeper.keep('plan', [points, chosen, width, height, words], () =>
      planOf(points, chosen, width, height, words.line),
    );
    const { x, y, box, xTicks, yTicks, leads, spots, names } = plan;
    const base = height - FOOT;
    const here = spots.find(({ point }) => point.key === this.at);
    // One of the points takes the keyboard: the one it was on, else the chosen one, else the first.
    const stop =
      points.find(({ key }) => key === this.last)?.key ??
      points.find(({ side }) => side === 'b')?.key ??
      points[0]?.key;
    return html`<svg
      viewBox="0 0 ${width} ${height}"
      height=${height}
      role="group"
      aria-label=${this.label}
      @pointermove=${this.#hover}
      @pointerleave=${this.#leave}
      @click=${this.#click}
    >
      ${xTicks.values.map(
        (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${HEAD} y2=${base}></line>
          <text x=${x.to(v)} y=${base + 14} text-anchor="middle">${v}</text>`,
      )}
      ${yTicks.values.map(
        (v) => svg`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y.to(v)} y2=${y.to(v)}></line>
          <text x=${LEFT - 5} y=${y.to(v) + 4} text-anchor="end">${String(v).replace('-', '\u2212')}</text>`,
      )}
      <line class="ink-line" x1=${LEFT} x2=${width - RIGHT} y1=${base} y2=${base}></line>
      <text class="axis-title" x=${width - RIGHT} y=${height - 4} text-anchor="end">${this.words.x} →</text>
      <text class="axis-title" x=${2} y=${HEAD - 12}>↑ ${this.words.y}</text>
      ${this.#limit(plan)}
      ${leads.length > 1 ? svg`<path class="edge" d=${stairs(leads.map((p) => [x.to(p.bits), y.to(p.db)]))}></path>` : nothing}
      <g role="listbox" aria-label=${this.words.list} @keydown=${this.#keys}>
        ${spots
          .filter(({ point }) => !chosen.includes(point))
          .map(
            ({ point, px, py, beyond }) =>
              svg`<g
                class="point ${leads.includes(point) ? 'leads' : ''}" role="option" data-key=${point.key}
                tabindex=${point.key === stop ? 0 : -1} ?data-at=${point.key === this.at}
                aria-selected=${point.side ? 'true' : 'false'} aria-label="${point.label}, ${point.text}"
                @focus=${this.#focus} @blur=${this.#blur}
              >
                ${
                  beyond
                    ? svg`<path class="dot" d=${beyond === 'up' ? `M${px - 4.5} ${py + 3.5}h9l-4.5 -8Z` : `M${px - 3.5} ${py - 4.5}v9l8 -4.5Z`}></path>`
                    : svg`<circle class="dot" cx=${px} cy=${py} r="3.5"></circle>`
                }
                <circle class="ring" cx=${px} cy=${py} r="8"></circle>
              </g>`,
          )}
      </g>
      ${spots.filter(({ point }) => chosen.includes(point)).map(({ point, px, py }) => sideMark(point, px, py))}
      <g aria-hidden="true">
        ${[...names].map(([key, { x: tx, y: ty, anchor }]) => {
          const spot = spots.find(({ point }) => point.key === key);
          return svg`<text class="name" data-name=${key} x=${tx} y=${ty} text-anchor=${anchor}>${spot?.name}</text>`;
        })}
        ${here ? this.#tip(here, box) : nothing}
      </g>
    </svg>`;
  }

  /** The line of 6.02 dB per bit. @param {ReturnType<typeof planOf>} plan */
  #limit({ limit }) {
    if (!limit) return nothing;
    const { from, to, angle, at } = limit;
    return svg`<line class="limit" x1=${from[0]} y1=${from[1]} x2=${to[0]} y2=${to[1]}></line>
      <text text-anchor="end" transform="translate(${at[0]} ${at[1]}) rotate(${(angle * 180) / Math.PI}) translate(0 -5)">
        ${this.words.line}
      </text>`;
  }

  /**
   * What the point is, beside it.
   * @param {{point: Point, px: number, py: number}} spot
   * @param {import('./points.js').Box} box
   */
  #tip({ point, px, py }, box) {
    const width = Math.max(textWidth(point.label) * 1.08, textWidth(point.text)) + 14;
    const left = Math.min(Math.max(px - width / 2, 1), this.width - width - 1);
    const top = py - 50 > box.y ? py - 48 : py + 13;
    return svg`<g class="tip">
      <rect x=${left} y=${top} width=${width} height="36" rx="3"></rect>
      <text class="title" x=${left + 7} y=${top + 15}>${point.label}</text>
      <text x=${left + 7} y=${top + 29}>${point.text}</text>
    </g>`;
  }

  /** @param {PointerEvent | MouseEvent} event */
  #nearest(event) {
    const box = this.getBoundingClientRect();
    const plan = /** @type {ReturnType<typeof planOf> | undefined} */ (this.keeper.kept.get('plan')?.made);
    let best = null;
    let least = REACH;
    for (const spot of plan?.spots ?? []) {
      const distance = Math.hypot(event.clientX - box.left - spot.px, event.clientY - box.top - spot.py);
      // Of a side and the scheme under it, the scheme can be chosen.
      if (distance < least || (distance === least && !this.chosen.includes(spot.point))) {
        best = spot;
        least = distance;
      }
    }
    return best?.point ?? null;
  }

  /** @param {PointerEvent} event */
  #hover = (event) => {
    this.at = this.#nearest(event)?.key ?? null;
  };

  #leave = () => (this.at = null);

  /** @param {MouseEvent} event */
  #click = (event) => {
    const point = this.#nearest(event);
    this.at = point?.key ?? null;
    if (point && !this.chosen.includes(point)) this.#choose(point.key);
  };

  /** @param {FocusEvent} event */
  #focus = (event) => {
    this.at = keyOf(event.currentTarget);
    this.last = this.at;
  };

  #blur = () => (this.at = null);

  /** @param {KeyboardEvent} event */
  #keys = (event) => {
    const from = keyOf(event.target);
    if (from === null) return;
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      return this.#choose(from);
    }
    const next = neighbour(this.points, from, event.key);
    if (!next) return;
    event.preventDefault();
    const element = this.renderRoot.querySelector(`[data-key="${CSS.escape(next.key)}"]`);
    /** @type {SVGGElement | null} */ (element)?.focus();
  };

  /** @param {string} key */
  #choose(key) {
    this.last = key;
    this.say('fb-choose', { key });
  }
}

/**
 * Where everything stands.
 * @param {Point[]} points
 * @param {Point[]} chosen
 * @param {number} width
 * @param {number} height
 * @param {string} line what is written along the line
 */
function planOf(points, chosen, width, height, line) {
  const all = [...points, ...chosen].filter(({ db, bits }) => !Number.isNaN(db) && Number.isFinite(bits));
  const view = windowOf(all);
  const base = height - FOOT;
  const x = linear(view.x, [LEFT, width - RIGHT]);
  const y = linear(view.y, [base, HEAD]);
  const limit = limitOf(view, x, y);
  const box = { x: LEFT, y: 0, width: width - LEFT, height: base };
  const leads = frontier(points.filter((point) => view.inside.includes(point)));
  const far = view.outside.filter(({ bits }) => bits > view.x[1]).sort((a, b) => b.db - a.db);
  const spots = all.map((point) => {
    const outside = view.outside.includes(point);
    const px = x.to(Math.min(point.bits, view.x[1]));
    if (!outside) return { point, px, py: y.to(point.db), beyond: '', name: point.label };
    const row = far.indexOf(point);
    // Those beyond the right end stand there one under the other, and say where they are.
    if (row >= 0)
      return { point, px: px - 5, py: HEAD + 8 + 15 * row, beyond: 'right', name: `${point.label} · ${point.text}` };
    return { point, px, py: HEAD + 4, beyond: 'up', name: point.label };
  });
  const rank = (/** @type {typeof spots[0]} */ { point, beyond }) =>
    chosen.includes(point) ? 0 : beyond === 'right' ? 1 : leads.includes(point) ? 2 : 3;
  const named = spots.filter((spot) => rank(spot) < 3 && !spot.point.side).sort((a, b) => rank(a) - rank(b));
  const sides = spots.filter(({ point }) => chosen.includes(point));
  const names = placeLabels(
    [...sides, ...named].map(({ point, px, py, name }) => ({
      key: point.key,
      x: px,
      y: py,
      label: name,
      room: chosen.includes(point) ? 11 : 7,
    })),
    [
      ...alongLimit(limit, textWidth(line)),
      ...spots.map(({ point, px, py }) => {
        const r = chosen.includes(point) ? 8 : 3.5;
        return { x: px - r, y: py - r, width: 2 * r, height: 2 * r };
      }),
    ],
    box,
  );
  const xTicks = ticks(view.x[0], view.x[1], Math.min(view.x[1] - view.x[0], Math.floor(width / 40)));
  return {
    limit,
    x,
    y,
    box,
    leads,
    spots,
    names,
    xTicks,
    yTicks: ticks(view.y[0], view.y[1], Math.floor(height / 50)),
  };
}

/**
 * The line of 6.02 dB per bit as far as it lies in the figure, and where its name ends.
 * @param {{x: [number, number], y: [number, number]}} view
 * @param {{to: (v: number) => number}} x
 * @param {{to: (v: number) => number}} y
 */
function limitOf(view, x, y) {
  const first = Math.max(view.x[0], view.y[0] / DB_PER_BIT);
  const last = Math.min(view.x[1], view.y[1] / DB_PER_BIT);
  if (!(last > first)) return null;
  const point = (/** @type {number} */ bits) => [x.to(bits), y.to(bits * DB_PER_BIT)];
  const [from, to, at] = [point(first), point(last), point(first + (last - first) * 0.86)];
  return { from, to, at, angle: Math.atan2(to[1] - from[1], to[0] - from[0]) };
}

/**
 * The room that the line's name takes, as small boxes.
 * @param {ReturnType<typeof limitOf>} limit
 * @param {number} length
 */
function alongLimit(limit, length) {
  if (!limit) return [];
  const { at, angle } = limit;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return Array.from({ length: Math.ceil(length / 8) }, (_, i) => {
    const [along, up] = [-8 * i - 4, -9];
    return { x: at[0] + along * cos - up * sin - 5, y: at[1] + along * sin + up * cos - 5, width: 10, height: 10 };
  });
}

/** @param {EventTarget | null} target */
const keyOf = (target) => /** @type {SVGGElement | null} */ (target)?.dataset.key ?? null;

/** Side A is a square, side B a disc, each with its letter. @param {Point} point @param {number} x @param {number} y */
function sideMark({ side, label, text }, x, y) {
  const letter = side === 'a' ? 'A' : 'B';
  return svg`<g class="side" data-side=${side} role="img" aria-label="${letter}: ${label}, ${text}">
    ${
      side === 'a'
        ? svg`<rect class="side-mark stripe" x=${x - 7} y=${y - 7} width="14" height="14" rx="1"></rect>`
        : svg`<circle class="side-mark q-fill" cx=${x} cy=${y} r="8"></circle>`
    }
    <text class="letter" x=${x} y=${y + 3.5} text-anchor="middle">${letter}</text>
  </g>`;
}

/** Level, then up at the next point. @param {number[][]} points */
const stairs = (points) => points.map(([x, y], i) => (i === 0 ? `M${x} ${y}` : `H${x}V${y}`)).join('');

customElements.define('fb-scatter', Scatter);
