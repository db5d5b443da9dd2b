import { html } from 'lit';
import '../figures/histogram.js';

export const figures = { histogram: 'fb-histogram' };
export const math = {
  moments: html`<math display="block">
      <mover><mi>w</mi><mo>¯</mo></mover
      ><mo>=</mo><mfrac><mn>1</mn><mi>n</mi></mfrac
      ><munder><mo>∑</mo><mi>i</mi></munder
      ><msub><mi>w</mi><mi>i</mi></msub></math
    >
    <math display="block"
      ><msup><mi>σ</mi><mn>2</mn></msup
      ><mo>=</mo><mfrac><mn>1</mn><mi>n</mi></mfrac
      ><munder><mo>∑</mo><mi>i</mi></munder
      ><msup
        ><mrow
          ><mo stretchy="false">(</mo><msub><mi>w</mi><mi>i</mi></msub
          ><mo>−</mo><mover><mi>w</mi><mo>¯</mo></mover
          ><mo stretchy="false">)</mo></mrow
        ><mn>2</mn></msup
      >
    </math>`,
};
export const code = {
  stats: `import { init, stats } from 'fewerbits';
await init();
const s = stats(Float32Array.of(-0.25, 0, 0.25, 0.5), { bins: 4 });
s.min; // -0.25
s.mean; // 0.125
s.zeros; // 1`,
};
