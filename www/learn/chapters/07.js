import { html } from 'lit';
import '../figures/adjust.js';

export const figures = { adjust: 'fb-adjust' };
export const papers = ['nagel'];
export const math = {
  refit: html`<math display="block">
    <mi>s</mi><mo>=</mo
    ><mfrac
      ><mrow
        ><munder><mo>∑</mo><mi>i</mi></munder
        ><msub><mi>w</mi><mi>i</mi></msub
        ><msub><mi>q</mi><mi>i</mi></msub></mrow
      ><mrow
        ><munder><mo>∑</mo><mi>i</mi></munder
        ><msubsup><mi>q</mi><mi>i</mi><mn>2</mn></msubsup></mrow
      ></mfrac
    >
  </math>`,
};
