import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { actions } from './actions.js';
import { t, tn } from '../i18n/index.js';
import { bitsPerWeight, bytes, count, percent } from '../text/format.js';
import { shown, shownShort } from '../text/names.js';
import { tell } from '../text/tell.js';

/** What is open, what the scheme makes of it, and what is being opened or went wrong. */
export class FileStrip extends View {
  /** @param {import('../types.js').State} state */
  pick({ model, file, opening, loading, computing, problem, offered, catalogue, room }) {
    return { model, file, opening, loading, computing, problem, offered, catalogue, room };
  }

  render() {
    const { model } = this.state;
    return html`
      <div class="strip">
        ${model ? this.#facts(model) : html`<span class="soft">${t('file.starting')}</span><span class="gap"></span>`}
        <button class="open" @click=${this.#open}>${t('open')}</button>
        ${this.#jobs()}
      </div>
      ${this.#offer()} ${this.#problem()}
    `;
  }

  /** @param {import('../types.js').Model} model */
  #facts(model) {
    const { language, room } = this.state;
    // What scheme B makes of the file is Explore's matter.
    const file = room === 'explore' ? this.state.file : null;
    const approx = file && !file.exact ? '≈ ' : '';
    return html`
      <bdi class="name" title=${shown(model.name)}>${shown(model.name)}</bdi>
      <span class="fact"
        >${tn('file.tensors', model.tensors.length, { n: count(model.tensors.length, language) })}</span
      >
      ${
        file
          ? html`<span class="fact num" title=${t('file.size.help')}
                ><span class="float">${bytes(file.before)}</span> →
                <span class="quantized">${approx}${bytes(file.after)}</span></span
              >
              <span class="fact num" title=${t('file.bits.help')}
                >${approx}${bitsPerWeight(file.bits)} ${t('bits.per.weight')}</span
              >`
          : html`<span class="fact num">${bytes(model.byteLength)}</span>`
      }
      <span class="gap"></span>
      ${
        file?.accuracy
          ? html`<span class="fact accuracy num" title=${t('accuracy.help', { n: file.accuracy.total })}
              >${t('accuracy')} <span class="float">${percent(file.accuracy.float)}</span> →
              <b class="quantized">${percent(file.accuracy.quantized)}</b></span
            >`
          : nothing
      }
    `;
  }

  #jobs() {
    const { opening, loading, computing } = this.state;
    const job = opening ?? loading;
    if (!job && computing === null) return nothing;
    const seconds = job ? Math.max(0.001, (performance.now() - job.started) / 1000) : 0;
    const text = !job
      ? t('job.computing')
      : t(opening ? 'job.opening' : 'job.loading', { name: shownShort(job.name, 60) });
    const cancel = opening
      ? () => actions.session?.cancelOpening()
      : loading
        ? () => actions.session?.cancelLoading()
        : () => actions.session?.cancelComputing();
    return html`<div class="job" role="status">
      <span class="what">${text}</span>
      ${
        job && job.total
          ? html`<progress max=${job.total} .value=${job.done} aria-label=${text}></progress>
              <span class="num">${bytes(job.done)} / ${bytes(job.total)}</span>
              <span class="num soft">${bytes(job.done / seconds)}/s</span>`
          : html`<progress aria-label=${text}></progress
              >${job && job.done > 0 ? html`<span class="num">${bytes(job.done)}</span>` : nothing}`
      }
      <button @click=${cancel}>${t('cancel')}</button>
    </div>`;
  }

  #offer() {
    const { offered } = this.state;
    if (!offered) return nothing;
    return html`<div class="offer">
      <span>${t('offer', { url: shown(offered) })}</span>
      <button @click=${() => actions.session?.open(offered, { name: nameOf(offered), url: offered })}>
        ${t('offer.open')}
      </button>
      <button class="plain" @click=${() => store.update((s) => ({ ...s, offered: null }))}>${t('dismiss')}</button>
    </div>`;
  }

  #problem() {
    const { problem } = this.state;
    const told = problem && tell(problem, () => this.requestUpdate());
    if (!told) return nothing;
    const { what, where, remedy, detail } = told;
    return html`<div class="problem" role="alert">
      <div>
        <p class="headline">${what}</p>
        ${where.length ? html`<p class="where">${where.map((fact) => html`<bdi>${fact}</bdi>`)}</p>` : nothing}
        <p>${remedy}</p>
        ${detail ? html`<p class="detail">${detailLine(detail)}</p>` : nothing}
      </div>
      <button class="plain" @click=${() => store.update((s) => ({ ...s, problem: null }))}>${t('dismiss')}</button>
    </div>`;
  }

  /** The dialog's code comes with its first use. */
  #open = async () => {
    await import('./open-box.js');
    const box = /** @type {import('./open-box.js').OpenBox | null} */ (document.querySelector('fb-open-box'));
    await box?.updateComplete;
    box?.show();
  };
}

/** The engine speaks English: its words stand below, said to be its own. @param {string} detail */
export function detailLine(detail) {
  const [before, after] = t('error.detail').split('{text}');
  return html`${before}<bdi lang="en">${detail}</bdi>${after}`;
}

/** @param {string} url */
export function nameOf(url) {
  try {
    return decodeURIComponent(new URL(url).pathname.split('/').pop() || url);
  } catch {
    return url;
  }
}

customElements.define('fb-file-strip', FileStrip);
