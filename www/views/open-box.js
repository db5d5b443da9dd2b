import { html } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { actions } from './actions.js';
import { nameOf } from './file-strip.js';
import { t } from '../i18n/index.js';
import { filesFromList } from '../lib/files.js';
import { modelsIn } from '../lib/several.js';

/** @typedef {import('../lib/files.js').PlacedFile} PlacedFile */

/** The dialog with the ways to open something. */
export class OpenBox extends View {
  render() {
    return html`<dialog class="box" aria-labelledby="open-title" @click=${this.#outside}>
      <h2 id="open-title">${t('open.title')}</h2>
      <p>${t('open.drop')}</p>
      <p class="row">
        <label class="button"
          >${t('open.file')}<input
            class="sr"
            type="file"
            multiple
            accept=".safetensors,.gguf,.onnx,.onnx_data,.npy,.npz,.pt,.pth,.bin,.fbdc,.json"
            @change=${this.#picked}
        /></label>
        <label class="button"
          >${t('open.folder')}<input class="sr" type="file" webkitdirectory @change=${this.#picked}
        /></label>
        <button @click=${this.#sample}>${t('open.sample')}</button>
      </p>
      <form class="address" @submit=${this.#address}>
        <label for="open-url">${t('open.url')}</label>
        <span class="row">
          <input
            id="open-url"
            name="url"
            type="text"
            inputmode="url"
            required
            placeholder="https://…/model.safetensors, owner/model"
            autocomplete="off"
            spellcheck="false"
          />
          <button>${t('open.go')}</button>
        </span>
        <p class="soft">${t('open.url.help')}</p>
      </form>
      <p class="soft">${t('open.formats')}</p>
      <p class="end"><button @click=${this.#close}>${t('close')}</button></p>
    </dialog>`;
  }

  get dialog() {
    return /** @type {HTMLDialogElement} */ (this.querySelector('dialog'));
  }

  show() {
    if (!this.dialog.open) this.dialog.showModal();
  }

  #close = () => this.dialog.close();

  /** @param {Event} event */
  #outside = (event) => {
    if (event.target === this.dialog) this.dialog.close();
  };

  /** @param {Event} event */
  #picked = (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const files = filesFromList(input.files ?? []);
    input.value = '';
    this.dialog.close();
    if (files.length > 0) openFiles(files);
  };

  #sample = () => {
    this.dialog.close();
    actions.session?.openSample();
  };

  /** @param {SubmitEvent} event */
  #address = (event) => {
    event.preventDefault();
    const text = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get('url') ?? '').trim();
    const url = addressOf(text);
    this.dialog.close();
    actions.session?.open(url, { name: nameOf(url), url });
  };
}

/** An owner and a name with nothing else is a model of the hub; what has no scheme is meant to have one. @param {string} text */
export function addressOf(text) {
  if (/^[\w-][\w.-]*\/[\w-][\w.-]*(@[\w.-]+)?$/.test(text)) return `hf:${text}`;
  return /^[a-z][a-z\d+.-]*:/i.test(text) ? text : `https://${text}`;
}

/** Several models lead to the list of the Shrink room. @param {PlacedFile[]} files */
export async function openFiles(files) {
  const models = files.length > 1 ? modelsIn(files) : [];
  if (models.length > 1) {
    store.update((s) => ({ ...s, room: 'shrink' }));
    const { openSeveral } = await import('../shrink/batch-actions.js');
    return openSeveral(models);
  }
  const [folder, ...inside] = files[0].path.split('/');
  const isFolder = inside.length > 0;
  const source = files.length === 1 && !isFolder ? files[0].file : wanted(files);
  const name = isFolder || files.length === 1 ? folder : t('open.several', { n: files.length });
  store.update((s) => (s.room === 'learn' ? { ...s, room: 'explore' } : s));
  actions.begin().then((session) => session?.open(source, { name }));
}

/** Of a folder only what a model is made of: its other files stay out. @param {PlacedFile[]} files */
function wanted(files) {
  const chosen = files.filter(({ path }) =>
    /\.(safetensors|gguf|onnx|onnx_data|data|npy|npz|pt|pth|bin|fbdc|json|txt|model)$/i.test(path),
  );
  return chosen.length > 0 ? chosen : files;
}

customElements.define('fb-open-box', OpenBox);
