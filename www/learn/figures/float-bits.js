import { css, html } from 'lit';
import { Live } from '../live.js';
import { number, raised } from '../../text/format.js';

const TENSOR = 'fc1.weight';
const SHOWN = 4000;

/** One real weight and its 32 bits: change them one by one, or step to the next number there is. */
export class FloatBits extends Live {
  static defaults = { bits: '' };

  static words = {
    en: {
      title: 'One weight, 32 bits',
      hint: 'Press a bit to turn it, or step to the nearest number.',
      less: 'One step down',
      more: 'One step up',
      reset: 'As trained',
      sign: 'sign',
      exponent: 'exponent',
      fraction: 'fraction',
      bit: '{part}, bit {n}: {value}',
      told: '{sign}2{exponent} × {fraction} = {value}. The next number up is {gap} away.',
      'told.odd': 'These bits mean {value}.',
      was: 'As trained: {value}.',
    },
    zh: {
      title: '一个权重，32 个位',
      hint: '点一个位把它翻转，或走到相邻的数。',
      less: '往下一步',
      more: '往上一步',
      reset: '训练所得',
      sign: '符号',
      exponent: '指数',
      fraction: '尾数',
      bit: '{part}，第 {n} 位：{value}',
      told: '{sign}2{exponent} × {fraction} = {value}。往上的下一个数相距 {gap}。',
      'told.odd': '这些位表示 {value}。',
      was: '训练所得：{value}。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 150px;
      }
      .bits {
        display: flex;
        flex-wrap: wrap;
        gap: 10px 16px;
      }
      .part span {
        display: block;
        color: var(--m);
        font-size: 12px;
      }
      .part div {
        display: flex;
        flex-wrap: wrap;
        gap: 2px;
      }
      .part button {
        width: 24px;
        min-height: 32px;
        padding: 0;
        border-color: var(--f);
        font:
          15px/1 ui-monospace,
          monospace;
      }
      .part button[aria-pressed='true'] {
        background: var(--f);
        color: var(--p);
      }
      .value {
        margin: 14px 0 0;
        font-size: 26px;
        font-variant-numeric: tabular-nums;
      }
      /* On paper, which has no backgrounds, they are no buttons but what is shown. */
      @media print {
        .part button {
          display: block !important;
        }
        .part button[aria-pressed='true'] {
          background: none;
          color: var(--i);
          font-weight: 700;
        }
      }
    `,
  ];

  question() {
    return { type: 'trace', tensor: TENSOR, scheme: { id: 'int8' }, index: SHOWN, around: 1 };
  }

  /** The bits as they are set: those of the weight where nobody has set any. @param {any} answer */
  #bits(answer) {
    const { bits } = this.choices;
    return /^[0-9a-f]{1,8}$/.test(bits) ? Number.parseInt(bits, 16) >>> 0 : answer.trace.floatBits >>> 0;
  }

  controls() {
    const step = (/** @type {number} */ by) => () => {
      if (this.answer) this.#put(nextFloat(this.#bits(this.answer), by));
    };
    return html`<button @click=${step(-1)}>− ${this.t('less')}</button>
      <button @click=${step(1)}>+ ${this.t('more')}</button>
      <button @click=${() => this.set({ bits: '' })}>${this.t('reset')}</button>
      <span class="soft">${this.t('hint')}</span>`;
  }

  /** @param {number} bits */
  #put = (bits) => this.set({ bits: (bits >>> 0).toString(16) });

  /** @param {any} answer */
  stage(answer) {
    const bits = this.#bits(answer);
    const part = (/** @type {string} */ name, /** @type {number} */ from, /** @type {number} */ to) =>
      html`<div class="part" role="group" aria-label=${this.t(name)}>
        <span>${this.t(name)}</span>
        <div>
          ${Array.from({ length: from - to + 1 }, (_, i) => {
            const at = from - i;
            const value = (bits >>> at) & 1;
            return html`<button
              aria-pressed=${value === 1}
              aria-label=${this.t('bit', { part: this.t(name), n: at, value })}
              @click=${() => this.#put(bits ^ (1 << at))}
            >
              ${value}
            </button>`;
          })}
        </div>
      </div>`;
    return html`<div class="bits">${part('sign', 31, 31)} ${part('exponent', 30, 23)} ${part('fraction', 22, 0)}</div>
      <p class="value float">${exact(floatOf(bits))}</p>`;
  }

  /** @param {any} answer */
  told(answer) {
    const bits = this.#bits(answer);
    const value = floatOf(bits);
    const was = bits === answer.trace.floatBits >>> 0 ? '' : ` ${this.t('was', { value: exact(answer.trace.value) })}`;
    const raw = (bits >>> 23) & 255;
    if (raw === 255) return this.t('told.odd', { value: number(value) }) + was;
    const exponent = raw === 0 ? -126 : raw - 127;
    const fraction = (raw === 0 ? 0 : 1) + (bits & 0x7fffff) / 2 ** 23;
    const gap = number(Math.abs(2 ** (exponent - 23)), 3);
    return (
      this.t('told', {
        sign: bits >>> 31 ? '−' : '+',
        exponent: raised(exponent),
        fraction: fraction.toFixed(7),
        value: exact(value),
        gap,
      }) + was
    );
  }
}

/** @param {number} bits */
export function floatOf(bits) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits >>> 0);
  return view.getFloat32(0);
}

/**
 * The bits of the next number that there is, up or down; infinities stay where they are.
 * @param {number} bits
 * @param {number} by 1 or −1
 */
export function nextFloat(bits, by) {
  // In this order neighbours are neighbours: negative numbers count backwards.
  const order = bits >>> 31 ? -(bits & 0x7fffffff) : bits;
  const next = Math.min(0x7f800000, Math.max(-0x7f800000, order + by));
  return next < 0 || (next === 0 && by > 0 && bits >>> 31) ? (-next | 0x80000000) >>> 0 : next;
}

/** All digits that tell this float from its neighbours. @param {number} value */
const exact = (value) => number(value, 9);

customElements.define('fb-float-bits', FloatBits);
