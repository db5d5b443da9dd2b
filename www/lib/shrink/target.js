/**
 * From a survey to a plan of a wanted size: what each tensor's error weighs, what is forced, kept and excluded, and why each got what it got.
 */
import { record, wrong } from '../check.js';
import { release, wasm } from '../engine.js';
import { FewerbitsError } from '../errors.js';
import { globOf } from './recipe.js';
import { ROLES } from './roles.js';

/**
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {import('./recipe.js').Rule} Rule
 * @typedef {import('./survey.js').Survey} Survey
 * @typedef {import('./survey.js').Surveyed} Surveyed
 * @typedef {import('./reasons.js').Role} Role
 * @typedef {import('./survey.js').Way} Way
 *
 * @typedef {object} Wanted
 * @property {number} [targetBytes] of all files together, at most
 * @property {number} [targetBits] stored bits of all weights together, by their number, at most
 * @property {Record<string, Scheme | 'keep'>} wishes what is decided already, by tensor
 * @property {Rule[]} rules of which those that exclude count here
 * @property {Partial<Record<Role, number>>} [roles] weights
 * @property {Record<string, number>} [weights] of single tensors, in place of their roles'
 * @property {number} [leastDb] a scheme that keeps less of a tensor is not taken for it
 *
 * @typedef {{outputBytes: number, tensors: {count: number, byteLength: number}[]}} Sized of a plan what is needed here
 *
 * @typedef {import('./reasons.js').Near} Near
 * @typedef {import('./reasons.js').Neighbour} Neighbour
 *
 * @typedef {Near & {ways: {scheme: Scheme | null, dtype: string, bytes: number, error: number, deviation: number, usable: boolean}[]}} Why
 */

/**
 * dB that a tensor keeps at least. What loses more than a quarter of a tensor's power is no approximation of it any more, and costs do not add
 * up there.
 */
export const LEAST_DB = 6;

/** Plans tried until the size is exact: sizes that are no sums of the tensors' (ONNX, safetensors, npz) settle in a few. */
const TRIES = 6;

/** Allocations for one survey under one set of rules and weights, for any size. */
export class Budget {
  /** Once the engine's part is given back. @type {Float64Array | null} */
  #curve = null;

  /**
   * @param {Survey} survey
   * @param {Wanted} wanted
   */
  constructor(survey, { wishes, rules, roles, weights, leastDb = LEAST_DB }) {
    this.survey = survey;
    this.roles = weightsOf(roles);
    /** Of single tensors. @type {Map<string, number>} */
    this.weights = ownWeights(weights);
    if (typeof leastDb !== 'number' || Number.isNaN(leastDb)) throw wrong('leastDb', 'a number', leastDb);
    const most = 10 ** (-leastDb / 10);
    const excluded = exclusions(rules);
    /** @type {Surveyed[]} */
    this.free = survey.tensors.filter(({ name }) => !Object.hasOwn(wishes, name));
    /** @type {Map<string, boolean[]>} */
    this.usable = new Map(
      survey.tensors.map(({ name, ways }) => {
        const not = excluded(name);
        return [
          name,
          ways.map(({ kind, error }) => {
            const { scheme } = survey.kinds[kind];
            return Number.isFinite(error) && (scheme === null || (error <= most && !not(scheme.id)));
          }),
        ];
      }),
    );
    const usable = (/** @type {Surveyed} */ { name }, /** @type {number} */ at) => this.usable.get(name)?.[at] ?? false;
    let end = 0;
    const ends = this.free.map(({ ways }) => (end += ways.length));
    const flat = this.free.flatMap((tensor) => tensor.ways.map((way, at) => ({ tensor, way, at })));
    const costs = flat.map(({ tensor, way, at }) => (usable(tensor, at) ? this.weight(tensor) * way.error : NaN));
    this.allocator = new (wasm().Allocator)(
      Uint32Array.from(ends),
      Float64Array.from(flat.map(({ way }) => way.bytes)),
      Float64Array.from(costs),
    );
    // The same scheme for all, as far as the rules let it.
    this.uniform = Uint32Array.from(survey.schemes.flatMap((_, s) => this.free.map(({ uniform }) => uniform[s])));
    /** What a file takes besides the tensors that are free; known after the first plan. @type {number | null} */
    this.besides = null;
    /** The smallest that can be reached; known after the first plan. @type {number | null} */
    this.least = null;
    /** What these two count: the files, or the tensors alone. @type {'bytes' | 'bits'} */
    this.measure = 'bytes';
    /** Weights of the whole model; known after the first plan. */
    this.count = 0;
    this.byName = new Map(survey.tensors.map((tensor) => [tensor.name, tensor]));
    this.freeNames = new Set(this.free.map(({ name }) => name));
  }

