import { html, nothing } from 'lit';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { learnHash } from '../url.js';
import { t } from '../i18n/index.js';
import { CHAPTERS, FRONT, chapterOf } from './contents.js';
import { PAPERS } from './papers.js';

/**
 * What a chapter's text is written with.
 * @typedef {{
 *   figure: (name: string) => unknown, math: (name: string) => unknown, code: (name: string) => unknown,
 *   see: (figure: string, setting: string, text: unknown) => unknown, chapter: (n: number, text: unknown) => unknown,
 *   paper: (key: string) => unknown
 * }} Tools
 * `see`: words that set a figure of this chapter when they are pressed
 */

/** Milliseconds after a chapter is opened before figures that were not scrolled to begin too, so that they are there when it is printed. */
const LEISURE = 3000;

/** @typedef {{n: number, language: string, text: import('./contents.js').Text, parts: import('./contents.js').Parts}} Open */

/** The lesson: its contents, or one chapter with its figures. */
export class Learn extends View {
  /** @param {import('../types.js').State} state */
  pick({ chapter, settings }) {
    return { chapter, settings };
  }

  constructor() {
    super();
    /** What is shown. @type {Open | null} */
    this.open = null;
    /** What is on its way. */
    this.wanted = '';
    this.failed = false;
    this.leisure = 0;
    /** The figures of the chapter that is shown, by name. @type {Map<string, any>} */
    this.figures = new Map();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.leisure);
  }

  willUpdate() {
    const { chapter: n, language } = this.state;
    const chapter = chapterOf(n) ?? FRONT;
    const key = `${chapter.n} ${language}`;
    if (this.wanted === key) return;
    this.wanted = key;
    this.failed = false;
    const texts = language === 'zh' ? chapter.text.zh : chapter.text.en;
    Promise.all([texts(), chapter.parts()]).then(
      ([{ default: text }, parts]) => {
        if (this.wanted === key) this.#show({ n: chapter.n, language, text, parts });
      },
      () => {
        if (this.wanted !== key) return;
        this.failed = true;
        this.requestUpdate();
      },
    );
  }

  /** @param {Open} open */
  async #show(open) {
    const turned = this.open !== null && this.open.n !== open.n;
    if (this.open?.n !== open.n) this.figures = new Map();
    this.open = open;
    this.requestUpdate();
    clearTimeout(this.leisure);
    this.leisure = window.setTimeout(() => {
      for (const figure of this.figures.values()) figure.prepare?.();
    }, LEISURE);
    if (!turned) return;
    await this.updateComplete;
    scrollTo(0, 0);
    /** @type {HTMLElement | null} */ (this.querySelector('h1'))?.focus({ preventScroll: true });
  }

  render() {
    const { open } = this;
    const n = open?.n ?? (chapterOf(this.state.chapter) ? this.state.chapter : 0);
    return html`<div class="learn" ?data-front=${n === 0}>
      ${n > 0 ? this.#side(n) : nothing}
      <main id="main" class="lesson" tabindex="-1">
        ${
          this.failed
            ? html`<div class="waiting" role="alert">
                <p>${t('learn.absent')}</p>
                <button @click=${this.#again}>${t('learn.again')}</button>
              </div>`
            : open
              ? [
                  this.#head(n),
                  open.text(this.#tools(open)),
                  n > 0 ? nothing : this.#contents(),
                  this.#papers(open),
                  n > 0 ? this.#pager(n) : nothing,
                ]
              : html`<div class="waiting"></div>`
        }
      </main>
    </div>`;
  }

  /** @param {number} n */
  #head(n) {
    if (n === 0) return nothing;
    const [title, question] = this.#names(n);
    return html`<header class="chapter-head">
      <p class="soft">${t('learn.chapter', { n })}</p>
      <h1 tabindex="-1">${title}</h1>
      <p class="question">${question}</p>
    </header>`;
  }

  /** @param {number} n */
  #names(n) {
    const { names } = /** @type {import('./contents.js').Chapter} */ (chapterOf(n));
    return this.state.language === 'zh' ? names.zh : names.en;
  }

  /** @param {number} now */
  #side(now) {
    return html`<nav class="chapters" aria-label=${t('learn.contents')}>
      <a href="#/learn">${t('learn.contents')}</a>
      <ol>
        ${CHAPTERS.map(
          ({ n }) =>
            html`<li>
              <a href="#/learn/${n}" aria-current=${n === now ? 'page' : nothing}
                ><span class="num soft">${n}</span> ${this.#names(n)[0]}</a
              >
            </li>`,
        )}
      </ol>
    </nav>`;
  }

  #contents() {
    return html`<nav class="contents" aria-label=${t('learn.contents')}>
      <h2>${t('learn.contents')}</h2>
      <ol>
        ${CHAPTERS.map(({ n }) => {
          const [title, question] = this.#names(n);
          return html`<li>
            <a href="#/learn/${n}"
              ><span class="num soft">${n}</span><span class="what"><b>${title}</b> <span>${question}</span></span></a
            >
          </li>`;
        })}
      </ol>
    </nav>`;
  }

  /** @param {number} n */
  #pager(n) {
    const at = CHAPTERS.findIndex((chapter) => chapter.n === n);
    const link = (/** @type {number | undefined} */ to, /** @type {string} */ key) =>
      to === undefined
        ? html`<span></span>`
        : html`<a rel=${key === 'learn.next' ? 'next' : 'prev'} href="#/learn/${to}"
            ><span class="soft">${t(key)}</span><b>${to} · ${this.#names(to)[0]}</b></a
          >`;
    return html`<nav class="pager" aria-label=${t('learn.pager')}>
      ${link(CHAPTERS[at - 1]?.n, 'learn.previous')} ${link(CHAPTERS[at + 1]?.n, 'learn.next')}
    </nav>`;
  }

  /** @param {Open} open */
  #papers({ parts, language }) {
    const keys = parts.papers ?? [];
    if (keys.length === 0) return nothing;
    return html`<section class="papers" aria-labelledby="papers">
      <h2 id="papers">${t('learn.papers')}</h2>
      <ul lang="en">
        ${keys.map((key) => {
          const { text, url, note } = PAPERS[key];
          return html`<li id="paper-${key}">
            <a href=${url} rel="noreferrer">${text}</a
            >${note ? html` <span lang=${language}>${note[language === 'zh' ? 'zh' : 'en']}</span>` : nothing}
          </li>`;
        })}
      </ul>
    </section>`;
  }

  /** @param {Open} open @returns {Tools} */
  #tools({ n, parts }) {
    const { settings } = this.state;
    return {
      figure: (name) =>
        html`<figure class="live" id="figure-${name}">${this.#figure(name, parts.figures[name])}</figure>`,
      math: (name) => html`<div class="equation">${parts.math?.[name]}</div>`,
      code: (name) => html`<pre tabindex="0" aria-label=${t('learn.code')}><code>${parts.code?.[name]}</code></pre>`,
      see: (name, setting, text) =>
        html`<a
          class="see"
          href=${learnHash({ chapter: n, settings: { ...settings, [name]: setting } })}
          @click=${() => this.querySelector(`#figure-${name}`)?.scrollIntoView({ block: 'nearest' })}
          >${text}</a
        >`,
      chapter: (to, text) => (chapterOf(to) ? html`<a href="#/learn/${to}">${text}</a>` : text),
      paper: (key) =>
        html`<a class="cite" href=${PAPERS[key].url} rel="noreferrer" title=${PAPERS[key].text}
          >${PAPERS[key].short}</a
        >`,
    };
  }

  /** The figure of that name: made once, set anew. @param {string} name @param {string} tag */
  #figure(name, tag) {
    let figure = this.figures.get(name);
    if (!figure) {
      figure = document.createElement(tag);
      figure.addEventListener('fb-setting', (/** @type {CustomEvent} */ event) => {
        const { setting } = event.detail;
        store.update((s) => ({ ...s, settings: { ...s.settings, [name]: setting } }));
      });
      this.figures.set(name, figure);
    }
    figure.lang = this.state.language;
    figure.setting = this.state.settings[name] ?? '';
    return figure;
  }

  #again = () => {
    this.wanted = '';
    this.requestUpdate();
  };
}

customElements.define('fb-learn', Learn);
