import { css, html, nothing, svg } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { decibel, number, percent } from '../../text/format.js';

const TENSOR = 'fc1.weight';
/** The weight that is made an outlier: row 40, column 100. */
const INDEX = 40 * 256 + 100;
const GRAINS = [
  { granularity: 'tensor' },
  { granularity: 'channel', axis: 0 },
  { granularity: 'group', groupSize: 32 },
];
const NAMES = ['tensor', 'channel', 'group'];

/** One weight grows; who suffers depends on how many weights share its scale. */
export class Grain extends Live {
  static defaults = { outlier: 1, bits: 4 };

  static words = {
    en: {
      title: 'One weight of 32,768 grows',
      outlier: 'the weight is',
      bits: 'bits',
      grain: 'one scale for',
      tensor: 'the tensor',
      channel: 'each row',
      group: 'each 32 weights',
      scales: 'scales',
      cost: 'bits/weight',
      db: 'SQNR of the others',
      zeroed: 'became zero',
      reads: 'digits read',
      float: 'as trained',
      alt: 'The matrix of 128 rows and 256 columns for each grain: the part that shares a scale with the outlier is filled.',
      told: 'The weight in row 40, column 100 is {value}; the largest other one is {other}. With one scale for the tensor {zero.tensor} of all weights become zero, with one for each row {zero.channel}, with one for each 32 weights {zero.group}.',
    },
    zh: {
      title: '32,768 个权重中的一个变大',
      outlier: '这个权重是',
      bits: '位数',
      grain: '一个缩放系数管',
      tensor: '整个张量',
      channel: '每一行',
      group: '每 32 个权重',
      scales: '系数个数',
      cost: '位/权重',
      db: '其余权重的 SQNR',
      zeroed: '变成零',
      reads: '认对的数字',
      float: '训练所得',
      alt: '128 行 256 列的矩阵，每种粒度一幅：与离群值合用系数的部分涂满。',
      told: '第 40 行第 100 列的权重是 {value}，其余最大的是 {other}。整个张量合用一个系数时，全部权重中有 {zero.tensor} 变成零；每行一个时是 {zero.channel}；每 32 个一个时是 {zero.group}。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 330px;
      }
      .three {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 24px;
      }
      .three > div {
        min-width: 0;
      }
      .three .head {
        margin: 0 0 6px;
        font: 600 13px/1.4 var(--sans, system-ui, sans-serif);
      }
      dl {
        display: grid;
        grid-template-columns: auto auto;
        gap: 2px 12px;
        margin: 8px 0 0;
      }
      dt {
        color: var(--m);
      }
      dd {
        margin: 0;
        text-align: end;
        font-weight: 600;
      }
      .hit {
        fill: var(--q);
        fill-opacity: 0.85;
      }
      .frame {
        fill: none;
        stroke: var(--i);
      }
      .spot {
        fill: var(--k);
        stroke: var(--p);
      }
      @media (max-width: 620px) {
        :host {
          --stage: 470px;
        }
        .three {
          grid-template-columns: minmax(0, 1fr);
          gap: 14px;
        }
        .three > div {
          display: grid;
          grid-template-columns: 40% 1fr;
          gap: 0 14px;
        }
        .three .head {
          grid-column: 1 / -1;
        }
      }
    `,
  ];

  /** @param {any} choices */
  checked({ outlier, bits }) {
    return { outlier: Math.min(8, Math.max(0, Math.round(outlier * 4) / 4)), bits: within(bits, 2, 8) };
  }

  /** @param {any} choices */
  question({ outlier, bits }) {
    return {
      type: 'scheme',
      tensor: TENSOR,
      schemes: GRAINS.map((grain) => ({ id: `int${bits}`, ...grain })),
      axis: [-0.6, 0.6],
      bins: 64,
      at: INDEX,
      net: 'one',
      boost: outlier > 0 ? { index: INDEX, value: outlier } : null,
    };
  }

  controls() {
    return html`${this.slide('outlier', {
      min: 0,
      max: 8,
      step: 0.25,
      label: this.t('outlier'),
      show: (v) => (v > 0 ? v.toFixed(2) : this.t('float')),
    })}
    ${this.slide('bits', { min: 2, max: 8, label: this.t('bits') })}`;
  }

  /** @param {any} answer */
  stage({ list, total }) {
    return html`<div class="three">
      ${list.map(
        (/** @type {any} */ { evaluation, correct }, /** @type {number} */ i) =>
          html`<div>
            <p class="head"><span class="soft">${this.t('grain')}</span> ${this.t(NAMES[i])}</p>
            ${this.#matrix(i)}
            <dl>
              <dt>${this.t('scales')}</dt>
              <dd>${evaluation.runs}</dd>
              <dt>${this.t('cost')}</dt>
              <dd>${evaluation.bitsPerWeight.toFixed(2)}</dd>
              <dt>SQNR</dt>
              <dd>${decibel(evaluation.metrics.sqnrDb)}</dd>
              <dt>${this.t('zeroed')}</dt>
              <dd>${percent(evaluation.metrics.zeroed)}</dd>
              <dt>${this.t('reads')}</dt>
              <dd>${correct} / ${total}</dd>
            </dl>
          </div>`,
      )}
    </div>`;
  }

  /** The matrix, and who shares a scale with the outlier. @param {number} grain */
  #matrix(grain) {
    const hit = [
      [0, 0, 256, 128],
      [0, 39, 256, 2],
      [96, 38.5, 32, 3],
    ][grain];
    return html`<svg viewBox="-1 -1 258 130" role="img" aria-label=${this.t('alt')}>
      ${svg`<rect class="hit" x=${hit[0]} y=${hit[1]} width=${hit[2]} height=${hit[3]}></rect>
      <rect class="frame" x="0" y="0" width="256" height="128"></rect>
      ${this.choices.outlier > 0 ? svg`<circle class="spot" cx="100.5" cy="40.5" r="5"></circle>` : nothing}`}
    </svg>`;
  }

  /** @param {any} answer @param {any} choices */
  told({ list, stats }, { outlier }) {
    const zeroed = list.map((/** @type {any} */ { evaluation }) => percent(evaluation.metrics.zeroed));
    return this.t('told', {
      value: outlier > 0 ? number(outlier, 3) : this.t('float'),
      other: number(outlier > 0 ? 0.5312 : Math.max(-stats.min, stats.max), 3),
      'zero.tensor': zeroed[0],
      'zero.channel': zeroed[1],
      'zero.group': zeroed[2],
    });
  }
}

customElements.define('fb-grain', Grain);
