/**
 * What the worker answers for the Shrink room: plans, samples of their damage, and the job itself. The pool's workers do the packing, so that
 * Explore's questions are answered meanwhile.
 */
import { wasm } from '../lib/engine.js';
import { inside, openModel } from '../lib/model.js';
import { shrink } from '../lib/shrink/job.js';
import { openPlanning } from '../lib/shrink/plan.js';
import { readyWorkers } from '../lib/shrink/pool.js';
import { measureDamage, measureWeights } from '../lib/shrink/running.js';
import { runnable } from '../lib/shrink/runnable.js';
import { arraysIn, originals } from './worker-originals.js';
import { keepIn, placeFor, sweep } from './worker-sinks.js';

/**
 * @typedef {import('../lib/model.js').Model} Model
 * @typedef {import('../lib/shrink/plan.js').Plan} Plan
 * @typedef {import('../lib/shrink/plan.js').Task} Task
 * @typedef {{signal: AbortSignal, tell: (progress: any) => void}} Tools
 */

/**
 * How much is read of a tensor to measure it.
 *
 * @typedef {object} Measure
 * @property {number} sample a tensor up to this many weights is measured whole, of a larger one a sample of about this many
 * @property {number} whole a scheme that looks at the whole tensor cannot be sampled: up to this many weights it is measured on all of them
 * @property {number} places that a sample is taken from
 */

/** @type {Measure} */
const HERE = { sample: 1 << 16, whole: 1 << 20, places: 8 };
/** On a server: one small request for each tensor. @type {Measure} */
const AFAR = { sample: 1 << 14, whole: 1 << 16, places: 1 };
/** Samples that are kept of a model on a server. */
const KEPT = 512;

/** Bytes of the images that a plan is chosen by: 480 of them. */
const CHOOSING = 480 * 64;
/** Milliseconds of measuring before others have their turn. */
const TURN = 24;
/** Milliseconds between two messages of a job. */
const BEAT = 100;

export class Shrinking {
  /** @param {() => {model: Model | null, isRemote: boolean, modelId: number}} held what is open, and its number in the page */
  constructor(held) {
    this.held = held;
    /** @type {{model: Model, planning: Promise<Awaited<ReturnType<typeof openPlanning>>>} | null} */
    this.planner = null;
    /** The last plan, and its tasks by tensor. @type {{id: number, model: Model, tasks: Map<string, Task>} | null} */
    this.latest = null;
    this.plans = 0;
    /** What running this model showed that its errors count. @type {{model: Model, weights: {[tensor: string]: number}} | null} */
    this.weighed = null;
    /** What running this model chose last, and for what. @type {{model: Model, asked: string, plan: Plan} | null} */
    this.chosen = null;
    /** Of a model on a server what was read to measure it: other plans look at the same weights. @type {Map<string, Float32Array<ArrayBuffer>>} */
    this.samples = new Map();
    /** Models that a job reads, and whether they shall be closed after it. @type {Map<Model, boolean>} */
    this.used = new Map();
    /** What was written last. @type {import('./worker-sinks.js').Kept | null} */
    this.kept = null;
    /** @type {Promise<import('./worker-batch.js').Batch> | null} */
    this.several = null;
    /** A question to the page that waits for its answer. @type {((choice: 'retry' | 'stop') => void) | null} */
    this.asked = null;
    /** @type {{[type: string]: (payload: any, tools: Tools & {[more: string]: any}) => any}} */
    this.answers = {
      'shrink-plan': ({ options }) => this.#plan(options),
      'shrink-range': async ({ options }) => (await this.#planning()).planning.range(unrun(options)),
      'shrink-survey': ({ options }, tools) => this.#survey(options, tools),
      'shrink-weights': (payload, tools) => this.#weigh(payload, tools),
      'shrink-choose': (payload, tools) => this.#choose(payload, tools),
      'shrink-trial': (payload, tools) => this.#trial(payload, tools),
      'shrink-measure': (payload, { signal }) => this.#measure(payload, signal),
      'shrink-place': async ({ bytes }) => {
        await sweep();
        return placeFor(bytes);
      },
      'shrink-run': (payload, tools) => this.#run(payload, tools),
      'shrink-originals': (_, tools) => originals(this.#model, tools),
      'shrink-arrays': ({ files }) => arraysIn(files),
      'shrink-answer': ({ choice }) => this.asked?.(choice),
      'shrink-forget': () => this.#forget(),
      // What was written is open in the page: it stays until the tab is closed.
      'shrink-keep': () => void (this.kept = null),
    };
    for (const what of ['look', 'plan', 'run', 'end', 'forget']) {
      const type = `shrink-batch-${what}`;
      this.answers[type] = async (payload, tools) => (await this.#batch()).answers[type](payload, tools);
    }
  }

  /** What several models are asked of: fetched with the first of them. */
  #batch() {
    this.several ??= import('./worker-batch.js').then(({ Batch }) => new Batch());
    return this.several;
  }

  /** Closes a model that is no longer shown, at once or when the job that reads it is over. @param {Model} model */
  async release(model) {
    readyWorkers(0);
    if (this.planner?.model === model) this.#freePlanner();
    if (this.weighed?.model === model) this.weighed = null;
    if (this.chosen?.model === model) this.chosen = null;
    if (this.used.has(model)) this.used.set(model, true);
    else await model.close();
  }

  #freePlanner() {
    this.planner?.planning.then(
      (planning) => planning.free(),
      () => {},
    );
    this.planner = null;
    this.latest = null;
    this.samples.clear();
  }

  /** @returns {Model} */
  get #model() {
    const { model } = this.held();
    if (!model) throw Object.assign(new Error('nothing is open'), { code: 'invalid_argument' });
    return model;
  }

