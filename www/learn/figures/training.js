import { css, html, nothing } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';

const WAYS = /** @type {const} */ (['straight', 'distilled']);

/** The digits network trained here: rounded afterwards, trained with rounding, and with the float network as its teacher. */
export class Training extends Live {
  static defaults = { bits: 2, run: 0 };

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
      told: 'At {bits} bits, rounding after training leaves {rounded} of {total} digits and a loss of {loss}. Press the button to train the network here: three seeds, two ways, a few seconds each.',
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
      told: '{bits} 位时，训练之后取整认对 {total} 个数字中的 {rounded} 个，损失 {loss}。按下按钮，就在这里训练：三个种子，两种办法，每次几秒。',
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

  /** @param {any} progress */
  progressed(progress) {
    this.far = progress;
    this.requestUpdate();
  }

  /** @param {any} choices */
  controls({ run }) {
    const running = this.asked.now !== '' && run > 0;
    return html`${this.choose('bits', [2, 3, 4], String, this.t('bits'))}
      <button ?disabled=${running} @click=${() => this.set({ run: run + 1 })}>
        ${this.t(run > 0 ? 'again' : 'start')}
      </button>
      ${
        running && this.far
          ? html`<progress max=${this.far.of} value=${this.far.done} aria-label=${this.t('title')}></progress
              ><span class="soft"
                >${this.t('running', { i: Math.min(this.far.of, Math.floor(this.far.done) + 1), n: this.far.of, loss: this.far.loss.toFixed(2) })}</span
              >`
          : nothing
      }`;
  }

  /** @param {any} answer */
  stage({ float, rounded, after }) {
    const row = (/** @type {string} */ name, /** @type {any} */ score) =>
      html`<tr>
        <td>${this.t(name)}</td>
        <td class="n">${score ? score.loss.toFixed(3) : '·'}</td>
        <td class="n">${score ? `${Number(score.correct.toFixed(1))} / ${score.total}` : '·'}</td>
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
        ${row('float', float)} ${row('rounded', rounded)} ${WAYS.map((way) => row(way, after[way]))}
      </tbody>
    </table>`;
  }

  /** @param {any} answer @param {any} choices */
  told({ rounded, after, seconds }, { bits }) {
    const facts = { bits, rounded: rounded.correct, total: rounded.total, loss: rounded.loss.toFixed(2) };
    if (!after.straight) return this.t('told', facts);
    const mean = (/** @type {'straight' | 'distilled'} */ way) => Number(after[way].correct.toFixed(1));
    return this.t('told.done', {
      ...facts,
      straight: mean('straight'),
      distilled: mean('distilled'),
      seconds: seconds.toFixed(1),
    });
  }
}

customElements.define('fb-training', Training);
