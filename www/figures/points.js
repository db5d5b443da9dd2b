/** Points of a scatter: which of them nothing beats, and where their names find room. Pure. */

/** @typedef {{bits: number, db: number}} Place bits per weight and dB */
/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{x: number, y: number, anchor: 'start' | 'middle' | 'end'}} LabelSpot where a text stands, y its baseline */

/** One bit of a uniform quantizer's limit for Gaussian weights: 20·log₁₀ 2. */
export const DB_PER_BIT = 20 * Math.log10(2);

/**
 * The points for which no other has as many dB in as few bits, by bits.
 * @template {Place} T
 * @param {readonly T[]} points
 * @returns {T[]}
 */
export function frontier(points) {
  const sorted = [...points].sort((a, b) => a.bits - b.bits || b.db - a.db);
  let best = -Infinity;
  return sorted.filter(({ db }) => {
    const leads = db > best;
    if (leads) best = db;
    return leads;
  });
}

/** Bits beyond which a scheme no longer stands on the axis where others are small: it would squeeze them. */
const MANY_BITS = 10;

/**
 * The part of the plane that is drawn, round numbers at its ends, and which points lie outside of it: those of many more bits
 * than the rest, and those without any error.
 * @template {Place} T
 * @param {readonly T[]} points
 * @returns {{x: [number, number], y: [number, number], inside: T[], outside: T[]}}
 */
export function windowOf(points) {
  const finite = points.filter(({ db }) => Number.isFinite(db));
  const few = finite.filter(({ bits }) => bits <= MANY_BITS);
  const inside = few.length > 0 ? few : finite;
  const outside = points.filter((point) => !inside.includes(point));
  if (inside.length === 0) return { x: [0, 9], y: [0, 54], inside, outside };
  const bits = inside.map((point) => point.bits);
  const dbs = inside.map((point) => point.db);
  const x0 = Math.max(0, Math.floor(Math.min(...bits) - 0.4));
  const x1 = Math.max(x0 + 2, Math.ceil(Math.max(...bits) + 0.2));
  const y0 = Math.min(0, 5 * Math.floor(Math.min(...dbs) / 5));
  const y1 = 5 * Math.ceil((Math.max(...dbs, 5) + 1.5) / 5);
  return { x: [x0, x1], y: [y0, y1], inside, outside };
}

/** @param {Box} a @param {Box} b */
const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** About how wide a text of 11 pixels is. @param {string} text */
export const textWidth = (text) => [...text].reduce((n, c) => n + (c > '\u2e80' ? 11 : 6.4), 2);

const TALL = 13;

/**
 * Places names beside their points, the first first; a name for which there is no free room gets none.
 * @param {readonly {key: string, x: number, y: number, label: string, room: number}[]} wanted `room`: the mark's radius and a gap
 * @param {readonly Box[]} taken what no name may cover
 * @param {Box} bounds
 * @returns {Map<string, LabelSpot>}
 */
export function placeLabels(wanted, taken, bounds) {
  const boxes = [...taken];
  /** @type {Map<string, LabelSpot>} */
  const found = new Map();
  for (const { key, x, y, label, room } of wanted) {
    const width = textWidth(label);
    /** @type {[number, number, 'start' | 'middle' | 'end'][]} left edge, top edge, anchor */
    const places = [
      [x - room - width, y - TALL, 'end'],
      [x + room, y - 1, 'start'],
      [x - width / 2, y - room - TALL, 'middle'],
      [x - width / 2, y + room, 'middle'],
      [x + room, y - TALL, 'start'],
      [x - room - width, y - 1, 'end'],
    ];
    for (const [left, top, anchor] of places) {
      const box = { x: left, y: top, width, height: TALL };
      const fits =
        left >= bounds.x &&
        top >= bounds.y &&
        left + width <= bounds.x + bounds.width &&
        top + TALL <= bounds.y + bounds.height;
      if (!fits || boxes.some((other) => overlap(box, other))) continue;
      boxes.push(box);
      const at = anchor === 'start' ? left : anchor === 'end' ? left + width : left + width / 2;
      found.set(key, { x: at, y: top + TALL - 3, anchor });
      break;
    }
  }
  return found;
}

/**
 * The point that a key leads to: left and right by bits, up and down by dB.
 * @template {Place & {key: string}} T
 * @param {readonly T[]} points
 * @param {string} from
 * @param {string} key as a keyboard event names it
 * @returns {T | null}
 */
export function neighbour(points, from, key) {
  const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[key];
  const byBits = [...points].sort((a, b) => a.bits - b.bits || a.db - b.db);
  if (key === 'Home') return byBits[0] ?? null;
  if (key === 'End') return byBits.at(-1) ?? null;
  if (!way) return null;
  const upright = key === 'ArrowUp' || key === 'ArrowDown';
  const sorted = upright ? [...points].sort((a, b) => a.db - b.db || a.bits - b.bits) : byBits;
  const at = sorted.findIndex((point) => point.key === from);
  return sorted[Math.min(sorted.length - 1, Math.max(0, at + way))] ?? null;
}
