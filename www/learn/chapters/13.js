import { html } from 'lit';
import '../figures/training.js';

export const figures = { training: 'fb-training' };
export const papers = ['ste', 'distil'];
export const math = {
  straight: html`<math display="block">
    <mfrac
      ><mrow><mo>∂</mo><mi>L</mi></mrow
      ><mrow><mo>∂</mo><mi>w</mi></mrow></mfrac
    ><mo>≈</mo
    ><mfrac
      ><mrow><mo>∂</mo><mi>L</mi></mrow
      ><mrow
        ><mo>∂</mo><mi mathvariant="normal">round</mi><mo stretchy="false">(</mo><mi>w</mi
        ><mo stretchy="false">)</mo></mrow
      ></mfrac
    >
  </math>`,
};
