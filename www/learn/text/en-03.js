import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, code, see, chapter }) => html`
  <p>
    Before rounding anything, look. How wide do the weights of a layer lie, where is their middle, and are there
    outliers?
  </p>
  ${figure('histogram')}
  <p>
    The layers of this network, like those of most, are close to a bell curve (dashed) around zero. Two numbers describe
    it: the mean, and the spread σ.
  </p>
  ${math('moments')}
  <p>
    ${see('histogram', '', 'In fc1')} the mean is 100 times smaller than σ: zero is in the middle. The farthest weight
    stands more than five σ out. Few weights are so far, but the ends of the range depend on them alone, and that is the
    trouble of the ${chapter(4, 'next chapter')}. Switch the counts to ${see('histogram', 'log=1', 'logarithmic')} to
    see how thin the tails are.
  </p>
  <p>
    ${see('histogram', 'layer=conv1.weight', 'conv1')} is different: its 288 weights spread evenly over a range three
    times as wide. No range fits all layers, and no rule of thumb about “weights between −1 and 1” should be trusted
    without a look.
  </p>
  ${code('stats')}
`;
