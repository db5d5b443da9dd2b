import { css, html, nothing, svg } from 'lit';
import { Live } from '../live.js';

/** The first image of each digit among the held-out ones. */
export const TEN = [24, 16, 6, 2, 13, 14, 1, 0, 7, 8];
/** The rows, the hidden ones last. */
const ROWS = [null, 8, 4, 3, 2];

/** Ten handwritten digits and what the network takes them for at fewer and fewer bits; the last rows after a guess. */
export class Digits extends Live {
  static defaults = { guess: -1, shown: false };

  static words = {
    en: {
      title: 'Ten digits the network has never seen',
      row: '{n} bits',
      float: 'float, 32 bits',
      all: 'of all {total}',
      ask: 'At 3 bits each weight is one of seven values. How many of these ten digits will the network still read?',
      'told.asked':
        'Trained in float, the network reads {float} of these ten, and {eight} of them with 8-bit weights, {four} with 4. Guess what 3 bits leave.',
      'told.shown':
        '{yours}At 3 bits it reads {three} of the ten ({three.all} of all {total} held-out digits), at 2 bits {two}.',
      digit: 'a handwritten {n}',
      said: '{n}',
      wrong: '{n}, wrong',
    },
    zh: {
      title: '网络从没见过的十个数字',
      row: '{n} 位',
      float: '浮点，32 位',
      all: '全部 {total} 个里',
      ask: '只剩 3 位，每个权重只能取七个值之一。这十个数字，网络还认得几个？',
      'told.asked':
        '网络用浮点训练，这十个认对 {float} 个；权重换成 8 位认对 {eight} 个，4 位认对 {four} 个。猜猜 3 位时还剩几个。',
      'told.shown':
        '{yours}3 位时十个里认对 {three} 个（全部 {total} 个留出数字里认对 {three.all} 个），2 位时认对 {two} 个。',
      digit: '手写的 {n}',
      said: '{n}',
      wrong: '{n}，认错了',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 330px;
      }
      table {
        width: 100%;
        max-width: 760px;
      }
      td,
      th {
        padding: 5px 4px;
        text-align: center;
        font-size: 16px;
      }
      tbody th,
      td:last-child,
      thead th:last-child {
        font-size: 13px;
        font-weight: 400;
        white-space: nowrap;
      }
      tbody th {
        text-align: start;
      }
      td.wrong {
        color: var(--k);
        font-weight: 700;
        text-decoration: underline wavy;
        text-decoration-thickness: 1px;
      }
      tr.hidden td {
        visibility: hidden;
      }
      svg.image {
        width: min(52px, 100%);
        margin: 0 auto;
      }
      @media print {
        tr.hidden td {
          visibility: visible;
        }
      }
      @media (max-width: 560px) {
        td,
        th {
          padding: 5px 1px;
        }
        .all {
          display: none;
        }
      }
    `,
  ];

  question() {
    return { type: 'read', images: TEN, schemes: ROWS.map((bits) => bits && { id: `int${bits}` }) };
  }

  /** @param {any} answer @param {any} choices */
  stage({ images, labels, taken, total }, { shown }) {
    return html`<table>
        <thead>
          <tr>
            <td></td>
            ${images.map((/** @type {Uint8Array} */ image, /** @type {number} */ i) => html`<th>${this.#image(image, labels[i])}</th>`)}
            <th class="all soft">${this.t('all', { total })}</th>
          </tr>
        </thead>
        <tbody>
          ${ROWS.map((bits, row) => {
            const { said, correct } = taken[row];
            return html`<tr class=${bits !== null && bits < 4 && !shown ? 'hidden' : ''}>
              <th scope="row">${bits === null ? this.t('float') : this.t('row', { n: bits })}</th>
              ${said.map((/** @type {number} */ n, /** @type {number} */ i) =>
                n === labels[i]
                  ? html`<td>${n}</td>`
                  : html`<td class="wrong" aria-label=${this.t('wrong', { n })}>${n}</td>`,
              )}
              <td class="all n">${correct}</td>
            </tr>`;
          })}
        </tbody>
      </table>
      ${shown ? nothing : this.#ask()}`;
  }

  #ask() {
    return html`<div class="ask">
      <p>${this.t('ask')}</p>
      <span class="choice">
        ${Array.from(
          { length: 11 },
          (_, n) =>
            html`<label
              ><input type="radio" name="guess" value=${n} @change=${() => this.set({ guess: n, shown: true })} /><span
                >${n}</span
              ></label
            >`,
        )}
      </span>
      <button @click=${() => this.set({ shown: true })}>${this.t('guess.skip')}</button>
    </div>`;
  }

  /** @param {Uint8Array} image @param {number} label */
  #image(image, label) {
    return html`<svg class="image" viewBox="0 0 8 8" role="img" aria-label=${this.t('digit', { n: label })}>
      ${[...image].map((ink, i) =>
        ink > 0
          ? svg`<rect x=${i % 8} y=${Math.floor(i / 8)} width="1.02" height="1.02" fill="var(--i)" fill-opacity=${ink / 16}></rect>`
          : nothing,
      )}
    </svg>`;
  }

  /** @param {any} answer @param {any} choices */
  told({ labels, taken, total }, { guess, shown }) {
    const right = (/** @type {number} */ row) =>
      taken[row].said.filter((/** @type {number} */ n, /** @type {number} */ i) => n === labels[i]).length;
    if (!shown) return this.t('told.asked', { float: right(0), eight: right(1), four: right(2) });
    const yours = guess >= 0 ? `${this.t('guess.yours', { guess })} ` : '';
    return this.t('told.shown', { yours, three: right(3), two: right(4), 'three.all': taken[3].correct, total });
  }
}

customElements.define('fb-digits', Digits);
