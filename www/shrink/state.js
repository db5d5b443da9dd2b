/**
 * The Shrink room's state: plain data, and the pure updates that change it.
 *
 * @typedef {import('../types.js').State} State
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {import('../types.js').Problem} Problem
 * @typedef {import('../lib/shrink/recipe.js').Rule} Rule
 * @typedef {import('../lib/shrink/targets.js').Target} Target
 *
 * @typedef {{to: string, preset: string | null, scheme: Scheme | null, layout: string | null, rules: Rule[],
 *   tensors: {[name: string]: Scheme | 'keep'}}} Choice
 *   what the model shall become; `tensors` are those chosen by hand
 *
 * @typedef {{name: string, target: string, shape: number[], count: number, from: string, before: number, dtype: string, after: number,
 *   scheme: Scheme | null, key: string, left: {code: string, text: string} | null, insteadOf: string | null}} Row
 *   a tensor as planned; `key` names it and what becomes of it
 * @typedef {{id: number, modelId: number, model: string, choice: Choice, to: string, rows: Row[], before: number, outputBytes: number,
 *   bitsPerWeight: number, files: {name: string, byteLength: number}[], notes: {code: string, text: string}[], isRemote: boolean,
 *   ms: number}} Plan
 *
 * @typedef {{sqnrDb: number | null, sampled: boolean}} Damage `null`: not known
 * @typedef {'file' | 'folder' | 'storage' | 'memory'} Place
 *
 * @typedef {{name: string, file: Blob}} Made
 * @typedef {{
 *   state: 'running' | 'done' | 'failed', place: Place, plan: Plan, name: string, started: number, read: number, total: number, written: number,
 *   memory: number, speed: number, tensor: string, finished: {[name: string]: number | null}, failed: Problem | null, problem: Problem | null,
 *   report: import('../lib/shrink/report.js').Report | null, made: Made[], saved: boolean
 * }} Job
 *   `failed`: a tensor that waits for an answer
 *
 * @typedef {{
 *   choice: Choice, plan: Plan | null, problem: Problem | null, damage: {[key: string]: Damage}, measuring: boolean, place: Place | null,
 *   job: Job | null, list: {query: string, show: string, sort: string}, eye: number | null, unknown: number
 * }} Shrink
 *   `eye`: the row that the strip points at; `unknown`: tensors of the loaded recipe that the model lacks
 */
import { groupsOf, targetsOf } from '../lib/shrink/targets.js';

/** @type {Shrink} */
const EMPTY = Object.freeze({
  choice: { to: '', preset: null, scheme: null, layout: null, rules: [], tensors: {} },
  plan: null,
  problem: null,
  damage: {},
  measuring: false,
  place: null,
  job: null,
  list: { query: '', show: 'all', sort: 'order' },
  eye: null,
  unknown: 0,
});

/** @param {State} state @returns {Shrink} */
export const shrinkOf = (state) => state.shrink ?? EMPTY;

/**
 * @param {State} state
 * @param {Partial<Shrink>} shrink
 * @returns {State}
 */
export const setShrink = (state, shrink) => ({ ...state, shrink: { ...shrinkOf(state), ...shrink } });

/** @param {State} state @returns {Target[]} */
export const targets = (state) => (state.model ? targetsOf(state.model.format) : []);

/** @param {State} state @returns {Target | null} */
export function targetOf(state) {
  const all = targets(state);
  return all.find(({ to }) => to === shrinkOf(state).choice.to) ?? all[0] ?? null;
}

/**
 * What a target's choice is when nobody has chosen.
 * @param {Target} target
 * @returns {Choice}
 */
export function firstChoice({ to, presets, isByScheme, schemes, layouts }) {
  const ids = schemes[0]?.ids ?? [];
  const preset = isByScheme ? null : (presets[0] ?? null);
  const scheme = preset === null && ids !== '*' && ids.length > 0 ? { id: ids[0] } : null;
  return { to, preset, scheme, layout: layouts[0] ?? null, rules: [], tensors: {} };
}

/**
 * The choice as this model's format can have it.
 * @param {State} state
 * @returns {Choice | null} null where nothing can be written
 */
