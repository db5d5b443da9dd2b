import { html, nothing } from 'lit';
import { View } from './view.js';
import { store } from '../store.js';
import { select } from '../state.js';
import { t, tOr, stepTitle, schemeTitle } from '../i18n/index.js';
import { count, number, raised, withMinus } from '../text/format.js';
import { blockView } from './block-map.js';

/** One weight, all the way: float bits → scale → code → value back. */
export class OneWeight extends View {
  /** @param {import('../types.js').State} state */
  pick({ weight, hover, selected, data, sides, catalogue }) {
    return { weight, hover, selected, data, sides, catalogue };
  }

  render() {
    const { weight, hover, selected, data } = this.state;
    if (!data) return nothing;
    const shown = weight && weight.epoch === data.epoch && (hover ?? selected) !== null ? weight : null;
    return html`<section aria-labelledby="weight-title">
      <h3 id="weight-title">
        ${t('weight.title')}
        ${shown ? html`<span class="where num">[${shown.b.coordinates.join(', ')}] · ${t('weight.index', { n: count(shown.index) })}</span>` : nothing}
      </h3>
      ${shown ? this.#trace(shown) : html`<p class="soft">${t(data.stats.count === 0 ? 'say.nothing' : 'weight.none')}</p>`}
    </section>`;
  }

  /** @param {import('../types.js').Weight} weight */
  #trace(weight) {
    const { selected } = this.state;
    return html`
      <p class="floatbits">${this.#bits(weight.b.floatBits)}</p>
      ${weight.a ? this.#steps('a', weight.a) : nothing} ${this.#steps('b', weight.b)}
      ${selected === null ? html`<p class="soft hint">${t('weight.pin')}</p>` : html`<button class="plain" @click=${() => store.update((s) => select(s, null))}>${t('weight.clear')}</button>`}
    `;
  }

  /** The 32 bits: sign, exponent, fraction. @param {number} word */
  #bits(word) {
    const bits = (word >>> 0).toString(2).padStart(32, '0');
    const exponent = parseInt(bits.slice(1, 9), 2);
    return html`<span class="bits num" role="img" aria-label=${t('weight.bits.text', { bits })}
        ><span class="sign" title=${t('bits.sign')}>${bits[0]}</span
        ><span class="exponent" title=${t('bits.exponent')}>${bits.slice(1, 9)}</span
        ><span class="fraction" title=${t('bits.fraction')}>${bits.slice(9)}</span></span
      ><span class="soft"
        >${t('weight.bits', { sign: bits[0] === '1' ? '−' : '+', exponent: raised(exponent === 0 ? -126 : exponent - 127) })}</span
      >`;
  }

  /**
   * @param {import('../types.js').Side} side
   * @param {import('../types.js').Trace} trace
   */
  #steps(side, trace) {
    const { sides, catalogue } = this.state;
    const info = catalogue.find((s) => s.id === sides[side]?.id);
    return html`<ol
        class="steps num"
        data-side=${side}
        aria-label="${side.toUpperCase()} ${info ? schemeTitle(info) : ''}"
      >
        ${sides.a !== null ? html`<li class="which ${side === 'a' ? 'quantized-a' : 'quantized'}"><b>${side.toUpperCase()}</b></li>` : nothing}
        ${trace.steps.map(
          (step, i) =>
            html`<li
              data-op=${step.op}
              class=${kindOf(step.op, i, trace.steps.length)}
              ?data-last=${i === trace.steps.length - 1}
            >
              <span class="op"
                >${trace.block ? tOr(`step.block.${step.op}`, stepTitle(step)) : stepTitle(step)}${step.operand !== undefined && step.operand !== null ? html` <i>${show(step.operand)}</i>` : nothing}</span
              >
              <span class="value">${show(step.value)}</span>
            </li>`,
        )}
        ${
          trace.bits !== undefined
            ? html`<li class="packed" data-op="bits">
                <span class="op"
                  >${t('weight.packed')}${trace.byteOffset !== undefined ? html` <i>${t('weight.byte', { n: count(trace.byteOffset) })}</i>` : nothing}</span
                >
                <span class="value">${trace.bits}</span>
              </li>`
            : nothing
        }
        <li class="miss" data-op="error">
          <span class="op">${t('weight.error')}</span><span class="value">${number(trace.error, 3)}</span>
        </li>
      </ol>
      ${trace.block ? blockView(() => this.requestUpdate())?.(side, trace.block, this.keeper) : nothing}`;
  }
}

/** @param {string | number} value */
const show = (value) =>
  typeof value === 'number'
    ? Number.isInteger(value) && Math.abs(value) < 1e6
      ? withMinus(String(value))
      : number(value)
    : withMinus(String(value));

/** @param {string} op @param {number} i @param {number} n */
function kindOf(op, i, n) {
  if (i === 0 || op === 'float') return 'float';
  return op === 'back' || op === 'kept' || i === n - 1 ? 'quantized' : '';
}

customElements.define('fb-weight', OneWeight);
