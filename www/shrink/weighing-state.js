/**
 * Weighing errors by running the model, as state: of an ONNX model what it is run on, and what came of it.
 *
 * @typedef {import('../types.js').State} State
 * @typedef {import('./measure-state.js').Settings} Settings
 * @typedef {import('./measure-state.js').Input} Input
 * @typedef {{runs: number, seed: number, runtime: string, isGiven: boolean, inputs: Input[], sizes: {[dimension: string]: number}}} About
 *
 * @typedef {{modelId: number, version: number, settings: Settings, about: About | null, problem: import('../types.js').Problem | null}} Weighing
 *   `version` counts settings: weights are of one; `about`: what the last run was on
 */
import { SETTINGS } from './measure-state.js';
import { setShrink, shrinkOf } from './state.js';

/** Of the model that is open. @param {State} state @returns {Weighing} */
export function weighingOf(state) {
  const { weighing } = shrinkOf(state);
  const modelId = state.model?.id ?? -1;
  if (weighing?.modelId === modelId) return weighing;
  return { modelId, version: 0, settings: SETTINGS, about: null, problem: null };
}

/** @param {State} state @param {Partial<Weighing>} part @returns {State} */
export const setWeighing = (state, part) => setShrink(state, { weighing: { ...weighingOf(state), ...part } });

/** What changes nothing asks for nothing. @param {State} state @param {Partial<Settings>} part @returns {State} */
export function setInputs(state, part) {
  const { settings, version } = weighingOf(state);
  const isSame = Object.entries(part).every(
    ([name, value]) => settings[/** @type {keyof Settings} */ (name)] === value,
  );
  return isSame
    ? state
    : setWeighing(state, { settings: { ...settings, ...part }, version: version + 1, problem: null });
}
