import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { runnable } from '../lib/shrink/runnable.js';
import { speakOf, speaksOf, t } from '../i18n/index.js';
import { bytes, count, number } from '../text/format.js';
import { shrinking } from './actions.js';
import { inputsForm } from './inputs-form.js';
import { problemBox } from './problem.js';
import * as change from './state.js';
import { setInputs, weighingOf } from './weighing-state.js';

/** What running the model shows: what its errors count, and, where the engine can run it, what a plan does to its answers. */
export class Running extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink, model }) {
    const { choice, plan, running, trial, survey, weighing } = shrink ?? {};
    return { choice, plan, running, trial, survey, weighing, model };
  }

  render() {
    const { model } = this.state;
    const { choice, plan, running, trial, survey } = change.shrinkOf(this.state);
    const kind = model && runnable(model);
    const isAimed = choice.targetBytes !== null;
    const isOnnx = kind === 'onnx';
    // An ONNX model as planned is run when it is written, beside the float one.
    if (!model || !plan || !kind || (isOnnx && !isAimed)) return nothing;
    return html`<section class="run" aria-label=${t('shrink.run')}>
      <div class="tools">
        ${
          isOnnx
            ? nothing
            : html`<button
                class="plain try"
                ?disabled=${running !== null || survey !== null || !change.isPlanOf(plan, choice)}
                @click=${() => shrinking().tryPlan()}
              >
                ${t('shrink.run.try')}
              </button>`
        }
        ${
          isAimed && !isOnnx
            ? html`<button
                class="plain choose"
                aria-pressed=${choice.isChosen}
                title=${t('shrink.run.choose.help')}
                ?disabled=${running !== null || survey !== null}
                @click=${() => store.update((s) => change.choose(s, { isChosen: !choice.isChosen }))}
              >
                ${t('shrink.run.choose')}
              </button>`
            : nothing
        }
        ${
          isAimed
            ? html`<label class="check" title=${t(isOnnx ? 'shrink.run.weigh.onnx' : 'shrink.run.weigh.help')}
                ><input
                  type="checkbox"
                  class="weigh"
                  .checked=${live(choice.isWeighed)}
                  ?disabled=${running !== null}
                  @change=${(/** @type {Event} */ e) => this.#weigh(e)}
                />
                ${t('shrink.run.weigh')}</label
              >`
            : nothing
        }
      </div>
      ${running ? this.#running(running) : nothing} ${this.#inputs(isOnnx)}
      ${trial && trial.plan === plan.id ? html`<p class="num trial" role="status">${this.#found(trial.found)}</p>` : nothing}
    </section>`;
  }

  /** What went wrong, and what an ONNX model is run on. @param {boolean} isOnnx */
  #inputs(isOnnx) {
    const { settings, about, problem } = weighingOf(this.state);
    if (!isOnnx && problem === null) return nothing;
    if (!speaksOf('measure')) {
      speakOf('measure').then(
        () => this.requestUpdate(),
        () => {},
      );
      return nothing;
    }
    const box = problemBox(problem, () => this.requestUpdate());
    if (!isOnnx) return box;
    const form = { settings, inputs: about?.inputs ?? null, sizes: about?.sizes ?? {} };
    return html`${box}
      <details class="settings" ?open=${problem !== null}>
        <summary>${t('measure.settings')}</summary>
        ${inputsForm(form, {
          put: (part) => {
            store.update((s) => setInputs(s, part));
            this.requestUpdate();
          },
          give: (files) => shrinking().giveInputs(files),
        })}
      </details>`;
  }

  /** @param {NonNullable<import('./state.js').Shrink['running']>} running */
  #running({ what, stage, done, total }) {
    const { language } = this.state;
    const isReading = stage === 'reading';
    const facts = isReading
      ? { n: bytes(done), all: bytes(total) }
      : { n: count(done, language), all: count(total, language) };
    return html`<div class="running">
      <progress max="1" .value=${total > 0 ? done / total : 0} aria-label=${t(`shrink.run.${what}`)}></progress>
      <p class="num facts" role="status">${t(`shrink.run.${what}.${stage ?? 'done'}`, facts)}</p>
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
