import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, chapter }) => html`
  <p>
    The question that everybody asks first can now be answered by what you have seen. Here are your own measurements,
    between two plain ways of rounding:
  </p>
  ${figure('verdict')}
  <ul>
    <li>
      At 8 bits: no. One scale for a tensor and plain rounding are enough, once ${chapter(5, 'the formula')} has two
      ranges.
    </li>
    <li>
      At 4 bits: hardly, if you choose the ${chapter(4, 'range')} or the ${chapter(8, 'grain')} with care, or use
      ${chapter(9, 'blocks')}.
    </li>
    <li>
      At 3 bits: yes, but much can be mended by ${chapter(7, 'adjusting')}, and by
      ${chapter(12, 'sparing the layers that pay')}.
    </li>
    <li>At 2 bits and below: badly, unless the network is trained for it.</li>
  </ul>
  <p>
    These numbers are one small network’s. Others bend elsewhere: larger networks usually stand more, and what hurts is
    seldom the average weight but an outlier, or a layer that pays for all. So measure your own:
    <a href="#/explore">open a model</a>, look at its layers, and let <a href="#/shrink">Shrink</a> write what holds.
  </p>
`;
