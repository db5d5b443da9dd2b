import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, code, see, chapter }) => html`
  <p>
    A scale is set by the largest weight that uses it. So the question is who shares it: the whole <em>tensor</em> (all
    weights of a layer), one row (the weights of one output, a <em>channel</em>), or a <em>group</em> of 32 neighbours.
    The finer the grain, the more scales are stored: a group of 32 with a float scale costs one more bit per weight.
  </p>
  <p>Take one weight out of 32,768 and let it grow. It is the only one that changes.</p>
  ${figure('grain')}
  <p>
    ${see('grain', '', 'At 1.0')}, twice the largest other weight, one scale for the whole tensor already sends more
    than half of all weights to zero. ${see('grain', 'outlier=4', 'At 4.0')} it sends 99.5&nbsp;% there, and the network
    falls from 358 digits to 133. With one scale for each row only that row suffers, and the network reads 359; with
    groups, only 31 neighbours notice.
  </p>
  <p>
    The table’s SQNR hides this: ${see('grain', 'outlier=8', 'at 8.0')} the outlier itself is most of the signal. And
    ${see('grain', 'outlier=4;bits=8', '8 bits')} are enough to carry even this outlier. Large language models have
    outliers of just this kind, which is why nobody stores them in 4 bits with one scale per tensor. Their formats use
    blocks: ${chapter(9, 'next chapter')}.
  </p>
  ${code('grain')}
`;
