import { html, nothing } from 'lit';
import { View } from '../views/view.js';
import { t } from '../i18n/index.js';
import { bytes, percent } from '../text/format.js';
import { shownShort } from '../text/names.js';
import { shrinking } from './actions.js';
import { duration } from './duration.js';
import { told } from './problem.js';
import * as change from './state.js';

/** Milliseconds between two things said to those who do not see the page. */
const SAID = 5000;

/** A job under way: how far, how fast, how long still; a tensor that failed; or what ended it. */
export class Progress extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink }) {
    return { job: shrink?.job };
  }

  constructor() {
    super();
    this.said = '';
    this.saidAt = -Infinity;
  }

  render() {
    const { job } = change.shrinkOf(this.state);
    if (!job) return nothing;
    if (job.state === 'failed') return this.#failed(job);
    const { read, total, written, speed, memory, tensor } = job;
    const left = speed > 0 && read > 0 ? (total - read) / speed : null;
    const share = total > 0 ? read / total : 1;
    return html`
      <div class="running">
        <progress max="1" .value=${share} aria-label=${t('shrink.progress')}></progress>
        <p class="num facts">
          <b>${percent(share, 0)}</b>
          <span>${t('shrink.read', { read: bytes(read), total: bytes(total) })}</span>
          <span>${t('shrink.written', { bytes: bytes(written) })}</span>
          ${speed > 0 ? html`<span>${bytes(speed)}/s</span>` : nothing}
          ${left === null ? nothing : html`<span>${t('shrink.left', { time: duration(left) })}</span>`}
          <span class="soft" title=${t('shrink.memory.help')}>${t('shrink.memory', { bytes: bytes(memory) })}</span>
          <bdi class="soft tensor-name">${tensor ? shownShort(tensor, 60) : ''}</bdi>
        </p>
        <button class="cancel" @click=${() => shrinking().cancel()}>${t('cancel')}</button>
      </div>
      <p class="sr" aria-live="polite">${this.#speak(share, left)}</p>
      ${job.failed ? this.#question(job.failed) : nothing}
    `;
  }

  /** Not every change is worth interrupting someone. @param {number} share @param {number | null} left */
  #speak(share, left) {
    const now = performance.now();
    if (now - this.saidAt > SAID) {
      this.saidAt = now;
      this.said = t('shrink.said', { share: percent(share, 0), time: left === null ? '' : duration(left) });
    }
    return this.said;
  }

  /** @param {import('../types.js').Problem} problem */
  #question(problem) {
    return html`<div class="problem asking" role="alert">
      ${told(problem, () => this.requestUpdate())}
      <p class="answers">
        <button class="primary retry" @click=${() => shrinking().answer('retry')}>${t('shrink.retry')}</button>
        <button class="stop" @click=${() => shrinking().answer('stop')}>${t('shrink.stop')}</button>
      </p>
    </div>`;
  }

  /** @param {import('./state.js').Job} job */
  #failed({ problem }) {
    if (!problem) return nothing;
    return html`<div class="problem" role="alert">
      ${told(problem, () => this.requestUpdate())}
      <p class="answers">
        <button class="back" @click=${() => shrinking().dismiss()}>${t('shrink.back')}</button>
      </p>
    </div>`;
  }
}

customElements.define('fb-shrink-progress', Progress);
