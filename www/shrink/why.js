import { html, nothing } from 'lit';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { t } from '../i18n/index.js';
import { bytes, decibel, number, percent } from '../text/format.js';
import { shownShort } from '../text/names.js';
import * as change from './state.js';

/** Why a tensor of a plan for a size is as it is, and what its neighbours would cost. */
export class WhyView extends View {
  constructor() {
    super();
    /** @type {string | null} */
    this.shown = null;
  }

  /** @param {import('../types.js').State} state */
  pick({ shrink }) {
    return { plan: shrink?.plan, why: shrink?.why };
  }

  render() {
    const { plan, why } = change.shrinkOf(this.state);
    const row = plan?.aim ? plan.rows.find(({ name }) => name === why) : undefined;
    if (!row) return nothing;
    const { near } = row;
    return html`<section class="why-panel" aria-label=${t('shrink.reasons')} tabindex="-1" @keydown=${this.#keys}>
      <p class="headline"><bdi>${shownShort(row.name, 80)}</bdi> → ${row.dtype}</p>
      ${near === null ? html`<p>${t('shrink.reasons.none')}</p>` : this.#reasons(row, near, plan?.aim?.isWeighed === true)}
      <button class="plain close" @click=${this.#close}>${t('shrink.reasons.close')}</button>
    </section>`;
  }

  /**
   * @param {import('./state.js').Row} row
   * @param {import('../lib/shrink/reasons.js').Near} near
   * @param {boolean} isWeighed its weight was found by running the model
   */
  #reasons(row, { role, weight, error, deviation, price, isFree, byRunning, up, down }, isWeighed) {
    const each = (/** @type {number} */ perByte) => number(perByte * 1e6, 3);
    const about = deviation > 0 ? ` ± ${percent(deviation / error, 1)}` : '';
    return html`<ul class="num">
      <li>
        ${t('shrink.reasons.loss', { share: percent(error, error < 0.001 ? 3 : 2), about, db: error > 0 ? decibel(-10 * Math.log10(error)) : '∞ dB' })}
        ${
          isWeighed
            ? t('shrink.reasons.weighed', { weight: number(weight, 3) })
            : t('shrink.reasons.role', { role: t(`shrink.role.${role}`), weight: number(weight, 3) })
        }
      </li>
      ${isFree ? nothing : html`<li>${t('shrink.reasons.decided')}</li>`}
      ${byRunning ? html`<li>${t('shrink.reasons.running')}</li>` : nothing}
      ${price > 0 && isFree && !byRunning ? html`<li>${t('shrink.reasons.price', { price: each(price) })}</li>` : nothing}
      ${
        up === null
          ? html`<li>${t('shrink.reasons.top')}</li>`
          : html`<li>
              ${t(this.#upText(up.perByte > price, isFree, byRunning), {
                ...{
                  type: up.dtype,
                  bytes: bytes(up.bytes),
                  db: up.error > 0 ? decibel(-10 * Math.log10(up.error)) : '∞ dB',
                },
                worth: each(up.perByte),
              })}
            </li>`
      }
      ${
        down === null
          ? html`<li>${t('shrink.reasons.bottom')}</li>`
          : html`<li>
              ${t('shrink.reasons.down', {
                ...{ type: down.dtype, bytes: bytes(-down.bytes), db: decibel(-10 * Math.log10(down.error)) },
                worth: each(down.perByte),
              })}
            </li>`
      }
    </ul>`;
  }

  /** @param {boolean} isWorth @param {boolean} isFree @param {boolean} byRunning */
  #upText(isWorth, isFree, byRunning) {
    if (byRunning) return 'shrink.reasons.up.running';
    return isWorth && isFree ? 'shrink.reasons.up.room' : 'shrink.reasons.up';
  }

  #close = () => {
    const { why } = change.shrinkOf(this.state);
    store.update((s) => change.setShrink(s, { why: null }));
    // The focus goes back to where it came from.
    const rows = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('fb-shrink-table .body > .row'));
    /** @type {HTMLElement | null | undefined} */ (
      [...rows].find((row) => row.dataset.name === why)?.querySelector('.ask-why')
    )?.focus();
  };

  /** @param {KeyboardEvent} event */
  #keys = (event) => {
    if (event.key === 'Escape') this.#close();
  };

  updated() {
    const panel = /** @type {HTMLElement | null} */ (this.querySelector('.why-panel'));
    const { why } = change.shrinkOf(this.state);
    if (panel && why !== this.shown) panel.focus({ preventScroll: true });
    this.shown = why;
  }
}

customElements.define('fb-shrink-why', WhyView);
