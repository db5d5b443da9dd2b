import { css, html } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { bytes, count, percent } from '../../text/format.js';

/** Prune, share, code: the bytes of each stage, read back and checked. */
export class DeepCompression extends Live {
  static defaults = { ratio: 0.5, bits: 4 };

  static words = {
    en: {
      title: 'Stage by stage, in real bytes',
      ratio: 'pruned',
      bits: 'bits of a shared value',
      stage: 'stage',
      size: 'bytes',
      kept: 'weights not 0',
      reads: 'digits read',
      float: 'as trained, f32',
      prune: 'pruned, stored as f16 with a mask',
      share: 'and shared: a codebook of {n} values',
      huffman: 'and coded by Huffman',
      told: '{from} become {to}: {factor} times smaller, {bpw} bits per weight. Every stage was packed, decoded again and compared: {verified}. The network reads {correct} of {total} digits, without any retraining.',
      yes: 'the same values came back',
      no: 'the values differ',
    },
    zh: {
      title: '一步一步，都是真实的字节',
      ratio: '剪去',
      bits: '共享值的位数',
      stage: '步骤',
      size: '字节',
      kept: '非零权重',
      reads: '认对的数字',
      float: '训练所得，f32',
      prune: '剪枝，以 f16 和掩码存储',
      share: '再共享：{n} 个值的码表',
      huffman: '再用霍夫曼编码',
      told: '从 {from} 到 {to}：缩小到 1/{factor}，每个权重 {bpw} 位。每一步都打包、再解码、再比对：{verified}。完全没有再训练，网络认对 {total} 个数字中的 {correct} 个。',
      yes: '读回的值一致',
      no: '读回的值不一致',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 220px;
      }
      table {
        width: 100%;
        max-width: 800px;
      }
      td,
      th {
        font-size: 14px;
      }
      svg {
        width: 200px;
      }
      @media (max-width: 640px) {
        .bar {
          display: none;
        }
      }
    `,
  ];

  /** @param {any} choices */
  checked({ ratio, bits }) {
    return { ratio: Math.min(0.95, Math.max(0, ratio)), bits: within(bits, 1, 8) };
  }

  /** @param {any} choices */
  question({ ratio, bits }) {
    return { type: 'stages', whole: true, ratio, bits };
  }

  controls() {
    return html`${this.slide('ratio', {
      min: 0,
      max: 0.95,
      step: 0.05,
      label: this.t('ratio'),
      show: (v) => percent(v, 0),
    })}
    ${this.slide('bits', { min: 1, max: 8, label: this.t('bits') })}`;
  }

  /** @param {any} answer @param {any} choices */
  stage({ stages, total }, { bits }) {
    const top = stages[0].bytes;
    return html`<table>
      <thead>
        <tr>
          <th>${this.t('stage')}</th>
          <td class="bar"></td>
          <th class="n">${this.t('size')}</th>
          <th class="n">${this.t('kept')}</th>
          <th class="n">${this.t('reads')}</th>
        </tr>
      </thead>
      <tbody>
        ${stages.map(
          (/** @type {any} */ stage, /** @type {number} */ i) =>
            html`<tr>
              <td>${this.t(stage.name, { n: 2 ** bits })}</td>
              <td class="bar">
                <svg viewBox="0 0 200 14" height="14" aria-hidden="true">
                  <rect
                    class=${i === 0 ? 'f-fill' : 'q-fill'}
                    width=${Math.max(1, (stage.bytes / top) * 200)}
                    height="14"
                  ></rect>
                </svg>
              </td>
              <td class="n">${count(stage.bytes, this.language)}</td>
              <td class="n">${count(stage.kept, this.language)}</td>
              <td class="n">${stage.correct} / ${total}</td>
            </tr>`,
        )}
      </tbody>
    </table>`;
  }

  /** @param {any} answer @param {any} choices */
  measured({ stages, count: n, total }, { ratio, bits }) {
    const last = stages.at(-1);
    const what = `${percent(ratio, 0)}, ${bits} bit`;
    return { key: `deep ${ratio} ${bits}`, what, bits: (8 * last.bytes) / n, correct: last.correct, total };
  }

  /** @param {any} answer */
  told({ stages, count: n, total }) {
    const last = stages.at(-1);
    return this.t('told', {
      from: bytes(stages[0].bytes),
      to: bytes(last.bytes),
      factor: (stages[0].bytes / last.bytes).toFixed(1),
      bpw: ((8 * last.bytes) / n).toFixed(2),
      verified: this.t(stages.every((/** @type {any} */ s) => s.verified) ? 'yes' : 'no'),
      correct: last.correct,
      total,
    });
  }
}

customElements.define('fb-deep-compression', DeepCompression);
