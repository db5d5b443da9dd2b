import '../figures/deep-compression.js';

export const figures = { stages: 'fb-deep-compression' };
export const papers = ['deep'];
export const code = {
  stages: `import { init, quantize } from 'fewerbits';
await init();
const weights = Float32Array.from({ length: 1024 }, (_, i) => Math.sin(i) ** 3);
const packed = (options) => {
  const q = quantize(weights, [1024], { id: 'kmeans', bits: 4, ...options });
  const { byteLength } = q;
  q.free();
  return byteLength;
};
const shared = packed({ prune: { ratio: 0.5 } });
packed({ prune: { ratio: 0.5 }, entropy: 'huffman' }) < shared; // true`,
};
