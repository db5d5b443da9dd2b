import '../figures/timing.js';

export const figures = { timing: 'fb-timing' };
export const papers = ['horowitz', 'jacob'];
export const code = {
  sizes: `import { init, packedLength } from 'fewerbits';
await init();
packedLength([128, 256], { id: 'int8' }); // 32772: one byte for a weight, and a scale
packedLength([128, 256], { id: 'int4' }); // 16388`,
};
