/**
 * Running both models, as state: plain data that belongs to a job, and the pure updates that change it.
 *
 * @typedef {import('../types.js').State} State
 * @typedef {import('../lib/measure/run-both.js').Measured} Measured
 * @typedef {import('../lib/measure/inputs.js').Input & {shape: number[]}} Input
 * @typedef {import('../lib/measure/inputs.js').Fill} Fill
 * @typedef {import('../lib/measure/inputs.js').Given & {file: string}} Given
 *
 * @typedef {{runs: number, seed: number, layers: boolean, sizes: {[dimension: string]: number}, fills: {[input: string]: Fill},
 *   given: {[name: string]: Given}}} Settings
 * @typedef {{
 *   state: 'ready' | 'running' | 'done' | 'failed', settings: Settings, stage: 'reading' | 'runtime' | 'float' | 'quantized' | 'run', done: number,
 *   total: number, inputs: Input[] | null, sizes: {[dimension: string]: number}, result: Measured | null,
 *   problem: import('../types.js').Problem | null
 * }} Measure
 *   `inputs` and `sizes` are known once the float model was read; `result` is the last one, also while others are asked for
 */
import { setShrink, shrinkOf } from './state.js';

/** @type {Settings} */
export const SETTINGS = Object.freeze({ runs: 8, seed: 1, layers: false, sizes: {}, fills: {}, given: {} });

/** @type {Measure} */
const READY = Object.freeze({
  state: 'ready',
  settings: SETTINGS,
  ...{ stage: 'reading', done: 0, total: 0, inputs: null, sizes: {}, result: null, problem: null },
});

/** @param {State} state @returns {Measure} */
export const measureOf = (state) => shrinkOf(state).job?.measure ?? READY;

/**
 * Nothing where there is no finished job.
 * @param {State} state
 * @param {Partial<Measure>} part
 * @returns {State}
 */
export function setMeasure(state, part) {
  const { job } = shrinkOf(state);
  return job?.state === 'done'
    ? setShrink(state, { job: { ...job, measure: { ...measureOf(state), ...part } } })
    : state;
}

/** @param {State} state @param {Partial<Settings>} settings */
export const setSettings = (state, settings) =>
  setMeasure(state, { settings: { ...measureOf(state).settings, ...settings } });
