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
 *   tensors: {[name: string]: Scheme | 'keep'}, targetBytes: number | null, roles: {[role: string]: number},
 *   decided: string[] | null, effort: 'best' | null, isWeighed: boolean, isChosen: boolean}} Choice
 *   what the model shall become; `tensors` are those chosen by hand; `targetBytes`: the rest is chosen for this size, errors weighed by `roles`;
 *   `decided`: of a recipe that was found for a size the tensors that a hand had chosen; `effort`: whether schemes search for less error;
 *   `isWeighed`: errors are weighed by what was found when the model was run; `isChosen`: the model is run to choose among recipes of this size
 *
 * @typedef {{name: string, target: string, shape: number[], count: number, from: string, before: number, dtype: string, after: number,
 *   scheme: Scheme | null, key: string, left: {code: string, text: string} | null, insteadOf: string | null,
 *   near: import('../lib/shrink/reasons.js').Near | null}} Row
 *   a tensor as planned; `key` names it and what becomes of it; `near`: in a plan for a size why
 * @typedef {{targetBytes: number, least: number, cost: number, price: number, weight: number, isWeighed: boolean, roles: {[role: string]: number},
 *   byRunning: import('../lib/shrink/reasons.js').ByRunning | null, curve: Float64Array, measured: {bytesRead: number, seconds: number}}} Aim how a plan for a size was found
 * @typedef {{id: number, modelId: number, model: string, choice: Choice, to: string, rows: Row[], before: number, outputBytes: number,
 *   bitsPerWeight: number, files: {name: string, byteLength: number}[], notes: {code: string, text: string}[], isRemote: boolean,
 *   ms: number, isExact: boolean, aim: Aim | null}} Plan
 *
 * @typedef {{plan: number, found: import('../lib/shrink/reasons.js').Damage}} Trial
 * @typedef {{sqnrDb: number | null, sampled: boolean}} Damage `null`: not known
 * @typedef {'file' | 'folder' | 'storage' | 'memory'} Place
 *
 * @typedef {{name: string, file: Blob, isSaved?: boolean}} Made
 * @typedef {{
 *   state: 'running' | 'done' | 'failed', place: Place, plan: Plan, name: string, started: number, read: number, total: number, written: number,
 *   memory: number, speed: number, tensor: string, finished: {[name: string]: number | null}, failed: Problem | null, problem: Problem | null,
 *   report: import('../lib/shrink/report.js').Report | null, made: Made[], saved: boolean,
 *   measure?: import('./measure-state.js').Measure
 * }} Job
 *   `failed`: a tensor that waits for an answer; `saved`: all of `made` is, or was written to a file of one's own; `measure`: both models run
 *
 * @typedef {import('../types.js').Retrained} Outcome
 * @typedef {{running: {stage: string, done: number, of: number, loss: number} | null, outcome: Outcome | null, problem: Problem | null}} Retraining
 *
 * @typedef {{
 *   choice: Choice, plan: Plan | null, problem: Problem | null, damage: {[key: string]: Damage}, measuring: boolean, place: Place | null,
 *   job: Job | null, list: {query: string, show: string, sort: string}, eye: number | null, unknown: number,
 *   range: {key: string, least: number, most: number} | null, survey: {done: number, total: number, read: number} | null, why: string | null,
 *   running: {what: 'weights' | 'trial' | 'choice', stage?: 'reading' | 'runtime' | 'run', done: number, total: number} | null, trial: Trial | null,
 *   weighing: import('./weighing-state.js').Weighing | null, retraining: Retraining | null
 * }} Shrink
 *   `eye`: the row that the strip points at; `unknown`: tensors of the loaded recipe that the model lacks; `range`: sizes that can be aimed at;
 *   `survey`: measuring under way; `why`: the tensor whose reasons are shown; `running`: the model is run; `trial`: what that showed of a plan;
 *   `weighing`: what an ONNX model is run on to weigh errors
 */
import { stemOf } from '../lib/model-names.js';
import { ROLES as WEIGHTS } from '../lib/shrink/roles.js';
import { groupsOf, targetsOf } from '../lib/shrink/targets.js';

/** The name of the retrained network's container. */
export const RETRAINED = 'digits-retrained.fbdc';

/** Parts that a tensor can have in a model. */
export const ROLES = Object.keys(WEIGHTS);

/** Whether a weight is what a role's error counts anyway. @param {string} role @param {number} weight */
export const isUsual = (role, weight) => WEIGHTS[/** @type {keyof typeof WEIGHTS} */ (role)] === weight;

