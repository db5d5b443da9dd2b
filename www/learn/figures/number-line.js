import { css, html, nothing, svg } from 'lit';
import { Live } from '../live.js';
import { linear, ticks } from '../../figures/scale.js';
import { number, tick } from '../../text/format.js';

/** From coarse to fine; f16 and bf16 are drawn from their own rule: they have too many values to list. */
const LISTED = ['fp4_e2m1', 'fp8_e5m2', 'fp8_e4m3'];
const FORMATS = [
  { id: 'fp4_e2m1', name: 'fp4 (e2m1)', bits: 4 },
  { id: 'fp8_e5m2', name: 'fp8 (e5m2)', bits: 8 },
  { id: 'fp8_e4m3', name: 'fp8 (e4m3)', bits: 8 },
  { id: 'bf16', name: 'bf16', bits: 16, fraction: 7, least: -126 },
  { id: 'f16', name: 'f16', bits: 16, fraction: 10, least: -14 },
  { id: 'f32', name: 'f32', bits: 32, fraction: 23, least: -126 },
];
const ROW = 40;
const [LEFT, RIGHT, HEAD, FOOT] = [84, 12, 8, 24];

/** Which numbers a format has: every tick is one of them. */
export class NumberLine extends Live {
  static defaults = { reach: 8 };

  static words = {
    en: {
      title: 'The numbers that a float can be',
      reach: 'show',
      alt: 'Number lines from −{reach} to {reach}: every tick is a number that the format has.',
      dense: '{n} numbers here',
      told: 'Between −{reach} and {reach}, fp4 has {fp4} numbers, fp8 (e5m2) {e5m2}, fp8 (e4m3) {e4m3}, bf16 {bf16}, f16 {f16} and f32 {f32}. They stand closest near zero: each doubling of the value doubles the gap.',
    },
    zh: {
      title: '浮点数能取哪些值',
      reach: '范围',
      alt: '从 −{reach} 到 {reach} 的数轴：每条刻线是该格式能取的一个数。',
      dense: '此处 {n} 个数',
      told: '在 −{reach} 与 {reach} 之间，fp4 有 {fp4} 个数，fp8（e5m2）{e5m2} 个，fp8（e4m3）{e4m3} 个，bf16 {bf16} 个，f16 {f16} 个，f32 {f32} 个。越靠近零越密：数值每大一倍，间隔也大一倍。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 272px;
      }
      .tick {
        stroke: var(--f);
        stroke-width: 1;
        shape-rendering: crispEdges;
      }
      .band {
        fill: var(--f);
        fill-opacity: 0.75;
      }
      .name {
        fill: var(--i);
        font-size: 12px;
      }
      .count {
        fill: var(--p);
        font-size: 11px;
      }
    `,
  ];

  /** @param {any} choices */
  checked({ reach }) {
    return { reach: [8, 1, 0.125].includes(reach) ? reach : 8 };
  }

  question() {
    return { type: 'levels', ids: LISTED, whole: true };
  }

  controls() {
    return this.choose('reach', [8, 1, 0.125], (r) => `±${r}`, this.t('reach'));
  }

  /** @param {any} answer @param {any} choices */
  stage(answer, { reach }) {
    const { width } = this;
    if (!width) return nothing;
    const tall = HEAD + FORMATS.length * ROW + FOOT;
    const x = linear([-reach, reach], [LEFT, width - RIGHT]);
    const axis = ticks(-reach, reach, Math.max(3, Math.floor(width / 110)));
    return html`<svg viewBox="0 0 ${width} ${tall}" height=${tall} role="img" aria-label=${this.t('alt', { reach })}>
      ${axis.values.map(
        (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${HEAD} y2=${tall - FOOT}></line>
        <text x=${x.to(v)} y=${tall - 7} text-anchor="middle">${tick(v, axis.step)}</text>`,
      )}
      ${FORMATS.map((format, i) => {
        const top = HEAD + i * ROW;
        const all = listOf(format, answer)?.filter((v) => Math.abs(v) <= reach) ?? null;
        const n = all?.length ?? counted(/** @type {any} */ (format), reach);
        return svg`<text class="name" x="0" y=${top + 23}>${format.name}</text>
          ${
            all
              ? svg`<path class="tick" d=${[...all].map((v) => `M${x.to(v).toFixed(1)} ${top + 8}v22`).join('')}></path>`
              : svg`<rect class="band" x=${LEFT} y=${top + 8} width=${width - LEFT - RIGHT} height="22"></rect>
                <text class="count" x=${LEFT + 8} y=${top + 23}>${this.t('dense', { n: short(n) })}</text>`
          }
          <line class="ink-line" x1=${LEFT} x2=${width - RIGHT} y1=${top + 30} y2=${top + 30}></line>`;
      })}
    </svg>`;
  }

  /** @param {any} answer @param {any} choices */
  told(answer, { reach }) {
    const n = FORMATS.map((format) =>
      short(
        listOf(format, answer)?.filter((v) => Math.abs(v) <= reach).length ??
          counted(/** @type {any} */ (format), reach),
      ),
    );
    const [fp4, e5m2, e4m3, bf16, f16, f32] = n;
    return this.t('told', { reach, fp4, e5m2, e4m3, bf16, f16, f32 });
  }
}

/** @param {{id: string}} format @param {{id: string, levels: Float32Array}[]} answer @returns {Float32Array | null} */
const listOf = ({ id }, answer) => answer.find((one) => one.id === id)?.levels ?? null;

/**
 * How many numbers a binary float with so many bits of fraction has within ±reach, a power of two: those of each binade, the subnormals, zero
 * once, and both ends.
 * @param {{fraction: number, least: number}} format `least`: exponent of the smallest normal number
 * @param {number} reach
 */
export function counted({ fraction, least }, reach) {
  const binades = Math.log2(reach) - least;
  return 2 * ((binades + 1) * 2 ** fraction) + 1;
}

/** @param {number} n */
const short = (n) => (n < 1e5 ? n.toLocaleString('en-US') : number(n, 3));

customElements.define('fb-number-line', NumberLine);
