import { css, html } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { count, decibel } from '../../text/format.js';
import '../../figures/staircase.js';

const TENSOR = 'fc1.weight';
/** @type {[number, number]} */
const AXIS = [-0.6, 0.6];
const KINDS = ['zero', 'nonzero', 'mixed'];

/** The article's three kinds on one layer: three staircases, and what the network reads. */
export class ZeroKinds extends Live {
  static defaults = { bits: 3, zeros: 0.5, floats: 0.01 };

  static words = {
    en: {
      title: 'One layer, three staircases',
      bits: 'bits',
      zeros: 'mixed: made zero',
      floats: 'kept float',
      zero: 'zero',
      nonzero: 'non-zero',
      mixed: 'mixed',
      input: 'weight',
      output: 'becomes',
      zeroed: 'zeros',
      cost: 'bits/weight',
      reads: 'digits read',
      alt: '{kind}: which weight becomes which. {zeros} of {count} are zero afterwards.',
      told: 'At {bits} bits: zero quantization leaves {z} of {count} weights at 0, non-zero {n}, mixed {m}. The network reads {za}, {na} and {ma} of {total} digits.',
    },
    zh: {
      title: '同一层，三种阶梯',
      bits: '位数',
      zeros: '混合：置零',
      floats: '保留浮点',
      zero: '全零',
      nonzero: '非全零',
      mixed: '混合',
      input: '权重',
      output: '变成',
      zeroed: '零的个数',
      cost: '位/权重',
      reads: '认对的数字',
      alt: '{kind}：哪个权重变成哪个值。之后 {count} 个中有 {zeros} 个是零。',
      told: '{bits} 位时，{count} 个权重里，全零量化得到 {z} 个 0，非全零 {n} 个，混合 {m} 个。网络分别认对 {total} 个数字中的 {za}、{na}、{ma} 个。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 340px;
      }
      .three {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 20px;
      }
      .head {
        margin: 0 0 4px;
        font: 600 13px/1.4 var(--sans, system-ui, sans-serif);
      }
      dl {
        display: grid;
        grid-template-columns: auto auto;
        gap: 2px 12px;
        margin: 6px 0 0;
      }
      dt {
        color: var(--m);
      }
      dd {
        margin: 0;
        text-align: end;
        font-weight: 600;
      }
      @media (max-width: 700px) {
        :host {
          --stage: 1000px;
        }
        .three {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  /** @param {any} choices */
  checked({ bits, zeros, floats }) {
    return {
      bits: within(bits, 2, 8),
      zeros: Math.min(0.95, Math.max(0, zeros)),
      floats: Math.min(0.05, Math.max(0, floats)),
    };
  }

  /** @param {any} choices */
  question({ bits, zeros, floats }) {
    return {
      type: 'scheme',
      tensor: TENSOR,
      schemes: [
        { id: 'zero', bits },
        { id: 'nonzero', bits },
        { id: 'mixed', bits, zeroRatio: zeros, floatRatio: floats },
      ],
      axis: AXIS,
      bins: 64,
      samples: 1200,
      net: 'all',
    };
  }

  controls() {
    const share = (/** @type {number} */ v) => `${Number((v * 100).toFixed(1))}\u00a0%`;
    return html`${this.slide('bits', { min: 2, max: 8, label: this.t('bits') })}
    ${this.slide('zeros', { min: 0, max: 0.95, step: 0.05, label: this.t('zeros'), show: share })}
    ${this.slide('floats', { min: 0, max: 0.05, step: 0.005, label: this.t('floats'), show: share })}`;
  }

  /** @param {any} answer */
  stage({ list, total, stats }) {
    return html`<div class="three">
      ${list.map(
        (/** @type {any} */ { evaluation, stairs, correct }, /** @type {number} */ i) =>
          html`<div>
            <p class="head">${this.t(KINDS[i])}</p>
            <fb-staircase
              .label=${this.t('alt', { kind: this.t(KINDS[i]), zeros: evaluation.metrics.zerosAfter, count: stats.count })}
              .stairs=${stairs}
              .axis=${AXIS}
              .height=${220}
              .titles=${this.keeper.keep(`titles ${i}`, [this.language], () => ({ input: this.t('input'), output: this.t('output') }))}
            ></fb-staircase>
            <dl>
              <dt>${this.t('zeroed')}</dt>
              <dd>${count(evaluation.metrics.zerosAfter, this.language)}</dd>
              <dt>${this.t('cost')}</dt>
              <dd>${evaluation.bitsPerWeight.toFixed(2)}</dd>
              <dt>SQNR</dt>
              <dd>${decibel(evaluation.metrics.sqnrDb)}</dd>
              <dt>${this.t('reads')}</dt>
              <dd>${correct} / ${total}</dd>
            </dl>
          </div>`,
      )}
    </div>`;
  }

  /** @param {any} answer @param {any} choices */
  measured({ list, total }, { bits, zeros, floats }) {
    const { evaluation, correct } = list[2];
    return {
      key: `kinds ${bits} ${zeros} ${floats}`,
      what: this.t('mixed'),
      bits: evaluation.bitsPerWeight,
      correct,
      total,
    };
  }

  /** @param {any} answer @param {any} choices */
  told({ list, total, stats }, { bits }) {
    const [z, n, m] = list.map((/** @type {any} */ { evaluation }) =>
      count(evaluation.metrics.zerosAfter, this.language),
    );
    const [za, na, ma] = list.map((/** @type {any} */ one) => one.correct);
    return this.t('told', { bits, z, n, m, za, na, ma, total, count: count(stats.count, this.language) });
  }
}

customElements.define('fb-zero-kinds', ZeroKinds);
