import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { schemesOf } from '../lib/shrink/targets.js';
import { speakOf, t, tn, tOr, schemeTitle } from '../i18n/index.js';
import { bitsPerWeight, bytes, count, percent } from '../text/format.js';
import { shown } from '../text/names.js';
import { schemeText } from '../url.js';
import * as change from './state.js';
import { shrinking, valueOf } from './actions.js';
import { problemBox } from './problem.js';
import './deep.js';
import './running.js';
import './size.js';
import './strip.js';
import './table.js';
import './rules.js';
import './why.js';
import './progress.js';
import './report.js';

/** The Shrink room: choose, shrink, save. */
export class Room extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink, model, catalogue, batch }) {
    return {
      plan: shrink?.plan,
      choice: shrink?.choice,
      problem: shrink?.problem,
      place: shrink?.place,
      job: shrink?.job,
      model,
      catalogue,
      several: batch !== null,
      isBusy: batch?.job?.state === 'running',
    };
  }

  connectedCallback() {
    super.connectedCallback();
    shrinking();
  }

  /** The list of several models is fetched with the first of them. */
  updated() {
    if (this.state.batch && !customElements.get('fb-shrink-batch')) {
      speakOf('batch').then(
        () => import('./batch.js'),
        () => {},
      );
    }
  }

  render() {
    const { model, catalogue, batch } = this.state;
    const several = batch ? html`<fb-shrink-batch></fb-shrink-batch>` : nothing;
    const shrink = change.shrinkOf(this.state);
    const plan = shrink.job?.plan ?? shrink.plan;
    if (!plan && !shrink.problem) return html`${several}${this.#waiting(model, catalogue.length > 0)}`;
    const { job } = shrink;
    return html`
      <h1 class="sr">${t('shrink.title')}</h1>
      ${several}
      <div class="head">
        ${job ? this.#fixed(job.plan) : this.#choices()} ${plan ? this.#totals(plan) : nothing}
        ${job || !plan ? nothing : this.#verb()}
      </div>
      ${job && job.state !== 'done' ? html`<fb-shrink-progress></fb-shrink-progress>` : nothing}
      ${job?.state === 'done' ? html`<fb-shrink-report></fb-shrink-report>` : nothing}
      ${problemBox(shrink.problem, () => this.requestUpdate())}
      ${
        plan
          ? html`${job ? nothing : this.#about(plan)}
              <fb-shrink-strip></fb-shrink-strip>
              ${job ? nothing : html`<fb-shrink-why></fb-shrink-why><fb-shrink-rules></fb-shrink-rules>`}
              <fb-shrink-table></fb-shrink-table>`
          : // A size out of reach is mended where it was chosen.
            html`<fb-shrink-size></fb-shrink-size>`
      }
    `;
  }

  /** What a target has of its own: options of Deep Compression, whose sizes are known when it is done; else the size. @param {import('./state.js').Plan} plan */
  #about({ to }) {
    return to === 'deep'
      ? html`<fb-shrink-deep></fb-shrink-deep>`
      : html`<fb-shrink-size></fb-shrink-size><fb-shrink-run></fb-shrink-run>`;
  }

  /** @param {import('../types.js').Model | null} model @param {boolean} ready */
  #waiting(model, ready) {
    const none = model && ready && change.targets(this.state).length === 0;
    return html`<h1 class="sr">${t('shrink.title')}</h1>
      <div class="waiting">
        <p>${none ? t('shrink.no.target', { format: model.format }) : t('shrink.waiting')}</p>
      </div>`;
  }

  /** What a running or finished job was asked for. @param {import('./state.js').Plan} plan */
  #fixed({ model, choice, to }) {
    return html`<p class="fixed">
      <bdi>${shown(model)}</bdi> → ${to} ·
      ${
        choice.targetBytes === null
          ? (choice.preset ?? (choice.scheme ? this.#title(choice.scheme) : ''))
          : t('shrink.size.at.most', { size: bytes(choice.targetBytes) })
      }
    </p>`;
  }

  /** @param {import('../types.js').Scheme} scheme */
  #title(scheme) {
    const info = this.state.catalogue.find(({ id }) => id === scheme.id);
    const text = schemeText(scheme);
    return info && text === scheme.id ? schemeTitle(info) : text;
  }

  #choices() {
    const target = change.targetOf(this.state);
    if (!target) return nothing;
    const { choice } = change.shrinkOf(this.state);
    const all = change.targets(this.state);
    const isAimed = choice.targetBytes !== null;
    const plain = choice.preset !== null ? `preset:${choice.preset}` : `scheme:${choice.scheme?.id ?? ''}`;
    const value = isAimed ? 'size' : plain;
    const hasOptions = !isAimed && choice.scheme !== null && Object.keys(choice.scheme).length > 1;
    return html`<div class="choices">
      <span class="field"
        ><label for="shrink-to">${t('shrink.to')}</label>
        <select id="shrink-to" @change=${(/** @type {Event} */ e) => this.#choose({ to: valueOf(e) })}>
          ${all.map(({ to, title }) => html`<option value=${to} ?selected=${to === target.to}>${title}</option>`)}
        </select></span
      >
      <span class="field"
        ><label for="shrink-all">${t('shrink.all')}</label>
        <select
          id="shrink-all"
          .value=${live(value)}
          @change=${(/** @type {Event} */ e) => this.#chooseAll(valueOf(e))}
        >
          ${isAimed ? html`<option value="size" selected>${t('shrink.all.size')}</option>` : nothing}
          ${
            target.presets.length > 0
              ? html`<optgroup label=${t('shrink.group.preset')}>
                  ${target.presets.map(
                    (x) =>
                      html`<option value="preset:${x}" ?selected=${value === `preset:${x}`}>
                        ${tOr(`shrink.preset.${x}`, x)}
                      </option>`,
                  )}
                </optgroup>`
              : nothing
          }
          ${schemesOf(target, this.state.catalogue, choice.layout).map(
            ({ kind, schemes }) =>
              html`<optgroup label=${t(`shrink.group.${kind}`)}>
                ${schemes.map(
                  (x) =>
                    html`<option value="scheme:${x.id}" ?selected=${value === `scheme:${x.id}`}>
                      ${schemeTitle(x)}
                    </option>`,
                )}
              </optgroup>`,
          )}</select
        >${hasOptions ? html`<code>${schemeText(/** @type {any} */ (choice.scheme))}</code>` : nothing}</span
      >
      ${
        target.layouts.length > 0
          ? html`<span class="field"
              ><label for="shrink-layout">${t('shrink.layout')}</label>
              <select id="shrink-layout" @change=${(/** @type {Event} */ e) => this.#choose({ layout: valueOf(e) })}>
                ${target.layouts.map(
                  (x) =>
                    html`<option value=${x} ?selected=${x === choice.layout}>${tOr(`shrink.layout.${x}`, x)}</option>`,
                )}
              </select></span
            >`
          : nothing
      }
      ${
        target.to === 'gguf'
          ? html`<label class="check" title=${t('shrink.effort.help')}
              ><input
                type="checkbox"
                class="effort"
                .checked=${choice.effort === 'best'}
                @change=${(/** @type {Event} */ e) =>
                  this.#choose({ effort: /** @type {HTMLInputElement} */ (e.target).checked ? 'best' : null })}
              />
              ${t('shrink.effort')}</label
            >`
          : nothing
      }
    </div>`;
  }

  /** @param {string} value */
  #chooseAll(value) {
    if (value !== 'size') store.update((s) => change.chooseAll(s, value));
  }

  /** @param {Partial<import('./state.js').Choice>} choice */
  #choose(choice) {
    store.update((s) => change.choose(s, choice));
  }

  /** @param {import('./state.js').Plan} plan */
  #totals(plan) {
    const { language } = this.state;
    const { rows, before, notes } = plan;
    // What was written is known better than what was planned.
    const report = change.shrinkOf(this.state).job?.report;
    const { outputBytes, bitsPerWeight: bits } = report ?? plan;
    const changed = rows.filter(({ scheme }) => scheme !== null).length;
    const fallbacks = rows.filter(({ insteadOf }) => insteadOf !== null).length;
    const facts = [
      `${bitsPerWeight(bits)} ${t('bits.per.weight')}`,
      t('shrink.share', { share: percent(outputBytes / Math.max(1, before)) }),
      t('shrink.changed', { n: count(changed, language), all: count(rows.length, language) }),
      fallbacks > 0 ? tn('shrink.fallbacks', fallbacks, { n: count(fallbacks, language) }) : '',
      plan.files.length > 1 ? t('shrink.files', { n: plan.files.length }) : '',
    ].filter(Boolean);
    return html`<div class="totals num" data-bytes=${outputBytes}>
      <p class="sizes">
        <span class="float">${bytes(before)}</span> <span class="soft">→</span>
        ${plan.isExact || report ? nothing : html`<span class="soft most">${t('shrink.most')}</span>`}
        <span class="quantized">${bytes(outputBytes)}</span>
      </p>
      <p class="soft">${facts.join(' · ')}</p>
      ${this.#notes(notes)}
      ${outputBytes >= before && changed > 0 ? html`<p class="note">${t('shrink.no.smaller')}</p>` : nothing}
    </div>`;
  }

  /** One line for each kind of note; of many of a kind how many there are. @param {import('./state.js').Plan['notes']} notes */
  #notes(notes) {
    const { language } = this.state;
    // Fallbacks are counted above and marked in the table; that nothing is retrained stands with what can be chosen.
    const told = ['fallbacks', 'without_retraining'];
    const codes = [...new Set(notes.map(({ code }) => code))].filter((code) => !told.includes(code));
    return codes.map((code) => {
      const of = notes.filter((note) => note.code === code);
      const text =
        of.length === 1
          ? tOr(`shrink.note.${code}`, of[0].text)
          : tOr(`shrink.notes.${code}`, of[0].text, { n: count(of.length, language) });
      return html`<p
        class="note"
        title=${of
          .slice(0, 20)
          .map((note) => note.text)
          .join('\n')}
      >
        ${text}${code === 'not_mapped' ? html` <span class="detail">${of[0].text}</span>` : nothing}
      </p>`;
    });
  }

  #verb() {
    const { problem, place, plan } = change.shrinkOf(this.state);
    const stale = !plan || plan.modelId !== this.state.model?.id;
    return html`<div class="verb">
      <button
        class=${this.state.batch ? 'start' : 'primary start'}
        ?disabled=${problem?.what === 'plan' || stale || place === null || this.state.batch?.job?.state === 'running'}
        @click=${this.#start}
      >
        ${t(this.state.batch ? 'batch.alone' : 'shrink.start')}
      </button>
      <p class="soft place">${place && plan ? t(`shrink.place.${place}`, { bytes: bytes(plan.outputBytes) }) : ''}</p>
    </div>`;
  }

  #start = () => shrinking().start();
}

customElements.define('fb-shrink', Room);
