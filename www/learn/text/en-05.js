import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, code, see, paper, chapter }) => html`
  <p>
    This formula stands in an article on quantization that many people have read. It turns a float x into a quantized
    value q:
  </p>
  ${math('printed')}
  <p>
    The article says that min and max are the ends of the integer range, −128 and 127. It looks right: subtract, divide,
    multiply, round, shift back. It even has an example, and the example works:
  </p>
  ${code('printed')}
  <p>Now give it a trained network.</p>
  ${figure('printed')}
  <h2>What happened</h2>
  <p>
    Of the 32,768 weights of layer fc1, ${see('printed', 'shown=1', '32,767 became exactly 0')}. One, larger than a
    half, became 1. The network now gives the same answer for every image and is right for 35 of 360: one in ten, what a
    guess would get.
  </p>
  <h2>Find the fault</h2>
  <p>
    Is −128 … 127 too wide? Try ${see('printed', 'range=nibble;shown=1', '−8 … 7')}, or
    ${see('printed', 'range=unit;shown=1', '−1 … 1')}: the same. Look at the arithmetic of one weight under the picture.
    It is divided by (max − min), and multiplied by (max − min). These are the same number. They cancel, and what is
    left is
  </p>
  ${math('cancels')}
  <p>
    whenever min is a whole number. The formula has no scale at all. It rounds to whole numbers, and weights are small:
    nearly all lie within ±0.5. The article’s example hides this because its numbers are larger than 1. With
    ${see('printed', 'range=half;shown=1', '−0.5 … 0.5')} the steps are still 1 wide and begin at −0.5, so that only the
    sign of each weight survives; oddly enough, signs alone are worth 120 digits. ${chapter(10, 'Chapter 10')} comes
    back to that.
  </p>
  <h2>Mend it</h2>
  <p>
    One idea is missing: there are two ranges, and the formula gives both the same name. x has its own range, from the
    least weight to the greatest; q has the integers’. Tell them apart:
  </p>
  ${math('meant')}
  <p>
    ${see('printed', 'view=meant', 'With two ranges')} the fraction places x within its own range, 0 … 1, and the
    product stretches that over the 255 integer steps. The network is back: 359 of 360, with every weight in a byte.
  </p>
  <p>
    One blemish remains: 0 is not among the levels. It comes back as 0.0001;
    ${see('printed', 'view=meant;bits=4', 'at 4 bits')} as 0.008. Zeros are common in networks: paddings, pruned
    weights, the output of a ReLU (which turns whatever is negative into 0); they should stay what they are. So let an
    integer z, the
    <em>zero point</em>, stand for exactly 0, and let s be the step:
  </p>
  ${math('zero')}
  <p>
    ${see('printed', 'view=zero', 'This is the form')} that ONNX, TensorFlow Lite and PyTorch use (${paper('jacob')}),
    and the one that the rest of this lesson builds on.
  </p>
  ${code('mended')}
  <p class="soft">
    The article cites two well-known papers under wrong names; they are listed below as they are. Its formula is kept in
    this package, bit for bit as numpy runs it, as <code>article.quantizeZero</code>.
  </p>
`;
