import { css, html, nothing } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { backToBack } from './halves.js';
import { count, number } from '../../text/format.js';

const TENSOR = 'fc1.weight';
/** @type {[number, number]} */
const AXIS = [-1.25, 1.25];
const BINS = 500;
/** What the article's `min` and `max` are tried with: all but the last are whole numbers. */
const RANGES = { byte: [-128, 127], nibble: [-8, 7], unit: [-1, 1], half: [-0.5, 0.5] };
/** Guesses at how many of 360 digits are left. */
const GUESSES = [358, 300, 180, 36];

/**
 * The article's formula on a trained network: as it is printed, as it is meant, with an integer zero point. The reader guesses what is left of
 * the network first.
 */
export class PrintedFormula extends Live {
  static defaults = { view: 'printed', range: 'byte', bits: 8, weight: 0, guess: -1, shown: false };

  static words = {
    en: {
      title: 'The formula on 32,768 weights of layer fc1',
      view: 'formula',
      'view.float': 'float',
      'view.printed': 'as printed',
      'view.meant': 'two ranges',
      'view.zero': 'and a zero point',
      range: 'min, max',
      bits: 'bits',
      another: 'Another weight',
      before: 'float weights',
      after: 'after the formula',
      one: 'one weight',
      becomes: 'becomes',
      alt: 'Distribution of the layer’s weights above the axis, and below it what the formula makes of them.',
      ask: 'All four weight matrices now go through the formula. The float network reads 358 of 360 held-out digits. How many will be left?',
      about: 'about {n}',
      'told.float': 'The weights as trained. The network reads {correct} of {total} digits.',
      'told.hidden':
        '{zeros} of the layer’s {count} weights have become exactly 0. The scale is ({max} − {min}) / ({max} − {min}) = 1, so one step is 1 wide, and the weights lie within ±{reach}.',
      'told.printed':
        '{yours}{zeros} of {count} weights are exactly 0, and the network reads {correct} of {total} digits, no more than chance. The scale is ({max} − {min}) / ({max} − {min}) = 1: the formula rounds to steps of 1, whatever the range.',
      'told.half':
        '{yours}Every weight is now ±0.5: a step is still 1 wide, it only begins at −0.5. The network reads {correct} of {total} digits.',
      'told.meant':
        'One step is now ({high} − {low}) / {steps} = {step}. The weights keep {distinct} different values and the network reads {correct} of {total}. Look at 0: it would come back as {zero}.',
      'told.meant.many':
        'One step is now ({high} − {low}) / {steps} = {step}. The network reads {correct} of {total}. Look at 0: it would come back as {zero}.',
      'told.zero':
        'One step is {scale}, and code {zp} stands for exactly 0. The network reads {correct} of {total} digits with {bits}-bit weights.',
    },
    zh: {
      title: '公式用在 fc1 层的 32,768 个权重上',
      view: '公式',
      'view.float': '浮点',
      'view.printed': '照印的算',
      'view.meant': '分清两个范围',
      'view.zero': '再加零点',
      range: 'min、max',
      bits: '位数',
      another: '换一个权重',
      before: '浮点权重',
      after: '公式之后',
      one: '一个权重',
      becomes: '变成',
      alt: '轴上方是这一层权重的分布，下方是公式算出的结果。',
      ask: '现在四个权重矩阵都照这个公式算一遍。浮点网络在 360 个留出的数字里认对 358 个。还会剩下几个？',
      about: '约 {n} 个',
      'told.float': '训练得到的权重。网络认对 {total} 个数字中的 {correct} 个。',
      'told.hidden':
        '这一层 {count} 个权重里有 {zeros} 个变成了 0。缩放系数是 ({max} − {min}) / ({max} − {min}) = 1，一级就有 1 那么宽，而权重都在 ±{reach} 之内。',
      'told.printed':
        '{yours}{count} 个权重里有 {zeros} 个恰好是 0，网络只认对 {total} 个中的 {correct} 个，和瞎猜一样。缩放系数是 ({max} − {min}) / ({max} − {min}) = 1：不管范围怎么选，公式都按 1 取整。',
      'told.half':
        '{yours}现在每个权重都是 ±0.5：一级仍是 1 那么宽，只是从 −0.5 开始。网络认对 {total} 个中的 {correct} 个。',
      'told.meant':
        '现在一级是 ({high} − {low}) / {steps} = {step}。权重还留有 {distinct} 个不同的值，网络认对 {total} 个中的 {correct} 个。再看 0：它会变成 {zero}。',
      'told.meant.many':
        '现在一级是 ({high} − {low}) / {steps} = {step}。网络认对 {total} 个中的 {correct} 个。再看 0：它会变成 {zero}。',
      'told.zero': '一级是 {scale}，编码 {zp} 恰好代表 0。权重用 {bits} 位，网络认对 {total} 个中的 {correct} 个。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 452px;
      }
      .one {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 4px 12px;
        min-height: 60px;
        margin: 6px 0;
        font-size: 15px;
      }
      .steps {
        font-variant-numeric: tabular-nums;
      }
      .veiled {
        visibility: hidden;
      }
      .veil {
        position: relative;
        min-height: 56px;
      }
      .veil .ask {
        position: absolute;
        inset: 0 0 auto;
        background: var(--p);
      }
      @media (max-width: 560px) {
        .veil:has(.ask) {
          min-height: 170px;
        }
      }
    `,
  ];

  /** @param {any} choices */
  checked({ view, range, bits, weight, guess, shown }) {
    return {
      view: ['float', 'printed', 'meant', 'zero'].includes(view) ? view : 'printed',
      range: range in RANGES ? range : 'byte',
      bits: within(bits, 2, 8),
      weight: within(weight, 0, 32767),
      guess,
      shown,
    };
  }

  /** @param {any} choices */
  question({ view, range, bits, weight }) {
    const [min, max] = RANGES[/** @type {'byte'} */ (range)];
    return { type: 'printed', tensor: TENSOR, view, min, max, bits, index: weight, axis: AXIS, bins: BINS };
  }

  /** @param {any} choices */
  controls({ view }) {
    return html`${this.choose('view', ['float', 'printed', 'meant', 'zero'], (v) => this.t(`view.${v}`), this.t('view'))}
    ${
      view === 'printed'
        ? this.choose(
            'range',
            Object.keys(RANGES),
            (r) => RANGES[/** @type {'byte'} */ (r)].map(signed).join(', '),
            this.t('range'),
          )
        : nothing
    }
    ${view === 'meant' || view === 'zero' ? this.slide('bits', { min: 2, max: 8, label: this.t('bits') }) : nothing}`;
  }

  /** @param {any} answer @param {any} choices */
  stage(answer, choices) {
    const { view, shown } = choices;
    const { reference, result, distinct, correct, total } = answer;
    const hidden = view === 'printed' && !shown;
    return html`${backToBack({
        label: this.t('alt'),
        upper: this.t('before'),
        lower: this.t('after'),
        reference,
        result,
        levels: distinct && distinct.length > 1 ? distinct : null,
        axis: AXIS,
        keeper: this.keeper,
      })}
      <div class="one">
        <span class="soft">${this.t('one')}</span> <span class="steps">${this.#steps(answer, choices)}</span>
        <button @click=${this.#another}>${this.t('another')}</button>
      </div>
      <div class="veil">
        <div class=${hidden ? 'veiled' : ''}>${this.meter(correct, total, view === 'float' ? 'f' : 'q')}</div>
        ${hidden ? this.#ask() : nothing}
      </div>`;
  }

  #ask() {
    return html`<div class="ask">
      <p>${this.t('ask')}</p>
      <span class="choice">
        ${GUESSES.map(
          (n) =>
            html`<label
              ><input type="radio" name="guess" value=${n} @change=${() => this.set({ guess: n, shown: true })} /><span
                >${this.t('about', { n })}</span
              ></label
            >`,
        )}
      </span>
      <button @click=${() => this.set({ shown: true })}>${this.t('guess.skip')}</button>
    </div>`;
  }

  /** One weight's arithmetic, written out. @param {any} answer @param {any} choices */
  #steps({ weight, ranges }, { view, range, bits }) {
    const { x, back, q, zeroPoint, scale } = weight;
    const from = this.mark('float', number(x));
    const to = this.mark('quantized', number(back));
    if (view === 'float') return from;
    if (view === 'printed') {
      const [min, max] = RANGES[/** @type {'byte'} */ (range)].map(term);
      const [low] = RANGES[/** @type {'byte'} */ (range)];
      const inner = x - low;
      return html`round((${from} − ${min}) / (${max} − ${min}) × (${max} − ${min})) + ${min} =
      round(${number(inner, 7)}) + ${min} = ${to}`;
    }
    const steps = 2 ** bits - 1;
    if (view === 'meant') {
      return html`round((${from} − ${bracketed(number(ranges.low))}) / (${number(ranges.high)} −
      ${bracketed(number(ranges.low))}) × ${steps}) + ${term(ranges.least)} = ${signed(q)}, ${this.t('becomes')} ${to}`;
    }
    const code = Math.round(back / scale) + zeroPoint;
    return html`round(${from} / ${number(scale)}) + ${term(zeroPoint)} = ${signed(code)}, ${this.t('becomes')}
    ${number(scale)} × (${signed(code)} − ${term(zeroPoint)}) = ${to}`;
  }

  /** A large step that meets all weights in time. */
  #another = () => this.set({ weight: (this.choices.weight + 12345) % 32768 });

  /** @param {any} answer @param {any} choices */
  measured({ correct, total }, { view, range, bits }) {
    const what = this.t(`view.${view}`);
    return { key: `formula ${view} ${bits} ${range}`, what, bits: view === 'float' ? 32 : bits, correct, total };
  }

  /** @param {any} answer @param {any} choices */
  told({ zeros, count: n, correct, total, ranges, distinct, zero, weight }, { view, range, bits, guess, shown }) {
    const [min, max] = RANGES[/** @type {'byte'} */ (range)].map(term);
    const { language } = this;
    const yours = guess > 0 ? `${this.t('guess.yours', { guess: this.t('about', { n: guess }) })} ` : '';
    const facts = { zeros: count(zeros, language), count: count(n, language), correct, total, min, max, yours };
    if (view === 'float') return this.t('told.float', facts);
    if (view === 'printed') {
      const reach = number(Math.max(-ranges.low, ranges.high), 2);
      if (!shown) return this.t(range === 'half' ? 'ask' : 'told.hidden', { ...facts, reach });
      return this.t(range === 'half' ? 'told.half' : 'told.printed', facts);
    }
    if (view === 'zero') {
      return this.t('told.zero', { ...facts, bits, scale: number(weight.scale), zp: signed(weight.zeroPoint) });
    }
    const steps = 2 ** bits - 1;
    const step = number((ranges.high - ranges.low) / steps);
    const [low, high] = [bracketed(number(ranges.low)), number(ranges.high)];
    return this.t(distinct ? 'told.meant' : 'told.meant.many', {
      ...facts,
      low,
      high,
      steps,
      step,
      distinct: distinct?.length ?? 0,
      zero: number(zero),
    });
  }
}

/** A number below zero in brackets, as after a sign. @param {string} text */
const bracketed = (text) => (text.startsWith('−') ? `(${text})` : text);
/** @param {number} n */
const term = (n) => bracketed(signed(n));
/** @param {number} n */
const signed = (n) => String(n).replace('-', '−');

customElements.define('fb-printed-formula', PrintedFormula);
