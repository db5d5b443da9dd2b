import { css, html, nothing, svg } from 'lit';
import { Live } from '../live.js';
import { areaPath, calmed, heights, largest, linear, ticks } from '../../figures/scale.js';
import { count, number, percent, tick } from '../../text/format.js';

export const LAYERS = ['conv1.weight', 'conv2.weight', 'fc1.weight', 'fc2.weight'];
const HEIGHT = 300;
const [LEFT, RIGHT, FOOT, HEAD] = [10, 10, 24, 34];

/** How a layer's weights are spread: ends, mean, spread, and the bell curve of the same mean and spread. */
export class HistogramFigure extends Live {
  static defaults = { layer: 'fc1.weight', bell: true, log: false };

  static words = {
    en: {
      title: 'A layer’s weights',
      layer: 'layer',
      scale: 'counts',
      'scale.false': 'linear',
      'scale.true': 'logarithmic',
      alt: 'Histogram of the weights of {layer}, with the bell curve of the same mean and spread.',
      min: 'min {v}',
      max: 'max {v}',
      mean: 'mean {v}',
      spread: 'σ',
      told: '{n} weights of {layer}: from {min} to {max}, mean {mean}, spread σ = {std}. {inside} lie within ±2σ of the mean; the farthest lies {reach} σ out. Excess kurtosis {kurtosis}: {tails}.',
      'tails.bell': 'tails as a bell curve has them',
      'tails.heavy': 'heavier tails than a bell curve',
      'tails.light': 'lighter tails than a bell curve',
    },
    zh: {
      title: '一层的权重',
      layer: '层',
      scale: '计数',
      'scale.false': '线性',
      'scale.true': '对数',
      alt: '{layer} 的权重直方图，以及均值和离散程度相同的钟形曲线。',
      min: '最小 {v}',
      max: '最大 {v}',
      mean: '均值 {v}',
      spread: 'σ',
      told: '{layer} 有 {n} 个权重：从 {min} 到 {max}，均值 {mean}，标准差 σ = {std}。{inside} 落在均值 ±2σ 之内，最远的一个在 {reach} σ 处。超额峰度 {kurtosis}：{tails}。',
      'tails.bell': '尾部与钟形曲线相仿',
      'tails.heavy': '尾部比钟形曲线重',
      'tails.light': '尾部比钟形曲线轻',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 300px;
      }
      .bell {
        fill: none;
        stroke: var(--i);
        stroke-width: 1.5;
        stroke-dasharray: 4 3;
      }
      .mark-text {
        fill: var(--i);
      }
    `,
  ];

  /** @param {any} choices */
  checked({ layer, ...others }) {
    return { layer: LAYERS.includes(layer) ? layer : 'fc1.weight', ...others };
  }

  /** @param {any} choices */
  question({ layer }) {
    return { type: 'look', tensor: layer, bins: 256, quantiles: Array.from({ length: 401 }, (_, i) => i / 400) };
  }

  controls() {
    return html`${this.choose('layer', LAYERS, (l) => l.replace('.weight', ''), this.t('layer'))}
    ${this.choose('log', [false, true], (v) => this.t(`scale.${v}`), this.t('scale'))}`;
  }

  /** @param {any} answer @param {any} choices */
  stage({ stats }, { layer, log }) {
    const { width } = this;
    if (!width) return nothing;
    const { mean, std } = stats;
    const calm = this.keeper.keep('calm', [stats], () => calmed(stats.histogram));
    const { lo, hi, counts } = calm;
    const pad = (hi - lo) * 0.04;
    const x = linear([lo - pad, hi + pad], [LEFT, width - RIGHT]);
    const base = HEIGHT - FOOT;
    const bell = (/** @type {number} */ v) =>
      (stats.count * ((hi - lo) / counts.length) * Math.exp(-((v - mean) ** 2) / (2 * std ** 2))) /
      (std * Math.sqrt(2 * Math.PI));
    const tall = heights(Math.max(largest(counts), bell(mean)), base - HEAD, log);
    const axis = ticks(lo - pad, hi + pad, Math.max(3, Math.floor(width / 90)));
    const curve = Array.from({ length: 161 }, (_, i) => {
      const v = lo - pad + (i / 160) * (hi - lo + 2 * pad);
      return `${i ? 'L' : 'M'}${x.to(v).toFixed(1)} ${(base - tall(bell(v))).toFixed(1)}`;
    }).join('');
    const note = (/** @type {number} */ v, /** @type {string} */ text, /** @type {string} */ anchor) => svg`
      <line class="guide" x1=${x.to(v)} x2=${x.to(v)} y1=${HEAD - 8} y2=${base}></line>
      <text class="mark-text" x=${x.to(v)} y=${HEAD - 14} text-anchor=${anchor}>${text}</text>`;
    return html`<svg
      viewBox="0 0 ${width} ${HEIGHT}"
      height=${HEIGHT}
      role="img"
      aria-label=${this.t('alt', { layer })}
    >
      ${axis.values.map(
        (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${HEAD} y2=${base}></line>
        <text x=${x.to(v)} y=${HEIGHT - 7} text-anchor="middle">${tick(v, axis.step)}</text>`,
      )}
      <path class="f-fill" d=${areaPath(counts, x.to(lo), x.to(hi), base, tall, -1)}></path>
      <path class="bell" d=${curve}></path>
      ${note(stats.min, this.t('min', { v: number(stats.min, 3) }), 'start')}
      ${note(mean, this.t('mean', { v: number(mean, 2) }), 'middle')}
      ${note(stats.max, this.t('max', { v: number(stats.max, 3) }), 'end')}
      <path class="ink-line" d="M${x.to(mean - std)} ${base + 4}H${x.to(mean + std)}" stroke-width="3"></path>
      <text class="mark-text" x=${x.to(mean + std) + 4} y=${base - 4}>± ${this.t('spread')}</text>
      <line class="ink-line" x1=${LEFT} x2=${width - RIGHT} y1=${base} y2=${base}></line>
    </svg>`;
  }

  /** @param {any} answer @param {any} choices */
  told({ stats }, { layer }) {
    const { mean, std, kurtosis, min, max, quantiles } = stats;
    const inside =
      quantiles.filter((/** @type {{value: number}} */ { value }) => Math.abs(value - mean) <= 2 * std).length /
      quantiles.length;
    const tails = kurtosis > 0.5 ? 'heavy' : kurtosis < -0.2 ? 'light' : 'bell';
    return this.t('told', {
      layer,
      n: count(stats.count, this.language),
      min: number(min, 3),
      max: number(max, 3),
      mean: number(mean, 2),
      std: number(std, 3),
      inside: percent(inside, 0),
      reach: (Math.max(mean - min, max - mean) / std).toFixed(1),
      kurtosis: number(kurtosis, 2),
      tails: this.t(`tails.${tails}`),
    });
  }
}

customElements.define('fb-histogram', HistogramFigure);
