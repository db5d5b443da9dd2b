import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, code, see, chapter }) => html`
  <p>
    What should become of small weights? The article of the ${chapter(5, 'last chapter')} names three answers. Its text
    and its listings disagree about the first: the text says that all non-zero values become zero, the listing leaves
    zeros alone and rounds the others. Its third listing computes a share of zeros and never uses it. Here are the three
    as they must be meant.
  </p>
  <ul>
    <li><b>Zero</b>: 0 is a level, and small weights fall onto it.</li>
    <li>
      <b>Non-zero</b>: no weight that is not zero may become zero. What would fall there moves one level towards its own
      sign.
    </li>
    <li>
      <b>Mixed</b>: a share of the smallest weights is made zero on purpose, a share of the largest stays float, and
      what lies between becomes integers.
    </li>
  </ul>
  ${figure('kinds')}
  <p>
    At ${see('kinds', '', '3 bits')} zero quantization makes more than half of this layer 0 and reads 341 digits.
    Non-zero saves every small weight from zero, but pays for it: each is pushed to a value much larger than itself, and
    with so many small weights that is a lot of noise: 257 digits. At ${see('kinds', 'bits=8', '8 bits')} a level is so
    near zero that the difference is gone.
  </p>
  <p>
    Mixed is another bargain. It has the least error at 3 bits (keeping the largest one per cent as floats narrows the
    range for all others), yet setting half of every layer to zero costs digits however many bits are spent. Lower
    ${see('kinds', 'zeros=0.2', 'the share of zeros')} and see them return. How far pruning goes is the matter of
    ${chapter(11, 'chapter 11')}.
  </p>
  ${code('kinds')}
`;
