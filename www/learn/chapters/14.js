import { html } from 'lit';
import '../figures/limit.js';

export const figures = { limit: 'fb-limit' };
export const papers = ['shannon', 'lloyd'];
export const math = {
  limit: html`<math display="block">
      <mi mathvariant="normal">SQNR</mi><mo>=</mo><mn>10</mn><msub><mi>log</mi><mn>10</mn></msub
      ><mfrac
        ><mrow
          ><mo>∑</mo><msup><mi>w</mi><mn>2</mn></msup></mrow
        ><mrow
          ><mo>∑</mo
          ><msup
            ><mrow
              ><mo stretchy="false">(</mo><mi>w</mi><mo>−</mo><msup><mi>w</mi><mo>′</mo></msup
              ><mo stretchy="false">)</mo></mrow
            ><mn>2</mn></msup
          ></mrow
        ></mfrac
      ></math
    >
    <math display="block" class="more"><mo>≤</mo><mn>6.02</mn><mi>b</mi> </math>`,
};
