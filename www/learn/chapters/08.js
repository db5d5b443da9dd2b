import '../figures/grain.js';

export const figures = { grain: 'fb-grain' };
export const code = {
  grain: `import { init, evaluate } from 'fewerbits';
await init();
const weights = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i) * 0.2);
weights[5] = 4; // an outlier
const bits = (options) => evaluate(weights, [4, 32], { id: 'int4', ...options });
bits({ granularity: 'tensor' }).metrics.zeroed > 0.9; // true
bits({ granularity: 'channel' }).metrics.zeroed < 0.35; // true
bits({ granularity: 'group', groupSize: 32 }).bitsPerWeight; // 5`,
};
