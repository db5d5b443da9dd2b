import { html } from 'lit';
import '../figures/range.js';

export const figures = { range: 'fb-range' };
export const papers = ['jacob'];
export const math = {
  step: html`<math display="block">
    <mi>s</mi><mo>=</mo
    ><mfrac
      ><mrow><mi mathvariant="normal">high</mi><mo>−</mo><mi mathvariant="normal">low</mi></mrow
      ><mrow
        ><msup><mn>2</mn><mi>b</mi></msup
        ><mo>−</mo><mn>1</mn></mrow
      ></mfrac
    >
  </math>`,
};
export const code = {
  range: `import { init, quantize } from 'fewerbits';
await init();
const weights = Float32Array.of(-0.3, -0.1, 0, 0.05, 0.2, 0.9);
const q = quantize(weights, [6], { id: 'int4', symmetric: false, range: 'manual', rangeLow: -0.3, rangeHigh: 0.45 });
q.codes().join(' '); // "-8 -4 -2 -1 2 7"
q.dequantize()[5].toFixed(2); // "0.45"
q.free();`,
};
