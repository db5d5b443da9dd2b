import '../figures/layers.js';

export const figures = { layers: 'fb-layers' };
