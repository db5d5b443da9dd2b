import { css, html, nothing, svg } from 'lit';
import { Live } from '../live.js';
import { notes } from '../notes.js';
import { linear } from '../../figures/scale.js';

const HEIGHT = 300;
const [LEFT, RIGHT, HEAD, FOOT] = [40, 14, 12, 34];
const SCHEMES = [8, 6, 5, 4, 3, 2].flatMap((bits) => [
  { name: `int${bits}`, scheme: { id: `int${bits}` } },
  { name: `int${bits}, 32`, scheme: { id: `int${bits}`, granularity: 'group', groupSize: 32 } },
]);

/** Bits against digits read: plain rounding, rounding in groups, and what the reader has measured in the chapters. */
export class Verdict extends Live {
  static words = {
    en: {
      title: 'Bits against digits read',
      x: 'bits per weight',
      y: 'of 360 digits',
      plain: 'one scale per tensor',
      groups: 'one scale per 32 weights',
      yours: 'your measurements',
      alt: 'Digits read against bits per weight, for one scale per tensor, one per 32 weights, and for what you measured in the chapters.',
      where: 'figure',
      what: 'setting',
      bits: 'bits/weight',
      reads: 'digits read',
      told: 'From {plain} bits on, one scale per tensor stays within one digit of the float network’s {float}; with a scale for every 32 weights codes of {groups} bits suffice, {all} bits in all. You have made {n} measurements; the cheapest within one digit of float took {best} bits per weight.',
      'told.none':
        'From {plain} bits on, one scale per tensor stays within one digit of the float network’s {float}; with a scale for every 32 weights codes of {groups} bits suffice, {all} bits in all. What you measure in the other chapters will stand here too.',
      'told.some':
        'From {plain} bits on, one scale per tensor stays within one digit of the float network’s {float}; with a scale for every 32 weights codes of {groups} bits suffice, {all} bits in all. You have made {n} measurements; none of them is within one digit of float yet.',
    },
    zh: {
      title: '位数与认对的数字',
      x: '位/权重',
      y: '360 个数字中',
      plain: '每个张量一个系数',
      groups: '每 32 个权重一个系数',
      yours: '你测过的',
      alt: '每权重位数与认对数字的关系：每个张量一个系数、每 32 个权重一个系数，以及你在各章测过的。',
      where: '图',
      what: '设置',
      bits: '位/权重',
      reads: '认对的数字',
      told: '每个张量一个系数时，{plain} 位起与浮点网络的 {float} 个相差不超过一个；每 32 个权重一个系数时，{groups} 位编码就够，连系数共 {all} 位。你测过 {n} 次；与浮点相差不超过一个的里面，最省的每个权重 {best} 位。',
      'told.none':
        '每个张量一个系数时，{plain} 位起与浮点网络的 {float} 个相差不超过一个；每 32 个权重一个系数时，{groups} 位编码就够，连系数共 {all} 位。你在别的章里测到的，也会出现在这里。',
      'told.some':
        '每个张量一个系数时，{plain} 位起与浮点网络的 {float} 个相差不超过一个；每 32 个权重一个系数时，{groups} 位编码就够，连系数共 {all} 位。你测过 {n} 次，还没有一次与浮点相差不超过一个。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 330px;
      }
      .tools {
        display: none;
      }
      .plain {
        fill: none;
        stroke: var(--q);
        stroke-width: 1.75;
      }
      .groups {
        fill: none;
        stroke: var(--qa);
        stroke-width: 1.75;
        stroke-dasharray: 5 3;
      }
      .yours {
        fill: var(--i);
        stroke: var(--p);
      }
      .legend {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 20px;
        margin: 0 0 6px;
      }
      .legend i {
        display: inline-block;
        width: 20px;
        margin-right: 6px;
        border-top: 2px solid var(--q);
        vertical-align: 4px;
      }
      .legend i.g {
        border-top: 2px dashed var(--qa);
      }
      .legend i.y {
        width: 9px;
        height: 9px;
        border: 0;
        border-radius: 50%;
        background: var(--i);
        vertical-align: -1px;
      }
      details {
        margin-top: 8px;
      }
    `,
  ];

  question() {
    return { type: 'many', tensor: 'fc1.weight', schemes: SCHEMES.map(({ scheme }) => scheme), net: true };
  }

  /** @param {any} answer */
  stage(answer) {
    const { width } = this;
    if (!width) return nothing;
    const x = linear([0, 9], [LEFT, width - RIGHT]);
    const y = linear([0, 360], [HEIGHT - FOOT, HEAD]);
    const yours = notes().filter(({ bits }) => bits <= 9);
    const path = (/** @type {number} */ odd) =>
      answer
        .filter((/** @type {any} */ _, /** @type {number} */ i) => i % 2 === odd)
        .map(
          (/** @type {any} */ { bits, correct }, /** @type {number} */ i) =>
            `${i ? 'L' : 'M'}${x.to(bits).toFixed(1)} ${y.to(correct).toFixed(1)}`,
        )
        .join('');
    return html`<p class="legend">
        <span><i></i>${this.t('plain')}</span><span><i class="g"></i>${this.t('groups')}</span>
        <span><i class="y"></i>${this.t('yours')}</span>
      </p>
      <svg viewBox="0 0 ${width} ${HEIGHT}" height=${HEIGHT} role="img" aria-label=${this.t('alt')}>
        ${[0, 2, 4, 6, 8].map(
          (v) => svg`<line class="grid" x1=${x.to(v)} x2=${x.to(v)} y1=${HEAD} y2=${HEIGHT - FOOT}></line>
          <text x=${x.to(v)} y=${HEIGHT - FOOT + 14} text-anchor="middle">${v}</text>`,
        )}
        ${[0, 90, 180, 270, 360].map(
          (v) => svg`<line class="grid" x1=${LEFT} x2=${width - RIGHT} y1=${y.to(v)} y2=${y.to(v)}></line>
          <text x=${LEFT - 6} y=${y.to(v) + 4} text-anchor="end">${v}</text>`,
        )}
        <line class="guide" x1=${LEFT} x2=${width - RIGHT} y1=${y.to(36)} y2=${y.to(36)}></line>
        <text x=${width - RIGHT} y=${y.to(36) - 4} text-anchor="end">${this.t('chance')}</text>
        <text x=${width - RIGHT} y=${HEIGHT - 4} text-anchor="end">${this.t('x')} →</text>
        <text x=${LEFT + 4} y=${HEAD + 10}>↑ ${this.t('y')}</text>
        <path class="plain" d=${path(0)}></path>
        <path class="groups" d=${path(1)}></path>
        ${yours.map(({ bits, correct }) => svg`<circle class="yours" cx=${x.to(bits)} cy=${y.to(correct)} r="4"></circle>`)}
      </svg>
      ${yours.length > 0 ? this.#table() : nothing}`;
  }

  #table() {
    return html`<details>
      <summary>${this.t('yours')} (${notes().length})</summary>
      <div class="scroll" tabindex="0" role="group" aria-label=${this.t('yours')}>
        <table>
          <thead>
            <tr>
              <th>${this.t('where')}</th>
              <th>${this.t('what')}</th>
              <th class="n">${this.t('bits')}</th>
              <th class="n">${this.t('reads')}</th>
            </tr>
          </thead>
          <tbody>
            ${notes()
              .sort((a, b) => a.bits - b.bits)
              .map(
                ({ figure, what, bits, correct, total }) =>
                  html`<tr>
                    <td>${figure}</td>
                    <td>${what}</td>
                    <td class="n">${bits.toFixed(2)}</td>
                    <td class="n">${correct} / ${total}</td>
                  </tr>`,
              )}
          </tbody>
        </table>
      </div>
    </details>`;
  }

  /** @param {any} answer */
  told(answer) {
    const float = 358;
    const least = (/** @type {number} */ odd) => {
      let bits = 8;
      for (const [i, one] of answer.entries()) {
        if (i % 2 !== odd) continue;
        if (one.correct < float - 1) break;
        bits = [8, 6, 5, 4, 3, 2][i >> 1];
      }
      return bits;
    };
    const yours = notes();
    const good = yours.filter(({ correct, total }) => correct >= float - 1 && total === 360).map(({ bits }) => bits);
    return this.t(yours.length === 0 ? 'told.none' : good.length === 0 ? 'told.some' : 'told', {
      plain: least(0),
      groups: least(1),
      all: least(1) + 1,
      float,
      n: yours.length,
      best: good.length > 0 ? Math.min(...good).toFixed(2) : '',
    });
  }
}

customElements.define('fb-verdict', Verdict);
