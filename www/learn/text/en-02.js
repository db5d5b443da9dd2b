import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, code, chapter, paper }) => html`
  <p>Three things get cheaper with fewer bits.</p>
  <p>
    <b>Space.</b> A model with seven billion weights takes 28 GB in f32, 7 GB in 8 bits, 3.5 GB in 4. The size is known
    before anything is computed:
  </p>
  ${code('sizes')}
  <p>
    <b>Bandwidth.</b> A language model reads all its weights for every word that it writes. On most machines it waits
    for memory, not for arithmetic: half the bytes are then nearly half the time.
  </p>
  <p>
    <b>Arithmetic and energy.</b> Small integers need small circuits. Mark Horowitz’s figures for a 45 nm chip
    (${paper('horowitz')}): adding two 32-bit floats takes 0.9 pJ, adding two 8-bit integers 0.03 pJ; fetching 32 bits
    from DRAM takes 640 pJ or more. Moving a weight costs far more than using it.
  </p>
  <p>
    Does it help in this tab? Here the digits network runs over its 360 held-out images, in f32, then with weights and
    <em>activations</em> (the numbers that pass from layer to layer) in int8 and exact integer sums (${paper('jacob')}),
    then with two of its layers on single bits. Your own processor is timed:
  </p>
  ${figure('timing')}
  <p>
    Integers pay where many of them are multiplied at once; in a network this small the overhead around them shows too.
    What the last row does, and why it reads worse, is told in ${chapter(10, 'chapter 10')}.
  </p>
  <h2>Three ways</h2>
  <p>There are three ways to a smaller network, and the chapters follow them:</p>
  <ul>
    <li>less <b>precision</b>: integers instead of floats (chapters 3 to 9);</li>
    <li>a narrower <b>range</b>, down to a few values (${chapter(4, 'chapters 4')} and ${chapter(10, '10')});</li>
    <li>fewer <b>weights</b> (${chapter(11, 'chapter 11')}).</li>
  </ul>
`;
