/**
 * Workers that pack rows, each with an engine of its own. A worker that dies fails what it had in hand, and another takes its place.
 */
/* global Worker */
import { wasm } from '../engine.js';
import { FewerbitsError } from '../errors.js';
import { builtin, isNode } from '../node.js';
import { packRows } from './rows.js';

/**
 * @typedef {object} Rows what a worker is handed
 * @property {string} packing as JSON
 * @property {string} dtype
 * @property {boolean} bigEndian
 * @property {Uint8Array<ArrayBuffer>} bytes stored elements; the buffer is handed over
 * @property {number[]} dims
 * @property {number} first which element of the tensor the first one is
 * @property {number} [headRows] rows of a head, where those of each change places
 *
 * @typedef {object} Packed
 * @property {Uint8Array<ArrayBuffer>[]} parts in the buffer that was handed over, where they fit in it
 * @property {number} count of weights
 * @property {number} energy the sum of their squares
 * @property {number} error2 the sum of the errors' squares
 * @property {number} maxAbs the greatest error
 * @property {import('./report.js').Stages} [stages] of a record of Deep Compression
 *
 * @typedef {object} Samples rows to be measured, see `surveyRows`
 * @property {string} packings as JSON
 * @property {string} dtype
 * @property {boolean} bigEndian
 * @property {Uint8Array<ArrayBuffer>} bytes stored elements of all places, one after the other; the buffer is handed over
 * @property {number[]} dims of all of them together
 * @property {number} places
 * @property {number} count the tensor's weights
 * @property {number[]} used of each packing how many places
 *
 * @typedef {{post(message: any, transfer: any[]): void, end(): void}} Thread
 * @typedef {{on(message: (data: any) => void, died: (why: string) => void): Thread}} Spawner
 * @typedef {{message(data: any): void, died(why: string): void}} Owner whoever is told what a thread says
 * @typedef {{thread: Thread, spawner: Spawner, owner: Owner}} Started
 * @typedef {{thread: Thread, jobs: Job[], memory: number}} Worker
 * @typedef {{work: {pack?: Rows, survey?: Samples}, resolve: (answer: any) => void, reject: (error: Error) => void}} Job
 */

/** Jobs that a worker is handed: the next one is there when it is done with one, without waiting for this thread, which may be reading. */
const AHEAD = 2;

/** As many workers as there are cores, 4 at most; 0 where they cannot be had. */
export function defaultWorkers() {
  // An old browser may have no workers inside workers.
  if (!isNode && typeof Worker === 'undefined') return 0;
  const cores = isNode ? builtin('os').availableParallelism() : (globalThis.navigator?.hardwareConcurrency ?? 2);
  return Math.max(1, Math.min(4, cores));
}

/** Where Node finds the worker, said so that a bundler does not take it for a file to be copied. */
const NODE_THREAD = import.meta.url.replace(/[^/]*$/, 'pool-worker.js');

