import { html, nothing } from 'lit';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { runnable } from '../lib/shrink/runnable.js';
import { t } from '../i18n/index.js';
import { count, number } from '../text/format.js';
import { shrinking } from './actions.js';
import * as change from './state.js';

/** What running the model shows: of a model that the engine can run, what its errors count, and what a plan does to its answers. */
export class Running extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink, model }) {
    const { choice, plan, running, trial, survey } = shrink ?? {};
    return { choice, plan, running, trial, survey, model };
  }

  render() {
    const { model } = this.state;
    const { choice, plan, running, trial, survey } = change.shrinkOf(this.state);
    if (!model || !plan || !runnable(model)) return nothing;
    const isAimed = choice.targetBytes !== null;
    return html`<section class="run" aria-label=${t('shrink.run')}>
      <div class="tools">
        <button
          class="plain try"
          ?disabled=${running !== null || survey !== null}
          @click=${() => shrinking().tryPlan()}
        >
          ${t('shrink.run.try')}
        </button>
        ${
          isAimed
            ? html`<label class="check" title=${t('shrink.run.weigh.help')}
                ><input
                  type="checkbox"
                  class="weigh"
                  .checked=${choice.isWeighed}
                  ?disabled=${running !== null}
                  @change=${(/** @type {Event} */ e) => this.#weigh(e)}
                />
                ${t('shrink.run.weigh')}</label
              >`
            : nothing
        }
      </div>
      ${running ? this.#running(running) : nothing}
      ${trial && trial.plan === plan.id ? html`<p class="num trial" role="status">${this.#found(trial.found)}</p>` : nothing}
    </section>`;
  }

  /** @param {NonNullable<import('./state.js').Shrink['running']>} running */
  #running({ what, done, total }) {
    const { language } = this.state;
    return html`<div class="running">
      <progress max="1" .value=${total > 0 ? done / total : 0} aria-label=${t(`shrink.run.${what}`)}></progress>
      <p class="num facts" role="status">
        ${t(`shrink.run.${what}.done`, { n: count(done, language), all: count(total, language) })}
      </p>
      <button class="cancel-run" @click=${() => shrinking().stopRunning()}>${t('cancel')}</button>
    </div>`;
  }

  /** @param {import('../lib/shrink/reasons.js').Damage} found */
  #found({ kind, answers, divergence, same, right }) {
    const { language } = this.state;
    const facts = { n: count(answers, language), same: count(same, language), nats: number(divergence, 3) };
    if (kind === 'digits' && right) {
      return t('shrink.run.digits', { ...facts, after: String(right.after), before: String(right.before) });
    }
    return t('shrink.run.language', facts);
  }

  /** @param {Event} event */
  #weigh(event) {
    const isWeighed = /** @type {HTMLInputElement} */ (event.target).checked;
    store.update((s) => change.choose(s, { isWeighed }));
  }
}

customElements.define('fb-shrink-run', Running);
