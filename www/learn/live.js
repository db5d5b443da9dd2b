import { css, html, nothing, svg } from 'lit';
import { Figure } from '../figures/figure.js';
import { ask } from './lesson.js';
import { readSetting, writeSetting } from './setting.js';
import { note } from './notes.js';
import { percent } from '../text/format.js';

/** @typedef {import('./setting.js').Setting} Setting */
/** @typedef {{en: {[key: string]: string}, zh: {[key: string]: string}}} Words */

/** What all figures say. @type {Words} */
export const COMMON = {
  en: {
    waiting: 'Reading the network’s weights…',
    failed: 'This figure could not be computed.',
    'failed.why': 'The engine says: {message}',
    retry: 'Try again',
    right: '{n} of {total} digits read right',
    chance: 'chance',
    guess: 'Guess first',
    'guess.skip': 'Show me',
    'guess.yours': 'Your guess: {guess}.',
    bits: 'bits',
    cancel: 'Cancel',
  },
  zh: {
    waiting: '正在读取网络的权重……',
    failed: '这幅图未能算出。',
    'failed.why': '引擎的说明：{message}',
    retry: '重试',
    right: '{total} 个数字认对 {n} 个',
    chance: '瞎猜',
    guess: '先猜一猜',
    'guess.skip': '直接看',
    'guess.yours': '你猜的是 {guess}。',
    bits: '位',
    cancel: '取消',
  },
};

/**
 * A figure of the lesson: it asks the engine itself when it is first seen, says in words what it shows, and keeps how it is set in one
 * attribute, so that an address or another page can set it.
 *
 * Attributes: `setting` (such as `bits=3;grain=group`), `lang` (`en` or `zh`; else that of the element around it).
 * Events: `fb-setting` {setting}, after the reader changed it.
 *
 * What a figure itself defines: `defaults`, `words`, `question()`, `stage()`, `told()`, `controls()`.
 */
export class Live extends Figure {
  /** @type {import('lit').PropertyDeclarations} */
  static properties = {
    lang: { type: String },
    setting: { type: String, reflect: true },
    answer: { state: true },
    problem: { state: true },
  };

  /** How it is set when nobody has set it. @type {Setting} */
  static defaults = {};
  /** Whether its work takes seconds, so that a change of setting ends it. */
  static isLong = false;
  /** @type {Words} */
  static words = { en: {}, zh: {} };