/** Starts a worker. @type {Spawner} */
export const platform = {
  on(message, died) {
    if (isNode) {
      const { Worker: NodeThread } = builtin('worker_threads');
      const thread = new NodeThread(new URL(NODE_THREAD));
      thread.on('message', message);
      thread.on('error', (/** @type {Error} */ error) => died(error.message));
      thread.on('exit', (/** @type {number} */ code) => died(`it ended with code ${code}`));
      return { post: (data, transfer) => thread.postMessage(data, transfer), end: () => void thread.terminate() };
    }
    const worker = new Worker(new URL('./pool-worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => message(data);
    worker.onmessageerror = () => died('a message could not be read');
    worker.onerror = (event) => {
      event.preventDefault?.();
      died(event.message || 'it stopped');
    };
    return { post: (data, transfer) => worker.postMessage(data, transfer), end: () => worker.terminate() };
  },
};

/** Threads that have been started and belong to no pool yet. @type {Started[]} */
const spare = [];

/** @param {Spawner} spawner @returns {Started} */
function started(spawner) {
  /** @type {Started} */
  const one = { spawner, owner: { message() {}, died: () => drop(one) }, thread: /** @type {any} */ (null) };
  one.thread = spawner.on(
    (data) => one.owner.message(data),
    (why) => one.owner.died(why),
  );
  return one;
}

/** @param {Started} one */
function drop(one) {
  const at = spare.indexOf(one);
  if (at < 0) return;
  spare.splice(at, 1);
  one.thread.end();
}

/**
 * Starts workers that the next pool takes over: a job that is about to begin does not wait a tenth of a second for them.
 * @param {number} [count] of workers that stand ready; 0 ends those that do
 * @param {Spawner} [spawner]
 */
export function readyWorkers(count = defaultWorkers(), spawner = platform) {
  while (spare.length > count) drop(spare[spare.length - 1]);
  while (spare.length < count) spare.push(started(spawner));
}

export class Pool {
  /** @type {Worker[]} */
  #workers = [];
  /** @type {Job[]} */
  #waiting = [];
  #closed = false;

  /**
   * @param {number} count 0: this thread packs by itself, where workers cannot be had
   * @param {Spawner} [spawner]
   */
  constructor(count, spawner = platform) {
    this.spawner = spawner;
    this.count = count;
    /** Workers that died. */
    this.deaths = 0;
  }

  get isClosed() {
    return this.#closed;
  }

  /** Bytes of WebAssembly memory that the workers hold, as they last said; not this thread's own. */
  get memory() {
    return this.#workers.reduce((sum, worker) => sum + worker.memory, 0);
  }

  /**
   * @param {Rows} rows
   * @returns {Promise<Packed>}
   * @throws {FewerbitsError} as `packRows`; `worker_died` when the worker did, with `bystander` where it died of what it had in hand before
   */
  pack(rows) {
    return this.#answer({ pack: rows });
  }

  /**
   * @param {Samples} samples
   * @returns {Promise<Float64Array>} of each packing its relative squared error and the deviation of that
   * @throws {FewerbitsError} as `surveyRows`; `worker_died` when the worker did
   */
  survey(samples) {
    return this.#answer({ survey: samples });
  }

  /** @param {Job['work']} work @returns {Promise<any>} */
  #answer(work) {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new FewerbitsError('freed', 'the pool has been closed'));
      if (this.count === 0)
        return resolve(work.pack ? packRows(work.pack) : surveyHere(/** @type {any} */ (work.survey)));
      this.#waiting.push({ work, resolve, reject });
      this.#next();
    });
  }

  /** Ends all workers; what they had in hand rejects. */
  close() {
    this.#closed = true;
    const ended = new FewerbitsError('aborted', 'the operation was aborted');
    for (const { thread, jobs } of this.#workers.splice(0)) {
      thread.end();
      for (const job of jobs) job.reject(ended);
    }
    for (const job of this.#waiting.splice(0)) job.reject(ended);
  }

  #next() {
    while (this.#waiting.length > 0) {
      let worker = this.#workers.reduce(
        (least, other) => (least && least.jobs.length <= other.jobs.length ? least : other),
        /** @type {Worker | undefined} */ (undefined),
      );
      if ((!worker || worker.jobs.length > 0) && this.#workers.length < this.count) worker = this.#spawn();
      if (!worker || worker.jobs.length === AHEAD) return;
      const job = /** @type {Job} */ (this.#waiting.shift());
      worker.jobs.push(job);
      const { pack, survey } = job.work;
      const { bytes } = /** @type {{bytes: Uint8Array<ArrayBuffer>}} */ (pack ?? survey);
      worker.thread.post({ id: 0, ...pack, ...survey }, [bytes.buffer]);
    }
  }

  #spawn() {
    /** @type {Worker} */
    const worker = { jobs: [], memory: 0, thread: /** @type {any} */ (null) };
    const died = (/** @type {string} */ why) => {
      const at = this.#workers.indexOf(worker);
      if (at < 0) return;
      this.#workers.splice(at, 1);
      this.deaths++;
      worker.thread.end();
      worker.jobs.splice(0).forEach((job, i) => {
        const error = new FewerbitsError('worker_died', 'a worker of the engine died', { found: why });
        job.reject(i === 0 ? error : Object.assign(error, { bystander: true }));
      });
      this.#next();
    };
    const message = (/** @type {any} */ data) => {
      if (data.died) return died(data.died);
      // A worker answers in the order in which it was asked.
      const job = worker.jobs.shift();
      worker.memory = data.memory ?? worker.memory;
      this.#next();
      if (data.error) {
        const { message: text, ...facts } = data.error;
        const error = new FewerbitsError(facts.code, '');
        job?.reject(Object.assign(error, facts, { message: text }));
      } else {
        job?.resolve(data.losses ?? data);
      }
    };
    const ready = spare.findIndex(({ spawner }) => spawner === this.spawner);
    const one = ready < 0 ? started(this.spawner) : spare.splice(ready, 1)[0];
    one.owner = { message, died };
    worker.thread = one.thread;
    this.#workers.push(worker);
    return worker;
  }
}

/** @param {Samples} samples */
function surveyHere({ packings, dtype, bigEndian, bytes, dims, places, count, used }) {
  const [d, u] = [Float64Array.from(dims), Float64Array.from(used)];
  return wasm().surveyRows(packings, dtype, bigEndian, bytes, d, places, count, u);
}
