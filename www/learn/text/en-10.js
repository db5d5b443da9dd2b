import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, see, paper, chapter }) => html`
  <p>
    So far levels stood at equal distances. They need not. Let a layer use any 16 values, or 8, or 4, and store for each
    weight only which of them it is: a
    <em>codebook</em>. Where should the values stand? k-means, which Deep Compression uses (${paper('deep')}), moves
    each to the mean of the weights that chose it, until nothing moves (${paper('lloyd')}).
  </p>
  ${figure('few')}
  <p>
    ${see('few', 'values=k4', 'Sixteen values')}, 4 bits, read 359 digits; ${see('few', '', 'eight')} 350;
    ${see('few', 'values=k2', 'four')} 319. Note where they stand: close together where weights are many, far apart in
    the tails.
  </p>
  <h2>Three values, two values</h2>
  <p>
    ${see('few', 'values=ternary', 'Three values')}, −α, 0 and α (${paper('twn')}), still read 315. With
    ${see('few', 'values=binary', 'two')} only the sign is left, and XNOR-Net (${paper('xnor')}) shows that the best α
    is the mean magnitude:
  </p>
  ${math('alpha')}
  <p>
    That reads 127 digits here: far above chance, far below use. Networks that work with signs are trained with them.
    Rounding afterwards, as here, shows only what is lost.
  </p>
  <h2>XNOR and popcount</h2>
  <p>
    If the inputs are signs too, a product of signs is an XNOR, and a sum of 64 products is one XNOR of two words and a
    count of ones. Below, conv2 and fc1 run this way, with XNOR-Net’s scales for filters and places. They cost an eighth
    of a byte per weight.
  </p>
  ${figure('timing')}
  <p>
    It reads 254 digits, more than binary weights everywhere, because the first and the last layer stay in f32, as the
    paper advises, and because inputs are normalized on the images first. The speed is real; the accuracy has to be
    trained back.
  </p>
  <p class="soft">
    Why sixteen well-placed values come so near to 4-bit codes with better scales is a matter of
    ${chapter(14, 'limits')}.
  </p>
`;