  async #planning() {
    const model = this.#model;
    if (this.planner?.model !== model) {
      if (!wasm().Planner) throw Object.assign(new Error('the whole engine could not be loaded'), { code: 'network' });
      this.#freePlanner();
      this.planner = { model, planning: openPlanning(model) };
    }
    const planner = this.planner;
    try {
      return { model, planning: await planner.planning };
    } catch (error) {
      // What could not be opened is tried anew by the next question.
      if (this.planner === planner) this.planner = null;
      throw error;
    }
  }

  /** @param {any} options */
  async #planFor(options) {
    const { model, planning } = await this.#planning();
    if (!options.isChosen) return { model, plan: await planning.plan(this.#weighted(model, options)) };
    const { chosen } = this;
    if (chosen?.model !== model || chosen.asked !== JSON.stringify(options)) throw notRun();
    return { model, plan: chosen.plan };
  }

  /** The plan of the model with this number: another one may have come since the page asked. @param {number} modelId @param {any} options */
  async #planOf(modelId, options) {
    const { model, modelId: opened } = this.held();
    const found = modelId === opened ? await this.#planFor(options) : null;
    if (!found || found.model !== model) {
      throw Object.assign(new Error('another model was opened meanwhile'), { code: 'superseded' });
    }
    return found;
  }

  /** What is asked of a plan, with the weights that running showed where they are wanted. @param {Model} model @param {any} options */
  #weighted(model, options) {
    if (!options.isWeighed) return unrun(options);
    if (this.weighed?.model !== model) throw notRun();
    return { ...unrun(options), weights: this.weighed.weights };
  }

  /**
   * Runs the model under recipes of the size that is asked for: what moves its answers least is the plan for it.
   * @param {{options: any, images: string}} payload where images for the digits network are
   * @param {Tools} tools
   */
  async #choose({ options, images }, { signal, tell }) {
    const { model, planning } = await this.#planning();
    const [{ chosenByRunning }, given] = await Promise.all([
      import('../lib/shrink/by-running.js'),
      pictures(model, images, signal),
    ]);
    const told = (/** @type {{run: number, runs: number}} */ { run, runs }) => tell({ done: run, total: runs });
    const how = { images: given.images?.subarray(0, CHOOSING), signal, onProgress: told };
    const plan = await chosenByRunning(planning, model, this.#weighted(model, options), how);
    this.chosen = { model, asked: JSON.stringify(options), plan };
  }

  /**
   * Runs the model to find what its errors count; an ONNX model was run elsewhere.
   * @param {{images: string, weights?: {[tensor: string]: number}}} payload where images for the digits network are, or what was found
   * @param {Tools} tools
   */
  async #weigh({ images, weights: known }, { signal, tell }) {
    const model = this.#model;
    if (known) {
      // Another model may have been opened since it was run.
      const names = new Set(model.tensors.map(({ name }) => name));
      if (Object.keys(known).every((name) => names.has(name))) this.weighed = { model, weights: known };
      return;
    }
    if (this.weighed?.model === model) return;
    const given = await pictures(model, images, signal);
    const weights = await measureWeights(model, { ...given, labels: undefined, signal, onProgress: tell });
    this.weighed = { model, weights };
  }

  /**
   * Runs the model as planned.
   * @param {{modelId: number, options: any, images: string}} payload `modelId` of the one that is meant
   * @param {Tools} tools
   */
  async #trial({ modelId, options, images }, { signal, tell }) {
    const { model, plan } = await this.#planOf(modelId, options);
    return measureDamage(plan, { ...(await pictures(model, images, signal)), signal, onProgress: tell });
  }

  /**
   * Measures what plans for a size need.
   * @param {any} options
   * @param {{signal: AbortSignal, onProgress?: (progress: any) => void}} tools
   */
  async #survey(options, { signal, onProgress }) {
    const { planning } = await this.#planning();
    const { bytesRead, seconds } = await planning.survey({ ...unrun(options), signal, onProgress });
    return { bytesRead, seconds };
  }

  /** @param {any} options */
  async #plan(options) {
    const { model, plan } = await this.#planFor(options);
    const id = ++this.plans;
    const tasks = new Map(plan.job.tasks.map((task) => [placed(model, task).name, task]));
    this.latest = { id, model, tasks };
    return { id, ...columns(plan, model.tensors), isRemote: this.held().isRemote };
  }

  /**
   * What a plan does to these tensors, measured until the turn is over; nothing once another plan was made.
   * @param {{plan: number, names: string[]}} payload
   * @param {AbortSignal} signal
   */
  async #measure({ plan, names }, signal) {
    const { latest } = this;
    /** @type {{name: string, sqnrDb: number | null, sampled: boolean}[]} */
    const found = [];
    if (latest?.id !== plan || latest.model !== this.held().model) return found;
    const { isRemote } = this.held();
    const read = (/** @type {string} */ name, /** @type {number} */ start, /** @type {number} */ end) =>
      isRemote ? this.#kept(latest.model, name, start, end, signal) : latest.model.read(name, { start, end, signal });
    const end = performance.now() + TURN;
    for (const name of names) {
      const task = latest.tasks.get(name);
      const how = isRemote ? AFAR : HERE;
      found.push({ name, ...(task ? await sampled(latest.model, task, read, how) : { sqnrDb: null, sampled: false }) });
      if (performance.now() > end) break;
    }
    return found;
  }

  /**
   * Rows of a model on a server, read once.
   * @param {Model} model
   * @param {string} name
   * @param {number} start
   * @param {number} end
   * @param {AbortSignal} signal
   */
  async #kept(model, name, start, end, signal) {
    const key = `${start} ${end} ${name}`;
    const known = this.samples.get(key);
    if (known) return known;
    const values = await model.read(name, { start, end, signal });
    if (this.samples.size < KEPT && this.latest?.model === model) this.samples.set(key, values);
    return values;
  }

  /**
   * @param {{modelId: number, options: any, place: import('./worker-sinks.js').Place}} payload `modelId` of the one that is meant
   * @param {Tools} tools
   */
  async #run({ modelId, options, place }, { signal, tell }) {
    readyWorkers();
    // A worker that took a dead one's place has measured nothing yet.
    if (options.targetBytes !== undefined) await this.#survey(options, { signal });
    const { model, plan } = await this.#planOf(modelId, options);
    await this.#forget();
    const names = plan.files.map(({ name }) => name);
    const kept = await keepIn(place, names);
    this.used.set(model, false);
    try {
      const onProgress = batched(tell);
      const report = await shrink(plan, kept.sink, { signal, onProgress, onFailure: this.#asker(signal, tell) });
      this.kept = kept;
      return { report, files: await kept.made() };
    } catch (error) {
      await kept.drop();
      throw error;
    } finally {
      const over = this.used.get(model);
      this.used.delete(model);
      if (over) await model.close();
    }
  }

  /** Failures are put before the page one at a time. @param {AbortSignal} signal @param {(progress: any) => void} tell */
  #asker(signal, tell) {
    /** @type {Promise<any>} */
    let last = Promise.resolve();
    let stopped = false;
    return (/** @type {any} */ error, /** @type {string} */ tensor) => {
      const ask = () =>
        new Promise((/** @type {(choice: 'retry' | 'stop') => void} */ resolve) => {
          // What fails beside a tensor for which the job was stopped is not asked about.
          if (signal.aborted || stopped) return resolve('stop');
          const answered = (/** @type {'retry' | 'stop'} */ choice) => {
            stopped = choice === 'stop';
            this.asked = null;
            tell({ failed: null });
            resolve(choice);
          };
          this.asked = answered;
          signal.addEventListener('abort', () => answered('stop'), { once: true });
          const { code = 'unexpected', message, file, found, expected } = error;
          tell({ failed: { code, message, file, tensor, found, expected } });
        });
      last = last.then(ask);
      return last;
    };
  }

  async #forget() {
    const { kept } = this;
    this.kept = null;
    await kept?.drop();
  }
}

