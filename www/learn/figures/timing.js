import { css, html } from 'lit';
import { Live } from '../live.js';

const BYTES = { float: 4, int8: 1, xnor: 0.125 };

/** The digits network in f32, in int8 and on signs, timed here and now. */
export class Timing extends Live {
  static defaults = { run: 0 };

  static words = {
    en: {
      title: 'The network in three arithmetics, timed in this tab',
      again: 'Measure again',
      float: 'f32',
      int8: 'int8: weights and activations',
      xnor: 'signs: XNOR and popcount in conv2 and fc1',
      what: 'arithmetic',
      per: 'µs per digit',
      faster: 'speed',
      reads: 'digits read',
      told: 'Here int8 takes {int8} µs per digit and f32 {float} µs: {ratio}× the speed, with {i} instead of {f} of {total} digits read. On signs it takes {xnor} µs ({xratio}×), and {x} are read: this network was not trained for it. Median of {rounds} rounds over {total} digits.',
    },
    zh: {
      title: '同一网络的三种算术，就在这个标签页里计时',
      again: '再测一次',
      float: 'f32',
      int8: 'int8：权重和激活',
      xnor: '符号：conv2 和 fc1 用 XNOR 与 popcount',
      what: '算术',
      per: '每个数字的微秒数',
      faster: '速度',
      reads: '认对的数字',
      told: '在这里，int8 每个数字用 {int8} µs，f32 用 {float} µs：速度是 {ratio} 倍，认对 {total} 个中的 {i} 个，f32 是 {f} 个。只用符号是 {xnor} µs（{xratio} 倍），认对 {x} 个：这个网络没有为此训练过。每次 {total} 个数字，{rounds} 轮取中位数。',
    },
  };

  static styles = [
    Live.styles,
    css`
      :host {
        --stage: 170px;
      }
      table {
        width: 100%;
        max-width: 720px;
      }
      td,
      th {
        font-size: 14px;
      }
      svg {
        width: 160px;
      }
      @media (max-width: 560px) {
        .bar {
          display: none;
        }
      }
    `,
  ];

  /** @param {any} choices */
  question({ run }) {
    return { type: 'time', whole: true, arithmetics: Object.keys(BYTES), rounds: 9, run };
  }

  /** @param {any} choices */
  controls({ run }) {
    return html`<button @click=${() => this.set({ run: (run + 1) % 100 })}>${this.t('again')}</button>`;
  }

  /** @param {any} answer */
  stage({ times, correct, total }) {
    const top = Math.max(...Object.values(times).map(Number));
    return html`<table>
      <thead>
        <tr>
          <th>${this.t('what')}</th>
          <td class="bar"></td>
          <th class="n">${this.t('per')}</th>
          <th class="n">${this.t('faster')}</th>
          <th class="n">${this.t('reads')}</th>
        </tr>
      </thead>
      <tbody>
        ${Object.keys(BYTES).map(
          (a) =>
            html`<tr>
              <td>${this.t(a)}</td>
              <td class="bar">
                <svg viewBox="0 0 160 14" height="14" aria-hidden="true">
                  <rect class=${a === 'float' ? 'f-fill' : 'q-fill'} width=${(times[a] / top) * 160} height="14"></rect>
                </svg>
              </td>
              <td class="n">${perDigit(times[a], total)}</td>
              <td class="n">${ratio(times.float, times[a])}×</td>
              <td class="n">${correct[a]} / ${total}</td>
            </tr>`,
        )}
      </tbody>
    </table>`;
  }

  /** @param {any} answer */
  told({ times, correct, total, rounds }) {
    return this.t('told', {
      float: perDigit(times.float, total),
      int8: perDigit(times.int8, total),
      xnor: perDigit(times.xnor, total),
      ratio: ratio(times.float, times.int8),
      xratio: ratio(times.float, times.xnor),
      f: correct.float,
      i: correct.int8,
      x: correct.xnor,
      total,
      rounds,
    });
  }
}

/** @param {number} ms @param {number} n */
const perDigit = (ms, n) => ((ms * 1000) / n).toFixed(1);
/** @param {number} slow @param {number} fast */
const ratio = (slow, fast) => (fast > 0 ? (slow / fast).toFixed(2) : '–');

customElements.define('fb-timing', Timing);