export function fitted(state) {
  const target = targetOf(state);
  if (!target) return null;
  const { choice } = shrinkOf(state);
  const first = firstChoice(target);
  if (choice.to !== target.to && choice.to !== '') return { ...first, rules: choice.rules, tensors: choice.tensors };
  const preset = choice.preset !== null && target.presets.includes(choice.preset) ? choice.preset : null;
  const layout = choice.layout !== null && target.layouts.includes(choice.layout) ? choice.layout : first.layout;
  const none = preset === null && choice.scheme === null;
  const scheme = none ? first.scheme : choice.scheme;
  // A layout that holds some schemes alone begins with the first of them.
  const groups = groupsOf(target, layout);
  const known = scheme === null || groups.some(({ ids }) => ids === '*' || ids.includes(scheme.id));
  const [{ ids }] = groups;
  return {
    ...choice,
    to: target.to,
    layout,
    preset: none ? first.preset : preset,
    scheme: known || ids === '*' ? scheme : { id: ids[0] },
  };
}

/**
 * @param {State} state
 * @param {Partial<Choice>} choice
 * @returns {State}
 */
export function choose(state, choice) {
  return setShrink(state, { choice: { ...shrinkOf(state).choice, ...choice } });
}

/**
 * One scheme, or a preset, for all.
 * @param {State} state
 * @param {string} value `preset:Q4_K_M` or `scheme:f16`
 */
export function chooseAll(state, value) {
  const [kind, id] = split(value);
  return choose(state, kind === 'preset' ? { preset: id, scheme: null } : { preset: null, scheme: { id } });
}

/** @param {string} value @returns {[string, string]} */
export function split(value) {
  const at = value.indexOf(':');
  return [value.slice(0, at), value.slice(at + 1)];
}

/**
 * @param {State} state
 * @param {string} name
 * @param {Scheme | 'keep' | null} wish null: as the rest
 */
export function chooseTensor(state, name, wish) {
  const { tensors } = shrinkOf(state).choice;
  const others = Object.fromEntries(Object.entries(tensors).filter(([other]) => other !== name));
  // A computed key: a tensor may be called `__proto__`.
  return choose(state, { tensors: wish === null ? others : { ...others, [name]: wish } });
}

/**
 * @param {State} state
 * @param {number} at one past the last adds a rule
 * @param {Rule | null} rule null takes it away
 */
export function setRule(state, at, rule) {
  const rules = [...shrinkOf(state).choice.rules];
  rules.splice(at, 1, ...(rule ? [rule] : []));
  return choose(state, { rules });
}

/**
 * What the engine is asked: the choice as a recipe, without rules that are not finished.
 * @param {Choice} choice
 * @returns {import('../lib/shrink/recipe.js').Recipe}
 */
export function recipeOf({ to, preset, scheme, layout, rules, tensors }) {
  /** @type {any} */
  const recipe = { version: 1, to };
  if (preset !== null) recipe.preset = preset;
  if (scheme !== null) recipe.scheme = scheme;
  if (layout !== null && layout !== 'auto' && layout !== 'plain') recipe.layout = layout;
  const whole = rules.filter(({ match, scheme: own, keep }) => match !== '' && (own || keep));
  return { ...recipe, rules: whole, tensors };
}

/**
 * A recipe from a file, as a choice. What is wrong with it inside, the engine says.
 * @param {State} state
 * @param {string} text
 * @returns {State}
 * @throws {Error} with a code
 */
export function loadRecipe(state, text) {
  const refuse = (/** @type {string} */ expected, /** @type {string} */ found) =>
    Object.assign(new Error('the recipe cannot be read'), { code: 'recipe', expected, found });
  /** @type {any} */
  let recipe;
  try {
    recipe = JSON.parse(text);
  } catch (error) {
    throw refuse('JSON', /** @type {Error} */ (error).message);
  }
  const isRecord = (/** @type {any} */ x) => typeof x === 'object' && x !== null && !Array.isArray(x);
  if (!isRecord(recipe)) throw refuse('{version, to, scheme, rules, tensors}', 'something else');
  if (recipe.version !== undefined && recipe.version !== 1) throw refuse('version 1', String(recipe.version));
  const isWish = (/** @type {any} */ x) => x === 'keep' || (isRecord(x) && typeof x.id === 'string');
  const { to = '', preset = null, scheme = null, layout = null, rules = [], tensors = {} } = recipe;
  if (!targets(state).some((target) => target.to === to))
    throw refuse(
      targets(state)
        .map((x) => x.to)
        .join(', '),
      String(to),
    );
  if (scheme !== null && (scheme === 'keep' || !isWish(scheme)))
    throw refuse('scheme: {id, …}', JSON.stringify(scheme));
  const isRule = (/** @type {any} */ x) =>
    isRecord(x) && typeof x.match === 'string' && (x.keep === true || (isWish(x.scheme) && x.scheme !== 'keep'));
  if (!Array.isArray(rules) || !rules.every(isRule))
    throw refuse('rules: [{match, scheme}]', JSON.stringify(rules).slice(0, 80));
  if (!isRecord(tensors)) throw refuse('tensors: {name: scheme}', JSON.stringify(tensors).slice(0, 80));
  const odd = Object.entries(tensors).find(([, wish]) => !isWish(wish));
  if (odd) throw refuse('tensors: {name: scheme}', JSON.stringify(odd).slice(0, 80));
  const names = new Set(state.model?.tensors.map(({ name }) => name));
  const unknown = Object.keys(tensors).filter((name) => !names.has(name)).length;
  return setShrink(state, { choice: { to, preset, scheme, layout, rules, tensors }, unknown, problem: null });
}

