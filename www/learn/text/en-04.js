import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, code, see, paper, chapter }) => html`
  <p>
    With b bits there are 2<sup>b</sup> levels. They must be laid over some range of values, evenly, one step apart
    (${paper('jacob')}):
  </p>
  ${math('step')}
  <p>
    A wide range loses nobody but has coarse steps. A narrow range has fine steps but cuts off whatever lies beyond:
    those weights move to the nearest end. Drag the two handles, or focus one and use the arrow keys. What is cut off is
    hatched.
  </p>
  ${figure('range')}
  <p>The first idea, from the least weight to the greatest, gives all power to two weights. Better rules exist:</p>
  <ul>
    <li>${see('range', 'rule=percentile', 'Percentile')}: cut off the outermost weights, here one in a thousand.</li>
    <li>${see('range', 'rule=mse', 'Least error')}: try many ranges and keep the one with the least squared error.</li>
    <li>
      ${see('range', 'rule=kl', 'KL')}: keep the one whose histogram is nearest to the original’s by the
      Kullback–Leibler divergence.
    </li>
  </ul>
  <p>
    Error is given as <em>SQNR</em>, the weights’ power over the error’s, in decibels: more is better, and 6 dB more is
    half the error.
  </p>
  <p>
    At 3 bits, ${see('range', '', 'min–max')} leaves 341 of 360 digits and an SQNR of 8.3 dB;
    ${see('range', 'rule=mse', 'least error')} cuts off some hundred weights, gains 4.9 dB, and leaves 351. At
    ${see('range', 'bits=8', '8 bits')} there are levels enough and all rules agree: the choice matters when bits are
    few.
  </p>
  <p>
    Less error in the weights is not the same as more digits read. ${see('range', 'bits=2;rule=kl', 'At 2 bits')} KL has
    the greater error of the two and reads 323 digits where ${see('range', 'bits=2;rule=mse', 'least error')} reads 236.
    In the end only the network can say: which is what ${chapter(12, 'chapter 12')} does.
  </p>
  ${code('range')}
`;
