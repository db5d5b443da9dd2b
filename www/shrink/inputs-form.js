import { html, nothing } from 'lit';
import { live } from 'lit/directives/live.js';
import { t, tOr } from '../i18n/index.js';
import { shownShort } from '../text/names.js';
import { kindsFor } from '../lib/measure/inputs.js';
import { valueOf } from './actions.js';

/**
 * @typedef {import('./measure-state.js').Settings} Settings
 * @typedef {import('./measure-state.js').Input} Input
 * @typedef {import('./measure-state.js').Fill} Fill
 *
 * @typedef {{settings: Settings, inputs: Input[] | null, sizes: {[dimension: string]: number}}} Shown
 * @typedef {(settings: Partial<Settings>) => void} Put
 */

/**
 * What a model is run on: how often, from which seed, in which sizes, and each input by its rule or as given. The words are those of `measure`.
 * @param {Shown} shown
 * @param {{put: Put, give: (files: File[]) => void}} changes
 */
export function inputsForm({ settings, inputs, sizes }, { put, give }) {
  const number = (/** @type {'runs' | 'seed'} */ name, /** @type {number} */ least, /** @type {number} */ most) =>
    html`<label
      >${t(`measure.${name}`)}
      <input
        class="num ${name}"
        type="number"
        min=${least}
        max=${most}
        .value=${live(String(settings[name]))}
        @change=${(/** @type {Event} */ e) => put({ [name]: whole(e, least, most) ?? settings[name] })}
    /></label>`;
  return html`<p class="fields">
      ${number('runs', 1, 1000)} ${number('seed', 0, 2 ** 31)}
      ${Object.entries(sizes).map(
        ([name, size]) =>
          html`<label
            ><bdi>${shownShort(name, 30)}</bdi>
            <input
              class="num size"
              type="number"
              min="0"
              data-size=${name}
              .value=${live(String(settings.sizes[name] ?? size))}
              @change=${(/** @type {Event} */ e) =>
                put({ sizes: { ...settings.sizes, [name]: whole(e, 0, 2 ** 27) ?? settings.sizes[name] ?? size } })}
          /></label>`,
      )}
    </p>
    ${inputs ? listed(inputs, settings, put) : html`<p class="soft">${t('measure.inputs.later')}</p>`}
    <p class="fields">
      <label class="give"
        >${t('measure.give')}
        <input
          type="file"
          class="given"
          accept=".npy,.npz"
          multiple
          @change=${(/** @type {Event} */ e) => handed(e, give)}
      /></label>
      ${Object.entries(settings.given).map(
        ([name, { dims, file }]) =>
          html`<span class="num"
            ><bdi>${shownShort(name, 30)}</bdi> ${dims.join(' × ')} <span class="soft">${shownShort(file, 30)}</span>
            <button
              class="plain"
              aria-label=${t('measure.take.back', { name: shownShort(name, 30) })}
              @click=${() => put({ given: without(settings.given, name) })}
            >
              ×
            </button></span
          >`,
      )}
    </p>`;
}

/** @param {Input[]} inputs @param {Settings} settings @param {Put} put */
function listed(inputs, settings, put) {
  return html`<ul class="inputs">
    ${inputs.map(({ name, type, shape, because, fill: guessed }) => {
      const fill = settings.fills[name] ?? guessed;
      const change = (/** @type {Fill} */ next) => put({ fills: { ...settings.fills, [name]: next } });
      return html`<li data-input=${name}>
        <bdi>${shownShort(name, 40)}</bdi>
        <span class="soft num">${type} ${shape.join(' × ')}</span>
        ${fill.kind === 'given' ? html`<span>${t('measure.fill.given')}</span>` : filled(name, type, fill, change)}
        ${settings.fills[name] ? nothing : html`<span class="soft">${tOr(`measure.because.${because}`, '')}</span>`}
      </li>`;
    })}
  </ul>`;
}

/** @param {string} name @param {string} type @param {Fill} fill @param {(next: Fill) => void} put */
function filled(name, type, fill, put) {
  const bound = (/** @type {'low' | 'high'} */ end) =>
    fill.kind === 'integers'
      ? html`<input
          class="num ${end}"
          type="number"
          aria-label=${t(`measure.${end}`, { name: shownShort(name, 30) })}
          .value=${live(String(fill[end]))}
          @change=${(/** @type {Event} */ e) => put({ ...fill, [end]: whole(e, -(2 ** 31), 2 ** 31) ?? fill[end] })}
        />`
      : nothing;
  const choose = (/** @type {Event} */ e) => {
    const kind = /** @type {any} */ (valueOf(e));
    put(kind === 'integers' ? { kind, low: 0, high: 1 } : { kind });
  };
  return html`<select
      aria-label=${t('measure.fill', { name: shownShort(name, 30) })}
      .value=${live(fill.kind)}
      @change=${choose}
    >
      ${kindsFor(type).map(
        (kind) => html`<option value=${kind} ?selected=${kind === fill.kind}>${t(`measure.fill.${kind}`)}</option>`,
      )}</select
    >${bound('low')}${fill.kind === 'integers' ? ' … ' : nothing}${bound('high')}`;
}

/** @template T @param {{[name: string]: T}} all @param {string} name */
const without = (all, name) => Object.fromEntries(Object.entries(all).filter(([other]) => other !== name));

/** @param {Event} event @param {(files: File[]) => void} give */
function handed(event, give) {
  const field = /** @type {HTMLInputElement} */ (event.target);
  const files = [...(field.files ?? [])];
  field.value = '';
  if (files.length > 0) give(files);
}

/** A whole number from a field, null where it holds none. @param {Event} event @param {number} least @param {number} most */
function whole(event, least, most) {
  const value = Number(valueOf(event));
  return valueOf(event) !== '' && Number.isInteger(value) && value >= least && value <= most ? value : null;
}
