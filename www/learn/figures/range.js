import { css, html } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { backToBack } from './halves.js';
import { count, decibel, number } from '../../text/format.js';

const TENSOR = 'conv2.weight';
/** @type {[number, number]} */
const AXIS = [-0.56, 0.56];
const RULES = ['minmax', 'percentile', 'mse', 'kl', 'manual'];

/** Where the range ends: by a rule, or by hand. What lies beyond is cut off. */
export class RangeFigure extends Live {
  static defaults = { rule: 'minmax', low: -0.3, high: 0.3, bits: 3 };

  static words = {
    en: {
      title: 'The range of layer conv2, 18,432 weights',
      rule: 'range by',
      'rule.minmax': 'min–max',
      'rule.percentile': 'percentile',
      'rule.mse': 'least error',
      'rule.kl': 'KL',
      'rule.manual': 'hand',
      before: 'float weights',
      after: '{bits} bits',
      low: 'Lower end of the range',
      high: 'Upper end of the range',
      alt: 'The layer’s weights above the axis, their {n} levels below it. Two handles set the ends of the range.',
      told: 'Range {low} … {high}, one step {step}. {clipped} of {count} weights lie beyond and are cut off. Error: {rmse} (RMSE), {db}. With such ranges in all layers the network reads {correct} of {total} digits.',
      'told.hand':
        'Range {low} … {high}, one step {step}. {clipped} of {count} weights lie beyond and are cut off. Error: {rmse} (RMSE), {db}. With this range here and least error in the other layers the network reads {correct} of {total} digits.',
    },
    zh: {
      title: 'conv2 层的范围，18,432 个权重',
      rule: '范围取自',
      'rule.minmax': '最小–最大',
      'rule.percentile': '百分位',
      'rule.mse': '误差最小',
      'rule.kl': 'KL',
      'rule.manual': '手动',
      before: '浮点权重',
      after: '{bits} 位',
      low: '范围下端',
      high: '范围上端',
      alt: '轴上方是这一层的权重，下方是它们的 {n} 个量化级。两个把手定出范围的两端。',
      told: '范围 {low} … {high}，一级 {step}。{count} 个权重中有 {clipped} 个在范围外，被截断。误差：{rmse}（均方根），{db}。各层都这样取范围，网络认对 {total} 个数字中的 {correct} 个。',
      'told.hand':
        '范围 {low} … {high}，一级 {step}。{count} 个权重中有 {clipped} 个在范围外，被截断。误差：{rmse}（均方根），{db}。这一层用这个范围，其余各层取误差最小，网络认对 {total} 个数字中的 {correct} 个。',
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
  checked({ rule, low, high, bits }) {
    const fits = AXIS[0] <= low && low < high && high <= AXIS[1];
    return {
      rule: RULES.includes(rule) ? rule : 'minmax',
      low: fits ? low : -0.3,
      high: fits ? high : 0.3,
      bits: within(bits, 2, 8),
    };
  }

  /** @param {any} choices */
  question({ rule, low, high, bits }) {
    const ends = rule === 'manual' ? { rangeLow: low, rangeHigh: high } : {};
    return {
      type: 'scheme',
      tensor: TENSOR,
      schemes: [{ id: `int${bits}`, symmetric: false, range: rule, ...ends }],
      others: rule === 'manual' ? { id: `int${bits}`, symmetric: false, range: 'mse' } : null,
      axis: AXIS,
      bins: 400,
      samples: 1024,
      net: 'all',
    };
  }

  controls() {
    return html`${this.choose('rule', RULES, (r) => this.t(`rule.${r}`), this.t('rule'))}
    ${this.slide('bits', { min: 2, max: 8, label: this.t('bits') })}`;
  }

  /** @param {any} answer @param {any} choices */
  stage({ stats, list, total }, { bits, rule, low, high }) {
    const { evaluation, stairs, correct } = list[0];
    const { run } = evaluation;
    const ends = rule === 'manual' ? { low, high } : { low: run.low, high: run.high };
    return html`${backToBack({
      label: this.t('alt', { n: evaluation.levels.length }),
      upper: this.t('before'),
      lower: this.t('after', { bits }),
      reference: stats.histogram,
      result: evaluation.histogram,
      levels: evaluation.levels,
      stairs,
      axis: AXIS,
      moving: rule === 'manual',
      clip: { ...ends, movable: true, shared: true, lowLabel: this.t('low'), highLabel: this.t('high') },
      keeper: this.keeper,
      onRange: this.#moved,
    })}
    ${this.meter(correct, total)}`;
  }

  /** @param {CustomEvent} event */
  #moved = ({ detail: { low, high, settled } }) => {
    if (!settled) this.set({ rule: 'manual', low: Number(low.toPrecision(3)), high: Number(high.toPrecision(3)) });
  };

  /** @param {any} answer @param {any} choices */
  measured({ list, total }, { rule, bits }) {
    const { evaluation, correct } = list[0];
    const what = `int${bits}, ${this.t(`rule.${rule}`)}`;
    return { key: `range ${what}`, what, bits: evaluation.bitsPerWeight, correct, total };
  }

  /** @param {any} answer @param {any} choices */
  told({ stats, list, total }, { rule }) {
    const { evaluation, correct } = list[0];
    const { run, metrics } = evaluation;
    return this.t(rule === 'manual' ? 'told.hand' : 'told', {
      low: number(run.low),
      high: number(run.high),
      step: number(run.scale),
      clipped: count(outside(stats, run), this.language),
      count: count(stats.count, this.language),
      rmse: number(metrics.rmse, 3),
      db: decibel(metrics.sqnrDb),
      correct,
      total,
    });
  }
}

/**
 * Weights beyond the outermost levels by more than half a step, to within a bin of the histogram.
 * @param {{histogram: {lo: number, hi: number, counts: Float64Array}}} stats
 * @param {{low: number, high: number, scale: number}} run
 */
export function outside({ histogram: { lo, hi, counts } }, { low, high, scale }) {
  const width = (hi - lo) / counts.length;
  let beyond = 0;
  for (let i = 0; i < counts.length; i++) {
    const at = lo + (i + 0.5) * width;
    if (at < low - scale / 2 || at > high + scale / 2) beyond += counts[i];
  }
  return beyond;
}

customElements.define('fb-range', RangeFigure);
