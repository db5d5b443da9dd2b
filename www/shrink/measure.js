import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { View } from '../views/view.js';
import { actions } from '../views/actions.js';
import { store } from '../store.js';
import { speakOf, speaksOf, t } from '../i18n/index.js';
import { bytes, count, decibel, number } from '../text/format.js';
import { shownShort } from '../text/names.js';
import { save } from '../figures/export.js';
import { Measuring } from '../measuring.js';
import { inputsForm } from './inputs-form.js';
import './measure-layers.js';
import { measureOf, setSettings } from './measure-state.js';
import { problemBox } from './problem.js';
import { layersCsv } from './report-files.js';
import { shrinkOf } from './state.js';

/** @type {Measuring | null} */
let session = null;

function measuring() {
  if (!actions.client) throw new Error('the page has not started');
  return (session ??= new Measuring(store, actions.client));
}

/** Rows of the table between layers that are drawn at first. */
const ROWS = 200;

/** Both models run on the same inputs: how far their outputs are apart, and where that begins. */
export class MeasureView extends View {
  constructor() {
    super();
    this.all = false;
  }

  /** @param {import('../types.js').State} state */
  pick({ shrink }) {
    return { job: shrink?.job };
  }

  render() {
    const { job } = shrinkOf(this.state);
    if (job?.state !== 'done' || job.plan.to !== 'onnx') return nothing;
    if (!speaksOf('measure')) {
      speakOf('measure').then(
        () => this.requestUpdate(),
        () => {},
      );
      return nothing;
    }
    const measure = measureOf(this.state);
    const { state, settings, result } = measure;
    const isRunning = state === 'running';
    return html`<section class="measure" aria-label=${t('measure.title')}>
      <div class="line">
        <button class="run-both" ?disabled=${isRunning} @click=${() => measuring().start()}>
          ${t(result ? 'measure.again' : 'measure.run')}
        </button>
        <label class="layers"
          ><input
            type="checkbox"
            .checked=${live(settings.layers)}
            @change=${(/** @type {Event} */ e) => this.#set({ layers: /** @type {HTMLInputElement} */ (e.target).checked })}
          />
          ${t('measure.layers')}</label
        >
        <p class="soft about">${t('measure.about')}</p>
      </div>
      ${isRunning ? this.#running(measure) : nothing} ${problemBox(measure.problem, () => this.requestUpdate())}
      ${result ? this.#result(result) : nothing}
      <details class="settings" ?open=${state === 'failed'}>
        <summary>${t('measure.settings')}</summary>
        ${inputsForm(measure, { put: (part) => this.#set(part), give: (files) => measuring().give(files) })}
      </details>
    </section>`;
  }

