/** The cells of a packed block: its parts, the bits that a weight is read from, and the paths that draw them. Pure. */

/**
 * @typedef {import('../types.js').Block} Block
 * @typedef {{bit: number, bits: number, own: boolean}} Read bits that the weight is read from
 * @typedef {{index: number, from: number, bytes: number, name: string, reads: Read[], pattern: string}} Stretch
 * @typedef {{left: number, columns: number, wide: number, tall: number}} Grid where the first cell begins, cells in a row, their size
 */

/**
 * The parts with their places, and what the weight is read from in each. A part with a bit or more for every weight holds
 * bits of the weights' own; any other is shared.
 * @param {Block} block
 * @param {string[]} names
 * @returns {Stretch[]}
 */
export function stretchesOf({ parts, fields, weights }, names) {
  let from = 0;
  let used = 0;
  const most = Math.max(...parts.map(({ bytes }) => bytes));
  return parts.map(({ name, bytes }, index) => {
    const own = bytes * 8 >= weights;
    const reads = fields.filter(({ part }) => part === index).map(({ bit, bits }) => ({ bit, bits, own }));
    // The longest is bare, so that what is read from it is seen well.
    const pattern = bytes === most ? 'none' : `url(#p${used++ % 4})`;
    const stretch = { index, from, bytes, name: names[index] ?? name, reads, pattern };
    from += bytes;
    return stretch;
  });
}

/**
 * Neighbouring bits as digits, highest first; many of them in hexadecimal.
 * @param {Uint8Array} bytes
 * @param {{bit: number, bits: number}} read
 */
export function digitsOf(bytes, { bit, bits }) {
  let digits = '';
  for (let i = bit + bits - 1; i >= bit; i--) digits += ((bytes[i >> 3] ?? 0) >> (i & 7)) & 1;
  if (bits <= 8) return digits;
  const hex = parseInt(digits, 2).toString(16).toUpperCase();
  return `0x${hex.padStart(Math.ceil(bits / 4), '0')}`;
}

/** Left and top of a cell. @param {Grid} grid @param {number} i @returns {[number, number]} */
export function placeOf({ left, columns, wide, tall }, i) {
  return [left + (i % columns) * wide, 1 + Math.floor(i / columns) * tall];
}

/** Cells one after the other. @param {Grid} grid @param {number} from @param {number} bytes */
export function cellPath(grid, from, bytes) {
  const { wide, tall } = grid;
  return Array.from(
    { length: bytes },
    (_, i) => `M${placeOf(grid, from + i).join(' ')}h${wide}v${tall}h${-wide}Z`,
  ).join('');
}

/**
 * The bits that are read as bars in their bytes' cells, the highest bit of a byte leftmost: full height for a weight's own, half
 * for shared ones.
 * @param {Grid} grid
 * @param {Stretch[]} stretches
 * @param {boolean} own
 */
export function bars(grid, stretches, own) {
  const { wide, tall } = grid;
  let d = '';
  for (const { bit, bits } of stretches.flatMap(({ reads }) => reads.filter((read) => read.own === own))) {
    let start = bit;
    while (start < bit + bits) {
      const end = Math.min(bit + bits, ((start >> 3) + 1) << 3);
      const [x, y] = placeOf(grid, start >> 3);
      const width = ((end - start) * wide) / 8;
      const left = x + ((7 - ((end - 1) & 7)) * wide) / 8;
      d += `M${left.toFixed(2)} ${y + (own ? 1 : tall / 2)}h${width.toFixed(2)}V${y + tall - 1}h${(-width).toFixed(2)}Z`;
      start = end;
    }
  }
  return d;
}

/**
 * The edge of a run of cells that wraps from row to row.
 * @param {Grid} grid
 * @param {number} from
 * @param {number} bytes
 */
export function outline(grid, from, bytes) {
  const { columns, wide, tall } = grid;
  const covers = (/** @type {number} */ i) => i >= from && i < from + bytes;
  let d = '';
  for (let i = from; i < from + bytes; i++) {
    const [x, y] = placeOf(grid, i);
    if (i === from) d += `M${x} ${y}v${tall}`;
    if (i === from + bytes - 1) d += `M${x + wide} ${y}v${tall}`;
    if (i !== from && i % columns === 0) d += `M${x} ${y}v${tall}`;
    if (i !== from + bytes - 1 && (i + 1) % columns === 0) d += `M${x + wide} ${y}v${tall}`;
    if (!covers(i - columns)) d += `M${x} ${y}h${wide}`;
    if (!covers(i + columns)) d += `M${x} ${y + tall}h${wide}`;
  }
  return d;
}
