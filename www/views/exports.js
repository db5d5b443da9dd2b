import { html } from 'lit';
import { store } from '../store.js';
import { t } from '../i18n/index.js';
import { fileStem } from '../text/names.js';
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
  const text = picture(tools, view, about);
  const name = `${fileStem(store.state.data?.name)}-${about.what}.${kind}`;
  if (kind === 'svg') return tools.save(text, name, 'image/svg+xml');
  const png = tools.toPng(text);
  tools.save(png instanceof Blob ? png : await png, name);
}

/** @param {import('./saving.js').Tools} tools @param {Element} view @param {Exported} about */
function picture({ toSvg }, view, { tag, title }) {
  const figure = /** @type {import('../figures/figure.js').Figure} */ (view.querySelector(tag));
  return toSvg(figure, { title: title(), description: figure.label });
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
    const tools = await saving();
    if (kind === 'png') await tools.toPng(picture(tools, view, about));
    pressed.dataset.made = '';
  } catch {
    // Nothing is drawn yet; the press itself will say so.
  }
}
