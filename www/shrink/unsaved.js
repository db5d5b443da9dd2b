/** The question before files that were not saved are thrown away. */
import { html } from 'lit';
import { t, tn } from '../i18n/index.js';
import { count } from '../text/format.js';

/**
 * @param {object} asked
 * @param {number} asked.files that would be lost
 * @param {string} asked.language
 * @param {() => void} asked.save
 * @param {() => void} asked.drop throws them away, as was asked for
 * @param {() => void} asked.keep leaves everything as it is
 */
export function lossQuestion({ files, language, save, drop, keep }) {
  const text = tn('shrink.loss', files, { n: count(files, language) });
  const escape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Escape') keep();
  };
  return html`<div class="problem asking unsaved" role="alertdialog" aria-label=${text} @keydown=${escape}>
    <p class="headline">${text}</p>
    <p class="answers">
      <button class="primary save-first" @click=${save}>${tn('shrink.loss.save', files)}</button>
      <button class="drop" @click=${drop}>${tn('shrink.loss.drop', files)}</button>
      <button class="plain keep" @click=${keep}>${t('cancel')}</button>
    </p>
  </div>`;
}

/** The answer that does no harm is the one that a key gives. @param {HTMLElement} view */
export const focusQuestion = (view) =>
  /** @type {HTMLElement | null} */ (view.querySelector('.unsaved .save-first'))?.focus({ preventScroll: false });
