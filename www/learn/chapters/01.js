import { html } from 'lit';
import '../figures/float-bits.js';
import '../figures/number-line.js';

export const figures = { bits: 'fb-float-bits', line: 'fb-number-line' };
export const papers = ['mx'];
export const math = {
  float: html`<math display="block">
    <mi>w</mi><mo>=</mo
    ><msup
      ><mrow><mo stretchy="false">(</mo><mo form="prefix">−</mo><mn>1</mn><mo stretchy="false">)</mo></mrow
      ><mi>s</mi></msup
    ><mo>×</mo
    ><msup
      ><mn>2</mn><mrow><mi>e</mi><mo>−</mo><mn>127</mn></mrow></msup
    ><mo>×</mo
    ><mrow
      ><mo>(</mo><mn>1</mn><mo>+</mo
      ><mfrac
        ><mi>f</mi><msup><mn>2</mn><mn>23</mn></msup></mfrac
      ><mo>)</mo></mrow
    >
  </math>`,
};
