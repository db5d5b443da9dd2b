/** How much a tensor lost, as a colour: the same steps in the strip, the table and the legend. */

/** From so many dB on; the last step is for what is below all of them. */
export const STEPS = [50, 40, 30, 20, 10, -Infinity];

/** How much of the colour of damage each step has; the rest is paper. */
const SHARES = [0.24, 0.39, 0.54, 0.69, 0.84, 1];

/** @param {number} sqnrDb */
export const stepOf = (sqnrDb) => STEPS.findIndex((least) => sqnrDb >= least);

/**
 * The step's class for CSS: `loss-0` … `loss-5`, `loss-none` for a tensor that loses nothing, `loss-unknown`.
 * @param {import('./state.js').Damage | null} damage
 */
export function lossClass(damage) {
  if (!damage || damage.sqnrDb === null) return 'loss-unknown';
  return damage.sqnrDb === Infinity ? 'loss-none' : `loss-${stepOf(damage.sqnrDb)}`;
}

/**
 * The colours of the steps for a canvas, from the page's own.
 * @param {CSSStyleDeclaration} style
 * @param {CanvasRenderingContext2D} context which writes any opaque colour as `#rrggbb`
 */
export function palette(style, context) {
  const colour = (/** @type {string} */ name) => {
    context.fillStyle = style.getPropertyValue(name).trim();
    return String(context.fillStyle);
  };
  const [paper, error] = [rgb(colour('--paper')), rgb(colour('--error'))];
  const mixed = SHARES.map((share) => {
    const part = (/** @type {number} */ i) => Math.round(paper[i] + (error[i] - paper[i]) * share);
    return `rgb(${part(0)} ${part(1)} ${part(2)})`;
  });
  return {
    steps: mixed,
    none: colour('--float'),
    unknown: colour('--rule-strong'),
    ground: colour('--paper-2'),
    rule: colour('--rule-strong'),
    ink: colour('--ink'),
    paper: colour('--paper'),
  };
}

/** @param {string} hex */
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
