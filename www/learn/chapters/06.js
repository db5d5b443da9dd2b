import '../figures/zero-kinds.js';

export const figures = { kinds: 'fb-zero-kinds' };
export const code = {
  kinds: `import { init, quantize } from 'fewerbits';
await init();
const weights = Float32Array.of(-0.5, -0.03, 0, 0.02, 0.4, 0.5);
const kind = (id) => {
  const q = quantize(weights, [6], { id, bits: 3 });
  const values = q.dequantize();
  q.free();
  return [...values].map((x) => Number(x.toFixed(2)) || 0).join(' ');
};
kind('zero'); // "-0.43 0 0 0 0.43 0.43"
kind('nonzero'); // "-0.43 -0.14 0 0.14 0.43 0.43"`,
};
