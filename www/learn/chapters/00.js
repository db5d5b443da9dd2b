import '../figures/digits.js';

export const figures = { digits: 'fb-digits' };
export const papers = ['digits'];