/** A worker that took a dead one's place has run nothing yet. */
const notRun = () => Object.assign(new Error('the model was not run'), { code: 'not_ready' });

/** What a plan is asked whether or not the model is run. @param {any} options */
const unrun = ({ isWeighed: _, isChosen: __, ...options }) => options;

/**
 * Images for the digits network, with their labels.
 * @param {Model} model
 * @param {string} address
 * @param {AbortSignal} signal
 */
async function pictures(model, address, signal) {
  if (runnable(model) !== 'digits') return {};
  const file = await openModel(address, { signal });
  try {
    return { images: await file.readBytes('images'), labels: await file.readBytes('labels') };
  } finally {
    await file.close();
  }
}

/** The tensor of a task: a job counts them in an order of its own. @param {Model} model @param {Task} task */
const placed = (model, { tensor }) => {
  const held = inside.get(model);
  if (!held) throw Object.assign(new Error('the model has been closed'), { code: 'freed' });
  return held.tensors[tensor];
};

/**
 * A plan as columns: thousands of tensors cross to the page in a few arrays.
 * @param {Plan} plan
 * @param {readonly {name: string}[]} tensors of the model
 */
function columns(plan, tensors) {
  const places = new Map(tensors.map(({ name }, i) => [name, i]));
  const n = plan.tensors.length;
  const [dtypes, schemes, lefts] = [new Table(), new Table(), new Table()];
  const answer = {
    tensor: new Uint32Array(n),
    bytes: new Float64Array(n),
    dtype: new Uint16Array(n),
    scheme: new Int32Array(n),
    left: new Int32Array(n),
    insteadOf: new Int32Array(n),
    /** Names in the file that is written, where they differ. @type {{[at: number]: string}} */
    targets: {},
  };
  plan.tensors.forEach(({ name, target, dtype, byteLength, scheme, left, insteadOf }, i) => {
    answer.tensor[i] = places.get(name) ?? 0;
    answer.bytes[i] = byteLength;
    answer.dtype[i] = dtypes.at(dtype);
    answer.scheme[i] = scheme ? schemes.at(JSON.stringify(scheme)) : -1;
    answer.left[i] = left ? lefts.at(JSON.stringify(left)) : -1;
    answer.insteadOf[i] = insteadOf ? dtypes.at(insteadOf) : -1;
    if (target !== name) answer.targets[i] = target;
  });
  const { to, outputBytes, bitsPerWeight, notes, files, found, isExact } = plan;
  const parsed = (/** @type {Table} */ table) => table.texts.map((text) => JSON.parse(text));
  const aim = found && aimOf(plan, found);
  return {
    ...{ to, outputBytes, bitsPerWeight, notes, files, isExact, ...answer, aim },
    ...{ dtypes: dtypes.texts, schemes: parsed(schemes), lefts: parsed(lefts) },
  };
}

