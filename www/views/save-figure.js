import { store } from '../store.js';
import { save, toPng, toSvg } from '../figures/export.js';
import { fileStem } from '../text/names.js';

export { save } from '../figures/export.js';
export * from '../text/report.js';

/** @typedef {import('./exports.js').Exported} Exported */

/**
 * Saves a figure: at once where its picture was made ahead.
 * @param {Element} view where it stands
 * @param {Exported} about
 * @param {'svg' | 'png'} kind
 */
export function saveFigure(view, about, kind) {
  const text = picture(view, about);
  const name = `${fileStem(store.state.data?.name)}-${about.what}.${kind}`;
  if (kind === 'svg') return save(text, name, 'image/svg+xml');
  const png = toPng(text);
  return png instanceof Blob ? save(png, name) : png.then((made) => save(made, name));
}

/**
 * Makes ahead what takes long.
 * @param {Element} view
 * @param {Exported} about
 * @param {'svg' | 'png'} kind
 */
export async function prepareFigure(view, about, kind) {
  if (kind === 'png') await toPng(picture(view, about));
}

/** @param {Element} view @param {Exported} about */
function picture(view, { tag, title }) {
  const figure = /** @type {import('../figures/figure.js').Figure} */ (view.querySelector(tag));
  return toSvg(figure, { title: title(), description: figure.label });
}
