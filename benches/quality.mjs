/**
 * Every scheme at its defaults, on weights of a Gaussian and on the sample network's largest matrix: true bits per weight, the
 * signal-to-quantization-noise ratio, and how far that lies from 6.02 dB per bit, the limit for independent Gaussian weights.
 * `cargo xtask bench quality` builds the engine and prints the table.
 */
import { init, openModel, schemes, Weights } from '../www/lib/index.js';

/** What a bit is worth: 20·log₁₀2. */
const DB_PER_BIT = 20 * Math.log10(2);
const ROWS = 1024;
const COLUMNS = 2048;

/** Box and Muller over a linear congruential generator: the same weights in every run. @param {number} n */
function gaussians(n) {
  let state = 0x2545f491;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const x = new Float32Array(n);
  for (let i = 0; i < n; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    x[i] = radius * Math.cos(angle);
    x[i + 1] = radius * Math.sin(angle);
  }
  return x;
}

/** @param {Weights} weights @param {any} entry */
function measured(weights, entry) {
  const runsOver = entry.options.some((/** @type {any} */ option) => option.name === 'flatten');
  const { bitsPerWeight, metrics } = weights.evaluate({ id: entry.id, ...(runsOver && { flatten: true }) });
  return { bits: bitsPerWeight, db: metrics.sqnrDb };
}

await init();
const gaussian = new Weights(gaussians(ROWS * COLUMNS), [ROWS, COLUMNS]);
const model = await openModel(new URL('../www/public/models/digits.safetensors', import.meta.url).pathname);
const matrices = model.tensors.filter(({ shape }) => shape.length > 1);
const largest = matrices.reduce((a, b) => (b.count > a.count ? b : a));
const trained = new Weights(await model.read(largest.name), [...largest.shape]);

const decibels = (/** @type {number} */ db) => (Number.isFinite(db) ? db.toFixed(2) : '∞').replace('-', '−');
const rows = schemes().map((entry) => {
  const [a, b] = [measured(gaussian, entry), measured(trained, entry)];
  const below = a.bits * DB_PER_BIT - a.db;
  return { entry, a, b, below };
});
console.log(`
Unit Gaussian: ${ROWS} × ${COLUMNS} weights. Trained: ${largest.name} of the sample, ${largest.shape.join(' × ')}. Schemes at their defaults; blocks run over rows.

| scheme | family | bits per weight | SQNR, Gaussian, dB | below 6.02 dB per bit | bits per weight, trained | SQNR, trained, dB |
|---|---|--:|--:|--:|--:|--:|
${rows
  .map(({ entry, a, b, below }) =>
    [
      '',
      `\`${entry.id}\``,
      entry.family,
      a.bits.toFixed(3),
      decibels(a.db),
      decibels(below),
      b.bits.toFixed(3),
      decibels(b.db),
      '',
    ]
      .join(' | ')
      .trim(),
  )
  .join('\n')}`);
await model.close();