/** @param {unknown} x */
export const isWeight = (x) => typeof x === 'number' && Number.isFinite(x) && x >= 0 && x <= 1e6;

/** @type {Shrink} */
const EMPTY = Object.freeze({
  choice: {
    ...{ to: '', preset: null, scheme: null, layout: null, rules: [], tensors: {} },
    ...{ targetBytes: null, roles: {}, decided: null, effort: null, isWeighed: false, isChosen: false },
  },
  plan: null,
  problem: null,
  damage: {},
  measuring: false,
  place: null,
  job: null,
  list: { query: '', show: 'all', sort: 'order' },
  eye: null,
  unknown: 0,
  range: null,
  survey: null,
  why: null,
  retraining: null,
  running: null,
  trial: null,
  weighing: null,
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
  const open = { rules: [], tensors: {}, targetBytes: null, roles: {}, decided: null, effort: null };
  return { to, preset, scheme, layout: layouts[0] ?? null, ...open, isWeighed: false, isChosen: false };
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
  // Of several models those of another format may have been given a choice of their own.
  const own = state.batch?.choices[state.model?.format ?? ''];
  return choice.to !== target.to && choice.to !== '' && own ? own : fittedTo(target, choice);
}

/**
 * @param {Target} target
 * @param {Choice} choice
 * @returns {Choice}
 */
export function fittedTo(target, choice) {
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
 * What was chosen by running was chosen for what else was asked for: it does not outlast that.
 * @param {State} state
 * @param {Partial<Choice>} choice
 * @returns {State}
 */
export function choose(state, choice) {
  return setShrink(state, { choice: { ...shrinkOf(state).choice, isChosen: false, ...choice } });
}

/**
 * One scheme, or a preset, for all.
 * @param {State} state
 * @param {string} value `preset:Q4_K_M` or `scheme:f16`
 */
export function chooseAll(state, value) {
  const [kind, id] = split(value);
  const all = kind === 'preset' ? { preset: id, scheme: null } : { preset: null, scheme: { id } };
  return choose(state, { ...all, targetBytes: null });
}

/**
 * A size for the whole: what no hand has chosen is chosen for it.
 * @param {State} state
 * @param {number | null} targetBytes null: no size any more
 */
export function aimAt(state, targetBytes) {
  const { tensors, decided } = shrinkOf(state).choice;
  const own = decided && Object.fromEntries(Object.entries(tensors).filter(([name]) => decided.includes(name)));
  return choose(state, { targetBytes, tensors: own ?? tensors, decided: null });
}

/**
 * What errors count by a tensor's role.
 * @param {State} state
 * @param {string} role
 * @param {number} weight
 */
export function weigh(state, role, weight) {
  const others = Object.fromEntries(Object.entries(shrinkOf(state).choice.roles).filter(([other]) => other !== role));
  return choose(state, { roles: isUsual(role, weight) ? others : { ...others, [role]: weight } });
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
export function recipeOf({ to, preset, scheme, layout, rules, tensors, targetBytes, effort }) {
  /** @type {any} */
  const recipe = { version: 1, to };
  if (preset !== null && targetBytes === null) recipe.preset = preset;
  if (scheme !== null && targetBytes === null) recipe.scheme = scheme;
  if (layout !== null && layout !== 'auto' && layout !== 'plain') recipe.layout = layout;
  if (effort !== null && to === 'gguf') recipe.effort = effort;
  const whole = rules.filter(({ match, scheme: own, keep, exclude }) => match !== '' && (own || keep || exclude));
  return { ...recipe, rules: whole, tensors };
}

/** What the engine is asked for a plan. @param {Choice} choice */
export function optionsOf(choice) {
  const recipe = recipeOf(choice);
  if (choice.targetBytes === null) return { recipe };
  const { targetBytes, roles, isWeighed, isChosen } = choice;
  return { recipe, targetBytes, roles, ...(isWeighed ? { isWeighed } : {}), ...(isChosen ? { isChosen } : {}) };
}

/** Whether a plan is of what is asked for now. @param {Plan} plan @param {Choice} choice */
export const isPlanOf = (plan, choice) =>
  plan.choice === choice || JSON.stringify(optionsOf(plan.choice)) === JSON.stringify(optionsOf(choice));

/**
 * The recipe as a file: of a plan for a size what every tensor became, so that it needs no measuring elsewhere.
 * @param {Choice} choice
 * @param {Plan | null} plan
 */
export function recipeFile(choice, plan) {
  const recipe = recipeOf(choice);
  if (choice.targetBytes === null || !plan?.aim || plan.choice !== choice) return recipe;
  const { targetBytes, roles, isWeighed, byRunning } = plan.aim;
  const decided = plan.rows.filter(({ near }) => near?.isFree === false).map(({ name }) => name);
  const tensors = Object.fromEntries(plan.rows.map(({ name, scheme }) => [name, scheme ?? 'keep']));
  const own = plan.rows.flatMap(({ name, near }) => (near ? [[name, near.weight]] : []));
  const weights = isWeighed ? { weights: Object.fromEntries(own) } : {};
  const chosen = byRunning ? { byRunning } : {};
  const aim = { targetBytes, outputBytes: plan.outputBytes, roles, ...weights, ...chosen, decided };
  return { ...recipe, tensors, aim };
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
  const { to = '', preset = null, scheme = null, layout = null, rules = [], tensors = {}, effort = null } = recipe;
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
    isRecord(x) &&
    typeof x.match === 'string' &&
    (x.keep === true || Array.isArray(x.exclude) || (isWish(x.scheme) && x.scheme !== 'keep'));
  if (!Array.isArray(rules) || !rules.every(isRule))
    throw refuse('rules: [{match, scheme}]', JSON.stringify(rules).slice(0, 80));
  if (!isRecord(tensors)) throw refuse('tensors: {name: scheme}', JSON.stringify(tensors).slice(0, 80));
  const odd = Object.entries(tensors).find(([, wish]) => !isWish(wish));
  if (odd) throw refuse('tensors: {name: scheme}', JSON.stringify(odd).slice(0, 80));
  const names = new Set(state.model?.tensors.map(({ name }) => name));
  const unknown = Object.keys(tensors).filter((name) => !names.has(name)).length;
  const aim = isRecord(recipe.aim) ? recipe.aim : {};
  const texts = (/** @type {any} */ list) => Array.isArray(list) && list.every((x) => typeof x === 'string');
  const decided = texts(aim.decided) ? aim.decided : null;
  const known = isRecord(aim.roles) ? Object.entries(aim.roles) : [];
  const roles = Object.fromEntries(
    known.filter(([role, x]) => ROLES.includes(role) && isWeight(x) && !isUsual(role, x)),
  );
  const own = { effort: effort === 'best' ? effort : null, isWeighed: false, isChosen: false };
  const all = { ...{ to, preset, scheme, layout, rules, tensors, targetBytes: null, roles, decided }, ...own };
  return setShrink(state, { choice: all, unknown, problem: null });
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
    aim,
    isExact,
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
      near: aim?.nears[i] ?? null,
    };
  });
  const about = { id, modelId: model.id, model: model.name, choice, isRemote, ms, isExact };
  return { ...about, to, rows, before, outputBytes, bitsPerWeight, files, notes, aim: aim ?? null };
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
  const found = done === undefined ? (surveyed(row) ?? damage[row.key]) : { sqnrDb: done, sampled: false };
  // Of weights that are not finite there is no such number.
  return found && found.sqnrDb !== null && !Number.isNaN(found.sqnrDb) ? found : null;
}

