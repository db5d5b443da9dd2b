import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, code, see, chapter, paper }) => html`
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
    <li>At 2 bits and below: badly, unless the network is ${chapter(13, 'trained for it')}.</li>
  </ul>
  <h2>And a language model?</h2>
  <p>
    Those numbers are one small network’s. Here is a network of quite another kind: a llama, built like the models that
    people talk to, with 2.6 million weights instead of billions. It has read the documentation of Rust
    (${paper('rust')}), and it can do one thing: given the beginning of a text, it says how likely each of its 1,024
    <em>tokens</em> (words and pieces of words) is to come next. The likeliest is written down, and the question is
    asked again. So small a model means little by what it writes. Watch what stays the same.
  </p>
  ${figure('lm')}
  <p>
    There are no digits to count here. The model reads pages that it has never seen, and at each token we ask which
    probability p it had given to the one that came. The mean of −ln p is its loss L, as in
    ${chapter(13, 'chapter 13')}. Easier to picture is the
    <em>perplexity</em>: the model is as unsure as if it hesitated between that many tokens, all equally likely.
  </p>
  ${math('perplexity')}
  <p>
    In float it is 20.3; a model that knows nothing would have 1,024. At
    ${see('lm', 'kind=tensor;bits=8;shown=1', '8 bits')} it is 20.3 still. At 4 bits it is
    ${see('lm', 'kind=tensor;shown=1', '25.3')} with one scale per tensor, and ${see('lm', 'shown=1', '20.7')} with a
    scale for every 32 weights. At 3 bits one scale per tensor, which left the digits network
    <a href="#/learn">287 of its 360 digits</a>, breaks this one: ${see('lm', 'kind=tensor;bits=3', '520')}. At 2 it has
    become ${see('lm', 'kind=tensor;bits=2', 'the 1,024 of one that knows nothing')}: all but a few weights are zero, as
    under ${chapter(5, 'the formula that fails')}.
  </p>
  <p>
    Its weights are no worse than others; they share their scales with too many. The same 3 bits with
    ${see('lm', 'bits=3', 'a scale for every 32')} give 22.2, and llama.cpp’s ${chapter(9, 'blocks')} of 3 and 2 bits
    give ${see('lm', 'kind=k;bits=3', '21.1')} and ${see('lm', 'kind=k;bits=2', '24.0')}: it still writes English, and
    no weight was trained again.
  </p>
  ${code('continue')}
  <p>
    Does quantization hurt, then? It depends on the network, on the bits, and above all on how they are spent. Larger
    networks usually stand more, and what hurts is seldom the average weight but an outlier, or a layer that pays for
    all. So measure your own: <a href="#/explore">open a model</a>, look at its layers, and let
    <a href="#/shrink">Shrink</a> write what holds.
  </p>
`;
