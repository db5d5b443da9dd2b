/**
 * What a model will become, before anything is done: for every tensor its scheme, its bytes, what was left alone and why.
 */
import { options as checked, record, text, wrong } from '../check.js';
import { release, wasm } from '../engine.js';
import { FewerbitsError, inFile } from '../errors.js';
import { inside } from '../model.js';
import { wishesOf } from './recipe.js';
import { survey } from './survey.js';
import { Budget, LEAST_DB } from './target.js';
import { textsBeside } from './texts.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {import('./recipe.js').Recipe} Recipe
 * @typedef {import('./recipe.js').Rule} Rule
 *
 * @typedef {object} PlanOptions
 * @property {'gguf' | 'onnx' | 'safetensors' | 'npz' | 'deep'} [to] the format that is written; by default the model's own, where it can be written
 * @property {Scheme} [scheme] one for all tensors that are quantized
 * @property {string} [preset] a named set of the target's rules, such as `Q4_K_M`
 * @property {string} [layout] which of the target's ways to store quantized tensors
 * @property {Recipe} [recipe] what a plan's `recipe()` gave; options given besides are stronger
 * @property {Rule[]} [rules] for tensors whose names match, the last that matches decides
 * @property {number} [targetBytes] all files together take so many bytes at most: what each tensor becomes is chosen so that least is lost
 * @property {number} [targetBits] the same by stored bits of all weights together, by their number
 * @property {Scheme[]} [schemes] those that may be chosen for a target; by default all of the format's
 * @property {'reference' | 'best'} [effort] of GGUF's schemes that say nothing of it themselves: `best` searches for less error in the same
 *   bytes, and takes several times as long; by default `reference`, the bytes of llama.cpp
 * @property {Partial<Record<import('./survey.js').Role, number>>} [roles] what a tensor's error weighs by its part in the model; by default 1,
 *   of feed-forward layers 2, of the output 32
 * @property {Record<string, number>} [weights] the same of single tensors, by name, in place of their roles': what `measureWeights` found, say
 * @property {number} [leastDb] a scheme that keeps less of a tensor, in dB, is not chosen for it; 6 by default
 * @property {AbortSignal} [signal] of the measuring that a target needs
 * @property {(progress: import('./survey.js').SurveyProgress) => void} [onProgress] of the same
 * @property {number} [workers] of the same
 *
 * @typedef {object} PlannedTensor
 * @property {string} name in the model
 * @property {string} target in the file that is written
 * @property {number[]} shape
 * @property {number} count
 * @property {{dtype: string, byteLength: number}} from
 * @property {string} dtype what it becomes
 * @property {number} byteLength all of it: with scales, zero points and tables
 * @property {number} bitsPerWeight
 * @property {Scheme | null} scheme `null` where it stays as it is
 * @property {string | null} insteadOf the type that was asked for, where the tensor's shape did not allow it
 * @property {{code: string, text: string} | null} left why it is not quantized, if it is not
 *
 * @typedef {object} Found how a plan for a target was found
 * @property {number} [targetBytes]
 * @property {number} [targetBits]
 * @property {number} cost the relative squared errors of all tensors that have a choice, by their weights
 * @property {number} price cost that a byte saves where the budget ends
 * @property {Record<import('./survey.js').Role, number>} roles
 * @property {Record<string, number> | null} weights of single tensors, where they were given
 * @property {number} leastDb
 * @property {import('./reasons.js').ByRunning | null} byRunning of a plan that was chosen by running the model
 * @property {string[]} decided tensors that a rule or a hand decided
 * @property {number} least the smallest size that can be reached
 * @property {{bytesRead: number, seconds: number}} measured
 * @property {() => Float64Array} curve bytes and cost, one after the other, from the smallest size on
 * @property {(name: string) => import('./target.js').Why | null} why a tensor is as it is, with all its ways; null where it has no choice
 * @property {(name: string) => import('./target.js').Near | null} near the same with the next ways up and down alone
 *
 * @typedef {{at: number, bytes?: number, copy?: {part: number, range: {start: number, end: number}},
 *   stored?: {tensor: number, byteLen: number}}} Segment
 * @typedef {{tensor: number, packing: any, dims: number[], rowsAtOnce: number, apart: boolean, band?: number, headRows?: number,
 *   parts: {file: number, at: number, byteLen: number, rowBytes: number | null}[]}} Task
 * @typedef {{file: number, of: {start: number, end: number}, at: number[]}} Check CRC-32 of a stretch, at places that hold zeros
 * @typedef {{files: {name: string, byteLen: number, segments: Segment[]}[], tasks: Task[], checks: Check[], places: number[]}} Job
 *   `places`: where the header says where each tensor lies; empty where sizes are known before anything is packed
 */

