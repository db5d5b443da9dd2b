/** Inks for the matrix: from paper to a full ink, by way of the role's own colour. Pure but for reading CSS colours. */

/** @typedef {[number, number, number]} Rgb */

/**
 * @param {string} text #rgb, #rrggbb or rgb()
 * @returns {Rgb}
 */
export function parseColour(text) {
  const hex = text.trim();
  if (/^#[0-9a-f]{3}$/i.test(hex)) return /** @type {Rgb} */ ([1, 2, 3].map((i) => parseInt(hex[i] + hex[i], 16)));
  if (/^#[0-9a-f]{6}/i.test(hex)) return /** @type {Rgb} */ ([1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const found = hex.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0];
  return [found[0] ?? 0, found[1] ?? 0, found[2] ?? 0];
}

/**
 * 256 colours as packed RGBA (little-endian): paper at 0, the ink in the middle, deep at 255.
 * @param {Rgb} paper
 * @param {Rgb} ink
 * @param {Rgb} deep
 */
export function ramp(paper, ink, deep) {
  const table = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const t = i / 255;
    const [from, to, u] = t < 0.5 ? [paper, ink, t * 2] : [ink, deep, t * 2 - 1];
    const [r, g, b] = from.map((c, k) => Math.round(c + (to[k] - c) * u));
    table[i] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return table;
}
