import { css, html, nothing } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';

const WAYS = /** @type {const} */ (['straight', 'distilled']);

/**
 * What rounding leaves, and what training comes to, mean of seeds 1, 2, 3: shown until it is done here. Held by training-rest.test.js.
 * @typedef {{loss: number, correct: number}} Score
 */
export const TOTAL = 360;
/** @type {Score} */
export const FLOAT = { loss: 0.0124, correct: 358 };
/** @type {{[bits: number]: {rounded: Score, straight: Score, distilled: Score}}} */
export const BEFOREHAND = {
  2: {
    rounded: { loss: 0.5575, correct: 294 },
    straight: { loss: 0.0614, correct: 355.3 },
    distilled: { loss: 0.0501, correct: 352.7 },
  },
  3: {
    rounded: { loss: 0.1129, correct: 347 },
    straight: { loss: 0.0164, correct: 359 },
    distilled: { loss: 0.0137, correct: 359 },
  },
  4: {
    rounded: { loss: 0.0179, correct: 359 },
    straight: { loss: 0.014, correct: 359 },
    distilled: { loss: 0.0136, correct: 358.3 },
  },
};

/** The digits network trained here: rounded afterwards, trained with rounding, and with the float network as its teacher. */
export class Training extends Live {
  static defaults = { bits: 2, run: 0 };
  static isLong = true;

  static words = {
    en: {
      title: 'Rounding after training, and training with rounding',
      bits: 'bits',
      start: 'Train',
      again: 'Train again',
      running: 'Training {i} of {n}: loss {loss}',
      what: 'weights',
      loss: 'loss, held out',
      reads: 'digits read',
      float: 'float, as trained',
      rounded: 'rounded after training',
      straight: 'trained with rounding',
      distilled: 'and taught by the float network',
      beforehand: 'The rows in grey were trained beforehand; press the button to train here, three seeds each way.',
      told: 'At {bits} bits, rounding after training leaves {rounded} of {total} digits and a loss of {loss}. Trained with rounding the network read {straight}, taught by the float network {distilled}. Press the button to see it learn here: three seeds, two ways, a few seconds each.',
      'told.done':
        'At {bits} bits, rounding after training leaves {rounded} of {total} digits. Trained with rounding it reads {straight}, taught by the float network {distilled}: means of three seeds, trained here in {seconds} s.',
    },
    zh: {
      title: '训练之后再取整，与带着取整训练',
      bits: '位数',
      start: '开始训练',
      again: '再训练一次',
      running: '训练 {i} / {n}：损失 {loss}',
      what: '权重',
      loss: '留出集上的损失',
      reads: '认对的数字',
      float: '浮点，训练所得',
      rounded: '训练之后取整',
      straight: '带着取整训练',
      distilled: '再由浮点网络来教',
      beforehand: '灰色两行是事先训练的结果；按下按钮就在这里训练，每种办法三个种子。',
      told: '{bits} 位时，训练之后取整认对 {total} 个数字中的 {rounded} 个，损失 {loss}。带着取整训练认对 {straight} 个，由浮点网络来教认对 {distilled} 个。按下按钮，就能看它在这里学：三个种子，两种办法，每次几秒。',
      'told.done':
        '{bits} 位时，训练之后取整认对 {total} 个数字中的 {rounded} 个。带着取整训练认对 {straight} 个，由浮点网络来教认对 {distilled} 个：三个种子的平均，在这里训练了 {seconds} 秒。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 210px;
      }
      table {
        width: 100%;
        max-width: 720px;
      }
      td,
      th {
        font-size: 14px;
      }
      .note {
        min-height: 1.4em;
        margin: 6px 0 0;
      }
      progress {
        width: 220px;
        accent-color: var(--q);
      }
    `,
  ];

  constructor() {
    super();
    /** How far the training is. @type {{done: number, of: number, loss: number} | null} */
    this.far = null;
  }

  /** @param {any} choices */
  checked({ bits, run }) {
    return { bits: within(bits, 2, 4), run: run > 0 ? Math.round(run) : 0 };
  }

  /** @param {any} choices */
  question({ bits, run }) {
    return { type: 'train', whole: true, bits, seeds: run > 0 ? [1, 2, 3] : [], run };
  }

  /** @param {any} choices */
  rest({ bits }) {
    return this.answer ? null : { float: FLOAT, rounded: BEFOREHAND[bits].rounded, after: {} };
  }

  /** @param {any} progress */
  progressed(progress) {
    this.far = progress;
    this.requestUpdate();
  }

  /** @param {any} choices */
  controls({ run }) {
    const running = this.isRunning && run > 0;
    return html`${this.choose('bits', [2, 3, 4], String, this.t('bits'))}
      <button ?disabled=${running} @click=${() => this.set({ run: run + 1 })}>
        ${this.t(run > 0 ? 'again' : 'start')}
      </button>
      ${
        running && this.far
          ? html`<progress max=${this.far.of} value=${this.far.done} aria-label=${this.t('title')}></progress
              ><span class="soft"
                >${this.t('running', { i: Math.min(this.far.of, Math.floor(this.far.done) + 1), n: this.far.of, loss: this.far.loss.toFixed(2) })}</span
              ><button @click=${() => this.cancel({ run: 0 })}>${this.t('cancel')}</button>`
          : nothing
      }`;
  }

  /** @param {any} answer @param {any} choices */
  stage({ float, rounded, after }, { bits }) {
    const row = (/** @type {string} */ name, /** @type {any} */ score, known = '') =>
      html`<tr class=${known}>
        <td>${this.t(name)}</td>
        <td class="n">${score.loss.toFixed(3)}</td>
        <td class="n">${Number(score.correct.toFixed(1))} / ${TOTAL}</td>
      </tr>`;
    return html`<table>
        <thead>
          <tr>
            <th>${this.t('what')}</th>
            <th class="n">${this.t('loss')}</th>
            <th class="n">${this.t('reads')}</th>
          </tr>
        </thead>
        <tbody>
          ${row('float', float)} ${row('rounded', rounded)}
          ${WAYS.map((way) => row(way, after[way] ?? BEFOREHAND[bits][way], after[way] ? '' : 'soft'))}
        </tbody>
      </table>
      <p class="soft note">${after.straight ? '' : this.t('beforehand')}</p>`;
  }

  /** @param {any} answer @param {any} choices */
  told({ rounded, after, seconds }, { bits }) {
    const facts = { bits, rounded: rounded.correct, total: TOTAL, loss: rounded.loss.toFixed(2) };
    const mean = (/** @type {'straight' | 'distilled'} */ way) =>
      Number((after[way] ?? BEFOREHAND[bits][way]).correct.toFixed(1));
    const means = { ...facts, straight: mean('straight'), distilled: mean('distilled') };
    return after.straight ? this.t('told.done', { ...means, seconds: seconds.toFixed(1) }) : this.t('told', means);
  }
}

customElements.define('fb-training', Training);
