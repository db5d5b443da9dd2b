import { html } from 'lit';
import '../figures/printed-formula.js';

export const figures = { printed: 'fb-printed-formula' };
export const papers = ['deep', 'xnor', 'jacob'];
/** An `mspace` as high as a fraction: the bracket after it reaches as far as the one that opened, on another line too. */
export const math = {
  printed: html`<math display="block">
      <mi>q</mi><mo>=</mo><mi mathvariant="normal">round</mi
      ><mrow
        ><mo form="prefix">(</mo
        ><mfrac
          ><mrow><mi>x</mi><mo>−</mo><mi>min</mi></mrow
          ><mrow><mi>max</mi><mo>−</mo><mi>min</mi></mrow></mfrac
        ></mrow
      ></math
    >
    <math display="block" class="more"
      ><mrow
        ><mo>×</mo><mrow><mo stretchy="false">(</mo><mi>max</mi><mo>−</mo><mi>min</mi><mo stretchy="false">)</mo></mrow
        ><mspace width="0" height="1.1em" depth="0.5em"></mspace><mo form="postfix">)</mo></mrow
      ><mo>+</mo><mi>min</mi>
    </math>`,
  cancels: html`<math display="block">
      <mi>q</mi><mo>=</mo><mi mathvariant="normal">round</mi><mo stretchy="false">(</mo><mi>x</mi><mo>−</mo><mi>min</mi
      ><mo stretchy="false">)</mo><mo>+</mo><mi>min</mi></math
    >
    <math display="block" class="more"
      ><mo>=</mo><mi mathvariant="normal">round</mi><mo stretchy="false">(</mo><mi>x</mi><mo stretchy="false">)</mo>
    </math>`,
  meant: html`<math display="block">
      <mi>q</mi><mo>=</mo><mi mathvariant="normal">round</mi
      ><mrow
        ><mo form="prefix">(</mo
        ><mfrac
          ><mrow
            ><mi>x</mi><mo>−</mo><msub><mi>x</mi><mi>min</mi></msub></mrow
          ><mrow
            ><msub><mi>x</mi><mi>max</mi></msub
            ><mo>−</mo><msub><mi>x</mi><mi>min</mi></msub></mrow
          ></mfrac
        ></mrow
      ></math
    >
    <math display="block" class="more"
      ><mrow
        ><mo>×</mo
        ><mrow
          ><mo stretchy="false">(</mo><msub><mi>q</mi><mi>max</mi></msub
          ><mo>−</mo><msub><mi>q</mi><mi>min</mi></msub
          ><mo stretchy="false">)</mo></mrow
        ><mspace width="0" height="1.1em" depth="0.5em"></mspace><mo form="postfix">)</mo></mrow
      ><mo>+</mo><msub><mi>q</mi><mi>min</mi></msub>
    </math>`,
  zero: html`<math display="block">
      <mi>q</mi><mo>=</mo><mi mathvariant="normal">round</mi><mo stretchy="false">(</mo><mi>x</mi><mo>/</mo><mi>s</mi
      ><mo stretchy="false">)</mo><mo>+</mo><mi>z</mi></math
    >
    <math display="block"
      ><msup><mi>x</mi><mo>′</mo></msup
      ><mo>=</mo><mi>s</mi
      ><mrow><mo stretchy="false">(</mo><mi>q</mi><mo>−</mo><mi>z</mi><mo stretchy="false">)</mo></mrow>
    </math>`,
};
export const code = {
  printed: `import { init, article } from 'fewerbits';
await init();
const printed = article.quantizeZero(Float32Array.of(1.2, 2.3, 3.4, 4.5, 5.6), -128, 127);
printed.values.join(' '); // "1 2 3 4 6"
article.quantizeZero(Float32Array.of(0.31, -0.08, 0.02), -128, 127).values.join(' '); // "0 0 0"`,
  mended: `import { init, quantize } from 'fewerbits';
await init();
const q = quantize(Float32Array.of(0.31, -0.08, 0.02), [3], { id: 'int8', symmetric: false });
q.codes().join(' '); // "127 -128 -63"
Array.from(q.dequantize(), (x) => x.toFixed(2)).join(' '); // "0.31 -0.08 0.02"
q.free();`,
};