/** What was measured for a plan of a size. @param {Row} row @returns {Damage | null} */
export function surveyed({ near }) {
  if (!near || !Number.isFinite(near.error)) return null;
  return { sqnrDb: near.error === 0 ? Infinity : -10 * Math.log10(near.error), sampled: near.deviation !== 0 };
}

/**
 * What a tensor pays for each byte that it gives: the share of its power that is lost, by the weight of its role.
 * @param {Shrink} shrink
 * @param {Row} row
 */
export function payOf(shrink, row) {
  const db = damageOf(shrink, row)?.sqnrDb ?? Infinity;
  const saved = row.before - row.after;
  return saved > 0 ? ((row.near?.weight ?? 1) * 10 ** (-db / 10)) / saved : 0;
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
    pay: (a, b) => payOf(shrink, b) - payOf(shrink, a),
  };
  return orders[sort] ? found.sort(orders[sort]) : found;
}

/**
 * A name for what is written: the model's, what was done to it, and the extension.
 * @param {Plan} plan
 * @param {string} extension
 */
export function outputName({ model, choice }, extension) {
  return `${stemOf(model)}-${whatOf(choice)}.${extension}`;
}

/** What is done to a model, in a word for its name. @param {Choice} choice */
export function whatOf(choice) {
  const size = choice.targetBytes === null ? null : `${(choice.targetBytes / 1e6).toPrecision(3)}MB`;
  return size ?? choice.preset ?? choice.scheme?.id ?? 'mixed';
}