/** Formats that are written, by the format that is read; the first is the default. */
const TARGETS = /** @type {const} */ ({
  safetensors: 'safetensors',
  gguf: 'gguf',
  onnx: 'onnx',
  npz: 'npz',
  npy: 'npz',
  torch: 'safetensors',
  deep: 'safetensors',
});

/**
 * Plans. Nothing is written, and nothing is read but headers; for a target size a sample of each tensor too.
 *
 * @param {Model} model
 * @param {PlanOptions} [given]
 * @returns {Promise<Plan>}
 * @throws {FewerbitsError} `invalid_argument`, `unsupported`, `unknown_tensor`, `unknown_scheme`, `unknown_option`, `invalid_option`
 */
export async function plan(model, given) {
  const planning = await openPlanning(model);
  try {
    if (given && (given.targetBytes !== undefined || given.targetBits !== undefined)) await planning.survey(given);
    return await planning.plan(given);
  } finally {
    planning.free();
  }
}

/**
 * A model made ready for many plans, one after the other: what a page asks while its controls move.
 * @param {Model} model
 */
export async function openPlanning(model) {
  const held = inside.get(model);
  if (!held) throw wrong('the model', 'what openModel() gave', model);
  const { Planner, FormatReader } = wasm();
  const planner = new Planner();
  try {
    for (const source of held.sources) {
      const reader = new FormatReader(source.size);
      try {
        let bytes = new Uint8Array(0);
        for (;;) {
          const { need } = JSON.parse(reader.step(bytes));
          if (!need) break;
          bytes = await source.read(need[0], need[1]);
        }
        // A file of one array has no name for it: the model's is the file's.
        planner.add(reader, model.format === 'npy' ? model.tensors[0].name : undefined);
      } catch (error) {
        throw inFile(error, source.name);
      } finally {
        release(reader);
      }
    }
  } catch (error) {
    release(planner);
    throw error;
  }
  let isFree = false;
  /** What lies beside the files, read when it is needed first. @type {Promise<void> | null} */
  let beside = null;
  const withTexts = async () => {
    beside ??= textsBeside(held.sibling).then((texts) => {
      if (isFree) throw new FewerbitsError('freed', 'the model has been closed', { file: model.name });
      for (const [name, text] of texts) planner.text(name, text);
      planner.ready();
    });
    try {
      await beside;
    } catch (error) {
      // What could not be read is tried anew by the next plan.
      beside = null;
      throw error;
    }
  };
  const sizes = new Sizes(model, planner);
  const readied = async (/** @type {{to: string, layout?: string}} */ request) => {
    if (needsTexts(model, request)) await withTexts();
  };
  return {
    /** @param {PlanOptions} [options] a target needs a survey of the same format, layout and schemes */
    async plan(options) {
      const request = asked(model, options);
      await readied(request);
      return planned(model, planner, sizes, request, options);
    },
    /** The sizes between which a target can lie, from headers alone: a little smaller may turn out to be out of reach. */
    async range(/** @type {PlanOptions} */ options) {
      await readied(asked(model, options));
      return sizes.range(options);
    },
    /** Measures what a target needs, once. @param {PlanOptions} [options] */
    async survey(options) {
      await readied(asked(model, options));
      return sizes.survey(options ?? {});
    },
    /** What a plan for a size is chosen among, with the plan by cost; needs a survey as that plan does. @param {PlanOptions} options */
    async recipes(options) {
      const request = asked(model, options);
      await readied(request);
      return recipesOf(model, planner, sizes, request, options);
    },
    /** What was measured for these options, if it was. @param {PlanOptions} [options] */
    surveyed: (options) => sizes.surveyed(options ?? {}),
    free: () => {
      isFree = true;
      sizes.release();
      release(planner);
    },
  };
}

