import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, chapter }) => html`
  <p>
    You have uploaded nothing, yet a network has been quantized a few hundred times while you read, and perhaps trained.
    Where? In this tab. The engine is a Rust program compiled to WebAssembly; the page came as files, and since then
    everything has stayed here.
  </p>
  ${figure('requests')}
  <p>
    You need not believe a counter. Once you have visited, take your machine off the network and load this page again:
    it works, the engine and the sample network included (and the language model of ${chapter(16, 'chapter 16')}, if you
    have had it fetched), because there is nobody it needs to ask. It can be installed as an application, too.
  </p>
  <p>
    It matters beyond this lesson. The same holds when you open a model of your own in <a href="#/explore">Explore</a>:
    drop a file, of any size, and it is read from your disk, piece by piece, and goes nowhere. A request leaves only for
    an address that you type in yourself, and each one is listed under “requests” at the top. That weights can leak what
    they were trained on is a reason not to hand them to strangers; ${chapter(9, 'shrinking them')} needs no stranger.
  </p>
`;
