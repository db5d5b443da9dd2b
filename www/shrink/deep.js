import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { optionHelp, optionTitle, t, valueTitle } from '../i18n/index.js';
import { bytes, count, percent } from '../text/format.js';
import { save } from '../figures/export.js';
import { shrinking, valueOf } from './actions.js';
import { stageBars } from './stages.js';
import * as change from './state.js';

/** What is chosen for the whole, in the order in which it is shown. */
const SHOWN = ['pruneRatio', 'bits', 'indexBits', 'init'];

/** Deep Compression: its options for the whole model, and on the sample network the run with retraining. */
export class Deep extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink, model, catalogue }) {
    return { choice: shrink?.choice, retraining: shrink?.retraining, model, catalogue };
  }

  render() {
    const { choice, retraining } = change.shrinkOf(this.state);
    if (choice.to !== 'deep' || choice.targetBytes !== null) return nothing;
    const { model } = this.state;
    return html`<section class="deep" aria-label=${t('shrink.deep')}>
      ${choice.scheme?.id === 'deep' ? this.#options(choice.scheme) : nothing}
      <p class="soft hint">${t('shrink.deep.plain')}</p>
      ${model?.sample ? this.#retraining(retraining) : nothing}
    </section>`;
  }

  /** @param {import('../types.js').Scheme} scheme */
  #options(scheme) {
    const info = this.state.catalogue.find(({ id }) => id === 'deep');
    const specs = SHOWN.flatMap((name) => info?.options.find((option) => option.name === name) ?? []);
    return html`<div class="fields">${specs.map((spec) => this.#field(spec, scheme))}</div>`;
  }

  /** @param {any} spec @param {import('../types.js').Scheme} scheme */
  #field(spec, scheme) {
    const { name, values, min, max, step } = spec;
    const value = scheme[name] ?? spec.default;
    const id = `shrink-deep-${name}`;
    const set = (/** @type {string | number} */ next) => this.#set(name, next, spec.default);
    const isShare = name === 'pruneRatio';
    return html`<span class="field" title=${optionHelp(spec)}
      ><label for=${id}>${optionTitle(spec)}</label> ${
        values
          ? html`<select id=${id} @change=${(/** @type {Event} */ e) => set(valueOf(e))}>
              ${values.map(
                (/** @type {any} */ one) =>
                  html`<option value=${one.value} ?selected=${String(value) === one.value}>
                    ${valueTitle(spec, one)}
                  </option>`,
              )}
            </select>`
          : html`<input
                id=${id}
                type="range"
                min=${min}
                max=${max}
                step=${isShare ? 0.05 : (step ?? 1)}
                .value=${live(String(value))}
                @input=${(/** @type {Event} */ e) => set(Number(valueOf(e)))}
              /><output class="num">${isShare ? percent(Number(value), 0) : value}</output>`
      }</span
    >`;
  }

  /** @param {string} name @param {string | number} value @param {string | number} usual */
  #set(name, value, usual) {
    store.update((s) => {
      const scheme = change.shrinkOf(s).choice.scheme ?? { id: 'deep' };
      const others = Object.entries(scheme).filter(([other]) => other !== name);
      const own = String(value) === String(usual) ? [] : [[name, value]];
      return change.choose(s, { scheme: Object.fromEntries([...others, ...own]) });
    });
  }

  /** @param {import('./state.js').Retraining | null} retraining */
  #retraining(retraining) {
    const { running, outcome, problem } = retraining ?? {};
    return html`<div class="retraining">
      <p>
        ${t('shrink.retrain.what')}
        ${
          running
            ? nothing
            : html`<button class="retrain" @click=${() => shrinking().retrain()}>
                ${t(outcome ? 'shrink.retrain.again' : 'shrink.retrain.start')}
              </button>`
        }
      </p>
      ${running ? this.#running(running) : nothing}
      ${problem ? html`<p class="problem" role="alert">${t('shrink.retrain.failed')} ${problem.message}</p>` : nothing}
      ${outcome && !running ? this.#outcome(outcome) : nothing}
    </div>`;
  }

  /** @param {{stage: string, done: number, of: number, loss: number}} running */
  #running({ stage, done, of, loss }) {
    return html`<div class="running">
      <progress max=${of} .value=${done} aria-label=${t('shrink.retrain.running')}></progress>
      <span class="num soft"
        >${stage === '' ? t('shrink.retrain.running') : `${t(`shrink.stage.${stage}`)} · ${t('shrink.retrain.loss', { loss: loss.toFixed(3) })}`}</span
      >
      <button class="cancel" @click=${() => shrinking().stopRetraining()}>${t('cancel')}</button>
    </div>`;
  }

  /** @param {import('./state.js').Outcome} outcome */
  #outcome({ rows, plain, report, verified, seconds, layers }) {
    const { language } = this.state;
    const [{ bytes: from, score: float }] = rows;
    const last = /** @type {typeof rows[number]} */ (rows.at(-1));
    const without = /** @type {typeof rows[number]} */ (plain.rows.at(-1));
    const reads = (/** @type {import('../types.js').RetrainedScore} */ { correct, total }) =>
      `${count(correct, language)} / ${count(total, language)}`;
    return html`<div class="outcome">
      <p role="status">
        ${t('shrink.retrain.told', {
          from: bytes(from),
          to: bytes(last.bytes),
          ratio: (from / last.bytes).toFixed(1),
          float: float.correct,
          correct: last.score.correct,
          without: without.score.correct,
          total: float.total,
          seconds: seconds.toFixed(1),
        })}
        ${verified ? t('shrink.retrain.verified') : nothing}
      </p>
      ${stageBars(rows.map(({ stage, bytes: size, score }) => ({ stage, size, reads: reads(score), loss: score.loss })))}
      <p class="soft">
        ${t('shrink.retrain.layers', {
          layers: layers.map(({ name, ratio, bits }) => `${name} ${percent(ratio, 0)}, ${bits} bit`).join('; '),
        })}
      </p>
      <p class="answers">
        <button class="primary save-deep" @click=${this.#save}>
          ${t('shrink.save')} · ${bytes(report.outputBytes)}
        </button>
        <button class="open-deep" @click=${() => shrinking().openRetrained()}>${t('shrink.open')}</button>
      </p>
    </div>`;
  }

  #save = () => {
    const file = change.shrinkOf(this.state).retraining?.outcome?.file;
    if (file) save(file, change.RETRAINED);
  };
}

customElements.define('fb-shrink-deep', Deep);
