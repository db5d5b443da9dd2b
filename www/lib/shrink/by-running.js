/**
 * A plan for a size, chosen by running the model: of the recipes that fit the one under which its answers move least.
 *
 * What each way of each tensor does is measured with all others left as they are (where these are more than half of the runs, one probe for each
 * matrix and the survey's errors stand for it). Taken to add up, that foretells what a recipe does. The search begins with the plan by cost, the plan by
 * these measures and every single scheme that fits, and goes on from the best: one tensor is raised or lowered, or one raised and another
 * lowered, the most promising first, and kept if the answers come nearer. It ends when nothing near is better, or with the last run. Of a
 * language model a recipe must be nearer by more than chance would have it: from token to token divergences differ widely, and the best of many
 * recipes is otherwise the luckiest.
 *
 * Nothing is known of other inputs than those that it is chosen by: judge it by others (`measureDamage`).
 */
import { options, whole } from '../check.js';
import { release, wasm } from '../engine.js';
import { throwIfAborted } from '../errors.js';
import { openPlanning } from './plan.js';
import { breath, cosineFrom, divergenceFrom, kindOf, reconstructed, runnerOf, weigh } from './running.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('./plan.js').Plan} Plan
 * @typedef {import('./plan.js').PlanOptions} PlanOptions
 * @typedef {import('./running.js').Runner} Runner
 * @typedef {import('./survey.js').Survey} Survey
 * @typedef {import('./survey.js').Surveyed} Surveyed
 * @typedef {Awaited<ReturnType<typeof openPlanning>>} Planning
 * @typedef {{run: number, runs: number, moved: number}} RunProgress runs done, of at most so many; how far the answers move under the best yet
 *
 * @typedef {object} RunOptions
 * @property {number} [runs] of the model at most, 200 by default; as it is and under the plan by cost it is run anyway
 * @property {string} [text] of a language model: what it reads; by default what it says itself
 * @property {number} [tokens] of a language model: how many it reads, 1024 by default; what it says itself in passages of 256
 * @property {Uint8Array} [images] of the digits network: `[n, 8, 8]`, 0…16; labels are not looked at
 * @property {AbortSignal} [signal]
 * @property {(progress: RunProgress) => void} [onProgress]
 *
 * @typedef {Map<string, number>} Picks of each tensor that is free which of its ways
 * @typedef {import('./running.js').Moved & {picks: Picks}} Trial a recipe that was run
 */

const RUNS = 200;
const TOKENS = 1024;
/** By so many standard deviations of the mean difference a language model's recipe must be nearer. */
const SURE = 2;
/** So many recipes near the best one are tried without a gain before the search ends. */
const PATIENCE = 40;
/** Of the moves that gain, and of those that save bytes, so many are paired. */
const PAIRED = 200;
/** Weights that are kept as they come back from a scheme: what is tried again needs no packing. */
const KEPT = 1 << 24;

/**
 * @param {Model} model
 * @param {PlanOptions} given with `targetBytes` or `targetBits`
 * @param {RunOptions} [how]
 * @returns {Promise<Plan>} `found.byRunning` says how it was found
 * @throws {import('../errors.js').FewerbitsError} as `plan`; `unsupported` for a model that the engine cannot run; `aborted`
 */
export async function planByRunning(model, given, how) {
  // Before everything is measured.
  kindOf(model);
  const planning = await openPlanning(model);
  try {
    await planning.survey({ ...given, signal: how?.signal ?? given.signal });
    return await chosenByRunning(planning, model, given, how);
  } finally {
    planning.free();
  }
}

/**
 * The same of a model that is planned already.
 * @param {Planning} planning with a survey
 * @param {Model} model
 * @param {PlanOptions} given
 * @param {RunOptions} [how]
 * @returns {Promise<Plan>}
 */