  /** @type {import('lit').CSSResultGroup} */
  static styles = [
    Figure.styles,
    css`
      :host {
        --ft: var(--float-text, #00649c);
        --qt: var(--quantized-text, #a94a00);
        color-scheme: inherit;
        font-size: 13px;
      }
      * {
        box-sizing: border-box;
      }
      .title {
        margin: 0 0 4px;
        font: 600 14px/1.4 var(--sans, system-ui, sans-serif);
      }
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 6px 20px;
        min-height: 34px;
        margin-bottom: 8px;
      }
      .tools:empty {
        display: none;
      }
      .stage {
        position: relative;
        min-height: var(--stage, 300px);
      }
      .told {
        max-width: 75ch;
        min-height: 3.1em;
        margin: 8px 0 0;
        font-size: 14px;
        line-height: 1.5;
      }
      .waiting,
      .failed {
        display: flex;
        flex-direction: column;
        align-items: center;
        justify-content: center;
        gap: 12px;
        min-height: var(--stage, 300px);
        border: solid var(--r);
        border-width: 1px 0;
        color: var(--m);
        text-align: center;
      }
      .failed {
        border-color: var(--k);
      }
      .failed strong {
        color: var(--k);
      }
      .soft {
        color: var(--m);
      }
      .float {
        color: var(--ft);
      }
      .quantized {
        color: var(--qt);
      }
      .clipped {
        color: var(--k);
      }
      b.float,
      b.quantized,
      b.clipped {
        font-weight: 600;
      }
      label.range {
        display: flex;
        align-items: center;
        gap: 8px;
      }
      label.range output {
        min-width: 3.2em;
        font-weight: 600;
      }
      input[type='range'] {
        width: 160px;
        height: 28px;
        margin: 0;
        accent-color: var(--i);
        cursor: pointer;
      }
      button {
        min-height: 30px;
        padding: 2px 12px;
        border: 1px solid var(--i);
        border-radius: 4px;
        background: var(--p);
        color: var(--i);
        font: inherit;
        cursor: pointer;
      }
      button:hover {
        background: var(--i);
        color: var(--p);
      }
      fieldset {
        display: inline-flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 4px 8px;
        margin: 0;
        padding: 0;
        border: 0;
        min-width: 0;
      }
      legend {
        float: left;
        padding: 0;
      }
      .choice {
        display: inline-flex;
        flex-wrap: wrap;
        border: 1px solid var(--r);
        border-radius: 4px;
      }
      .choice label {
        position: relative;
        display: inline-flex;
        cursor: pointer;
      }
      .choice input {
        position: absolute;
        inset: 0;
        margin: 0;
        opacity: 0;
        cursor: pointer;
      }
      .choice span {
        min-height: 28px;
        padding: 4px 9px;
        color: var(--m);
        white-space: nowrap;
      }
      .choice label:hover span {
        color: var(--i);
      }
      .choice input:checked + span {
        color: var(--i);
        font-weight: 600;
        box-shadow: inset 0 -2px 0 var(--i);
      }
      .choice input:focus-visible + span,
      button:focus-visible,
      input:focus-visible,
      summary:focus-visible {
        outline: 2px solid var(--focus, var(--i));
        outline-offset: 1px;
      }
      .ask {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px 14px;
        padding: 10px 14px;
        border: 1px solid var(--i);
        border-radius: 4px;
        font-size: 14px;
      }
      .ask p {
        margin: 0;
      }
      table {
        border-collapse: collapse;
        font: inherit;
      }
      th {
        font-weight: 600;
        text-align: start;
      }
      td,
      th {
        padding: 4px 14px 4px 0;
        border-bottom: 1px solid var(--r);
      }
      td.n,
      th.n {
        text-align: end;
      }
      .meter {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 2px 10px;
        min-height: 34px;
      }
      .meter svg {
        width: min(360px, 100%);
      }
      .scroll {
        overflow-x: auto;
      }
      @media print {
        .tools,
        .ask,
        button {
          display: none !important;
        }
        .veiled {
          visibility: visible !important;
        }
        .stage,
        .told {
          min-height: 0;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.lang = '';
    this.setting = '';
    /** What the engine answered last. @type {any} */
    this.answer = null;
    /** @type {{message: string, code?: string} | null} */
    this.problem = null;
    this.seen = false;
    /** The question under way and the one answered last. */
    this.asked = { now: '', done: '' };
    /** The choices that the answer is for. @type {any} */
    this.standing = null;
    /** Ends the question under way. @type {AbortController | null} */
    this.stopper = null;
    /** @type {IntersectionObserver | null} */
    this.eye = null;
  }

  /** @returns {typeof Live} */
  get #kind() {
    return /** @type {typeof Live} */ (this.constructor);
  }

  connectedCallback() {
    super.connectedCallback();
    this.requestUpdate();
    addEventListener('beforeprint', this.see);
    this.eye = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) this.see();
      },
      { rootMargin: '240px' },
    );
    this.eye.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    removeEventListener('beforeprint', this.see);
    this.eye?.disconnect();
    this.stopper?.abort();
  }

  /** It begins without having been scrolled to, if its work is short. */
  prepare() {
    if (!this.#kind.isLong) this.see();
  }

  /** It begins: it was scrolled to, or is to be printed. */
  see = () => {
    this.eye?.disconnect();
    if (this.seen) return;
    this.seen = true;
    this.requestUpdate();
  };

  /** How it is set now. @returns {any} */
  get choices() {
    return this.checked(readSetting(this.setting ?? '', this.#kind.defaults));
  }

  /** A setting from an address, brought within limits. @param {any} choices @returns {any} */
  checked(choices) {
    return choices;
  }

  /** The reader's change. @param {Setting} change */
  set(change) {
    const setting = writeSetting({ ...this.choices, ...change }, this.#kind.defaults);
    if (setting === this.setting) return;
    this.setting = setting;
    this.see();
    this.say('fb-setting', { setting });
  }

  get language() {
    const given = this.lang || (this.closest('[lang]')?.getAttribute('lang') ?? document.documentElement.lang);
    return /^zh/i.test(given) ? 'zh' : 'en';
  }

  /**
   * @param {string} key
   * @param {{[name: string]: string | number}} [values]
   */
  t(key, values = {}) {
    const { language } = this;
    const text = this.#kind.words[language][key] ?? COMMON[language][key] ?? key;
    return text.replace(/\{([\w.]+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  }

  /** What is shown before the engine has answered: numbers that came with the page; null for none. @param {any} _choices @returns {any} */
  rest(_choices) {
    return null;
  }

  /** What to ask the engine for this setting; null for nothing. @param {any} _choices @returns {{type: string, [name: string]: any} | null} */
  question(_choices) {
    return null;
  }

  /** @returns {unknown} */
  stage(/** @type {any} */ _answer, /** @type {any} */ _choices) {
    return nothing;
  }

  /** What the picture shows, in words. @returns {unknown} */
  told(/** @type {any} */ _answer, /** @type {any} */ _choices) {
    return nothing;
  }

  /** @returns {unknown} */
  controls(/** @type {any} */ _choices) {
    return nothing;
  }

  updated() {
    if (!this.seen || !this.isConnected) return;
    const question = this.question(this.choices);
    if (!question) return;
    const key = JSON.stringify(question);
    if (this.asked.now !== '') {
      // Long work gives way to what is wanted now.
      if (this.#kind.isLong && key !== this.asked.now) this.stopper?.abort();
      return;
    }
    if (key !== this.asked.done) this.#ask(question, key);
  }

  /** Whether the engine is at work for this figure. */
  get isRunning() {
    return this.asked.now !== '';
  }

  /** Ends what is under way, if it is, and changes the setting so that it does not begin again. @param {Setting} change */
  cancel(change) {
    this.stopper?.abort();
    this.set(change);
  }

  /** One question at a time; when it is answered the setting of that moment is looked at. @param {any} question @param {string} key */
  async #ask({ type, ...payload }, key) {
    const stopper = new AbortController();
    this.stopper = stopper;
    this.asked.now = key;
    this.problem = null;
    try {
      this.answer = await ask(type, payload, {
        signal: stopper.signal,
        onProgress: (/** @type {any} */ p) => !stopper.signal.aborted && this.progressed(p),
      });
      this.asked.done = key;
      if (JSON.stringify(this.question(this.choices)) === key) this.#note();
    } catch (/** @type {any} */ error) {
      if (!stopper.signal.aborted) this.problem = { message: error?.message ?? String(error), code: error?.code };
    }
    if (this.stopper === stopper) this.stopper = null;
    // A figure that was put elsewhere meanwhile asks again.
    this.asked = { now: '', done: stopper.signal.aborted ? '' : key };
    this.requestUpdate();
  }

  /**
   * What the reader has measured here: bits per weight and digits read.
   * @returns {{key: string, what: string, bits: number, correct: number, total: number} | null}
   */
  measured(/** @type {any} */ _answer, /** @type {any} */ _choices) {
    return null;
  }

  /** Long work tells how far it is. @param {any} _progress */
  progressed(_progress) {}

  #note() {
    const measured = this.measured(this.answer, this.choices);
    if (measured) note({ figure: this.t('title'), ...measured });
  }

  #again = () => {
    this.asked.done = '';
    this.problem = null;
  };

  render() {
    const { choices, problem } = this;
    const question = this.question(choices);
    const rest = this.rest(choices);
    const answer = rest ?? this.answer;
    const ready = answer !== null || (this.seen && question === null);
    // Until the new question is answered the figure shows what it showed, as it was set then.
    if (rest || question === null || JSON.stringify(question) === this.asked.done) this.standing = choices;
    const shown = this.standing ?? choices;
    const trouble = problem
      ? html`<div class="failed" role="alert">
          <strong>${this.t('failed')}</strong>
          <span>${this.t('failed.why', { message: problem.message })}</span>
          <button @click=${this.#again}>${this.t('retry')}</button>
        </div>`
      : nothing;
    return html`
      <p class="title">${this.t('title')}</p>
      <div class="tools">${this.controls(choices)}</div>
      <div class="stage">
        ${
          problem && !rest
            ? trouble
            : ready
              ? this.stage(answer, shown)
              : html`<div class="waiting"><span>${this.t('waiting')}</span></div>`
        }
      </div>
      ${problem && rest ? trouble : nothing}
      <p class="told" aria-live="polite">${ready && (rest || !problem) ? this.told(answer, shown) : nothing}</p>
    `;
  }

  /**
   * A row of choices, of which one holds.
   * @param {string} name of the setting
   * @param {readonly (string | number | boolean)[]} values
   * @param {(value: any) => string} title
   * @param {string} legend
   */
  choose(name, values, title, legend) {
    const now = this.choices[name];
    return html`<fieldset>
      <legend class="soft">${legend}</legend>
      <span class="choice"
        >${values.map(
          (value) =>
            html`<label
              ><input
                type="radio"
                name=${name}
                value=${value}
                .checked=${now === value}
                @change=${() => this.set({ [name]: value })}
              /><span>${title(value)}</span></label
            >`,
        )}</span
      >
    </fieldset>`;
  }

  /**
   * A slider.
   * @param {string} name of the setting
   * @param {{min: number, max: number, step?: number, label: string, show?: (value: number) => string}} about
   */
  slide(name, { min, max, step = 1, label, show = String }) {
    const now = Number(this.choices[name]);
    return html`<label class="range"
      ><span class="soft">${label}</span
      ><input
        type="range"
        name=${name}
        min=${min}
        max=${max}
        step=${step}
        .value=${String(now)}
        aria-valuetext=${show(now)}
        @input=${(/** @type {Event} */ e) =>
          this.set({ [name]: Number(/** @type {HTMLInputElement} */ (e.target).value) })}
      /><output>${show(now)}</output></label
    >`;
  }

  /**
   * How many digits are read right, as a bar, with a mark where guessing would end.
   * @param {number} correct
   * @param {number} total
   * @param {'f' | 'q'} role
   */
  meter(correct, total, role = 'q') {
    const words = this.t('right', { n: correct, total });
    const at = (correct / total) * 356;
    return html`<span class="meter"
      ><svg viewBox="0 0 360 22" height="22" aria-hidden="true">
        <rect x="2" y="4" width="356" height="14" fill="none" stroke="var(--r)"></rect>
        ${svg`<rect class="${role}-fill" x="2" y="4" width=${at} height="14"></rect>
          <line class="guide" x1="37.6" x2="37.6" y1="0" y2="22"></line>`}
      </svg>
      <span><b>${words}</b> <span class="soft">(${percent(correct / total)})</span></span></span
    >`;
  }

  /** A number among words, coloured by its role. @param {'float' | 'quantized' | 'clipped'} role @param {unknown} text */
  mark(role, text) {
    return html`<b class=${role}>${text}</b>`;
  }
}

/** A word among many, by how many. @param {number} n @param {string} one @param {string} many */
export const plural = (n, one, many) => (n === 1 ? one : many);
