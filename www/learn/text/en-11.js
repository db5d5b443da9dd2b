import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, code, see, paper }) => html`
  <p>
    Instead of shortening weights one can drop them. Deep Compression (${paper('deep')}) does three things in a row:
    <b>prune</b> the smallest weights to zero, let the others <b>share</b> a few values, and <b>code</b> what is left
    with Huffman’s code, short words for frequent values.
  </p>
  ${figure('stages')}
  <p>
    Every number here is the length of real bytes that were decoded again. Zeros are not free: a mask says where they
    are, one bit for each weight. ${see('stages', 'ratio=0', 'Without pruning')}, sharing and Huffman alone make the
    matrices 8.5 times smaller and lose nothing: 359 digits. ${see('stages', '', 'Half pruned')}, 11.4 times, and 339.
    ${see('stages', 'ratio=0.7', 'At 70\u00a0%')}, 15.8 times, and the network is broken: 108.
  </p>
  <p>
    The paper reports 35 and 49 times for AlexNet and VGG-16, without loss. Say it plainly: those need
    <em>retraining</em> after each step, and networks with far more weights than they need. Without it, as here, this
    network of 53,002 weights cannot spare half of them.
  </p>
  ${code('stages')}
`;
