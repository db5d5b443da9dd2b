/**
 * The lesson's figures for other people's pages, also from another origin:
 *
 *     <script type="module" src="https://…/elements/elements.js"></script>
 *     <fb-printed-formula lang="en" setting="view=meant"></fb-printed-formula>
 *
 * Each computes in the engine, in a worker of its own that all figures of a page share; it and the sample network are fetched from where this script
 * lies when the first figure is seen.
 */
import { EngineClient } from './engine/client.js';
import engineAddress from './engine/worker.js?worker&url';
import { lesson } from './learn/lesson.js';
import './learn/figures/adjust.js';
import './learn/figures/blocks.js';
import './learn/figures/deep-compression.js';
import './learn/figures/digits.js';
import './learn/figures/few-values.js';
import './learn/figures/float-bits.js';
import './learn/figures/grain.js';
import './learn/figures/histogram.js';
import './learn/figures/language-model.js';
import './learn/figures/layers.js';
import './learn/figures/limit.js';
import './learn/figures/number-line.js';
import './learn/figures/printed-formula.js';
import './learn/figures/range.js';
import './learn/figures/timing.js';
import './learn/figures/training.js';
import './learn/figures/verdict.js';
import './learn/figures/zero-kinds.js';

/** A worker may not be started from another origin's address, but one of the page's own may import it. */
function spawn() {
  const address = new URL(engineAddress, import.meta.url).href;
  if (new URL(address).origin === location.origin) return new Worker(address, { type: 'module' });
  const start = new Blob([`import ${JSON.stringify(address)};`], { type: 'text/javascript' });
  return new Worker(URL.createObjectURL(start), { type: 'module' });
}

lesson.engine = new EngineClient(spawn);
lesson.models = new URL(/* @vite-ignore */ 'models/', import.meta.url).href;
