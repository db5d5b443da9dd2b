import { css, html, nothing, svg } from 'lit';
import { Live } from '../live.js';
import { linear } from '../../figures/scale.js';
import { bytes } from '../../text/format.js';
import { BITS, KINDS, PROMPT, keyOf, perplexity, schemeOf } from './language-schemes.js';
import { FLOAT, SMALL, TOKENS, VOCABULARY } from './language-rest.js';

/** @typedef {import('./language-rest.js').Side} Side */

const HEIGHT = 260;
const [LEFT, RIGHT, HEAD, FOOT] = [46, 14, 16, 36];
/** The axis of hesitation, logarithmic. */
const TICKS = [20, 50, 100, 200, 500, 1000];
/** Below this many bits the curve waits for the reader's guess. */
const HIDDEN = 4;
/** What fetching the model takes, as the page says before it is asked to. */
const MODEL_BYTES = 5.28e6;
/** Characters of a prompt: they fit into the context whatever their script. */
const LONGEST = 120;

/**
 * A tiny language model goes on with the same text twice, with float weights and with fewer bits, and is measured on text that it has not read.
 * The numbers for its first text came with the page; the model itself is fetched when the reader asks for it.
 */
export class LanguageModelFigure extends Live {
  static defaults = { kind: 'group', bits: 4, prompt: PROMPT, guess: 0, shown: false, live: false };
  static isLong = true;