  /** @param {import('./measure-state.js').Measure} measure */
  #running({ stage, done, total }) {
    const isBytes = stage === 'reading';
    const facts = { done: isBytes ? bytes(done) : String(done), total: isBytes ? bytes(total) : String(total) };
    const share = total > 0 ? done / total : 0;
    return html`<div class="running">
      <progress max="1" .value=${stage === 'run' || isBytes ? share : 0} aria-label=${t('measure.title')}></progress>
      <p class="num facts" role="status"><span>${t(`measure.stage.${stage}`, facts)}</span></p>
      <button class="cancel-measure" @click=${() => measuring().stop()}>${t('cancel')}</button>
    </div>`;
  }

  /** @param {import('../lib/measure/run-both.js').Measured} result */
  #result({ outputs, layers, runs, seed, runtime, seconds, inputs }) {
    const { language } = this.state;
    const isGiven = inputs.every(({ fill }) => fill.kind === 'given');
    const about = t(isGiven ? 'measure.on.given' : runs === 1 ? 'measure.on.one' : 'measure.on', {
      ...{ n: count(runs, language), seed, runtime, seconds: number(seconds, 2) },
    });
    const notes = outputs.flatMap(({ name, nonFinite, otherShapes }) => [
      ...(nonFinite > 0
        ? [t('measure.non.finite', { name: shownShort(name, 40), n: count(nonFinite, language) })]
        : []),
      ...(otherShapes > 0 ? [t('measure.other.shapes', { name: shownShort(name, 40), n: otherShapes })] : []),
    ]);
    return html`<div class="scroll" role="region" tabindex="0" aria-label=${t('measure.outputs')}>
        <table class="outputs num">
          <thead>
            <tr>
              <th scope="col">${t('measure.column.output')}</th>
              <th scope="col">${t('measure.column.cosine')}</th>
              <th scope="col">SQNR</th>
              <th scope="col">${t('measure.column.max')}</th>
              <th scope="col">${t('measure.column.same')}</th>
            </tr>
          </thead>
          <tbody>
            ${outputs.map((output) => this.#output(output, runs))}
          </tbody>
        </table>
      </div>
      <p class="soft">${about} ${t('measure.no.accuracy')}</p>
      ${notes.map((note) => html`<p class="note">${note}</p>`)} ${layers ? this.#layers(layers) : nothing}`;
  }

  /** @param {import('../lib/measure/run-both.js').Compared} output @param {number} runs */
  #output({ name, dims, cosine, leastCosine, sqnrDb, maxAbs, largest, equal }, runs) {
    const least = runs > 1 && leastCosine !== null ? t('measure.least', { cosine: cosineText(leastCosine) }) : '';
    const same = largest
      ? t('measure.largest', { n: largest.same, of: largest.of })
      : equal
        ? t('measure.equal', { n: equal.same, of: equal.of })
        : '–';
    return html`<tr data-output=${name}>
      <th scope="row"><bdi>${shownShort(name, 40)}</bdi> <span class="soft">${dims.join(' × ')}</span></th>
      <td class="cosine" title=${least}>${cosine === null ? '–' : cosineText(cosine)}</td>
      <td class="sqnr">${sqnrDb === null ? '–' : decibel(sqnrDb)}</td>
      <td>${maxAbs === null ? '–' : number(maxAbs, 3)}</td>
      <td class="same">${same}</td>
    </tr>`;
  }

  /** @param {import('../lib/measure/run-both.js').Layers} layers */
  #layers(layers) {
    const { tensors, skipped, firstDrop } = layers;
    const { language } = this.state;
    const drop = firstDrop === null ? null : tensors[firstDrop];
    const shown = this.all ? tensors : tensors.slice(0, ROWS);
    return html`<div class="between">
      ${this.#figure(layers)}
      <p>
        ${
          drop
            ? t('measure.drop', { name: shownShort(drop.name, 60), op: drop.op, db: decibel(drop.fall) })
            : t('measure.no.drop')
        }
        ${skipped > 0 ? html`<span class="soft">${t('measure.skipped', { n: count(skipped, language) })}</span>` : nothing}
      </p>
      <details class="every">
        <summary>${t('measure.every', { n: count(tensors.length, language) })}</summary>
        <div class="scroll tall" role="region" tabindex="0" aria-label=${t('measure.layers')}>
          <table class="num">
            <thead>
              <tr>
                <th scope="col">${t('measure.column.tensor')}</th>
                <th scope="col">${t('measure.column.op')}</th>
                <th scope="col">SQNR</th>
                <th scope="col">${t('measure.column.fall')}</th>
                <th scope="col">${t('measure.column.cosine')}</th>
              </tr>
            </thead>
            <tbody>
              ${shown.map(
                ({ name, op, sqnrDb, cosine, fall }, i) =>
                  html`<tr ?data-drop=${i === firstDrop}>
                    <th scope="row"><bdi>${shownShort(name, 60)}</bdi></th>
                    <td>${op}</td>
                    <td>${sqnrDb === Infinity ? t('measure.exact') : decibel(Number(sqnrDb))}</td>
                    <td>${fall > 0 ? decibel(fall) : ''}</td>
                    <td>${cosine === null ? '–' : cosineText(cosine)}</td>
                  </tr>`,
              )}
            </tbody>
          </table>
        </div>
        ${
          shown.length < tensors.length
            ? html`<button class="plain" @click=${this.#showAll}>${t('measure.show.all')}</button>`
            : nothing
        }
        <button class="plain layers-csv" @click=${() => this.#csv(layers)}>CSV</button>
      </details>
    </div>`;
  }

  /** @param {import('../lib/measure/run-both.js').Layers} layers */
  #figure({ tensors, firstDrop }) {
    const levels = this.keeper.keep('levels', [tensors], () => tensors.map(({ sqnrDb }) => Number(sqnrDb)));
    const finite = levels.filter(Number.isFinite);
    if (finite.length === 0) return nothing;
    const label = t('measure.figure', {
      ...{ n: tensors.length, first: decibel(finite[0]), last: decibel(finite[finite.length - 1]) },
      drop: firstDrop === null ? t('measure.figure.none') : shownShort(tensors[firstDrop].name, 40),
    });
    return html`<fb-layers-figure
      label=${label}
      .levels=${levels}
      .drop=${firstDrop}
      axis=${t('measure.axis')}
    ></fb-layers-figure>`;
  }

  #showAll = () => {
    this.all = true;
    this.requestUpdate();
  };

  /** @param {import('../lib/measure/run-both.js').Layers} layers */
  #csv(layers) {
    save(layersCsv(layers), `${shrinkOf(this.state).job?.name}-layers.csv`, 'text/csv');
  }

  /** @param {Partial<import('./measure-state.js').Settings>} settings */
  #set(settings) {
    store.update((s) => setSettings(s, settings));
    this.requestUpdate();
  }
}

/** Six digits, which never round to a one that is none. @param {number} cosine */
const cosineText = (cosine) =>
  cosine < 1 - 1e-12 && cosine > 0.9999995 ? '>0.999999' : cosine.toFixed(6).replace('-', '\u2212');

customElements.define('fb-shrink-measure', MeasureView);
