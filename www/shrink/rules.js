import { html, nothing } from 'lit';
import { View } from '../views/view.js';
import { store } from '../store.js';
import { schemesOf } from '../lib/shrink/targets.js';
import { compressedTensorsConfig, mlxConfig } from '../lib/shrink/configs.js';
import { llamaCommand } from '../lib/shrink/llama-args.js';
import { globOf } from '../lib/shrink/recipe.js';
import { t, tn, schemeTitle } from '../i18n/index.js';
import { count } from '../text/format.js';
import { save } from '../figures/export.js';
import { shrinking, valueOf } from './actions.js';
import * as change from './state.js';

/** Configurations of others that some plans can be. */
const CONFIGS = [
  { key: 'mlx', name: 'mlx', of: mlxConfig, file: 'quantization.json' },
  { key: 'compressed', name: 'compressed-tensors', of: compressedTensorsConfig, file: 'quantization_config.json' },
];

/** Rules by name, and the recipe: saved, loaded, or as arguments for llama.cpp. */
export class Rules extends View {
  /** @param {import('../types.js').State} state */
  pick({ shrink, model, catalogue }) {
    return { choice: shrink?.choice, plan: shrink?.plan, unknown: shrink?.unknown, model, catalogue };
  }

  constructor() {
    super();
    this.arguments = false;
  }

  render() {
    const { choice, plan, unknown } = change.shrinkOf(this.state);
    // The names of a file of tensors alone are not llama.cpp's.
    const isLlama =
      plan?.to === 'gguf' && !plan.notes.some(({ code }) => code === 'tensors_only' || code === 'not_mapped');
    const hand = Object.keys(choice.tensors).length;
    const { language } = this.state;
    return html`<section class="rules" aria-label=${t('shrink.rules')}>
      ${choice.rules.map((rule, i) => this.#rule(rule, i))}
      <div class="tools">
        <button class="plain add" @click=${this.#add}>+ ${t('shrink.rule.add')}</button>
        ${
          hand > 0
            ? html`<span class="soft">${tn('shrink.hand', hand, { n: count(hand, language) })}</span>
                <button class="plain" @click=${() => store.update((s) => change.choose(s, { tensors: {} }))}>
                  ${t('shrink.hand.clear')}
                </button>`
            : nothing
        }
        <span class="gap"></span>
        <span class="soft" title=${t('shrink.recipe.help')}>${t('shrink.recipe')}</span>
        <button class="plain save-recipe" @click=${this.#save}>${t('shrink.recipe.save')}</button>
        <label class="button plain"
          >${t('shrink.recipe.load')}<input
            class="sr load-recipe"
            type="file"
            accept=".json,application/json"
            @change=${this.#load}
        /></label>
        ${
          isLlama
            ? html`<button class="plain" aria-expanded=${this.arguments} @click=${this.#toggle}>
                ${t('shrink.llama')}
              </button>`
            : nothing
        }
        ${CONFIGS.map((config) => this.#config(config, plan))}
      </div>
      ${unknown > 0 ? html`<p class="soft">${tn('shrink.recipe.unknown', unknown, { n: count(unknown, language) })}</p>` : nothing}
      ${plan && this.arguments && isLlama ? this.#llama(plan) : nothing}
    </section>`;
  }

  /** @param {import('./state.js').Rule} rule @param {number} at */
  #rule(rule, at) {
    const target = change.targetOf(this.state);
    const { model, catalogue, language } = this.state;
    const value = rule.keep ? 'keep' : (rule.scheme?.id ?? '');
    const pattern = globOf(rule.match);
    const n = model?.tensors.filter(({ name }) => pattern.test(name)).length ?? 0;
    const set = (/** @type {import('./state.js').Rule} */ next) => store.update((s) => change.setRule(s, at, next));
    return html`<div class="rule">
      <input
        type="text"
        aria-label=${t('shrink.rule.match')}
        placeholder="*.bias"
        .value=${rule.match}
        autocomplete="off"
        spellcheck="false"
        @input=${(/** @type {Event} */ e) => set({ ...rule, match: valueOf(e) })}
      />
      <span class="soft" aria-hidden="true">→</span>
      <select
        aria-label=${t('shrink.rule.scheme')}
        @change=${(/** @type {Event} */ e) => {
          const id = valueOf(e);
          set(id === 'keep' ? { match: rule.match, keep: true } : { match: rule.match, scheme: { id } });
        }}
      >
        <option value="keep" ?selected=${value === 'keep'}>${t('shrink.keep')}</option>
        ${
          target
            ? schemesOf(target, catalogue, change.shrinkOf(this.state).choice.layout).map(
                ({ kind, schemes }) =>
                  html`<optgroup label=${t(`shrink.group.${kind}`)}>
                    ${schemes.map((x) => html`<option value=${x.id} ?selected=${value === x.id}>${schemeTitle(x)}</option>`)}
                  </optgroup>`,
              )
            : nothing
        }
      </select>
      <span class="soft num">${tn('shrink.rule.matches', n, { n: count(n, language) })}</span>
      <button
        class="plain icon"
        aria-label=${t('shrink.rule.remove')}
        title=${t('shrink.rule.remove')}
        @click=${() => store.update((s) => change.setRule(s, at, null))}
      >
        ×
      </button>
    </div>`;
  }

  /**
   * The plan as another quantizer's configuration, where that can say it.
   * @param {(typeof CONFIGS)[number]} config
   * @param {import('./state.js').Plan | null} plan
   */
  #config({ key, name, of, file }, plan) {
    /** @type {any} */
    let found;
    try {
      found = plan && of({ tensors: plan.rows });
    } catch {
      return nothing;
    }
    if (!found) return nothing;
    const text = `${JSON.stringify(found, null, 2)}\n`;
    return html`<button
      class="plain config-${key}"
      title=${t('shrink.config.help', { name })}
      @click=${() => save(text, file, 'application/json')}
    >
      ${t(`shrink.config.${key}`)}
    </button>`;
  }

  /** @param {import('./state.js').Plan} plan */
  #llama(plan) {
    const preset = plan.aim ? null : plan.choice.preset;
    const line = llamaCommand({
      to: plan.to,
      preset,
      tensors: plan.rows.map((row) => ({ ...row, from: { dtype: row.from }, byteLength: row.after })),
    });
    return html`<div class="llama">
      <p class="soft">${t('shrink.llama.help')}</p>
      <textarea readonly rows="4" aria-label=${t('shrink.llama')} .value=${line}></textarea>
    </div>`;
  }

  #add = async () => {
    const at = change.shrinkOf(this.state).choice.rules.length;
    store.update((s) => change.setRule(s, at, { match: '', keep: true }));
    await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
    await this.updateComplete;
    /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('.rule input'))[at]?.focus();
  };

  #toggle = () => {
    this.arguments = !this.arguments;
    this.requestUpdate();
  };

  #save = () => {
    const { choice, plan } = change.shrinkOf(this.state);
    const name = `${this.state.model?.name ?? 'model'}-recipe.json`;
    save(`${JSON.stringify(change.recipeFile(choice, plan), null, 2)}\n`, name, 'application/json');
  };

  /** @param {Event} event */
  #load = async (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    const [file] = input.files ?? [];
    input.value = '';
    if (file) shrinking().loadRecipe(await file.text(), file.name);
  };
}

customElements.define('fb-shrink-rules', Rules);
