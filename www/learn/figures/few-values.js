import { css, html } from 'lit';
import { Live } from '../live.js';
import { backToBack } from './halves.js';
import { decibel, number } from '../../text/format.js';

const TENSOR = 'fc1.weight';
/** @type {[number, number]} */
const AXIS = [-0.56, 0.56];
/** @type {{[key: string]: any}} */
const SCHEMES = {
  k4: { id: 'kmeans', bits: 4 },
  k3: { id: 'kmeans', bits: 3 },
  k2: { id: 'kmeans', bits: 2 },
  ternary: { id: 'ternary' },
  binary: { id: 'binary', per: 'tensor' },
  filter: { id: 'binary' },
};

/** Codebooks of 16, 8, 4 values, three values, two values: where they stand, and what is left. */
export class FewValues extends Live {
  static defaults = { values: 'k3' };

  static words = {
    en: {
      title: 'A layer that may use only a few values',
      values: 'values',
      k4: '16, by k-means',
      k3: '8',
      k2: '4',
      ternary: '3 (−α, 0, α)',
      binary: '2 (±α)',
      filter: '±α per row',
      before: 'float weights',
      after: 'few values',
      alt: 'The layer’s weights above the axis; below it the few values that stand for them.',
      told: '{n} values: {list}. {bits} bits per weight with the table counted, {db}. All layers so, the network reads {correct} of {total} digits.',
      'told.filter':
        'Two values in each row, ±α with α the mean of |w| in that row; in the first row ±{alpha}. {bits} bits per weight, {db}. All layers so, the network reads {correct} of {total} digits.',
    },
    zh: {
      title: '一层只许用很少几个值',
      values: '取值',
      k4: '16 个，k-means',
      k3: '8 个',
      k2: '4 个',
      ternary: '3 个（−α、0、α）',
      binary: '2 个（±α）',
      filter: '每行 ±α',
      before: '浮点权重',
      after: '少数几个值',
      alt: '轴上方是这一层的权重，下方是代替它们的少数几个值。',
      told: '{n} 个值：{list}。连码表在内每个权重 {bits} 位，{db}。各层都这样，网络认对 {total} 个数字中的 {correct} 个。',
      'told.filter':
        '每行两个值 ±α，α 是该行 |w| 的均值；第一行是 ±{alpha}。每个权重 {bits} 位，{db}。各层都这样，网络认对 {total} 个数字中的 {correct} 个。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 344px;
      }
    `,
  ];

  /** @param {any} choices */
  checked({ values }) {
    return { values: values in SCHEMES ? values : 'k3' };
  }

  /** @param {any} choices */
  question({ values }) {
    return {
      type: 'scheme',
      tensor: TENSOR,
      schemes: [SCHEMES[values]],
      axis: AXIS,
      bins: 400,
      samples: 1024,
      net: 'all',
    };
  }

  controls() {
    return this.choose('values', Object.keys(SCHEMES), (v) => this.t(v), this.t('values'));
  }

  /** @param {any} answer */
  stage({ stats, list, total }) {
    const { evaluation, stairs, correct } = list[0];
    return html`${backToBack({
      label: this.t('alt'),
      upper: this.t('before'),
      lower: this.t('after'),
      reference: stats.histogram,
      result: evaluation.histogram,
      levels: evaluation.levels,
      runs: evaluation.runs,
      stairs,
      axis: AXIS,
      keeper: this.keeper,
    })}
    ${this.meter(correct, total)}`;
  }

  /** @param {any} answer @param {any} choices */
  measured({ list, total }, { values }) {
    const { evaluation, correct } = list[0];
    return { key: `few ${values}`, what: this.t(values), bits: evaluation.bitsPerWeight, correct, total };
  }

  /** @param {any} answer @param {any} choices */
  told({ list, total }, { values }) {
    const { evaluation, correct } = list[0];
    const levels = [...evaluation.levels];
    const facts = { bits: evaluation.bitsPerWeight.toFixed(2), db: decibel(evaluation.metrics.sqnrDb), correct, total };
    if (values === 'filter') return this.t('told.filter', { ...facts, alpha: number(Math.max(...levels), 3) });
    return this.t('told', { ...facts, n: levels.length, list: levels.map((v) => number(v, 2)).join(', ') });
  }
}

customElements.define('fb-few-values', FewValues);