/**
 * The engine's columns as rows.
 * @param {any} answer
 * @param {import('../types.js').Model} model
 * @param {Choice} choice
 * @param {number} ms
 * @returns {Plan}
 */
export function planFrom(answer, model, choice, ms) {
  const {
    id,
    to,
    outputBytes,
    bitsPerWeight,
    files,
    notes,
    isRemote,
    dtypes,
    schemes,
    lefts,
    targets: renamed,
  } = answer;
  const keys = schemes.map((/** @type {Scheme} */ scheme) => JSON.stringify(scheme));
  let before = 0;
  /** @type {Row[]} */
  const rows = Array.from(answer.tensor, (/** @type {number} */ place, /** @type {number} */ i) => {
    const { name, shape, count, dtype: from, byteLength } = model.tensors[place];
    const [dtype, scheme] = [dtypes[answer.dtype[i]], answer.scheme[i]];
    before += byteLength;
    return {
      ...{ name, target: renamed[i] ?? name, shape, count, from, before: byteLength, dtype, after: answer.bytes[i] },
      scheme: scheme < 0 ? null : schemes[scheme],
      key: scheme < 0 ? '' : `${dtype} ${keys[scheme]} ${name}`,
      left: answer.left[i] < 0 ? null : lefts[answer.left[i]],
      insteadOf: answer.insteadOf[i] < 0 ? null : dtypes[answer.insteadOf[i]],
    };
  });
  const about = { id, modelId: model.id, model: model.name, choice, isRemote, ms };
  return { ...about, to, rows, before, outputBytes, bitsPerWeight, files, notes };
}

/**
 * What is known of a tensor's damage: after the job the truth, before it a measurement.
 * @param {Shrink} shrink
 * @param {Row} row
 * @returns {Damage | null} null where nothing is known; an SQNR of `Infinity` is a tensor that loses nothing
 */
export function damageOf({ job, damage }, row) {
  if (row.scheme === null) return { sqnrDb: Infinity, sampled: false };
  const done = job?.finished[row.name];
  const found = done === undefined ? damage[row.key] : { sqnrDb: done, sampled: false };
  // Of weights that are not finite there is no such number.
  return found && found.sqnrDb !== null && !Number.isNaN(found.sqnrDb) ? found : null;
}

/**
 * The rows that the table shows, in its order.
 * @param {Shrink} shrink
 * @param {Plan} plan
 * @returns {Row[]}
 */
export function listed(shrink, plan) {
  const { query, show, sort } = shrink.list;
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  /** @type {{[show: string]: (row: Row) => boolean}} */
  const kinds = {
    changed: (row) => row.scheme !== null,
    left: (row) => row.scheme === null,
    fallback: (row) => row.insteadOf !== null,
    hand: (row) => Object.hasOwn(plan.choice.tensors, row.name),
  };
  const kind = kinds[show] ?? (() => true);
  const found = plan.rows.filter((row) => {
    if (!kind(row)) return false;
    const text = words.length > 0 ? `${row.name} ${row.from} ${row.dtype}`.toLowerCase() : '';
    return words.every((word) => text.includes(word));
  });
  /** @param {Row} row */
  const db = (row) => damageOf(shrink, row)?.sqnrDb ?? 1e9;
  /** @type {{[sort: string]: (a: Row, b: Row) => number}} */
  const orders = {
    name: (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }),
    after: (a, b) => b.after - a.after,
    damage: (a, b) => Math.min(db(a), 1e12) - Math.min(db(b), 1e12),
  };
  return orders[sort] ? found.sort(orders[sort]) : found;
}

/** The file's name without its extension. @param {string} name */
const stem = (name) => name.replace(/\.(safetensors|gguf|onnx|npz|npy|pt|pth|bin|zip)$/i, '') || 'model';

/**
 * A name for what is written: the model's, what was done to it, and the extension.
 * @param {Plan} plan
 * @param {string} extension
 */
export function outputName({ model, choice }, extension) {
  const what = choice.preset ?? choice.scheme?.id ?? 'mixed';
  return `${stem(model)}-${what}.${extension}`;
}