  /** What a tensor's error counts. @param {Surveyed} tensor */
  weight({ name, role }) {
    return this.weights.get(name) ?? this.roles[role];
  }

  /** Gives back what the engine holds; the curve stays. */
  release() {
    try {
      this.#curve = this.curve();
    } catch {
      // After a trap there is none, and who releases in a `finally` has the trap to tell of.
    }
    release(this.allocator);
  }

  /**
   * The plan that fits.
   * @template {Sized} T
   * @param {Wanted} wanted
   * @param {(wishes: Record<string, Scheme | 'keep'>) => T} planned
   * @returns {{plan: T, picks: Map<string, number>, price: number, cost: number}}
   * @throws {FewerbitsError} `unreachable` with the smallest size that can be reached
   */
  fit({ targetBytes, targetBits, wishes }, planned) {
    /** @param {number} budget */
    const attempt = (budget) => {
      const found = this.allocator.fit(budget, this.uniform, this.free.length);
      const picks = new Map(this.free.map(({ name }, i) => [name, found.picks[i]]));
      return { ...found, ...this.made(picks, { wishes }, planned), picks };
    };
    const size = (/** @type {T} */ plan) => sizeOf(plan, targetBits);
    const measure = targetBits === undefined ? /** @type {const} */ ('bytes') : /** @type {const} */ ('bits');
    if (this.besides === null || this.measure !== measure) {
      const smallest = attempt(this.allocator.least());
      this.measure = measure;
      this.least = size(smallest.plan);
      this.besides = this.least - smallest.bytes;
      this.count = smallest.plan.tensors.reduce(
        (/** @type {number} */ sum, /** @type {{count: number}} */ tensor) => sum + tensor.count,
        0,
      );
    }
    const target = this.#target({ targetBytes, targetBits });
    if (target < Number(this.least)) throw this.#unreachable(target, targetBits);
    /** @type {ReturnType<typeof attempt> | null} */
    let best = null;
    let budget = target - Number(this.besides);
    for (let tries = 0; tries < TRIES; tries++) {
      const found = attempt(Math.max(budget, this.allocator.least()));
      const over = size(found.plan) - target;
      if (over <= 0 && (best === null || found.cost < best.cost)) best = found;
      this.besides = size(found.plan) - found.bytes;
      const next = target - this.besides;
      // What a file takes besides its tensors may grow with what fits: then a little less is asked for.
      if (over <= 0 && (next <= budget || tries > 2)) break;
      budget = over > 0 ? Math.min(next, budget - over) : next;
    }
    best ??= attempt(this.allocator.least());
    return best;
  }

