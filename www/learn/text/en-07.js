import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, see, paper }) => html`
  <p>
    After rounding, the <em>codes</em>, the integers that stand for the weights, are fixed. What stands around them can
    still be adjusted, without data and without training.
  </p>
  <p>
    <b>Refit the scale.</b> The range chose the scale before anybody knew the codes. Now that they are known, least
    squares gives the best scale for them:
  </p>
  ${math('refit')}
  <p>
    <b>Correct the bias.</b> Rounding errors of a row (the weights that feed one output) do not quite sum to zero, so
    that its output is shifted a little, always the same way. Store the mean error of each row and add it back
    (${paper('nagel')} do it with activations as well).
  </p>
  <p>
    <b>Search.</b> Try many scales, each with its own codes, and keep the best. It costs time once, and not a single
    byte.
  </p>
  ${figure('adjust')}
  <p>
    At ${see('adjust', 'way=none', '3 bits')} with one scale for each row, the network reads 330 digits as it comes.
    Refitting brings 337, bias correction 351, ${see('adjust', 'way=both', 'both together')} 357, one fewer than the
    float network. ${see('adjust', 'way=best', 'The search')} makes the weights’ own error smallest by far (13.2 dB
    against 11.1), but the network reads ten digits fewer than with both. Noise that does not lean to one side does less
    harm than its size suggests.
  </p>
  <p>
    ${see('adjust', 'bits=2;way=both', 'At 2 bits')} the adjustments raise 72 to 314.
    ${see('adjust', 'bits=8;way=both', 'At 8 bits')} there is nothing left to mend.
  </p>
`;
