import { css, html } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { decibel, number } from '../../text/format.js';
import '../../figures/error-histogram.js';

const TENSOR = 'fc1.weight';
const WAYS = [{}, { correction: 'mean' }, { refit: true }, { refit: true, correction: 'mean' }, { effort: 'best' }];
const NAMES = ['none', 'bias', 'refit', 'both', 'best'];

/** Step four of the article: what can be mended without training, before and after. */
export class Adjust extends Live {
  static defaults = { bits: 3, way: 'refit' };

  static words = {
    en: {
      title: 'Before and after adjusting',
      bits: 'bits',
      way: 'adjust',
      none: 'not at all',
      bias: 'bias correction',
      refit: 'refit the scale',
      both: 'both',
      best: 'search the best scale',
      error: 'error = weight − result',
      scale: 'scale',
      rmse: 'RMSE',
      db: 'SQNR',
      reads: 'digits read',
      alt: 'Errors of the layer’s weights after adjusting (filled) and before (dashed line).',
      beyond: '{n} beyond',
      told: 'At {bits} bits, one scale per row: the error falls from {before} to {after} (RMSE), and the network reads {correct} instead of {was} of {total} digits.',
      'told.none':
        'At {bits} bits, one scale per row, nothing adjusted: RMSE {before}, and the network reads {was} of {total} digits.',
    },
    zh: {
      title: '调整之前与之后',
      bits: '位数',
      way: '调整',
      none: '不调',
      bias: '偏差校正',
      refit: '重拟合系数',
      both: '两样都做',
      best: '搜索最好的系数',
      error: '误差 = 权重 − 结果',
      scale: '系数',
      rmse: 'RMSE',
      db: 'SQNR',
      reads: '认对的数字',
      alt: '这一层权重的误差：调整之后（填色）与之前（虚线）。',
      beyond: '另有 {n} 个在外',
      told: '{bits} 位，每行一个系数：误差（RMSE）从 {before} 降到 {after}，网络认对 {total} 个数字中的 {correct} 个，原来是 {was} 个。',
      'told.none': '{bits} 位，每行一个系数，不作调整：RMSE {before}，网络认对 {total} 个数字中的 {was} 个。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 330px;
      }
      .two {
        display: grid;
        grid-template-columns: minmax(0, 3fr) minmax(0, 2fr);
        gap: 24px;
      }
      tr[data-now] {
        font-weight: 600;
      }
      td,
      th {
        padding-right: 10px;
      }
      @media (max-width: 620px) {
        :host {
          --stage: 520px;
        }
        .two {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];

  /** @param {any} choices */
  checked({ bits, way }) {
    return { bits: within(bits, 2, 8), way: NAMES.includes(way) ? way : 'refit' };
  }

  /** @param {any} choices */
  question({ bits }) {
    return {
      type: 'scheme',
      whole: true,
      tensor: TENSOR,
      schemes: WAYS.map((way) => ({ id: `int${bits}`, granularity: 'channel', axis: 0, ...way })),
      axis: [-0.6, 0.6],
      bins: 64,
      errorBins: 160,
      net: 'all',
    };
  }

  controls() {
    return html`${this.choose('way', NAMES, (w) => this.t(w), this.t('way'))}
    ${this.slide('bits', { min: 2, max: 8, label: this.t('bits') })}`;
  }

  /** @param {any} answer @param {any} choices */
  stage({ list, total }, { way }) {
    const now = NAMES.indexOf(way);
    return html`<div class="two">
      <fb-error-histogram
        .label=${this.t('alt')}
        .histogram=${list[now].evaluation.error}
        .other=${now > 0 ? list[0].evaluation.error : null}
        .caption=${this.t('error')}
        .beyond=${this.t('beyond')}
        .height=${260}
      ></fb-error-histogram>
      <div class="scroll" tabindex="0" role="group" aria-label=${this.t('title')}>
        <table>
          <thead>
            <tr>
              <th>${this.t('way')}</th>
              <th class="n">${this.t('db')}</th>
              <th class="n">${this.t('reads')}</th>
            </tr>
          </thead>
          <tbody>
            ${list.map(
              (/** @type {any} */ { evaluation, correct }, /** @type {number} */ i) =>
                html`<tr ?data-now=${i === now}>
                  <td>${this.t(NAMES[i])}</td>
                  <td class="n">${decibel(evaluation.metrics.sqnrDb)}</td>
                  <td class="n">${correct} / ${total}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </div>`;
  }

  /** @param {any} answer @param {any} choices */
  measured({ list, total }, { bits, way }) {
    const { evaluation, correct } = list[NAMES.indexOf(way)];
    return {
      key: `adjust ${bits} ${way}`,
      what: `int${bits}, ${this.t(way)}`,
      bits: evaluation.bitsPerWeight,
      correct,
      total,
    };
  }

  /** @param {any} answer @param {any} choices */
  told({ list, total }, { bits, way }) {
    const now = list[NAMES.indexOf(way)];
    const rmse = (/** @type {any} */ one) => number(one.evaluation.metrics.rmse, 3);
    return this.t(way === 'none' ? 'told.none' : 'told', {
      bits,
      before: rmse(list[0]),
      after: rmse(now),
      correct: now.correct,
      was: list[0].correct,
      total,
    });
  }
}

customElements.define('fb-adjust', Adjust);
