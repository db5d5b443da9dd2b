import { html, nothing } from 'lit';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { targetsOf } from '../lib/shrink/targets.js';
import { reportText } from '../lib/shrink/batch.js';
import { t, tn } from '../i18n/index.js';
import { bitsPerWeight, bytes, count, percent } from '../text/format.js';
import { shown, shownShort } from '../text/names.js';
import { schemeText } from '../url.js';
import { save } from '../figures/export.js';
import { batching } from './batch-actions.js';
import { duration } from './duration.js';
import { told } from './problem.js';
import { reportJson } from './report-files.js';
import { focusQuestion, lossQuestion } from './unsaved.js';
import { factsOf, worstOf } from './worst.js';
import * as change from './batch-state.js';

/** @typedef {import('./batch-state.js').Row} Row */
/** @typedef {import('./batch-state.js').Batch} Batch */

/** Milliseconds between two things said to those who do not see the page. */
const SAID = 8000;

/** Several models in one go: what each becomes, one press for all, how far they are, and what became of them. */
export class BatchView extends View {
  /** @param {import('../types.js').State} state */
  pick({ batch, model, shrink, opening }) {
    return { batch, model: model?.id, job: shrink?.job?.state, opening: opening !== null };
  }

  constructor() {
    super();
    this.said = '';
    this.saidAt = -Infinity;
    this.behind = 0;
    /** What would throw files away that were not saved, of one model or of all. @type {{then: () => void, id?: number} | null} */
    this.asking = null;
  }

  connectedCallback() {
    super.connectedCallback();
    batching();
  }

  render() {
    const { batch } = this.state;
    if (!batch) return nothing;
    const { rows, job, problem } = batch;
    const isRunning = job?.state === 'running';
    return html`<section class="batch" aria-label=${t('batch.title')}>
      <div class="batch-head">
        <h2>${tn('batch.models', rows.length, { n: count(rows.length, this.state.language) })}</h2>
        ${this.#totals(batch)} ${isRunning ? nothing : this.#verbs(batch)}
      </div>
      ${isRunning ? this.#progress(batch) : this.#question(batch)}
      ${job?.state === 'over' ? this.#over(batch) : nothing}
      ${problem ? html`<div class="problem" role="alert">${told(problem, () => this.requestUpdate())}</div>` : nothing}
      <ol class="models">
        ${rows.map((row) => this.#row(row, batch))}
      </ol>
      ${isRunning ? nothing : html`<p class="soft for-all">${t('batch.for.all')}</p>`}
      <p class="sr" aria-live="polite">${this.#speak(batch)}</p>
    </section>`;
  }