/** Points of the curve that are sent, about. */
const DRAWN = 240;

/**
 * How a plan for a size was found: what it costs, the curve, and of each tensor its neighbours.
 * @param {Plan} plan
 * @param {NonNullable<Plan['found']>} found
 */
function aimOf({ tensors }, { targetBytes, least, cost, price, roles, weights, byRunning, measured, curve, near }) {
  const all = curve();
  const points = all.length / 2;
  const step = Math.max(1, Math.ceil(points / DRAWN));
  /** @type {number[]} */
  const drawn = [];
  for (let i = 0; i < points; i++) {
    if (i % step === 0 || i >= points - 2) drawn.push(all[i * 2], all[i * 2 + 1]);
  }
  const nears = tensors.map(({ name }) => near(name));
  const weight = nears.reduce((sum, one) => sum + (one?.weight ?? 0), 0);
  const aim = { targetBytes, least, cost, price, roles, measured, weight, isWeighed: weights !== null, byRunning };
  return { ...aim, curve: Float64Array.from(drawn), nears };
}

/** Texts by number. */
class Table {
  /** @type {string[]} */
  texts = [];
  /** @type {Map<string, number>} */
  #places = new Map();

  /** @param {string} text */
  at(text) {
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.texts.push(text) - 1;
      this.#places.set(text, place);
    }
    return place;
  }
}

