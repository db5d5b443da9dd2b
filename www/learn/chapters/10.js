import { html } from 'lit';
import '../figures/few-values.js';
import '../figures/timing.js';

export const figures = { few: 'fb-few-values', timing: 'fb-timing' };
export const papers = ['deep', 'xnor', 'twn', 'lloyd'];
export const math = {
  alpha: html`<math display="block">
      <mi>W</mi><mo>≈</mo><mi>α</mi><mi mathvariant="normal">sign</mi><mo stretchy="false">(</mo><mi>W</mi
      ><mo stretchy="false">)</mo></math
    >
    <math display="block"
      ><mi>α</mi><mo>=</mo><mfrac><mn>1</mn><mi>n</mi></mfrac
      ><munder><mo>∑</mo><mi>i</mi></munder
      ><mrow
        ><mo>|</mo><msub><mi>w</mi><mi>i</mi></msub
        ><mo>|</mo></mrow
      >
    </math>`,
};