  /** @param {Batch} batch */
  #totals(batch) {
    const { before, after, isExact } = change.totals(batch);
    if (before === 0) return nothing;
    return html`<p class="sizes num" data-before=${before} data-after=${after}>
      <span class="float">${bytes(before)}</span> <span class="soft">→</span>
      ${isExact ? nothing : html`<span class="soft">${t('shrink.most')}</span>`}
      <span class="quantized">${bytes(after)}</span>
    </p>`;
  }

  /** @param {Batch} batch */
  #verbs(batch) {
    const { job, place, overwrite, rows } = batch;
    const todo = change.left(batch).length;
    const isReady = rows.every(({ state }) => state !== 'waiting');
    const isBusy = this.state.shrink?.job?.state === 'running';
    const over = job?.state === 'over';
    return html`<div class="batch-verbs">
      <p class="answers">
        ${
          over && todo === 0
            ? nothing
            : html`<button
                class=${change.atStake(batch).length > 0 ? 'start-all' : 'primary start-all'}
                ?disabled=${todo === 0 || place === null || isBusy || !isReady}
                @click=${() => batching().start()}
              >
                ${over ? tn('batch.go.on', todo, { n: todo }) : tn('batch.start', todo, { n: todo })}
              </button>`
        }
        ${over ? html`<button class="anew" @click=${() => this.#guarded(() => batching().anew())}>${t('batch.anew')}</button>` : nothing}
        <button class="plain put-away" @click=${() => this.#guarded(() => batching().close())}>
          ${t('batch.close')}
        </button>
      </p>
      ${
        place === 'folder'
          ? html`<label class="check"
              ><input type="checkbox" class="overwrite" .checked=${overwrite} @change=${this.#overwrite} />
              ${t('batch.overwrite')}</label
            >`
          : nothing
      }
      ${place && !over ? html`<p class="soft place-all">${t(`batch.place.${place}`)}</p>` : nothing}
    </div>`;
  }

  /** @param {Event} event */
  #overwrite = (event) => {
    const overwrite = /** @type {HTMLInputElement} */ (event.target).checked;
    store.update((s) => change.setBatch(s, { overwrite }));
  };

  /** @param {Batch} batch */
  #progress(batch) {
    const { read, total, share, left } = change.progress(batch);
    const { speed = 0, memory = 0 } = batch.job ?? {};
    const { rows } = batch;
    const now = rows.findIndex(({ state }) => state === 'running');
    return html`<div class="running">
      <progress class="overall" max="1" .value=${share} aria-label=${t('batch.progress')}></progress>
      <p class="num facts">
        <b>${percent(share, 0)}</b>
        ${now < 0 ? nothing : html`<span>${t('batch.at', { n: now + 1, all: rows.length })}</span>`}
        <span>${t('shrink.read', { read: bytes(read), total: bytes(total) })}</span>
        ${speed > 0 ? html`<span>${bytes(speed)}/s</span>` : nothing}
        ${left === null ? nothing : html`<span>${t('shrink.left', { time: duration(left) })}</span>`}
        <span class="soft" title=${t('shrink.memory.help')}>${t('shrink.memory', { bytes: bytes(memory) })}</span>
      </p>
      <button class="cancel-all" @click=${() => batching().cancel()}>${t('cancel')}</button>
    </div>`;
  }

  /** @param {Batch} batch */
  #over(batch) {
    const { job } = batch;
    const toSave = change.atStake(batch);
    return html`<div class="over">
      <p class="headline">${this.#summary(batch)}</p>
      ${toSave.length > 0 && job?.place === 'memory' ? html`<p class="note">${t('batch.memory')}</p>` : nothing}
      <p class="answers">
        ${
          toSave.length > 1
            ? html`<button class=${this.asking ? 'save-all' : 'primary save-all'} @click=${this.#saveAll}>
                ${t('batch.save.all', { n: count(toSave.length, this.state.language) })}
              </button>`
            : nothing
        }
        <button class="plain batch-json" @click=${this.#report}>${t('batch.report.json')}</button>
      </p>
    </div>`;
  }

  /** What became of all of them, in a sentence. @param {Batch} batch */
  #summary(batch) {
    const { language } = this.state;
    const parts = /** @type {const} */ (['done', 'skipped', 'failed']).flatMap((state) => {
      const n = change.counted(batch, state);
      return n > 0 || state === 'done' ? [tn(`batch.sum.${state}`, n, { n: count(n, language) })] : [];
    });
    const open = change.counted(batch, 'planned');
    if (open > 0) parts.push(tn('batch.sum.open', open, { n: count(open, language) }));
    const start = batch.job?.isCancelled ? t('batch.sum.cancelled') : t('batch.sum.over');
    return `${start}${parts.join(t('batch.sum.comma'))}`;
  }

  /** @param {Row} row @param {Batch} batch */
  #row(row, batch) {
    const { id, name, state, format, outline, report, problem } = row;
    const isOpen = batch.opened?.row === id && batch.opened.model === this.state.model?.id;
    const isRunning = batch.job?.state === 'running';
    const target = format === null ? undefined : targetsOf(format).find(({ to }) => to === row.choice?.to);
    return html`<li class="model" data-id=${id} data-state=${state} data-name=${name} ?data-open=${isOpen}>
      <p class="which">
        <bdi class="model-name" title=${shown(name)}>${shownShort(name, 60)}</bdi>
        <span class="soft">${format === null ? bytes(row.size) : format}</span>
      </p>
      <p class="becomes">${target ? html`${target.title} · ${this.#what(row)}` : nothing}</p>
      <p class="num bytes-of">
        ${
          outline
            ? html`<span class="float">${bytes(outline.before)}</span> <span class="soft">→</span>
                ${outline.isExact || report ? nothing : html`<span class="soft">${t('shrink.most')}</span>`}
                <span class="quantized">${bytes(report?.outputBytes ?? outline.outputBytes)}</span>`
            : nothing
        }
      </p>
      <p class="state">${this.#state(row)}</p>
      <p class="tools">
        <button
          class="plain look"
          aria-pressed=${isOpen}
          aria-label=${t(isOpen ? 'batch.looking.name' : 'batch.look.name', { name: shownShort(name, 40) })}
          ?disabled=${format === null || this.state.opening !== null}
          @click=${() => batching().look(id)}
        >
          ${isOpen ? t('batch.looking') : t('batch.look')}
        </button>
        ${this.#saves(row)}
        ${
          report
            ? html`<button
                class="plain details"
                aria-expanded=${batch.shown === id}
                aria-label=${t('batch.details.name', { name: shownShort(name, 40) })}
                @click=${() => this.#unfold(id)}
              >
                ${t('batch.details')}
              </button>`
            : nothing
        }
        ${
          problem && !isRunning && outline === null
            ? html`<button
                class="plain again"
                aria-label=${t('batch.again.name', { name: shownShort(name, 40) })}
                @click=${() => batching().again(id)}
              >
                ${t('batch.again')}
              </button>`
            : nothing
        }
        ${
          isRunning
            ? nothing
            : html`<button
                class="plain icon remove"
                aria-label=${t('batch.remove.name', { name: shownShort(name, 40) })}
                title=${t('batch.remove')}
                @click=${() => this.#guarded(() => batching().remove(id), id)}
              >
                ×
              </button>`
        }
      </p>
      ${state === 'failed' && problem ? html`<div class="problem">${told(problem, () => this.requestUpdate())}</div>` : nothing}
      ${isRunning ? nothing : this.#question(batch, id)}
      ${report && batch.shown === id ? this.#details(row, report) : nothing}
    </li>`;
  }

  /** @param {Row} row */
  #what({ choice, outline }) {
    if (!choice) return '';
    const what =
      choice.targetBytes === null
        ? (choice.preset ?? (choice.scheme ? schemeText(choice.scheme) : ''))
        : t('shrink.size.at.most', { size: bytes(choice.targetBytes) });
    const bits = outline?.bitsPerWeight;
    if (bits === undefined) return what;
    return html`${what} · <span class="unbroken">${bitsPerWeight(bits)} ${t('bits.per.weight')}</span>`;
  }

  /** @param {Row} row */
  #state({ state, read, outline, measured, report, output }) {
    if (state === 'running') {
      const share = measured ?? read / Math.max(1, outline?.before ?? 1);
      const what = measured === null ? t('batch.state.running') : t('shrink.survey');
      return html`${what} <span class="num">${percent(Math.min(1, share), 0)}</span>
        <progress max="1" .value=${share} aria-label=${t('shrink.progress')}></progress>`;
    }
    if (state === 'done' && report) {
      return html`${t('batch.state.done')} <bdi class="soft">${shownShort(output, 48)}</bdi>`;
    }
    if (state === 'skipped') return html`${t('batch.state.skipped')} <bdi class="soft">${shownShort(output, 48)}</bdi>`;
    return t(`batch.state.${state}`);
  }

  /** @param {Row} row */
  #saves({ id, made }) {
    return made.map(
      (one) =>
        html`<button
          class=${one.isSaved ? 'plain save-one' : 'save-one'}
          aria-label=${t(made.length > 1 ? 'shrink.save.one' : 'batch.save.name', { name: shownShort(one.name, 40) })}
          @click=${() => this.#save(id, one)}
        >
          ${made.length > 1 ? t('shrink.save.one', { name: shownShort(one.name, 40) }) : t('batch.save')}
        </button>`,
    );
  }

  /** @param {number} id @param {import('./state.js').Made} made */
  #save(id, made) {
    save(made.file, made.name);
    store.update((s) => change.saved(s, id, made));
  }

  #saveAll = () => this.#saveThose();

  /** All that were not saved, or those of one model. @param {number} [id] */
  #saveThose(id) {
    for (const row of change.batchOf(this.state).rows) {
      if (id === undefined || row.id === id) for (const one of change.unsaved(row)) this.#save(row.id, one);
    }
  }

  /** What was not saved is asked about before it is let go. @param {() => void} then @param {number} [id] of a single model */
  async #guarded(then, id) {
    this.asking = null;
    if (change.atStake(change.batchOf(this.state), id).length === 0) return then();
    this.asking = { then, id };
    this.requestUpdate();
    await this.updateComplete;
    focusQuestion(this);
  }

  /** @param {Batch} batch @param {number} [id] of the model in whose row it is asked */
  #question(batch, id) {
    const { asking } = this;
    const files = asking && asking.id === id ? change.atStake(batch, id).length : 0;
    if (!asking || files === 0) return nothing;
    const answered = () => {
      this.asking = null;
      this.requestUpdate();
      // What had the focus goes with the question.
      const back = id === undefined ? '.put-away' : `.model[data-id="${id}"] .remove`;
      /** @type {HTMLElement | null} */ (this.querySelector(back))?.focus();
    };
    return lossQuestion({
      files,
      language: this.state.language,
      save: () => {
        this.#saveThose(id);
        answered();
      },
      drop: () => {
        answered();
        asking.then();
      },
      keep: answered,
    });
  }

  /** @param {number} id */
  #unfold(id) {
    store.update((s) => change.setBatch(s, { shown: change.batchOf(s).shown === id ? null : id }));
  }

  /** @param {Row} row @param {import('../lib/shrink/report.js').Report} report */
  #details({ output }, report) {
    return html`<div class="report">
      <p class="num soft">${factsOf(report)}</p>
      ${worstOf(report, this.state.language)}
      <button
        class="plain json"
        @click=${() => save(reportJson(report, output), `${output}-report.json`, 'application/json')}
      >
        ${t('shrink.report.json')}
      </button>
    </div>`;
  }

  #report = () => {
    save(reportText(change.reportOf(change.batchOf(this.state))), 'batch-report.json', 'application/json');
  };

  /** A model that is behind is worth a word, and now and then how far all are. @param {Batch} batch */
  #speak(batch) {
    const { job, rows } = batch;
    if (!job) return '';
    if (job.state === 'over') return (this.said = this.#summary(batch));
    const behind = rows.filter(({ state }) => state === 'done' || state === 'skipped' || state === 'failed');
    const now = performance.now();
    if (behind.length === this.behind && now - this.saidAt < SAID) return this.said;
    const { share } = change.progress(batch);
    const isNew = behind.length !== this.behind;
    [this.saidAt, this.behind] = [now, behind.length];
    const all = t('batch.said', { n: behind.length, all: rows.length, share: percent(share, 0) });
    const failed = behind.filter(({ state }) => state === 'failed').at(-1);
    return (this.said =
      isNew && failed ? `${t('batch.said.failed', { name: shownShort(failed.name, 40) })} ${all}` : all);
  }
}

customElements.define('fb-shrink-batch', BatchView);