export async function chosenByRunning(planning, model, given, how) {
  const { signal, onProgress = () => {}, runs = RUNS, ...inputs } = options(how);
  const most = whole(runs, 'the number of runs');
  throwIfAborted(signal);
  const recipes = await planning.recipes(given);
  const runner = await runnerOf(model, { tokens: TOKENS, ...inputs }, 'choosing', signal);
  try {
    const trials = new Trials(runner, recipes.budget, most, signal, onProgress);
    const found = await searched(trials, recipes);
    const measure = runner.kind === 'digits' ? /** @type {const} */ ('cosine') : /** @type {const} */ ('divergence');
    const byCost = /** @type {Trial} */ (trials.known(recipes.picks)).moved;
    for (const { picks, moved } of found) {
      const facts = { measure, answers: trials.answers, runs: trials.runs, moved, byCost };
      const plan = recipes.of(picks, facts);
      if (plan !== null) return plan;
    }
    // The plan by cost is one of them, and fits.
    return recipes.plan;
  } finally {
    runner.free();
  }
}

/** The model under one recipe after the other. */
class Trials {
  /** @type {Map<string, Trial>} */
  #known = new Map();
  /** Which way is set of each tensor; none: as it is. @type {Picks} */
  #set = new Map();
  /** As they come back, the latest last. @type {Map<string, Float32Array>} */
  #back = new Map();
  #kept = 0;

  /**
   * @param {Runner} runner
   * @param {import('./target.js').Budget} budget
   * @param {number} most
   * @param {AbortSignal | undefined} signal
   * @param {(progress: RunProgress) => void} onProgress
   */
  constructor(runner, budget, most, signal, onProgress) {
    this.runner = runner;
    this.budget = budget;
    this.most = most;
    this.signal = signal;
    this.onProgress = onProgress;
    this.runs = 1;
    this.best = Infinity;
    this.answers = runner.answers().length / runner.width;
    this.distance = runner.kind === 'digits' ? cosineFrom(runner) : divergenceFrom(runner);
    /** Those that running says something of. @type {Surveyed[]} */
    this.tensors = budget.free.filter(({ name }) => runner.floats(name) !== undefined && runner.names.includes(name));
  }

  get left() {
    return this.most - this.runs;
  }