  static words = {
    en: {
      title: 'One text, continued twice',
      kind: 'scales',
      'kind.tensor': 'one per tensor',
      'kind.group': 'one per 32 weights',
      'kind.k': 'K-quants',
      bits: 'bits',
      prompt: 'The text begins',
      load: 'Load the model ({size}) and continue here',
      go: 'Continue',
      fetching: 'Fetching the model: {loaded} of {size}',
      starting: 'Starting the model',
      writing: 'Writing',
      measuring: 'Measuring on text it has not read: {read} of {of} tokens',
      float: 'float, f16',
      'name.tensor': '{bits} bits, one scale per tensor',
      'name.group': '{bits} bits, one scale per 32 weights',
      'name.k': '{id}',
      size: '{size}, {bits} bits per weight',
      unsure: 'hesitates between {n} tokens',
      end: 'end of text',
      nothing: '(nothing: it ends the text at once)',
      'not.here': '(press the button: the model has to be loaded for a text of your own)',
      x: 'bits per weight, everything counted',
      y: 'tokens it hesitates between',
      chance: 'knows nothing: {n}',
      alt: 'Tokens that the model hesitates between, against bits per weight, for one scale per tensor, one per 32 weights, and K-quants.',
      table: 'All numbers, on {n} tokens of held-out text',
      ask: 'Fewer bits now, with a scale for every 32 weights. What is the least number of bits at which it still writes English?',
      'ask.none': 'not even 4',
      'ask.answer': 'At 3 it still does, at 2 no longer.',
      'told.hidden':
        'With {name} the model takes {size} instead of {float.size}, and on held-out text it hesitates between {n} tokens where float hesitates between {float}. Guess how far down this goes.',
      'told.shown':
        '{yours}With {name} the model takes {size} instead of {float.size} and hesitates between {n} tokens; float hesitates between {float}. {agree} {from}',
      'agree.all': 'It writes the very same text.',
      'agree.some': 'The two texts part after {n} characters.',
      'from.page': '(Numbers that came with the page.)',
      'from.here': '(Computed here.)',
      'told.unread': 'The model has not been loaded: press the button, and both go on with your text.',
    },
    zh: {
      title: '同一段话，接着写两遍',
      kind: '缩放系数',
      'kind.tensor': '每张量一个',
      'kind.group': '每 32 个权重一个',
      'kind.k': 'K 量化',
      bits: '位数',
      prompt: '开头',
      load: '下载模型（{size}），就在这里接着写',
      go: '接着写',
      fetching: '正在下载模型：{loaded} / {size}',
      starting: '正在启动模型',
      writing: '正在写',
      measuring: '正用它没读过的文字测量：{read} / {of} 个词元',
      float: '浮点，f16',
      'name.tensor': '{bits} 位、每张量一个系数',
      'name.group': '{bits} 位、每 32 个权重一个系数',
      'name.k': '{id}',
      size: '{size}，每个权重 {bits} 位',
      unsure: '在 {n} 个词元之间拿不定主意',
      end: '全文完',
      nothing: '（什么也没写：它一上来就结束了）',
      'not.here': '（请按按钮：要接你自己写的开头，得先下载模型）',
      x: '每个权重的位数，全部计入',
      y: '在几个词元之间拿不定',
      chance: '一无所知：{n}',
      alt: '模型在几个词元之间拿不定主意，与每个权重的位数的关系：每张量一个系数、每 32 个权重一个系数、K 量化。',
      table: '全部数字，在留出文字的 {n} 个词元上测得',
      ask: '再少几位，每 32 个权重仍有一个系数。最少用几位，它写出来的还像英文？',
      'ask.none': '4 位都不行',
      'ask.answer': '3 位时还像，2 位就不像了。',
      'told.hidden':
        '用 {name}，模型占 {size}，浮点时占 {float.size}；在没读过的文字上，它在 {n} 个词元之间拿不定主意，浮点时是 {float} 个。猜猜还能再少多少。',
      'told.shown':
        '{yours}用 {name}，模型占 {size}，浮点时占 {float.size}；它在 {n} 个词元之间拿不定主意，浮点时是 {float} 个。{agree}{from}',
      'agree.all': '写出来的话一字不差。',
      'agree.some': '两段话在第 {n} 个字符之后分道扬镳。',
      'from.page': '（数字随页面而来。）',
      'from.here': '（就在这里算的。）',
      'told.unread': '模型还没有下载：按下按钮，两边就会接着你的开头写。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 520px;
      }
      form {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 6px 10px;
        width: 100%;
      }
      form label {
        display: flex;
        flex: 1 1 220px;
        min-width: 0;
        align-items: center;
        gap: 8px;
        max-width: 460px;
        white-space: nowrap;
      }
      input[type='text'] {
        flex: 1;
        width: 0;
        min-width: 0;
        min-height: 30px;
        padding: 2px 8px;
        border: 1px solid var(--i);
        border-radius: 4px;
        background: var(--p);
        color: var(--i);
        font: 14px/1.4 var(--serif, Georgia, serif);
      }
      .work {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 4px 12px;
        width: 100%;
        min-height: 32px;
      }
      progress {
        width: 180px;
        accent-color: var(--q);
      }
      .two {
        display: grid;
        grid-template-columns: repeat(2, minmax(0, 1fr));
        gap: 0 28px;
        margin-bottom: 12px;
      }
      .side {
        border-top: 2px solid var(--f);
        padding-top: 6px;
      }
      .side.small {
        border-top-color: var(--q);
      }
      .text {
        min-height: 7.8em;
        margin: 6px 0;
        font: 15px/1.55 var(--serif, Georgia, serif);
        overflow-wrap: anywhere;
      }
      .text > [lang] {
        white-space: pre-wrap;
      }
      .begun,
      .ended {
        color: var(--m);
      }
      .ended {
        font: 12px/1.3 var(--sans, system-ui, sans-serif);
      }
      .parted {
        text-decoration: underline;
        text-decoration-color: var(--q);
        text-decoration-thickness: 2px;
        text-underline-offset: 3px;
      }
      .facts {
        display: block;
      }
      .tensor,
      .group,
      .k {
        fill: none;
        stroke: var(--q);
        stroke-width: 1.75;
        stroke-linejoin: round;
      }
      .group {
        stroke: var(--qa);
        stroke-dasharray: 5 3;
      }
      .k {
        stroke-width: 2.25;
        stroke-dasharray: 2 3;
      }
      .float-line {
        stroke: var(--f);
        stroke-width: 1.5;
      }
      text.float-name {
        fill: var(--ft);
      }
      .dot {
        fill: var(--p);
        stroke: var(--q);
        stroke-width: 1.5;
        cursor: pointer;
      }
      .dot.of-group {
        stroke: var(--qa);
      }
      .dot.here {
        fill: var(--i);
      }
      .at {
        fill: none;
        stroke: var(--i);
        stroke-width: 1.5;
      }
      .veiled {
        visibility: hidden;
      }
      .legend {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 20px;
        margin: 0 0 6px;
      }
      .legend svg {
        display: inline-block;
        width: 26px;
        vertical-align: 3px;
        margin-right: 6px;
      }
      .curve {
        position: relative;
      }
      .curve .ask {
        position: absolute;
        top: 34px;
        left: 60px;
        right: 14px;
        max-width: 440px;
        background: var(--p);
      }
      details {
        margin-top: 8px;
      }
      @media (max-width: 620px) {
        .two {
          grid-template-columns: minmax(0, 1fr);
          gap: 14px;
        }
        .text {
          min-height: 4.8em;
        }
        .curve .ask {
          position: static;
          max-width: none;
          margin-bottom: 12px;
        }
      }
    `,
  ];

  constructor() {
    super();
    /** What is written so far, float and small, while the engine writes. @type {[string, string]} */
    this.sofar = ['', ''];
    /** How far the engine is: what it does, in words, and a share where it is known. @type {{words: string, share: number | null} | null} */
    this.far = null;
    /** Schemes that were measured here. @type {Set<string>} */
    this.here = new Set();
  }

  /** @param {any} choices */
  checked({ kind, bits, prompt, guess, shown, live }) {
    const near = BITS.includes(bits) ? bits : 4;
    return {
      kind: KINDS.includes(kind) ? kind : 'group',
      bits: near,
      prompt: prompt.slice(0, LONGEST),
      guess: [1, 2, 3, 4, 5].includes(guess) ? guess : 0,
      // Whoever asks for few bits sees what they do.
      shown: shown || near < HIDDEN,
      live,
    };
  }

  /** @param {any} choices */
  question({ kind, bits, prompt, live }) {
    return live ? { type: 'continue', whole: true, scheme: schemeOf(kind, bits), prompt } : null;
  }

  /** What stands: computed here, else what came with the page, which has only one text. @param {any} choices */
  rest(choices) {
    const { kind, bits, prompt } = choices;
    const question = JSON.stringify(this.question(choices));
    if (this.answer && question === this.asked.done) return { ...this.answer, here: true };
    const known = prompt === PROMPT;
    const blank = (/** @type {Side} */ side) => (known ? side : { ...side, text: '', ended: false });
    return { float: blank(FLOAT), small: blank(SMALL[keyOf(kind, bits)]), here: false, known };
  }

  /** What was measured here is marked on the curve; it is about no digits. @param {any} _answer @param {any} choices */
  measured(_answer, { kind, bits }) {
    this.here.add(keyOf(kind, bits));
    return null;
  }

  /** @param {any} progress */
  progressed({ loaded, total, which, text, read, of }) {
    if (loaded !== undefined) {
      const size = total ?? MODEL_BYTES;
      const words = this.t('fetching', { loaded: bytes(loaded), size: bytes(size) });
      this.far = loaded < size ? { words, share: loaded / size } : { words: this.t('starting'), share: null };
    } else if (text !== undefined) {
      this.sofar = which === 0 ? [text, ''] : [this.sofar[0], text];
      this.far = { words: this.t('writing'), share: null };
    } else {
      // Two halves: float, and the other.
      this.far = { words: this.t('measuring', { read, of }), share: (which + read / of) / 2 };
    }
    this.requestUpdate();
  }

  /** @param {any} choices */
  controls(choices) {
    const { prompt, live } = choices;
    return html`${this.choose('kind', KINDS, (kind) => this.t(`kind.${kind}`), this.t('kind'))}
      ${this.choose('bits', BITS, String, this.t('bits'))}
      <form @submit=${this.#go}>
        <label
          ><span class="soft">${this.t('prompt')}</span
          ><input
            type="text"
            name="prompt"
            lang="en"
            maxlength=${LONGEST}
            autocomplete="off"
            spellcheck="false"
            .value=${prompt}
        /></label>
        <button>${live ? this.t('go') : this.t('load', { size: bytes(MODEL_BYTES) })}</button>
      </form>
      <div class="work">
        ${
          this.isRunning
            ? html`<progress aria-label=${this.t('title')} max="1" value=${this.far?.share ?? nothing}></progress
                ><span class="soft">${this.far?.words ?? this.t('starting')}</span
                ><button type="button" @click=${this.#stop}>${this.t('cancel')}</button>`
            : nothing
        }
      </div>`;
  }

  /** @param {Event} event */
  #go = (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const prompt = /** @type {HTMLInputElement} */ (form.elements.namedItem('prompt')).value;
    this.far = null;
    this.sofar = ['', ''];
    this.set({ prompt, live: true });
  };

  #stop = () => {
    this.far = null;
    this.cancel({ live: false });
  };

  /** @param {any} answer @param {any} choices */
  stage({ float, small, here, known }, choices) {
    const { kind, bits, prompt } = choices;
    const running = this.isRunning;
    const texts = running ? this.sofar : [float.text, small.text];
    const same = common(texts[0], texts[1]);
    const one = (/** @type {Side} */ side, /** @type {0 | 1} */ i) => {
      const text = texts[i];
      const ended = !running && side.ended;
      return html`<div class="side ${i === 1 ? 'small' : ''}">
        <b class=${i === 0 ? 'float' : 'quantized'}>${i === 0 ? this.t('float') : this.#name(kind, bits)}</b>
        <p class="text">
          <span lang="en"
            ><span class="begun">${prompt}</span>${text.slice(0, same)}${
              text.length > same ? html`<span class=${i === 1 ? 'parted' : ''}>${text.slice(same)}</span>` : nothing
            }</span
          >${
            ended
              ? html`<span class="ended"> ${text.trim() === '' ? this.t('nothing') : `∎ ${this.t('end')}`}</span>`
              : nothing
          }${!running && !here && !known ? html`<span class="ended"> ${this.t('not.here')}</span>` : nothing}
        </p>
        <span class="facts soft">${this.t('size', { size: bytes(side.byteLength), bits: side.bits.toFixed(2) })}</span>
        <span class="facts">${this.t('unsure', { n: tokens(side) })}</span>
      </div>`;
    };
    return html`<div class="two">${one(float, 0)}${one(small, 1)}</div>
      ${this.#curve(choices)}`;
  }

  /** @param {string} kind @param {number} bits */
  #name(kind, bits) {
    return this.t(`name.${kind}`, { bits, id: String(schemeOf(kind, bits).id).toUpperCase() });
  }

  /** @param {any} choices */
  #curve({ kind, bits, shown }) {
    // Before its width is known the curve is as high already: an element that grows while it is measured is measured again.
    const width = this.width || 600;
    const x = linear([1.8, 9.2], [LEFT, width - RIGHT]);
    const log = linear([Math.log(18), Math.log(1200)], [HEIGHT - FOOT, HEAD]);
    const y = (/** @type {number} */ n) => log.to(Math.log(n));
    const at = (/** @type {string} */ key) => ({ x: x.to(SMALL[key].bits), y: y(perplexity(SMALL[key].perToken)) });
    const path = (/** @type {string} */ k, /** @type {readonly number[]} */ list) =>
      list.map((b, i) => `${i ? 'L' : 'M'}${at(keyOf(k, b)).x.toFixed(1)} ${at(keyOf(k, b)).y.toFixed(1)}`).join('');
    const seen = BITS.filter((b) => b >= HIDDEN);
    const few = BITS.filter((b) => b <= HIDDEN);
    const veil = shown ? '' : 'veiled';
    const here = at(keyOf(kind, bits));
    const floor = perplexity(FLOAT.perToken);
    return html`<div class="curve">
        <p class="legend">
          ${KINDS.map(
            (k) =>
              html`<span
                ><svg viewBox="0 0 26 4" height="4" aria-hidden="true"><path class=${k} d="M0 2H26"></path></svg
                >${this.t(`kind.${k}`)}</span
              >`,
          )}
        </p>
        ${shown ? nothing : this.#ask()}
        <svg viewBox="0 0 ${width} ${HEIGHT}" height=${HEIGHT} role="img" aria-label=${this.t('alt')}>
          ${[2, 3, 4, 5, 6, 7, 8, 9].map(
            (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${HEAD} y2=${HEIGHT - FOOT}></line>
          <text x=${x.to(v)} y=${HEIGHT - FOOT + 14} text-anchor="middle">${v}</text>`,
          )}
          ${TICKS.map(
            (v) => svg`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y(v)} y2=${y(v)}></line>
          <text x=${LEFT - 6} y=${y(v) + 4} text-anchor="end">${v}</text>`,
          )}
          <line class="guide" x1=${LEFT} x2=${width - RIGHT} y1=${y(VOCABULARY)} y2=${y(VOCABULARY)}></line>
          <text x=${width - RIGHT} y=${y(VOCABULARY) + 14} text-anchor="end">
            ${this.t('chance', { n: VOCABULARY.toLocaleString('en-US') })}
          </text>
          <line class="float-line" x1=${LEFT} x2=${width - RIGHT} y1=${y(floor)} y2=${y(floor)}></line>
          <text class="float-name" x=${width - RIGHT} y=${y(floor) - 12} text-anchor="end">
            ${this.t('float')}: ${floor.toFixed(1)}
          </text>
          <text x=${width - RIGHT} y=${HEIGHT - 4} text-anchor="end">${this.t('x')} →</text>
          <text x=${LEFT + 4} y=${HEAD - 5}>↑ ${this.t('y')}</text>
          ${KINDS.map(
            (k) => svg`<path class=${k} d=${path(k, seen)}></path><path class="${k} ${veil}" d=${path(k, few)}></path>`,
          )}
          ${KINDS.flatMap((k) =>
            BITS.map((b) => {
              const key = keyOf(k, b);
              const classes = `dot of-${k} ${this.here.has(key) ? 'here' : ''} ${b < HIDDEN ? veil : ''}`;
              return svg`<circle class=${classes} cx=${at(key).x} cy=${at(key).y} r="4"
              @click=${() => this.set({ kind: k, bits: b })}></circle>`;
            }),
          )}
          <circle class="at ${bits < HIDDEN ? veil : ''}" cx=${here.x} cy=${here.y} r="8"></circle>
        </svg>
      </div>
      ${shown ? this.#table() : nothing}`;
  }

