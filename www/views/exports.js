import { html } from 'lit';
import { t } from '../i18n/index.js';
import { saving } from './saving.js';

/**
 * @typedef {{tag: string, what: string, title: () => string}} Exported
 *   the figure's element, its name in words and in the file's name, and the title of the picture
 */

/**
 * The buttons that save a figure.
 * @param {Element} view where the figure stands
 * @param {Exported} about
 */
export function exportButtons(view, about) {
  return html`<span class="exports">${button(view, about, 'svg')} ${button(view, about, 'png')}</span>`;
}

/** @param {Element} view @param {Exported} about @param {'svg' | 'png'} kind */
function button(view, about, kind) {
  const near = (/** @type {Event} */ event) => prepare(view, about, kind, event);
  return html`<button
    class="plain"
    @pointerenter=${near}
    @focus=${near}
    @click=${() => save(view, about, kind)}
    aria-label=${t(`export.${kind}`, { what: t(`figure.${about.what}.short`) })}
  >
    ${kind.toUpperCase()}
  </button>`;
}

/** @param {Element} view @param {Exported} about @param {'svg' | 'png'} kind */
async function save(view, about, kind) {
  // No await where all is there: the press of the hand that allows one file is this one.
  const ready = saving();
  const tools = ready instanceof Promise ? await ready : ready;
  await tools.saveFigure(view, about, kind);
}

/**
 * A hand comes near: what it will ask for is made before it presses.
 * @param {Element} view
 * @param {Exported} about
 * @param {'svg' | 'png'} kind
 * @param {Event} event
 */
async function prepare(view, about, kind, event) {
  const pressed = /** @type {HTMLElement} */ (event.currentTarget);
  delete pressed.dataset.made;
  try {
    await (await saving()).prepareFigure(view, about, kind);
    pressed.dataset.made = '';
  } catch {
    // Nothing is drawn yet; the press itself will say so.
  }
}
