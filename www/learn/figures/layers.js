import { css, html } from 'lit';
import { Live } from '../live.js';
import { within } from '../setting.js';
import { LAYERS } from './histogram.js';
import { bytes, count } from '../../text/format.js';

const WIDTHS = [2, 3, 4, 5, 6, 8, 32];
const ALONE = [2, 3, 4];

/** A width for each layer: what each costs alone, and what they make of the network together. */
export class Layers extends Live {
  static defaults = { conv1: 4, conv2: 4, fc1: 4, fc2: 4 };

  static words = {
    en: {
      title: 'Bits for each layer',
      layer: 'layer',
      weights: 'weights',
      bits: 'bits',
      alone: 'digits read when this layer alone has',
      n: '{n} bits',
      float: 'float',
      told: 'The four layers take {bytes}, {bpw} bits per weight ({float} in float). The network reads {correct} of {total} digits.',
    },
    zh: {
      title: '每一层用几位',
      layer: '层',
      weights: '权重数',
      bits: '位数',
      alone: '只有这一层取此位数时认对的数字',
      n: '{n} 位',
      float: '浮点',
      told: '四层共占 {bytes}，平均每个权重 {bpw} 位（浮点时 {float}）。网络认对 {total} 个数字中的 {correct} 个。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 270px;
      }
      .tools {
        display: none;
      }
      td,
      th {
        font-size: 14px;
      }
      select {
        min-height: 28px;
        border: 1px solid var(--i);
        border-radius: 4px;
        background: var(--p);
        color: var(--i);
        font: inherit;
      }
      td.low {
        color: var(--k);
        font-weight: 600;
      }
    `,
  ];

  /** @param {any} choices */
  checked(choices) {
    const known = (/** @type {number} */ bits) => (WIDTHS.includes(bits) ? bits : within(bits, 2, 6));
    return Object.fromEntries(Object.entries(choices).map(([name, bits]) => [name, known(bits)]));
  }

  /** @param {any} choices */
  question(choices) {
    const plan = Object.fromEntries(
      LAYERS.map((name) => {
        const bits = choices[name.replace('.weight', '')];
        return [name, bits === 32 ? null : scheme(bits)];
      }),
    );
    return { type: 'plan', plan, each: ALONE.map(scheme) };
  }

  /** @param {any} answer @param {any} choices */
  stage({ tensors, alone, correct, total, float }, choices) {
    return html`<div class="scroll" tabindex="0" role="group" aria-label=${this.t('title')}>
        <table>
          <thead>
            <tr>
              <th rowspan="2">${this.t('layer')}</th>
              <th rowspan="2" class="n">${this.t('weights')}</th>
              <th rowspan="2">${this.t('bits')}</th>
              <th colspan=${ALONE.length}>${this.t('alone')}</th>
            </tr>
            <tr>
              ${ALONE.map((n) => html`<th class="n">${this.t('n', { n })}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${tensors.map((/** @type {any} */ { name, count: n }, /** @type {number} */ i) => {
              const layer = name.replace('.weight', '');
              return html`<tr>
                <td>${layer}</td>
                <td class="n">${count(n, this.language)}</td>
                <td>
                  <select
                    aria-label="${layer}: ${this.t('bits')}"
                    @change=${(/** @type {Event} */ e) =>
                      this.set({ [layer]: Number(/** @type {HTMLSelectElement} */ (e.target).value) })}
                  >
                    ${WIDTHS.map(
                      (w) =>
                        html`<option value=${w} .selected=${choices[layer] === w}>
                          ${w === 32 ? this.t('float') : this.t('n', { n: w })}
                        </option>`,
                    )}
                  </select>
                </td>
                ${alone.map(
                  (/** @type {number[]} */ row) =>
                    html`<td class="n ${row[i] < 0.95 * float ? 'low' : ''}">${row[i]}</td>`,
                )}
              </tr>`;
            })}
          </tbody>
        </table>
      </div>
      ${this.meter(correct, total)}`;
  }

  /** @param {any} answer @param {any} choices */
  measured({ bytes: size, count: n, correct, total }, choices) {
    const what = Object.values(choices).join(' · ');
    return { key: `layers ${what}`, what, bits: (8 * size) / n, correct, total };
  }

  /** @param {any} answer */
  told({ bytes: size, count: n, correct, total }) {
    return this.t('told', {
      bytes: bytes(size),
      bpw: ((8 * size) / n).toFixed(2),
      float: bytes(4 * n),
      correct,
      total,
    });
  }
}

/** @param {number} bits */
const scheme = (bits) => ({ id: `int${bits}`, granularity: 'channel', axis: 0 });

customElements.define('fb-layers', Layers);