  #ask() {
    return html`<div class="ask">
      <p>${this.t('ask')}</p>
      <span class="choice">
        ${[5, 4, 3, 2].map(
          (n) =>
            html`<label
              ><input
                type="radio"
                name="guess"
                value=${n}
                @change=${() => this.set({ guess: n, shown: true, kind: 'group', bits: n === 5 ? 3 : n })}
              /><span>${n === 5 ? this.t('ask.none') : n}</span></label
            >`,
        )}
      </span>
      <button @click=${() => this.set({ shown: true })}>${this.t('guess.skip')}</button>
    </div>`;
  }

  #table() {
    const title = this.t('table', { n: TOKENS.toLocaleString('en-US') });
    return html`<details>
      <summary>${title}</summary>
      <div class="scroll" tabindex="0" role="group" aria-label=${title}>
        <table>
          <thead>
            <tr>
              <th>${this.t('bits')}</th>
              ${KINDS.map((k) => html`<th class="n">${this.t(`kind.${k}`)}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${BITS.map(
              (b) =>
                html`<tr>
                  <td>${b}</td>
                  ${KINDS.map((k) => {
                    const side = SMALL[keyOf(k, b)];
                    return html`<td class="n">${tokens(side)} <span class="soft">(${side.bits.toFixed(2)})</span></td>`;
                  })}
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>`;
  }

  /** @param {any} answer @param {any} choices */
  told({ float, small, here, known }, { kind, bits, guess, shown }) {
    if (!here && !known) return this.isRunning ? this.t('writing') : this.t('told.unread');
    const facts = {
      name: this.#name(kind, bits),
      size: bytes(small.byteLength),
      'float.size': bytes(float.byteLength),
      n: tokens(small),
      float: tokens(float),
    };
    if (!shown) return this.t('told.hidden', facts);
    const same = common(float.text, small.text);
    const isWhole = float.text === small.text;
    const mine = this.t('guess.yours', { guess: guess === 5 ? this.t('ask.none') : guess });
    const space = this.language === 'zh' ? '' : ' ';
    return this.t('told.shown', {
      ...facts,
      yours: guess > 0 ? [mine, this.t('ask.answer'), ''].join(space) : '',
      agree: isWhole ? this.t('agree.all') : this.t('agree.some', { n: same }),
      from: this.t(here ? 'from.here' : 'from.page'),
    });
  }
}

/** What a side hesitates between, in digits that say something. @param {Side} side */
function tokens({ perToken }) {
  const n = perplexity(perToken);
  return n < 100 ? n.toFixed(1) : Math.round(n).toLocaleString('en-US');
}

/** How many characters two texts begin with in common. @param {string} a @param {string} b */
function common(a, b) {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}

customElements.define('fb-language-model', LanguageModelFigure);
