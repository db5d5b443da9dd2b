/**
 * What the search for less error writes for each of ggml's types, and what the engine reads back: a line of JSON for each type and input,
 * `{id, input, bytes, values}`, in base64. For best.py.
 */
import { init, quantize, schemes } from '../../www/lib/index.js';

const COUNT = 1 << 14;
const INPUTS = {
  gaussian: (/** @type {() => number} */ normal) => 0.02 * normal(),
  heavy: (/** @type {() => number} */ normal) => 0.02 * normal() ** 3,
  'below zero': (/** @type {() => number} */ normal) => -Math.abs(normal()) - 0.5,
  // Whole numbers of steps, the lowest code among them.
  steps: (/** @type {() => number} */ normal) => Math.max(-128, Math.min(127, Math.round(60 * normal()))) / 64,
};

let state = 20260101;
const uniform = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state + 0.5) / 2 ** 32;
};
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());

await init();
for (const [input, of] of Object.entries(INPUTS)) {
  const x = Float32Array.from({ length: COUNT }, () => of(normal));
  for (const { id } of schemes().filter(({ family }) => family === 'ggml')) {
    const q = quantize(x, [COUNT / 1024, 1024], { id, effort: 'best' });
    try {
      const values = q.dequantize();
      const base64 = (/** @type {ArrayBufferView} */ a) =>
        Buffer.from(a.buffer, a.byteOffset, a.byteLength).toString('base64');
      console.log(JSON.stringify({ id, input, bytes: base64(q.bytes), values: base64(values) }));
    } finally {
      q.free();
    }
  }
}
