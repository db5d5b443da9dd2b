import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, see, chapter, paper }) => html`
  <p>
    At 2 bits each weight has three values left, and rounding a finished network breaks it. ${chapter(10, 'Chapter 10')}
    said that such networks are trained for it. Training moves each weight a little down the slope of the
    <em>loss</em> L (the mean of −ln p, where p is the probability given to the right answer); this slope is the
    <em>gradient</em>. But rounding has no slope: move a weight a little and its rounded value does not move at all: the
    gradient is zero almost everywhere.
  </p>
  <p>
    The trick is to look away (${paper('ste')}). When the network answers, its weights are rounded; when the gradient is
    carried back, one pretends that they were not, and lets it straight through to the float weight behind:
  </p>
  ${math('straight')}
  <p>
    The float weight drifts, and now and then its rounded value jumps to the next level. After training only the rounded
    values are kept.
  </p>
  <p>
    A second trick is a teacher (${paper('distil')}). The float network does not only say “3”; it says “3, and a little
    like an 8”. Let the small network imitate the whole answer, and not the label alone: this is <em>distillation</em>.
  </p>
  ${figure('training')}
  <p>
    ${see('training', '', 'At 2 bits')} the gain is large; ${see('training', 'bits=3', 'at 3')} and
    ${see('training', 'bits=4', '4')} rounding afterwards does well already, and there is little left to win. The
    network begins at the float weights and sees its training images five times, shifted by up to a pixel.
  </p>
`;