  /** @param {Pick<Wanted, 'targetBytes' | 'targetBits'>} wanted once a plan has been made */
  #target({ targetBytes, targetBits }) {
    return targetBytes ?? Math.floor((Number(targetBits) * Number(this.count)) / 8);
  }

  /** What the tensors that are free can take together, after a plan for this size. @param {Wanted} wanted */
  room(wanted) {
    return this.#target(wanted) - Number(this.besides);
  }

  /** By how many bytes a plan is too large; below 0 what is left. @param {Sized} plan @param {Wanted} wanted */
  over(plan, wanted) {
    return sizeOf(plan, wanted.targetBits) - this.#target(wanted);
  }

  /**
   * The plan of such picks.
   * @template {Sized} T
   * @param {Map<string, number>} picks
   * @param {Pick<Wanted, 'wishes'>} wanted
   * @param {(wishes: Record<string, Scheme | 'keep'>) => T} planned
   */
  made(picks, { wishes }, planned) {
    return { plan: planned({ ...wishes, ...this.#wishes(picks) }) };
  }

  /** The errors of such picks by their weights. @param {Map<string, number>} picks */
  cost(picks) {
    return this.free.reduce((sum, tensor) => {
      const { error } = tensor.ways[/** @type {number} */ (picks.get(tensor.name))];
      return sum + this.weight(tensor) * error;
    }, 0);
  }

  /** Bytes and cost, one after the other, of the sizes on the way from the smallest to the largest. */
  curve() {
    if (this.#curve) return this.#curve;
    const curve = this.allocator.curve();
    for (let i = 0; i < curve.length; i += 2) curve[i] += this.besides ?? 0;
    return curve;
  }

  /**
   * Why a tensor is as it is, with all its ways.
   * @param {string} name
   * @param {number | Scheme | null} is which of its ways, or what a rule or a hand made it
   * @param {number} price
   * @param {boolean} [byRunning] whether the model was run to choose it
   * @returns {Why | null} null of a tensor that has no choice
   */
  why(name, is, price, byRunning = false) {
    const near = this.near(name, is, price, byRunning);
    if (near === null) return null;
    const usable = this.usable.get(name) ?? [];
    const ways = this.byName.get(name)?.ways.map(({ kind, bytes, error, deviation }, at) => {
      const { scheme, dtype } = this.survey.kinds[kind];
      return { scheme, dtype, bytes, error, deviation, usable: usable[at] };
    });
    return { ...near, ways: ways ?? [] };
  }

  /**
   * The same with the next ways up and down alone: what saves most for a byte, and what adds least.
   * @param {string} name
   * @param {number | Scheme | null} is
   * @param {number} price
   * @param {boolean} [byRunning]
   * @returns {Near | null}
   */
  near(name, is, price, byRunning = false) {
    const tensor = this.byName.get(name);
    if (!tensor) return null;
    const { kinds } = this.survey;
    const key = typeof is === 'number' ? '' : JSON.stringify(is);
    const at =
      typeof is === 'number' ? is : tensor.ways.findIndex(({ kind }) => JSON.stringify(kinds[kind].scheme) === key);
    const own = tensor.ways[at];
    const weight = this.weight(tensor);
    const usable = this.usable.get(name) ?? [];
    const isFree = this.freeNames.has(name);
    const facts = { role: tensor.role, weight, price, isFree, byRunning: byRunning && isFree };
    if (!own) return { ...facts, error: NaN, deviation: NaN, up: null, down: null };
    /** @type {[Neighbour | null, Neighbour | null]} */
    let [up, down] = [null, null];
    tensor.ways.forEach(({ kind, bytes, error }, i) => {
      const more = bytes - own.bytes;
      if (!usable[i] || more === 0 || (more > 0 && error >= own.error)) return;
      const perByte = (weight * (own.error - error)) / more;
      const { scheme, dtype } = kinds[kind];
      const next = { scheme, dtype, bytes: more, error, perByte };
      if (more > 0 && (up === null || perByte > up.perByte)) up = next;
      if (more < 0 && (down === null || perByte < down.perByte)) down = next;
    });
    return { ...facts, error: own.error, deviation: own.deviation, up, down };
  }

  /** @param {Map<string, number>} picks */
  #wishes(picks) {
    const { kinds } = this.survey;
    /** @type {Record<string, Scheme | 'keep'>} */
    const wishes = Object.create(null);
    for (const { name, ways } of this.free) {
      wishes[name] = kinds[ways[/** @type {number} */ (picks.get(name))].kind].scheme ?? 'keep';
    }
    return wishes;
  }

  /** @param {number} target @param {number} [targetBits] */
  #unreachable(target, targetBits) {
    const bits = (/** @type {number} */ bytes) => `${((bytes * 8) / Number(this.count)).toFixed(3)} bits per weight`;
    const facts =
      targetBits === undefined
        ? { expected: `at least ${this.least} bytes`, found: `${target} bytes` }
        : { expected: `at least ${bits(Number(this.least))}`, found: `${targetBits} bits per weight` };
    return new FewerbitsError('unreachable', 'no choice of schemes makes the model this small', facts);
  }
}

/** What is held against a target. @param {Sized} plan @param {number} [targetBits] */
function sizeOf({ outputBytes, tensors }, targetBits) {
  return targetBits === undefined ? outputBytes : tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** @param {Wanted['roles']} given @returns {Record<Role, number>} */
function weightsOf(given) {
  /** @type {Record<Role, number>} */
  const weights = { ...ROLES };
  for (const [role, weight] of Object.entries(record(given ?? {}, 'the weights of roles'))) {
    if (!Object.hasOwn(ROLES, role)) throw wrong('a role', Object.keys(ROLES).join(', '), role);
    if (typeof weight !== 'number' || !(weight >= 0 && Number.isFinite(weight))) {
      throw wrong(`the weight of ${role}`, 'a number, 0 or above', weight);
    }
    weights[/** @type {Role} */ (role)] = weight;
  }
  return weights;
}

/** @param {Wanted['weights']} given */
function ownWeights(given) {
  const weights = Object.entries(record(given ?? {}, 'the weights of tensors'));
  for (const [name, weight] of weights) {
    if (typeof weight !== 'number' || !(weight >= 0 && Number.isFinite(weight))) {
      throw wrong(`the weight of ${name}`, 'a number, 0 or above', weight);
    }
  }
  return new Map(weights);
}

/**
 * What rules exclude, by tensor.
 * @param {Rule[]} rules
 * @returns {(name: string) => (id: string) => boolean}
 */
function exclusions(rules) {
  const excluding = rules.flatMap(({ match, exclude }) =>
    exclude ? [{ pattern: globOf(match), ids: new Set(exclude) }] : [],
  );
  return (name) => {
    const of = excluding.filter(({ pattern }) => pattern.test(name));
    return (id) => of.some(({ ids }) => ids.has(id));
  };
}
