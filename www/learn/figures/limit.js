import { css, html } from 'lit';
import { Live } from '../live.js';
import { decibel } from '../../text/format.js';
import '../../figures/scatter.js';

const IDS = [
  'int8',
  'int6',
  'int5',
  'int4',
  'int3',
  'q8_0',
  'q6_k',
  'q5_k',
  'q4_k',
  'q3_k',
  'q2_k',
  'q4_0',
  'iq4_xs',
  'nf4',
  'ocp_mxfp4',
  'nv_nvfp4',
  'fp8_e4m3',
  'kmeans',
  'ternary',
  'binary',
  'hqq',
];
/** Codebooks of four and eight values. @type {{[key: string]: any}} */
const MORE = {
  kmeans2: { id: 'kmeans', bits: 2 },
  kmeans3: { id: 'kmeans', bits: 3 },
};

/** Every scheme by bits and decibels, on weights of a bell curve or on a trained layer. */
export class Limit extends Live {
  static defaults = { weights: 'bell', at: 'q4_k' };

  static words = {
    en: {
      title: 'What a bit buys',
      weights: 'weights',
      bell: 'a bell curve',
      'fc1.weight': 'layer fc1',
      sparse: 'fc1, 80 % pruned',
      x: 'bits per weight',
      y: 'SQNR, dB',
      line: '6.02 dB per bit',
      list: 'Schemes',
      alt: 'Schemes by bits per weight and signal-to-noise ratio, with the line of 6.02 dB per bit.',
      told: '{name}: {bits} bits per weight, {db}; {gap} {side} the line. Of the {n} schemes here {above} lie above it.',
      below: 'below',
      above: 'above',
    },
    zh: {
      title: '一位能换来什么',
      weights: '权重',
      bell: '钟形曲线',
      'fc1.weight': 'fc1 层',
      sparse: 'fc1，剪去 80 %',
      x: '位/权重',
      y: 'SQNR，dB',
      line: '每位 6.02 dB',
      list: '方案',
      alt: '各方案的每权重位数与信噪比，以及每位 6.02 dB 的直线。',
      told: '{name}：每个权重 {bits} 位，{db}；在直线{side} {gap}。这里的 {n} 种方案中有 {above} 种在直线上方。',
      below: '下方',
      above: '上方',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 400px;
      }
    `,
  ];

  /** @param {any} choices */
  checked({ weights, at }) {
    return {
      weights: ['bell', 'fc1.weight', 'sparse'].includes(weights) ? weights : 'bell',
      at: IDS.includes(at) || at in MORE ? at : 'q4_k',
    };
  }

  /** @param {any} choices */
  question({ weights }) {
    return { type: 'many', whole: true, ...about(weights) };
  }

  controls() {
    return this.choose('weights', ['bell', 'fc1.weight', 'sparse'], (w) => this.t(w), this.t('weights'));
  }

  /** @param {any} answer @param {any} choices */
  stage(answer, { at }) {
    const points = this.keeper.keep('points', [answer, at], () =>
      keys().map((key, i) => ({
        key,
        label: nameOf(key),
        bits: answer[i].bits,
        db: answer[i].sqnrDb,
        text: `${answer[i].bits.toFixed(2)} bit, ${decibel(answer[i].sqnrDb)}`,
        side: key === at ? /** @type {const} */ ('b') : null,
      })),
    );
    const words = this.keeper.keep('words', [this.language], () => ({
      x: this.t('x'),
      y: this.t('y'),
      line: this.t('line'),
      list: this.t('list'),
    }));
    return html`<fb-scatter
      .label=${this.t('alt')}
      .points=${points}
      .chosen=${[]}
      .words=${words}
      .height=${400}
      .at=${at}
      @fb-choose=${(/** @type {CustomEvent} */ e) => this.set({ at: e.detail.key })}
    ></fb-scatter>`;
  }

  /** @param {any} answer @param {any} choices */
  told(answer, { at }) {
    const one = answer[keys().indexOf(at)];
    const over = (/** @type {any} */ { bits, sqnrDb }) => sqnrDb - 6.0206 * bits;
    return this.t('told', {
      name: nameOf(at),
      bits: one.bits.toFixed(3),
      db: decibel(one.sqnrDb),
      gap: decibel(Math.abs(over(one))),
      side: this.t(over(one) < 0 ? 'below' : 'above'),
      n: answer.length,
      above: answer.filter((/** @type {any} */ a) => over(a) > 0).length,
    });
  }
}

const keys = () => [...IDS, ...Object.keys(MORE)];
/** @param {string} key */
const nameOf = (key) => (key in MORE ? `kmeans, ${MORE[key].bits} bit` : key);

/** @param {string} weights */
function about(weights) {
  const coded = weights === 'sparse' ? { entropy: 'huffman' } : {};
  const schemes = keys().map((key) => ({ ...(MORE[key] ?? { id: key }), ...coded }));
  return { tensor: weights === 'bell' ? 'bell' : 'fc1.weight', zeros: weights === 'sparse' ? 0.8 : 0, schemes };
}

customElements.define('fb-limit', Limit);
