/**
 * What a model will become, before anything is done: for every tensor its scheme, its bytes, what was left alone and why.
 */
import { options as checked, record, text, wrong } from '../check.js';
import { wasm } from '../engine.js';
import { FewerbitsError, inFile } from '../errors.js';
import { inside } from '../model.js';
import { wishesOf } from './recipe.js';

/**
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {import('./recipe.js').Recipe} Recipe
 * @typedef {import('./recipe.js').Rule} Rule
 *
 * @typedef {object} PlanOptions
 * @property {'gguf' | 'onnx' | 'safetensors' | 'npz'} [to] the format that is written; by default the model's own, where it can be written
 * @property {Scheme} [scheme] one for all tensors that are quantized
 * @property {string} [preset] a named set of the target's rules, such as `Q4_K_M`
 * @property {string} [layout] which of the target's ways to store quantized tensors
 * @property {Recipe} [recipe] what a plan's `recipe()` gave; options given besides are stronger
 * @property {Rule[]} [rules] for tensors whose names match, the last that matches decides
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
 * @typedef {{at: number, bytes?: number, copy?: {part: number, range: {start: number, end: number}},
 *   stored?: {tensor: number, byteLen: number}}} Segment
 * @typedef {{tensor: number, packing: any, dims: number[], rowsAtOnce: number, band?: number,
 *   parts: {file: number, at: number, byteLen: number, rowBytes: number | null}[]}} Task
 * @typedef {{file: number, of: {start: number, end: number}, at: number[]}} Check CRC-32 of a stretch, at places that hold zeros
 * @typedef {{files: {name: string, byteLen: number, segments: Segment[]}[], tasks: Task[], checks: Check[]}} Job
 */

/** Formats that are written, by the format that is read; the first is the default. */
const TARGETS = /** @type {const} */ ({
  safetensors: 'safetensors',
  gguf: 'gguf',
  onnx: 'onnx',
  npz: 'npz',
  npy: 'npz',
  torch: 'safetensors',
});

/**
 * Plans. Nothing is read but headers, and nothing is written.
 *
 * @param {Model} model
 * @param {PlanOptions} [given]
 * @returns {Promise<Plan>}
 * @throws {FewerbitsError} `invalid_argument`, `unsupported`, `unknown_tensor`, `unknown_scheme`, `unknown_option`, `invalid_option`
 */
export async function plan(model, given) {
  const planning = await openPlanning(model);
  try {
    return planning.plan(given);
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
        planner.add(reader);
      } catch (error) {
        throw inFile(error, source.name);
      } finally {
        reader.free();
      }
    }
  } catch (error) {
    planner.free();
    throw error;
  }
  return {
    /** @param {PlanOptions} [options] */
    plan: (options) => planned(model, planner, options),
    free: () => planner.free(),
  };
}

/**
 * @param {Model} model
 * @param {import('../wasm/fewerbits.js').Planner} planner
 * @param {PlanOptions} [given]
 */
function planned(model, planner, given) {
  const { recipe, rules, ...own } = checked(given);
  const known = new Set(['to', 'scheme', 'preset', 'layout']);
  for (const name of Object.keys(own)) {
    if (!known.has(name)) {
      const facts = { expected: [...known, 'recipe', 'rules'].join(', '), found: name };
      throw new FewerbitsError('unknown_option', 'a plan has no such option', facts);
    }
  }
  if (recipe !== undefined) record(recipe, 'the recipe');
  const of = recipe ?? /** @type {Recipe} */ ({});
  const to = own.to ?? of.to ?? TARGETS[/** @type {keyof typeof TARGETS} */ (model.format)] ?? 'safetensors';
  const choice = own.scheme !== undefined || own.preset !== undefined ? own : of;
  const request = {
    to: text(to, 'the target'),
    scheme: choice.scheme && schemeRecord(choice.scheme),
    preset: choice.preset,
    layout: own.layout ?? of.layout,
    // A weight that is stored in several tensors is planned by these.
    tensors: wishesOf(
      model.tensors.filter(({ parts }) => parts === undefined),
      of,
      rules ?? [],
    ),
  };
  const { tensors: placed } = /** @type {{tensors: import('../model.js').Placed[]}} */ (inside.get(model));
  const { files, tasks, checks, packings, ...answer } = JSON.parse(planner.plan(JSON.stringify(request)));
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
  const job = { files, tasks, checks };
  return new Plan(model, request, { ...answer, packings, job }, placed, literals);
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
    /** @type {'gguf' | 'onnx' | 'safetensors' | 'npz'} */
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
   * The plan as data: the scheme of every tensor by name. It can be saved, read, changed, and given to `plan` for the same model or one like
   * it.
   * @returns {Recipe}
   */
  recipe() {
    const { scheme, preset, layout } = this.request;
    /** @type {Record<string, Scheme | 'keep'>} */
    const tensors = Object.fromEntries(
      this.tensors.map(({ name, scheme: own }) => [name, own ?? /** @type {const} */ ('keep')]),
    );
    return { version: 1, to: this.to, ...defined({ preset, scheme, layout }), tensors };
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
  return pack === 'cast' ? { id: CAST_IDS[/** @type {keyof typeof CAST_IDS} */ (dtype)] ?? dtype } : { id, ...options };
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