/**
 * The SQNR of a tensor as the job will pack it, of all of it or of rows from a few places.
 * @param {Model} model
 * @param {Task} task
 * @param {(name: string, start: number, end: number) => Promise<Float32Array>} read
 * @param {Measure} how
 * @returns {Promise<{sqnrDb: number | null, sampled: boolean}>}
 */
async function sampled(model, task, read, how) {
  const unknown = { sqnrDb: null, sampled: true };
  const { name, count, row } = placed(model, task);
  const [rows, width] = row;
  const [packingRows, ...rest] = task.dims.length < 2 ? [1, ...task.dims] : task.dims;
  const packingWidth = rest.reduce((product, n) => product * n, 1);
  // Only where a row of the model is whole rows of the packing, and these have no part in each other, a sample says something.
  const apart = task.apart && packingRows > 1 && width % packingWidth === 0 && width <= how.whole;
  const isWhole = count <= how.sample || !apart;
  if (isWhole && count > how.whole) return unknown;
  const each = width / packingWidth;
  const pieces = isWhole
    ? [[0, rows]]
    : places(rows, width, Math.max(1, Math.floor(task.rowsAtOnce / each)), how, task.band);
  let [energy, error2] = [0, 0];
  const packing = JSON.stringify(task.packing);
  try {
    for (const [start, end] of pieces) {
      const values = await read(name, start, end);
      const dims = isWhole ? task.dims : [(end - start) * each, ...rest];
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      const none = new Uint8Array(0);
      const packed = wasm().packRows(packing, 'F32', false, bytes, Float64Array.from(dims), start * width, 0, none);
      energy += packed.energy;
      error2 += packed.error2;
    }
  } catch (error) {
    const { code } = /** @type {{code?: string}} */ (error);
    // The job will say what is wrong with it; a trap ends the worker.
    if (code === undefined || code === 'aborted') throw error;
    return unknown;
  }
  return { sqnrDb: error2 === 0 ? Infinity : 10 * Math.log10(energy / error2), sampled: !isWhole };
}

/**
 * Runs of rows, evenly spaced; each of whole units that the packing keeps together.
 * @param {number} rows
 * @param {number} width
 * @param {number} most rows that are packed at once
 * @param {Measure} how
 * @param {number} [band] rows that share scales
 * @returns {[number, number][]}
 */
function places(rows, width, most, how, band = 1) {
  const wanted = Math.max(1, Math.min(most, Math.floor(how.sample / how.places / width)));
  const take = Math.min(rows, Math.ceil(wanted / band) * band);
  const n = Math.max(1, Math.min(how.places, Math.floor(rows / take), Math.ceil(how.sample / (take * width))));
  return Array.from({ length: n }, (_, i) => {
    const start = Math.floor(((rows - take) * (i + 0.5)) / n);
    return [start, start + take];
  });
}

/**
 * Progress in a few messages a second, each with all tensors that were finished since the last.
 * @param {(progress: any) => void} tell
 */
function batched(tell) {
  let last = -Infinity;
  /** @type {{name: string, sqnrDb: number | null}[]} */
  let finished = [];
  return (/** @type {import('../lib/shrink/job.js').Progress} */ progress) => {
    const { read, total, written, tensor, memory } = progress;
    if (progress.finished) finished.push({ name: progress.finished.name, sqnrDb: progress.finished.sqnrDb });
    const now = performance.now();
    if (now - last < BEAT) return;
    last = now;
    tell({ read, total, written, tensor, memory, finished });
    finished = [];
  };
}
