import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, see, paper }) => html`
  <p>
    How little error can b bits buy? Error is measured against the weights themselves, in decibels; for independent
    weights of a bell curve information theory has an answer (${paper('shannon')}): no method whatever does better than
    6.02 dB for each bit.
  </p>
  ${math('limit')}
  <p>Here is every scheme of this page, by what it costs and what it keeps. Choose a point to read it.</p>
  ${figure('limit')}
  <p>
    All lie below the line. ${see('limit', 'at=int4', 'Plain int4')} is almost 10 dB short, since one scale must fit the
    farthest of 65,536 weights. ${see('limit', '', 'Q4_K')} is 4.2 dB short.
    ${see('limit', 'at=kmeans', 'Sixteen values by k-means')} come closest at 4 bits, 3.9 dB short: 20.22 dB is what the
    best sixteen values can do (${paper('lloyd')}). The rest of the way needs codes over many weights at once.
  </p>
  <p>
    ${see('limit', 'weights=fc1.weight', 'On the trained layer')} the picture hardly changes: its weights nearly follow
    a bell curve. But make it ${see('limit', 'weights=sparse', 'sparse')}, with four of five weights zero and Huffman’s
    code after the scheme: now most points lie above the line. No law is broken. The limit holds for the bell curve;
    weights of which most are zero hold less information, and a code that knows it spends fewer bits on them. Real
    weights that are sparse, heavy-tailed or dependent on each other can beat 6.02 dB per bit.
  </p>
`;
