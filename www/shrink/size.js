import { html, nothing, svg } from 'lit';
import { live } from 'lit/directives/live.js';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { t } from '../i18n/index.js';
import { runnable } from '../lib/shrink/runnable.js';
import { bytes, count, decibel, number, percent } from '../text/format.js';
import { shrinking, valueOf } from './actions.js';
import * as change from './state.js';
import { weighingOf } from './weighing-state.js';

/** The curve's height, and its width until its box is known: it is drawn in pixels, so that its text is as large as any. */
const [WIDE, HIGH] = [640, 120];
/** As wide as it gets. */
const WIDEST = 860;
const [LEFT, BOTTOM] = [44, 20];
/** Steps of the slider. */
const STEPS = 1000;
/** A mega is a million here. */
const MB = 1e6;

/** The size that the whole shall have: a slider, the number, and the curve of sizes against damage with the present point on it. */
export class Size extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink }) {
    const { choice, plan, range, survey, weighing } = shrink ?? {};
    return { choice, plan, range, survey, weighing };
  }

  constructor() {
    super();
    this.open = false;
    this.wide = WIDE;
    this.observer = new ResizeObserver(([entry]) => {
      const wide = Math.min(WIDEST, Math.round(entry.contentRect.width));
      if (wide <= 0 || wide === this.wide) return;
      this.wide = wide;
      // In the next frame: what is drawn while it is measured is measured again.
      requestAnimationFrame(() => this.requestUpdate());
    });
  }

  connectedCallback() {
    super.connectedCallback();
    this.observer.observe(this);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.observer.disconnect();
  }

  render() {
    const { choice, plan, range, survey } = change.shrinkOf(this.state);
    if (!range || (!plan && choice.targetBytes === null)) return nothing;
    const least = Math.ceil(plan?.aim?.least ?? range.least);
    const most = Math.max(range.most, least + 1);
    const value = Math.min(most, Math.max(least, choice.targetBytes ?? plan?.outputBytes ?? most));
    const step = Math.max(1, Math.floor((most - least) / STEPS));
    return html`<section class="size" aria-label=${t('shrink.size')}>
      <div class="line">
        <label for="shrink-size">${t('shrink.size.fit')}</label>
        <input
          id="shrink-size"
          type="range"
          min=${least}
          max=${most + step}
          step=${step}
          .value=${live(String(value))}
          aria-valuetext=${t('shrink.size.text', { size: bytes(value), most: bytes(most) })}
          ?data-idle=${choice.targetBytes === null}
          @input=${(/** @type {Event} */ e) => this.#aim(Number(valueOf(e)))}
        />
        <span class="field"
          ><input
            class="num mb"
            type="number"
            min="0"
            step="any"
            inputmode="decimal"
            aria-label=${t('shrink.size.mb')}
            .value=${live(megabytes(value))}
            @change=${(/** @type {Event} */ e) => this.#aim(Math.round(Number(valueOf(e)) * MB))}
          />
          MB</span
        >
        ${
          choice.targetBytes === null
            ? nothing
            : html`<button class="plain off" @click=${() => store.update((s) => change.aimAt(s, null))}>
                ${t('shrink.size.off')}
              </button>`
        }
      </div>
      ${survey ? this.#survey(survey) : nothing}
      ${plan?.aim && choice.targetBytes !== null ? this.#found(plan, plan.aim, least, most) : nothing}
      ${choice.targetBytes === null && !survey ? html`<p class="soft hint">${t('shrink.size.hint')}</p>` : nothing}
    </section>`;
  }

  /** @param {number} size */
  #aim(size) {
    if (Number.isFinite(size) && size >= 0) store.update((s) => change.aimAt(s, size));
  }

  /** @param {NonNullable<import('./state.js').Shrink['survey']>} survey */
  #survey({ done, total, read }) {
    const { language } = this.state;
    return html`<div class="running surveying">
      <progress max="1" .value=${total > 0 ? done / total : 0} aria-label=${t('shrink.survey')}></progress>
      <p class="num facts" role="status">
        <span
          >${t('shrink.survey.done', { n: count(done, language), all: count(total, language), read: bytes(read) })}</span
        >
      </p>
      <button class="cancel-survey" @click=${() => shrinking().stopSurvey()}>${t('cancel')}</button>
    </div>`;
  }

  /** What it was chosen by. @param {import('../lib/shrink/reasons.js').ByRunning} found */
  #chosen({ measure, answers, runs, moved, byCost }) {
    const { language } = this.state;
    const facts = {
      ...{ runs: count(runs, language), n: count(answers, language) },
      ...{ moved: number(moved, 3), cost: number(byCost, 3) },
    };
    const found = t(moved < byCost ? `shrink.size.chosen.${measure}` : 'shrink.size.chosen.none', facts);
    return [found, t('shrink.size.chosen.judge')].join(language === 'zh' ? '' : ' ');
  }

  /** What the errors are weighed by, and what is expected of them. @param {import('./state.js').Aim} aim */
  #weighed({ cost }) {
    const { model } = this.state;
    if (!model || runnable(model) !== 'onnx') return t('shrink.size.weighed', { nats: number(cost, 3) });
    const { about } = weighingOf(this.state);
    const facts = {
      share: percent(cost, cost < 0.001 ? 3 : 2),
      db: cost > 0 ? decibel(-10 * Math.log10(cost)) : '∞ dB',
    };
    const on = t(about?.isGiven ? 'shrink.size.weighed.given' : 'shrink.size.weighed.random', {
      ...{ n: count(about?.runs ?? 0, this.state.language), seed: about?.seed ?? 0, runtime: about?.runtime ?? '' },
    });
    return [on, t('shrink.size.weighed.expected', facts)].join(this.state.language === 'zh' ? '' : ' ');
  }

  /**
   * @param {import('./state.js').Plan} plan
   * @param {import('./state.js').Aim} aim
   * @param {number} least
   * @param {number} most
   */
  #found(plan, aim, least, most) {
    const { language } = this.state;
    const lost = (/** @type {number} */ cost) => -10 * Math.log10(cost / Math.max(aim.weight, 1e-9));
    const n = plan.rows.filter(({ near }) => near?.isFree).length;
    const facts = {
      ...{ n: count(n, language), db: aim.cost > 0 ? decibel(lost(aim.cost)) : '∞ dB' },
      left: bytes(Math.max(0, aim.targetBytes - plan.outputBytes)),
    };
    return html`${this.#curve(plan, aim, least, most, lost)}
      <p class="num soft found-facts">${t('shrink.size.found', facts)}</p>
      <p class="soft proxy">${this.#by(aim)}</p>
      <details class="weights" ?open=${this.open} @toggle=${this.#toggle}>
        <summary>${t('shrink.weights')}</summary>
        <p class="soft">${t('shrink.weights.help')}</p>
        <p class="fields">
          ${change.ROLES.map(
            (role) =>
              html`<label
                >${t(`shrink.role.${role}`)}
                <input
                  class="num"
                  type="number"
                  min="0"
                  max="1000"
                  step="any"
                  data-role=${role}
                  .value=${live(String(aim.roles[role]))}
                  @change=${(/** @type {Event} */ e) => this.#weigh(role, Number(valueOf(e)))}
              /></label>`,
          )}
        </p>
      </details>`;
  }

  /** What decided. @param {import('./state.js').Aim} aim */
  #by(aim) {
    if (aim.byRunning) return this.#chosen(aim.byRunning);
    return aim.isWeighed ? this.#weighed(aim) : t('shrink.size.proxy');
  }

  /** @param {Event} event */
  #toggle = (event) => {
    this.open = /** @type {HTMLDetailsElement} */ (event.target).open;
  };

  /** @param {string} role @param {number} weight */
  #weigh(role, weight) {
    if (change.isWeight(weight)) store.update((s) => change.weigh(s, role, weight));
    else this.requestUpdate();
  }

  /**
   * @param {import('./state.js').Plan} plan
   * @param {import('./state.js').Aim} aim
   * @param {number} least
   * @param {number} most
   * @param {(cost: number) => number} lost
   */
  #curve(plan, aim, least, most, lost) {
    /** @type {[number, number][]} */
    const points = [];
    for (let i = 0; i < aim.curve.length; i += 2) {
      if (aim.curve[i + 1] > aim.weight * 1e-12) points.push([aim.curve[i], lost(aim.curve[i + 1])]);
    }
    if (points.length < 2) return nothing;
    const low = Math.floor(points[0][1] / 10) * 10;
    const high = Math.max(low + 10, Math.ceil(points[points.length - 1][1] / 10) * 10);
    const x = (/** @type {number} */ size) => LEFT + ((size - least) / (most - least)) * (this.wide - LEFT - 8);
    const y = (/** @type {number} */ db) => 6 + (1 - (Math.min(high, db) - low) / (high - low)) * (HIGH - BOTTOM - 10);
    const line = points.map(([size, db]) => `${x(size).toFixed(1)},${y(db).toFixed(1)}`).join(' ');
    const [px, py] = [x(plan.outputBytes), y(aim.cost > 0 ? lost(aim.cost) : high)];
    const ticks = [low, (low + high) / 2, high];
    const sizes = [least, least + (most - least) / 2, most];
    const about = t('shrink.curve.text', {
      ...{ least: bytes(least), most: bytes(most), size: bytes(plan.outputBytes) },
      db: aim.cost > 0 ? decibel(lost(aim.cost)) : '∞ dB',
    });
    return html`<figure class="curve">
      <svg viewBox="0 0 ${this.wide} ${HIGH}" role="img" aria-label=${about} @click=${this.#press}>
        ${ticks.map(
          (db) => svg`<line class="grid" x1=${LEFT} x2=${this.wide - 8} y1=${y(db)} y2=${y(db)}></line>
            <text class="num" x=${LEFT - 6} y=${y(db) + 4} text-anchor="end">${Math.round(db)} dB</text>`,
        )}
        ${sizes.map(
          (size, i) =>
            svg`<text class="num" x=${x(size)} y=${HIGH - 4} text-anchor=${['start', 'middle', 'end'][i]}>${bytes(size)}</text>`,
        )}
        <polyline class="line" points=${line}></polyline>
        <line class="now" x1=${px} x2=${px} y1="4" y2=${HIGH - BOTTOM}></line>
        <circle class="point" cx=${px} cy=${py} r="5"></circle>
      </svg>
    </figure>`;
  }

  /** A press on the curve is a size; the slider is there for the keyboard. @param {MouseEvent} event */
  #press = (event) => {
    const { plan, range } = change.shrinkOf(this.state);
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    if (!plan?.aim || !range || box.width === 0) return;
    const at = ((event.clientX - box.left) / box.width) * this.wide;
    const share = Math.min(1, Math.max(0, (at - LEFT) / (this.wide - LEFT - 8)));
    this.#aim(Math.ceil(plan.aim.least + share * (range.most - plan.aim.least)));
  };
}

/** Megabytes in a field: enough digits to tell neighbours apart, none more. @param {number} size */
function megabytes(size) {
  return String(Number((size / MB).toPrecision(size >= 100 * MB ? 5 : 4)));
}

customElements.define('fb-shrink-size', Size);
