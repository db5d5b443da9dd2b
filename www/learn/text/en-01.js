import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, see, chapter, paper }) => html`
  <p>
    A trained network is nothing but numbers, called weights. Each is stored as a 32-bit float: one bit for the sign,
    eight for an exponent, 23 for a fraction.
  </p>
  ${math('float')}
  <p>
    The network of these pages has four <em>layers</em>, each with a table of weights: conv1 and conv2 look at small
    patches of the image, fc1 and fc2 combine what they have found. Here is one weight of layer fc1, as training left
    it. Turn its bits. The bits on the left move the value a long way; the bits on the right hardly move it at all.
  </p>
  ${figure('bits')}
  <p>
    The smallest step, from one float to the next, is called an <em>ulp</em>. For this weight it is about a
    ten-millionth of its value. Training is far noisier than that, so most of the fraction holds nothing that the
    network has learnt. That is why bits can go.
  </p>
  <h2>Shorter floats</h2>
  <p>
    Floats come in other lengths. bf16 is f32 with 16 bits of fraction cut off. f16 spends fewer bits on the exponent
    and more on the fraction. The 8-bit and 4-bit kinds (${paper('mx')}) are so short that all their values fit on a
    line:
  </p>
  ${figure('line')}
  <p>
    Floats crowd around zero, and each doubling of the value doubles the gap.
    ${see('line', 'reach=1', 'Between −1 and 1')}, where nearly all weights of a network live, fp4 has only five numbers
    left. Those five would do better if they stood where the weights are: multiply by a scale first, and they do. The
    rest of this lesson is about choosing that scale, and about formats that place their levels evenly, which are simply
    integers. But first: ${chapter(2, 'what is there to gain?')}
  </p>
`;