  /** What makes a recipe of this size what it is. @param {Picks} picks */
  #key(picks) {
    return this.tensors.map(({ name }) => picks.get(name)).join();
  }

  /** What came of a recipe, if it was run. @param {Picks} picks */
  known(picks) {
    return this.#known.get(this.#key(picks));
  }

  /** Everything that was run, the best first; of equal ones the earlier. */
  ranked() {
    return [...this.#known.values()].sort((a, b) => a.moved - b.moved);
  }

  /** Before each run. */
  async #begin() {
    await breath(this.signal);
    this.runs++;
    this.onProgress({ run: this.runs, runs: this.most, moved: this.best });
  }

  /** Runs the model under a recipe. @param {Picks} picks @returns {Promise<Trial>} */
  async run(picks) {
    const known = this.known(picks);
    if (known) return known;
    await this.#begin();
    for (const tensor of this.tensors) this.#put(tensor, picks.get(tensor.name));
    const { moved, terms } = this.distance();
    // What is no number is as bad as can be.
    const trial = { picks, terms, moved: Number.isNaN(moved) ? Infinity : moved };
    this.#known.set(this.#key(picks), trial);
    this.best = Math.min(this.best, trial.moved);
    return trial;
  }

  /**
   * What each usable way of each tensor does to the answers with all others left as they are; where these would be more than half of the
   * runs, a probe of each tensor, and the survey's errors.
   * @returns {Promise<number[][]>}
   */
  async alone() {
    const { budget, tensors } = this;
    const usable = (/** @type {Surveyed} */ { name }, /** @type {number} */ at) =>
      budget.usable.get(name)?.[at] ?? false;
    const needed = tensors.reduce((sum, tensor) => sum + tensor.ways.filter((_, at) => usable(tensor, at)).length, 0);
    for (const tensor of tensors) this.#put(tensor, undefined);
    // Fewer runs than tensors: then what the plan by cost went by stands for it.
    if (this.left < tensors.length) {
      return tensors.map((tensor) =>
        tensor.ways.map(({ error }, at) => (usable(tensor, at) ? budget.weight(tensor) * error : NaN)),
      );
    }
    if (needed > this.left / 2) {
      const weights = await weigh(this.runner, this.distance, () => this.#begin());
      return tensors.map((tensor) =>
        tensor.ways.map(({ error }, at) => (usable(tensor, at) ? weights[tensor.name] * error : NaN)),
      );
    }
    const costs = [];
    for (const tensor of tensors) {
      const row = [];
      for (const at of tensor.ways.keys()) {
        const isSame = this.budget.survey.kinds[tensor.ways[at].kind].scheme === null;
        if (!usable(tensor, at) || isSame) {
          row.push(isSame ? 0 : NaN);
          continue;
        }
        await this.#begin();
        this.#put(tensor, at);
        row.push(this.distance().moved);
      }
      this.#put(tensor, undefined);
      costs.push(row);
    }
    return costs;
  }

  /** @param {Surveyed} tensor @param {number | undefined} at */
  #put(tensor, at) {
    const { name, ways } = tensor;
    const scheme = at === undefined ? null : this.budget.survey.kinds[ways[at].kind].scheme;
    const is = scheme === null ? undefined : at;
    if (this.#set.get(name) === is) return;
    const floats = /** @type {{values: Float32Array, shape: readonly number[]}} */ (this.runner.floats(name));
    this.runner.set(name, scheme === null ? floats.values : this.#backFrom(`${at} ${name}`, floats, scheme));
    if (is === undefined) this.#set.delete(name);
    else this.#set.set(name, is);
  }

  /** @param {string} key @param {{values: Float32Array, shape: readonly number[]}} floats @param {import('../types.js').Scheme} scheme */
  #backFrom(key, floats, scheme) {
    const values = this.#back.get(key) ?? reconstructed(floats, scheme);
    if (this.#back.delete(key)) this.#kept -= values.length;
    for (const [oldest, { length }] of this.#back) {
      if (this.#kept + values.length <= KEPT) break;
      this.#back.delete(oldest);
      this.#kept -= length;
    }
    this.#back.set(key, values);
    this.#kept += values.length;
    return values;
  }
}

/**
 * Recipes of the size that were run, the one that is chosen first.
 * @param {Trials} trials
 * @param {Awaited<ReturnType<Planning['recipes']>>} recipes
 */
async function searched(trials, { picks: byCost, budget, room }) {
  const { tensors } = trials;
  await trials.run(byCost);
  const costs = await trials.alone();
  // What running says nothing of stays as it was planned.
  const all = (/** @type {number[]} */ own) => {
    const picks = new Map(byCost);
    tensors.forEach(({ name }, t) => picks.set(name, own[t]));
    return picks;
  };
  const bytesOf = (/** @type {number[]} */ own) => own.reduce((sum, at, t) => sum + tensors[t].ways[at].bytes, 0);
  const others = budget.free.reduce((sum, { name, ways }) => {
    return tensors.some((tensor) => tensor.name === name) ? sum : sum + ways[byCost.get(name) ?? 0].bytes;
  }, 0);
  const fits = (/** @type {number} */ bytes) => bytes + others <= room;
  /** @type {Trial | null} */
  let best = null;
  for (const own of starts(trials, costs, budget.survey, room - others)) {
    if (trials.left <= 0) break;
    if (!fits(bytesOf(own))) continue;
    const trial = await trials.run(all(own));
    if (best === null || isNearer(trial, best)) best = trial;
  }
  const planned = await trials.run(byCost);
  if (best === null || isNearer(planned, best)) best = planned;
  for (let isBetter = true; isBetter && trials.left > 0;) {
    isBetter = false;
    let misses = 0;
    const own = tensors.map(({ name }) => /** @type {number} */ (best?.picks.get(name)));
    for (const next of neighbours(tensors, costs, own, (more) => fits(bytesOf(own) + more))) {
      if (misses >= PATIENCE || trials.left <= 0) break;
      const picks = all(next);
      if (trials.known(picks) !== undefined) continue;
      const trial = await trials.run(picks);
      isBetter = isNearer(trial, best);
      if (isBetter) {
        best = trial;
        break;
      }
      misses++;
    }
  }
  return [best, ...trials.ranked()];
}

/** Whether a recipe's answers are nearer than another's, by more than chance where that can be told. @param {Trial} a @param {Trial} b */
function isNearer(a, b) {
  if (!(a.moved < b.moved)) return false;
  if (a.terms === null || b.terms === null) return true;
  const n = a.terms.length;
  const rest = b.terms;
  const each = a.terms.map((x, i) => x - rest[i]);
  const mean = each.reduce((sum, x) => sum + x, 0) / n;
  const square = each.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, n - 1);
  return mean < -SURE * Math.sqrt(square / n);
}

/**
 * The plan by what was measured, and every single scheme.
 * @param {Trials} trials
 * @param {number[][]} costs
 * @param {Survey} survey
 * @param {number} room
 */
function starts({ tensors, budget }, costs, survey, room) {
  const isUsable = (/** @type {number[]} */ own) => own.every((at, t) => budget.usable.get(tensors[t].name)?.[at]);
  const uniform = survey.schemes.map((_, s) => tensors.map((tensor) => tensor.uniform[s])).filter(isUsable);
  let end = 0;
  const allocator = new (wasm().Allocator)(
    Uint32Array.from(tensors, ({ ways }) => (end += ways.length)),
    Float64Array.from(tensors.flatMap(({ ways }) => ways.map(({ bytes }) => bytes))),
    Float64Array.from(costs.flat()),
  );
  try {
    if (room < allocator.least()) return uniform;
    const { picks } = allocator.fit(room, Uint32Array.from(uniform.flat()), tensors.length);
    return [Array.from(picks, Number), ...uniform];
  } finally {
    release(allocator);
  }
}

/**
 * Recipes of one tensor or two that differ, those that promise most first.
 * @param {Surveyed[]} tensors
 * @param {number[][]} costs
 * @param {number[]} own
 * @param {(more: number) => boolean} fits
 */
function neighbours(tensors, costs, own, fits) {
  const moves = tensors.flatMap(({ ways }, t) =>
    ways.flatMap(({ bytes }, at) => {
      const cost = costs[t][at] - costs[t][own[t]];
      return at === own[t] || Number.isNaN(cost) ? [] : [{ t, at, bytes: bytes - ways[own[t]].bytes, cost }];
    }),
  );
  /** @type {{cost: number, moves: {t: number, at: number}[]}[]} */
  const found = moves.filter(({ bytes }) => fits(bytes)).map((move) => ({ cost: move.cost, moves: [move] }));
  const gains = moves.filter(({ cost }) => cost < 0).sort((a, b) => a.cost - b.cost);
  const savings = moves.filter(({ bytes }) => bytes < 0).sort((a, b) => a.cost / -a.bytes - b.cost / -b.bytes);
  for (const a of gains.slice(0, PAIRED)) {
    for (const b of savings.slice(0, PAIRED)) {
      if (a.t !== b.t && fits(a.bytes + b.bytes)) found.push({ cost: a.cost + b.cost, moves: [a, b] });
    }
  }
  found.sort((a, b) => a.cost - b.cost);
  return found.map(({ moves: changed }) => {
    const next = [...own];
    for (const { t, at } of changed) next[t] = at;
    return next;
  });
}
