import { css, html, nothing, svg } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { decibel, number } from '../../text/format.js';
import '../../figures/block-map.js';

const TENSOR = 'fc1.weight';
const COUNT = 32768;
/** The schemes, and how many weights a block of theirs holds. */
export const BLOCKS = /** @type {const} */ ({
  q8_0: 32,
  q4_0: 32,
  q4_k: 256,
  q6_k: 256,
  nf4: 64,
  mxfp4: 32,
});

/** A block of weights, and one weight's way from float to the bits in the file and back. */
export class Blocks extends Live {
  static defaults = { scheme: 'q4_0', weight: 5802 };

  static words = {
    en: {
      title: 'A block, and where its weights are stored',
      scheme: 'format',
      weights: 'The block’s weights. Point at one, or move with the arrow keys.',
      one: 'Weight {n}',
      stored: 'stored bits',
      byte: 'byte {n}',
      error: 'error',
      told: '{scheme}: {bytes} bytes hold {n} weights, {bits} bits each with scales counted. Weight {index} is {value}; it is stored as {code} and read back as {back}. On this layer {db}; all layers so, the network reads {correct} of {total} digits.',
      'block.title': 'A block of {n} weights takes {bytes} bytes, from byte {at} of the packed tensor',
      'block.bytes': 'The block’s bytes. Arrow keys move from byte to byte.',
      'block.byte': 'byte {n} ({i} of the block): {hex}, bits {bits}, {part}',
      'block.of': 'bytes {from}–{to}',
      'block.of1': 'byte {from}',
      'block.reads': 'this weight reads {bits}',
      own: 'its own bits',
      shared: 'bits it shares',
      'part.scale': 'scale',
      'part.min': 'minimum',
      'part.scales': 'scales',
      'part.mins': 'minimums',
      'part.codes': 'codes',
      'part.high bits': 'high bits',
      'part.low bits': 'low bits',
      'step.float': 'weight',
      'step.subtract': '− minimum',
      'step.divide': '÷ scale',
      'step.normalize': '× 1/scale',
      'step.round': 'rounded',
      'step.add': '+ offset',
      'step.clamp': 'clamped',
      'step.entry': 'level',
      'step.code': 'code',
      'step.multiply': '× scale',
      'step.offset': '+ minimum',
      'step.back': 'read back',
    },
    zh: {
      title: '一个块，以及块里的权重存在哪儿',
      scheme: '格式',
      weights: '块里的权重。用鼠标指，或用方向键移动。',
      one: '权重 {n}',
      stored: '存储的位',
      byte: '字节 {n}',
      error: '误差',
      told: '{scheme}：{bytes} 字节存 {n} 个权重，连系数在内每个 {bits} 位。权重 {index} 是 {value}，存为 {code}，读回 {back}。这一层 {db}；各层都用它，网络认对 {total} 个数字中的 {correct} 个。',
      'block.title': '{n} 个权重的块占 {bytes} 字节，始于打包后张量的字节 {at}',
      'block.bytes': '块的各字节。方向键逐字节移动。',
      'block.byte': '字节 {n}（块内第 {i} 个）：{hex}，位 {bits}，{part}',
      'block.of': '字节 {from}–{to}',
      'block.of1': '字节 {from}',
      'block.reads': '这个权重读取 {bits}',
      own: '自己的位',
      shared: '与别的权重合用的位',
      'part.scale': '系数',
      'part.min': '最小值',
      'part.scales': '各系数',
      'part.mins': '各最小值',
      'part.codes': '编码',
      'part.high bits': '高位',
      'part.low bits': '低位',
      'step.float': '权重',
      'step.subtract': '− 最小值',
      'step.divide': '÷ 系数',
      'step.normalize': '× 系数的倒数',
      'step.round': '取整',
      'step.add': '+ 偏移',
      'step.clamp': '截断',
      'step.entry': '取级',
      'step.code': '编码',
      'step.multiply': '× 系数',
      'step.offset': '+ 最小值',
      'step.back': '读回',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 400px;
      }
      .hint {
        margin: 0 0 4px;
        color: var(--m);
      }
      .bar {
        cursor: crosshair;
      }
      .bars {
        touch-action: pan-y;
      }
      .chosen {
        fill: var(--i);
        fill-opacity: 0.12;
      }
      .bars:focus-visible {
        outline: 2px solid var(--focus, var(--i));
        outline-offset: 2px;
      }
      ol {
        display: flex;
        flex-wrap: wrap;
        align-items: flex-start;
        gap: 6px 0;
        min-height: 52px;
        margin: 10px 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: flex;
        flex-direction: column;
        padding-right: 24px;
        position: relative;
      }
      li:not(:last-child)::after {
        content: '→';
        position: absolute;
        right: 5px;
        bottom: 0;
        color: var(--m);
      }
      li span {
        color: var(--m);
        font-size: 11.5px;
      }
      li b {
        font-size: 15px;
        font-weight: 600;
      }
      fb-block-map {
        max-width: 760px;
        min-height: 120px;
      }
    `,
  ];

  /** @param {any} choices */
  checked({ scheme, weight }) {
    return { scheme: scheme in BLOCKS ? scheme : 'q4_0', weight: within(weight, 0, COUNT - 1) };
  }

  /** @param {any} choices */
  question({ scheme, weight }) {
    const around = BLOCKS[/** @type {'q4_0'} */ (scheme)];
    return { type: 'trace', tensor: TENSOR, scheme: { id: scheme }, index: weight, around };
  }

  controls() {
    return this.choose('scheme', Object.keys(BLOCKS), (id) => id.toUpperCase(), this.t('scheme'));
  }

  /** @param {any} answer */
  stage(answer) {
    const { trace, from, around } = answer;
    return html`<p class="hint">${this.t('weights')}</p>
      ${this.#bars(around, from, trace)}
      <ol>
        ${trace.steps.map(
          (/** @type {any} */ { op, operand, value }, /** @type {number} */ i) =>
            html`<li>
              <span>${this.#step(op, operand)}</span>
              <b class=${i === 0 ? 'float' : i === trace.steps.length - 1 ? 'quantized' : ''}>${shownValue(value)}</b>
            </li>`,
        )}
        <li><span>${this.t('stored')} · ${this.t('byte', { n: trace.byteOffset })}</span><b>${trace.bits}</b></li>
      </ol>
      ${trace.block ? this.#block(trace.block) : nothing}`;
  }

  /**
   * @param {Float32Array} values
   * @param {number} from
   * @param {any} trace
   */
  #bars(values, from, trace) {
    const { width } = this;
    if (!width) return nothing;
    const tall = 110;
    const reach = Math.max(...values.map(Math.abs)) || 1;
    const each = width / values.length;
    const y = (/** @type {number} */ v) => tall / 2 - (v / reach) * (tall / 2 - 4);
    const at = trace.index - from;
    return html`<svg
      class="bars"
      viewBox="0 0 ${width} ${tall}"
      height=${tall}
      tabindex="0"
      role="slider"
      aria-label=${this.t('weights')}
      aria-valuemin=${from}
      aria-valuemax=${from + values.length - 1}
      aria-valuenow=${trace.index}
      aria-valuetext=${`${this.t('one', { n: trace.index })}: ${number(trace.value)}`}
      @keydown=${(/** @type {KeyboardEvent} */ e) => this.#keys(e, trace.index, values.length)}
      @pointermove=${(/** @type {PointerEvent} */ e) => e.pointerType !== 'touch' && this.#at(e, from, each, values.length)}
      @click=${(/** @type {PointerEvent} */ e) => this.#at(e, from, each, values.length)}
    >
      <rect class="chosen" x=${at * each} y="0" width=${each} height=${tall}></rect>
      ${[...values].map((v, i) =>
        i === at
          ? svg`<rect class="f-fill" x=${i * each + 1} y=${Math.min(y(v), tall / 2)} width=${Math.max(1, each - 2)} height=${Math.abs(y(v) - tall / 2)}></rect>
            <rect class="q-fill" x=${i * each} y=${y(trace.back) - 1.5} width=${each} height="3"></rect>`
          : svg`<rect class="f-fill" fill-opacity="0.45" x=${i * each + 1} y=${Math.min(y(v), tall / 2)} width=${Math.max(1, each - 2)} height=${Math.abs(y(v) - tall / 2)}></rect>`,
      )}
      <line class="ink-line" x1="0" x2=${width} y1=${tall / 2} y2=${tall / 2}></line>
    </svg>`;
  }

  /** @param {PointerEvent} event @param {number} from @param {number} each @param {number} n */
  #at(event, from, each, n) {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    this.set({ weight: from + within((event.clientX - box.left) / each - 0.5, 0, n - 1) });
  }

