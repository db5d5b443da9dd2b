import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, chapter, paper }) => html`
  <h1>Fewer bits</h1>
  <p class="lead">
    A neural network is a long list of numbers. Store each of them in fewer bits, and the network gets smaller and
    faster. Up to a point it hardly notices. This lesson finds that point, on a real network, in front of your eyes.
  </p>
  ${figure('digits')}
  <p>
    The network has 53,002 numbers and reads handwritten digits (${paper('digits')}). It is tried on 360 images that
    were
    <em>held out</em>: it has never seen them, not even while it was trained. Everything on these pages is computed
    while you look, by the same engine that shrinks models of many gigabytes in the rooms next door. Nothing is sent
    anywhere.
  </p>
  <p>
    Each chapter is one question, a page of text and a figure that you can take hold of. Read them in order, or begin
    with the one that most readers remember: ${chapter(5, 'a formula that fails')}.
  </p>
`;
