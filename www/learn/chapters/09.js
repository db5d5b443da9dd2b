import '../figures/blocks.js';

export const figures = { blocks: 'fb-blocks' };
export const papers = ['qlora', 'mx'];
export const code = {
  blocks: `import { init, quantize } from 'fewerbits';
await init();
const weights = Float32Array.from({ length: 32 }, (_, i) => (i - 16) / 16);
const q = quantize(weights, [32], { id: 'q4_0' });
q.bytes.length; // 18: a scale in two bytes, then 32 codes of 4 bits
q.bitsPerWeight; // 4.5
q.free();`,
};