  /** @param {KeyboardEvent} event @param {number} index @param {number} n */
  #keys(event, index, n) {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: n, PageDown: -n }[event.key];
    if (!by) return;
    event.preventDefault();
    this.set({ weight: within(index + by, 0, COUNT - 1) });
  }

  /** @param {string} op @param {unknown} operand */
  #step(op, operand) {
    const name = this.t(`step.${op}`).replace(/^step\./, '');
    return operand === undefined || operand === null ? name : `${name} ${shownValue(operand)}`;
  }

  /** @param {any} block */
  #block(block) {
    const { offset, weights, bytes, parts } = block;
    const words = this.keeper.keep(
      'block',
      [this.language, JSON.stringify([offset, weights, bytes.length, parts])],
      () => ({
        title: this.t('block.title', { n: weights, bytes: bytes.length, at: offset }),
        bytes: this.t('block.bytes'),
        byte: this.t('block.byte'),
        of: this.t('block.of'),
        of1: this.t('block.of1'),
        reads: this.t('block.reads'),
        own: this.t('own'),
        shared: this.t('shared'),
        names: parts.map((/** @type {any} */ { name }) => this.t(`part.${name}`).replace(/^part\./, '')),
      }),
    );
    return html`<fb-block-map kind="quantized" .block=${block} .words=${words}></fb-block-map>`;
  }

  /** @param {any} answer @param {any} choices */
  measured({ bits, correct, total }, { scheme }) {
    return { key: `blocks ${scheme}`, what: scheme.toUpperCase(), bits, correct, total };
  }

  /** @param {any} answer @param {any} choices */
  told({ trace, bits, sqnrDb, correct, total }, { scheme, weight }) {
    const n = BLOCKS[/** @type {'q4_0'} */ (scheme)];
    return this.t('told', {
      scheme: scheme.toUpperCase(),
      bytes: Math.round((bits * n) / 8),
      n,
      bits,
      index: weight,
      value: number(trace.value),
      code: trace.bits,
      back: trace.back === 0 ? '0' : number(trace.back),
      db: decibel(sqnrDb),
      correct,
      total,
    });
  }
}

/** @param {unknown} value */
const shownValue = (value) =>
  typeof value !== 'number' ? String(value) : Number.isInteger(value) ? whole(value) : number(value, 5);

/** Without the sign of a zero. @param {number} value */
const whole = (value) => String(value + 0).replace('-', '−');

customElements.define('fb-blocks', Blocks);
