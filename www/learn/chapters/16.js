import { html } from 'lit';
import '../figures/language-model.js';
import '../figures/verdict.js';

export const figures = { verdict: 'fb-verdict', lm: 'fb-language-model' };
export const papers = ['rust'];
export const math = {
  perplexity: html`<math display="block">
      <mi mathvariant="normal">perplexity</mi><mo>=</mo><msup><mi>e</mi><mi>L</mi></msup></math
    >
    <math display="block"
      ><mi>L</mi><mo>=</mo><mo>−</mo><mfrac><mn>1</mn><mi>n</mi></mfrac
      ><munder><mo>∑</mo><mi>i</mi></munder
      ><mi>ln</mi><msub><mi>p</mi><mi>i</mi></msub>
    </math>`,
};
export const code = {
  continue: `import { init, openModel, LanguageModel } from 'fewerbits';
await init();
const model = await openModel('rust-docs.gguf');
const float = await LanguageModel.load(model);
const small = float.quantized({ id: 'q4_k' });
small.begin('If the vector is empty,');
while (!small.next().isEnd);
small.text.slice(24, 51); // "then the resulting value is"
const { perToken } = await small.measure('A vector is a growable array.'); // in nats
perToken < Math.log(1024); // true
small.free();
float.free();`,
};
