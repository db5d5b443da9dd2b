import '../figures/verdict.js';

export const figures = { verdict: 'fb-verdict' };
