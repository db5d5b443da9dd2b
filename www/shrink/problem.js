import { html, nothing } from 'lit';
import { detailLine } from '../views/file-strip.js';
import { tell } from '../text/tell.js';

/**
 * What went wrong, in words.
 * @param {import('../types.js').Problem | null} problem
 * @param {() => void} again called when there is more to tell
 */
export function told(problem, again) {
  const words = problem && tell(problem, again);
  if (!words) return nothing;
  const { what, where, remedy, detail } = words;
  return html`<div>
    <p class="headline">${what}</p>
    ${where.length ? html`<p class="where">${where.map((fact) => html`<bdi>${fact}</bdi>`)}</p>` : nothing}
    <p>${remedy}</p>
    ${detail ? html`<p class="detail">${detailLine(detail)}</p>` : nothing}
  </div>`;
}

/**
 * The same in a box; nothing until the words are there.
 * @param {import('../types.js').Problem | null} problem
 * @param {() => void} again
 */
export function problemBox(problem, again) {
  const words = told(problem, again);
  return words === nothing ? nothing : html`<div class="problem" role="alert">${words}</div>`;
}
