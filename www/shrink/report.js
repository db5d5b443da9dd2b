import { html, nothing } from 'lit';
import { View } from '../views/view.js';
import { t } from '../i18n/index.js';
import { shown, shownShort } from '../text/names.js';
import { save } from '../figures/export.js';
import { shrinking } from './actions.js';
import { reportCsv, reportJson } from './report-files.js';
import { stagesOfReport } from './stages.js';
import { focusQuestion, lossQuestion } from './unsaved.js';
import { factsOf, worstOf } from './worst.js';
import * as change from './state.js';
import './measure.js';

/** What was written: where it is, what it cost, and which tensors paid for it. */
export class ReportView extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink }) {
    return { job: shrink?.job };
  }

  constructor() {
    super();
    /** Whether it is asked what to do with files that were not saved. */
    this.asking = false;
  }

  firstUpdated() {
    // The verb of this state takes the place of the one that was pressed.
    /** @type {HTMLElement | null} */ (this.querySelector('button'))?.focus({ preventScroll: true });
  }

  render() {
    const { job } = change.shrinkOf(this.state);
    const report = job?.report;
    if (!job || !report) return nothing;
    const inHand = job.place === 'file' || job.place === 'folder';
    const several = job.made.length > 1;
    return html`<section class="done" aria-label=${t('shrink.report')}>
      <div class="what">
        <p class="headline" role="status">
          ${inHand ? t('shrink.done.file', { name: shown(job.name) }) : t('shrink.done')}
        </p>
        <p class="num soft">${factsOf(report)}</p>
        ${job.place === 'memory' && !job.saved ? html`<p class="note">${t('shrink.done.memory')}</p>` : nothing}
      </div>
      <p class="answers">
        ${
          inHand
            ? nothing
            : job.made.map(
                (made, i) =>
                  html`<button class=${i === 0 ? 'primary save' : 'save'} @click=${() => this.#save(made)}>
                    ${several ? t('shrink.save.one', { name: shownShort(made.name, 40) }) : t('shrink.save')}
                  </button>`,
              )
        }
        <button class=${inHand ? 'primary open-result' : 'open-result'} @click=${() => shrinking().open()}>
          ${t('shrink.open')}
        </button>
        <button class="plain json" @click=${() => this.#report('json')}>${t('shrink.report.json')}</button>
        <button class="plain csv" @click=${() => this.#report('csv')}>${t('shrink.report.csv')}</button>
        <button class="plain back" @click=${() => this.#back(job)}>${t('shrink.back')}</button>
      </p>
      ${this.asking && !job.saved ? this.#question(job) : nothing} ${stagesOfReport(report)}
      <div class="worst">${worstOf(report, this.state.language)}</div>
      <fb-shrink-measure></fb-shrink-measure>
    </section>`;
  }

  /** @param {import('./state.js').Made} made */
  #save(made) {
    const { file, name } = made;
    save(file, name);
    shrinking().saved(made);
  }

  /** What was not saved is asked about before it is let go. @param {import('./state.js').Job} job */
  async #back({ saved }) {
    if (saved) return shrinking().dismiss();
    this.asking = true;
    this.requestUpdate();
    await this.updateComplete;
    focusQuestion(this);
  }

  /** @param {import('./state.js').Job} job */
  #question({ made }) {
    const unsaved = made.filter(({ isSaved }) => !isSaved);
    const keep = () => {
      this.asking = false;
      this.requestUpdate();
      /** @type {HTMLElement | null} */ (this.querySelector('.back'))?.focus();
    };
    return lossQuestion({
      files: unsaved.length,
      language: this.state.language,
      save: () => {
        for (const one of unsaved) this.#save(one);
        keep();
      },
      drop: () => shrinking().dismiss(),
      keep,
    });
  }

  /** @param {'json' | 'csv'} kind */
  #report(kind) {
    const { job } = change.shrinkOf(this.state);
    if (!job?.report) return;
    const text = kind === 'json' ? reportJson(job.report, job.name, job.measure?.result) : reportCsv(job.report);
    save(text, `${job.name}-report.${kind}`, kind === 'json' ? 'application/json' : 'text/csv');
  }
}

customElements.define('fb-shrink-report', ReportView);
