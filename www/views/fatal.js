import { html, nothing } from 'lit';
import { View } from './view.js';
import { detailLine } from './file-strip.js';
import { tell } from '../text/tell.js';

/** What a room shows when the engine cannot be started. */
export class Fatal extends View {
  /** @param {import('../types.js').State} state */
  pick({ fatal }) {
    return { fatal };
  }

  render() {
    const { fatal } = this.state;
    const told = fatal && tell(fatal, () => this.requestUpdate());
    if (!told) return nothing;
    const { what, remedy, detail } = told;
    return html`<main class="fatal" role="alert">
      <h1>${what}</h1>
      <p>${remedy}</p>
      <p class="detail soft">${detailLine(detail)}</p>
    </main>`;
  }
}

customElements.define('fb-fatal', Fatal);