/** What is measured of a model, and the budgets made from it. */
class Sizes {
  /** @type {Map<string, import('./survey.js').Survey>} */
  #surveys = new Map();
  /** The last budget: a moving slider asks for the same again and again. @type {{key: string, budget: Budget} | null} */
  #last = null;

  /**
   * @param {Model} model
   * @param {import('../wasm/fewerbits.js').Planner} planner
   */
  constructor(model, planner) {
    this.model = model;
    this.planner = planner;
  }

  /** @param {PlanOptions} options */
  #asked({ to, recipe, layout, schemes, effort }) {
    const asked = {
      to: targetOf(this.model, to ?? recipe?.to),
      schemes: schemes?.map(schemeRecord),
      layout: layout ?? recipe?.layout,
      effort: effort ?? recipe?.effort,
    };
    return { asked, key: JSON.stringify(asked) };
  }

  /** @param {PlanOptions} options */
  async survey(options) {
    const { asked, key } = this.#asked(options);
    const { signal, onProgress, workers } = options;
    const found =
      this.#surveys.get(key) ?? (await survey(this.planner, this.model, asked, { signal, onProgress, workers }));
    this.#surveys.set(key, found);
    return found;
  }

  /** @param {PlanOptions} options */
  surveyed(options) {
    return this.#surveys.get(this.#asked(options).key);
  }

  /** @param {PlanOptions} options @returns {{least: number, most: number}} */
  range(options) {
    const { asked } = this.#asked(options);
    const { tensors } = JSON.parse(this.planner.ways(JSON.stringify(asked)));
    const { to, layout } = asked;
    const most = planOf(this.model, this.planner, { to, layout, tensors: {} }).outputBytes;
    const saved = tensors.reduce((/** @type {number} */ sum, /** @type {{ways: {bytes: number}[]}} */ { ways }) => {
      const [kept] = ways;
      return sum + kept.bytes - Math.min(...ways.map(({ bytes }) => bytes));
    }, 0);
    return { least: most - saved, most };
  }

  /** @param {PlanOptions} options @param {import('./target.js').Wanted} wanted */
  budget(options, wanted) {
    const found = this.surveyed(options);
    if (!found)
      throw new FewerbitsError('not_ready', 'a target size needs a survey of the model, and there is none yet');
    const { wishes, rules, roles, weights, leastDb } = wanted;
    const key = JSON.stringify([this.#asked(options).key, wishes, rules, roles, weights, leastDb]);
    if (this.#last?.key !== key) {
      const budget = new Budget(found, wanted);
      this.#last?.budget.release();
      this.#last = { key, budget };
    }
    return /** @type {{budget: Budget}} */ (this.#last).budget;
  }

  release() {
    this.#last?.budget.release();
    this.#last = null;
    this.#surveys.clear();
  }
}

/** @param {Model} model @param {string} [to] */
function targetOf(model, to) {
  return text(to ?? TARGETS[/** @type {keyof typeof TARGETS} */ (model.format)] ?? 'safetensors', 'the target');
}

/**
 * Whether a plan depends on what lies beside the weights: their architecture and tokenizer for llama.cpp, their configuration for others.
 * @param {Model} model
 * @param {{to: string, layout?: string}} request
 */
function needsTexts({ format }, { to, layout }) {
  return to === 'gguf' ? format !== 'gguf' : layout === 'compressed-tensors';
}

/** What a plan can be asked, beside a recipe and rules. */
const ASKED = [
  ...['to', 'scheme', 'preset', 'layout', 'effort'],
  ...['targetBytes', 'targetBits', 'schemes', 'roles', 'weights', 'leastDb'],
];
/** What a survey works with. */
const TOOLS = ['signal', 'onProgress', 'workers'];

/**
 * The options as the engine is asked.
 * @param {Model} model
 * @param {PlanOptions} [given]
 */
function asked(model, given) {
  const { recipe, rules, ...own } = checked(given);
  for (const name of Object.keys(own)) {
    if (![...ASKED, ...TOOLS].includes(name)) {
      const facts = { expected: [...ASKED, 'recipe', 'rules'].join(', '), found: name };
      throw new FewerbitsError('unknown_option', 'a plan has no such option', facts);
    }
  }
  if (recipe !== undefined) record(recipe, 'the recipe');
  const of = recipe ?? /** @type {Recipe} */ ({});
  const choice = own.scheme !== undefined || own.preset !== undefined ? own : of;
  const to = targetOf(model, own.to ?? of.to);
  // Who asks for nothing but the container asks for its scheme.
  const isBare = to === 'deep' && ['recipe', 'rules', 'targetBytes', 'targetBits'].every((name) => isNone(given, name));
  return {
    to,
    scheme: choice.scheme ? schemeRecord(choice.scheme) : isBare ? { id: 'deep' } : undefined,
    preset: choice.preset,
    layout: own.layout ?? of.layout,
    effort: own.effort ?? of.effort,
    // A weight that is stored in several tensors is planned by these.
    tensors: wishesOf(
      model.tensors.filter(({ parts }) => parts === undefined),
      of,
      rules ?? [],
    ),
  };
}

/** @param {{[name: string]: any} | undefined} options @param {string} name */
function isNone(options, name) {
  const value = options?.[name];
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

/**
 * @param {Model} model
 * @param {import('../wasm/fewerbits.js').Planner} planner
 * @param {Sizes} sizes
 * @param {ReturnType<typeof asked>} request
 * @param {PlanOptions} [given]
 */
function planned(model, planner, sizes, request, given = {}) {
  const isAimed = given.targetBytes !== undefined || given.targetBits !== undefined;
  return isAimed ? recipesOf(model, planner, sizes, request, given).plan : planOf(model, planner, request);
}

/**
 * The plan for a size by cost, with what others of this size can be made from.
 * @param {Model} model
 * @param {import('../wasm/fewerbits.js').Planner} planner
 * @param {Sizes} sizes
 * @param {ReturnType<typeof asked>} request
 * @param {PlanOptions} given
 */
function recipesOf(model, planner, sizes, request, given) {
  const { recipe, rules, targetBytes, targetBits, schemes, effort, roles, weights, leastDb } = given;
  if (given.scheme !== undefined || given.preset !== undefined) {
    throw wrong(
      'a target size',
      'neither a scheme nor a preset besides: give schemes to choose from',
      given.preset ?? given.scheme?.id,
    );
  }
  for (const [value, name] of /** @type {const} */ ([
    [targetBytes, 'targetBytes'],
    [targetBits, 'targetBits'],
  ])) {
    if (value !== undefined && !(typeof value === 'number' && value >= 0 && Number.isFinite(value)))
      throw wrong(name, 'a number, 0 or above', value);
  }
  if ((targetBytes === undefined) === (targetBits === undefined))
    throw wrong('a target', 'targetBytes or targetBits', targetBytes === undefined ? 'neither' : 'both');
  const wanted = {
    ...{ targetBits, roles, weights, leastDb, wishes: request.tensors },
    rules: [...(recipe?.rules ?? []), ...(rules ?? [])],
    targetBytes: targetBytes === undefined ? undefined : Math.floor(targetBytes),
  };
  const options = { to: given.to, layout: given.layout, recipe, schemes, effort };
  const budget = sizes.budget(options, wanted);
  const bare = { to: request.to, layout: request.layout, effort: request.effort };
  const make = (/** @type {Record<string, Scheme | 'keep'>} */ tensors) => planOf(model, planner, { ...bare, tensors });
  const { plan, picks, price, cost } = budget.fit(wanted, make);
  return {
    plan: plan.aimed(budget, { ...wanted, picks, price, cost }),
    /** Of each free tensor which of its ways. */
    picks,
    budget,
    /** What the tensors that are free can take together. */
    room: budget.room(wanted),
    /**
     * The plan of other picks, if it fits.
     * @param {Map<string, number>} others
     * @param {import('./reasons.js').ByRunning} byRunning
     * @returns {Plan | null}
     */
    of(others, byRunning) {
      const { plan: made } = budget.made(others, wanted, make);
      if (budget.over(made, wanted) > 0) return null;
      return made.aimed(budget, { ...wanted, picks: others, price, cost: budget.cost(others), byRunning });
    },
  };
}

/**
 * @param {Model} model
 * @param {import('../wasm/fewerbits.js').Planner} planner
 * @param {any} request
 */
function planOf(model, planner, request) {
  const { tensors: placed } = /** @type {{tensors: import('../model.js').Placed[]}} */ (inside.get(model));
  const { files, tasks, checks, places, packings, ...answer } = JSON.parse(planner.plan(JSON.stringify(request)));
  const bytes = /** @type {Uint8Array<ArrayBuffer>} */ (planner.literals());
  /** @type {Map<string, Uint8Array<ArrayBuffer>>} */
  const literals = new Map();
  let at = 0;
  files.forEach((/** @type {any} */ file, /** @type {number} */ f) =>
    file.segments.forEach((/** @type {Segment} */ segment, /** @type {number} */ s) => {
      if (segment.bytes !== undefined) literals.set(`${f}/${s}`, bytes.subarray(at, (at += segment.bytes)));
    }),
  );
  for (const task of tasks) task.packing = packings[task.packing];
  const job = { files, tasks, checks, places };
  const plan = new Plan(model, request, { ...answer, packings, job }, placed, literals);
  if (plan.tensors.length === 0 && model.tensors.length > 0) {
    const facts = { expected: 'a tensor that it can hold', found: `${model.tensors.length} left out` };
    throw new FewerbitsError('unsupported', `nothing of the model can be written to ${plan.to}`, {
      ...{ file: model.name, tensor: model.tensors[0].name, ...facts },
    });
  }
  return plan;
}

/**
 * A scheme with the shorthand `prune: {…}` written out.
 * @param {Scheme} scheme
 */
export function schemeRecord(scheme) {
  const { prune, ...rest } = record(scheme, 'the scheme', '{id, …}');
  if (typeof prune !== 'object' || prune === null) return scheme;
  if ('ratio' in prune) return { ...rest, prune: 'ratio', pruneRatio: prune.ratio };
  if ('threshold' in prune) return { ...rest, prune: 'threshold', pruneThreshold: prune.threshold };
  if ('nm' in prune) return { ...rest, prune: 'nm', pruneN: prune.nm[0], pruneM: prune.nm[1] };
  throw wrong('prune', '{ratio}, {threshold} or {nm: [n, m]}', prune);
}

/** What a model will become. Made by {@link plan}. */
export class Plan {
  /**
   * @param {Model} model
   * @param {any} request
   * @param {any} answer
   * @param {import('../model.js').Placed[]} placed
   * @param {Map<string, Uint8Array<ArrayBuffer>>} literals
   */
  constructor(model, request, { to, choices, notes, packings, lefts, job }, placed, literals) {
    this.model = model;
    this.request = request;
    /** @type {'gguf' | 'onnx' | 'safetensors' | 'npz' | 'deep'} */
    this.to = to;
    /** What is to be said of the whole. @type {{code: string, text: string}[]} */
    this.notes = notes;
    /** @type {Job} */
    this.job = job;
    this.literals = literals;
    /** @type {Map<number, number>} */
    const bytes = new Map();
    for (const { tensor, parts } of this.job.tasks) {
      bytes.set(tensor, (bytes.get(tensor) ?? 0) + parts.reduce((sum, part) => sum + part.byteLen, 0));
    }
    for (const { segments } of this.job.files) {
      for (const { stored } of segments) if (stored) bytes.set(stored.tensor, stored.byteLen);
    }
    /** Tensor by tensor, in the order of the file that is written. @type {PlannedTensor[]} */
    this.tensors = choices.map((/** @type {any} */ choice) => {
      const { name, shape, count, dtype, start, end } = placed[choice.tensor];
      const byteLength = bytes.get(choice.tensor) ?? 0;
      return {
        name,
        target: choice.name ?? name,
        shape,
        count,
        from: { dtype, byteLength: end - start },
        dtype: choice.dtype,
        byteLength,
        bitsPerWeight: count === 0 ? 0 : (byteLength * 8) / count,
        scheme: schemeOf(packings[choice.packing]),
        insteadOf: choice.insteadOf ?? null,
        left: lefts[choice.left] ?? null,
      };
    });
    /** How it was found, where a size was aimed at. @type {Found | null} */
    this.found = null;
    /** Whether sizes are known; else they are the most that they can be, and the report says what they are. */
    this.isExact = job.places.length === 0;
    /** Of each tensor, in the order of the file, which of the model it is. @type {number[]} */
    this.order = choices.map((/** @type {any} */ choice) => choice.tensor);
    /** Bytes of all files that are written. */
    this.outputBytes = this.job.files.reduce((sum, file) => sum + file.byteLen, 0);
    /** The files that are written; one without a name bears that of the whole. */
    this.files = this.job.files.map(({ name, byteLen }) => ({ name, byteLength: byteLen }));
    /** Stored bits of all weights together, by their number. */
    this.bitsPerWeight =
      (this.tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0) * 8) /
      Math.max(
        1,
        this.tensors.reduce((sum, tensor) => sum + tensor.count, 0),
      );
  }

  /**
   * Says how it was found.
   * @param {Budget} budget
   * @param {import('./target.js').Wanted & {picks: Map<string, number>, price: number, cost: number,
   *   byRunning?: import('./reasons.js').ByRunning}} wanted
   */
  aimed(budget, { targetBytes, targetBits, picks, price, cost, wishes, weights = {}, leastDb = LEAST_DB, byRunning }) {
    const { survey: of, roles, least, free } = budget;
    const decided = Object.keys(wishes);
    const isFree = new Set(free.map(({ name }) => name));
    for (const tensor of this.tensors) {
      if (tensor.left?.code === 'asked' && isFree.has(tensor.name))
        tensor.left = { code: 'room', text: 'kept: the size has room for it' };
    }
    this.notes.push(...of.notes);
    const schemes = new Map(this.tensors.map(({ name, scheme }) => [name, scheme]));
    this.found = {
      ...{ targetBytes, targetBits, cost, price, roles, leastDb, decided, least: Number(least) },
      weights: Object.keys(weights).length > 0 ? weights : null,
      byRunning: byRunning ?? null,
      measured: { bytesRead: of.bytesRead, seconds: of.seconds },
      curve: () => budget.curve(),
      why: (name) => budget.why(name, picks.get(name) ?? schemes.get(name) ?? null, price, byRunning !== undefined),
      near: (name) => budget.near(name, picks.get(name) ?? schemes.get(name) ?? null, price, byRunning !== undefined),
    };
    return this;
  }

  /**
   * The plan as data: the scheme of every tensor by name. It can be saved, read, changed, and given to `plan` for the same model or one like
   * it.
   * @returns {Recipe}
   */
  recipe() {
    const { scheme, preset, layout, effort } = this.request;
    /** @type {Record<string, Scheme | 'keep'>} */
    const tensors = Object.fromEntries(
      this.tensors.map(({ name, scheme: own }) => [name, own ?? /** @type {const} */ ('keep')]),
    );
    const recipe = {
      version: /** @type {const} */ (1),
      to: this.to,
      ...defined({ preset, scheme, layout, effort }),
      tensors,
    };
    if (this.found === null) return recipe;
    const { targetBytes, targetBits, roles, weights, leastDb, decided, byRunning } = this.found;
    const { outputBytes } = this;
    return {
      ...recipe,
      aim: { ...defined({ targetBytes, targetBits, weights, byRunning }), outputBytes, roles, leastDb, decided },
    };
  }
}

/** @param {{[name: string]: any}} values */
function defined(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null));
}

/** @param {any} packing */
function schemeOf({ pack, dtype, id, ...options }) {
  if (pack === 'copy') return null;
  if (pack.startsWith('onnx_')) return onnxScheme(options);
  // How codes and scales lie in the file follows from the plan's own layout.
  if (pack === 'compressed') return { id, ...without(options, ['layout', 'scale']) };
  return pack === 'cast' ? { id: CAST_IDS[/** @type {keyof typeof CAST_IDS} */ (dtype)] ?? dtype } : { id, ...options };
}

/** @param {{[name: string]: any}} values @param {string[]} names */
function without(values, names) {
  return Object.fromEntries(Object.entries(values).filter(([name]) => !names.includes(name)));
}

/**
 * The scheme of codes and scales in ONNX.
 * @param {{bits?: number, axis?: number, block?: number}} packing
 */
function onnxScheme({ bits, axis, block }) {
  if (block !== undefined) return { id: `int${bits}`, granularity: 'group', groupSize: block };
  return { id: `int${bits}`, granularity: axis === undefined ? 'tensor' : 'channel' };
}

const CAST_IDS = { F32: 'f32', F16: 'f16', BF16: 'bf16', F8_E4M3: 'fp8_e4m3', F8_E5M2: 'fp8_e5m2' };
