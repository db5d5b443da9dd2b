/**
 * What the worker answers for several models: each is opened for a question and closed after it, beside what is open on the page. Jobs run one
 * after the other, by the same pool of workers.
 */
import { FewerbitsError } from '../lib/errors.js';
import { openModel } from '../lib/model.js';
import { isFolder, taken } from '../lib/shrink/batch.js';
import { shrinkBy } from '../lib/shrink/job.js';
import { openPlanning } from '../lib/shrink/plan.js';
import { Pool, defaultWorkers } from '../lib/shrink/pool.js';
import { folderSink } from '../lib/shrink/sinks.js';
import { standing } from '../lib/shrink/standing.js';
import { blobSource } from '../lib/sources.js';
import { freeBytes, keepIn } from './worker-sinks.js';

/**
 * @typedef {import('../lib/model.js').Model} Model
 * @typedef {import('../lib/shrink/plan.js').Plan} Plan
 * @typedef {{signal: AbortSignal, tell: (progress: any) => void}} Tools
 * @typedef {{kind: 'folder', handle: FileSystemDirectoryHandle} | {kind: 'storage'} | {kind: 'memory'}} Place
 * @typedef {{source: any, options: any, place: Place, name: string, overwrite: boolean, row: number}} Job `name`: of the output
 */

/** Milliseconds between two messages of a job. */
const BEAT = 100;

export class Batch {
  constructor() {
    /** @type {Pool | null} */
    this.pool = null;
    /** The job before: what it began is thrown away before the next begins. @type {Promise<unknown>} */
    this.last = Promise.resolve();
    /** What was written and lies nowhere else, by model. @type {Map<number, import('./worker-sinks.js').Kept>} */
    this.kept = new Map();
    /** What was let go of and may still be on its way to a download: it goes when its room is needed. @type {import('./worker-sinks.js').Kept[]} */
    this.released = [];
    /** @type {{[type: string]: (payload: any, tools: Tools) => any}} */
    this.answers = {
      'shrink-batch-look': ({ source }, { signal }) => opened(source, signal, look),
      'shrink-batch-plan': ({ source, options }, { signal }) =>
        opened(source, signal, (model) => planning(model, (open) => outline(model, open, options))),
      'shrink-batch-run': (job, tools) => {
        const run = this.last.then(() => this.#run(job, tools));
        this.last = run.catch(() => {});
        return run;
      },
      'shrink-batch-end': () => this.#end(),
      'shrink-batch-forget': ({ rows, later = [] }) => this.#forget(rows, later),
    };
  }

  /**
   * @param {Job} job
   * @param {Tools} tools
   */
  #run({ source, options, place, name, overwrite, row }, { signal, tell }) {
    return opened(source, signal, (model) =>
      planning(model, async (open) => {
        if (options.targetBytes !== undefined) {
          const onProgress = (/** @type {any} */ { done, total }) => tell({ measured: done / Math.max(1, total) });
          await open.survey({ ...options, signal, onProgress });
        }
        const plan = await open.plan(options);
        const { notes } = plan;
        if (place.kind === 'folder' && !overwrite && (await stands(place.handle, name, plan, signal)))
          return { skipped: true };
        await this.#forget([row]);
        if (place.kind === 'storage') await this.#room(plan.outputBytes);
        const kept =
          place.kind === 'folder' ? await inFolder(place.handle, name, plan, overwrite) : await keepIn(place, []);
        try {
          const tools = { signal, onProgress: paced(tell), onFailure: () => /** @type {const} */ ('stop') };
          const report = await shrinkBy(this.#workers(), plan, kept.sink, tools);
          if (place.kind !== 'folder') this.kept.set(row, kept);
          return { report, notes, files: await kept.made() };
        } catch (error) {
          await kept.drop();
          throw error;
        }
      }),
    );
  }

  #workers() {
    if (!this.pool || this.pool.isClosed) this.pool = new Pool(defaultWorkers());
    return this.pool;
  }

  #end() {
    this.pool?.close();
    this.pool = null;
  }

  /**
   * Lets go of what lies in memory or in the browser's storage.
   * @param {number[]} rows
   * @param {number[]} [later] those of them that were saved
   */
  async #forget(rows, later = []) {
    for (const row of rows) {
      const kept = this.kept.get(row);
      this.kept.delete(row);
      if (kept && later.includes(row)) this.released.push(kept);
      else await kept?.drop();
    }
  }

  /**
   * Sees to it that the browser's storage takes so much more.
   * @param {number} bytes
   * @throws it does not
   */
  async #room(bytes) {
    if ((await freeBytes()) > bytes) return;
    for (const kept of this.released.splice(0)) await kept.drop();
    const free = await freeBytes();
    if (free > bytes) return;
    const facts = { expected: `room for ${bytes} bytes`, found: `room for ${Math.max(0, free)} bytes` };
    throw new FewerbitsError('no_room', "the browser's storage is full", facts);
  }
}

/**
 * @template T
 * @param {any} source
 * @param {AbortSignal} signal
 * @param {(model: Model) => T | Promise<T>} use
 */
async function opened(source, signal, use) {
  const model = await openModel(source, { signal });
  try {
    return await use(model);
  } finally {
    await model.close();
  }
}

/**
 * @template T
 * @param {Model} model
 * @param {(planning: Awaited<ReturnType<typeof openPlanning>>) => Promise<T>} use
 */
async function planning(model, use) {
  const open = await openPlanning(model);
  try {
    return await use(open);
  } finally {
    open.free();
  }
}

/** @param {Model} model */
const look = ({ format, byteLength, tensors }) => ({ format, byteLength, tensors: tensors.length });

/**
 * What would be written. For a size nothing is measured yet: only whether it can be reached.
 * @param {Model} model
 * @param {Awaited<ReturnType<typeof openPlanning>>} open
 * @param {any} options
 */
async function outline(model, open, options) {
  const before = model.tensors.reduce((sum, { byteLength, parts }) => sum + (parts ? 0 : byteLength), 0);
  const { targetBytes } = options;
  if (targetBytes !== undefined) {
    const { least, most } = await open.range(options);
    if (targetBytes < least) {
      const facts = { file: model.name, expected: `${least} bytes or more`, found: `${targetBytes} bytes` };
      throw Object.assign(new Error('the model cannot be made this small'), { code: 'unreachable', ...facts });
    }
    return { before, outputBytes: Math.min(targetBytes, most), isExact: false, files: 1, notes: [] };
  }
  const { outputBytes, isExact, files, notes, bitsPerWeight } = await open.plan(options);
  return { before, outputBytes, isExact, files: files.length, notes, bitsPerWeight };
}

/**
 * The folder of a model of several files, or the one that all lie in.
 * @param {FileSystemDirectoryHandle} root
 * @param {string} name
 * @param {Plan} plan
 * @param {boolean} create
 */
const homeOf = async (root, name, { files }, create) =>
  isFolder(files) ? root.getDirectoryHandle(name, { create }) : root;

/**
 * Whether the output is there, as a job would write it.
 * @param {FileSystemDirectoryHandle} root
 * @param {string} name
 * @param {Plan} plan
 * @param {AbortSignal} signal
 * @throws what is there is another file
 */
async function stands(root, name, plan, signal) {
  const home = await homeOf(root, name, plan, false).catch(() => null);
  const there = await standing(plan, async (file) => (home ? sourceIn(home, file || name) : null), signal);
  if (there.state === 'other') throw taken(there.difference.file || name, there.difference);
  return there.state === 'same';
}

/** @param {FileSystemDirectoryHandle} home @param {string} file */
async function sourceIn(home, file) {
  try {
    return blobSource(await (await home.getFileHandle(file)).getFile(), file);
  } catch {
    return null;
  }
}

/**
 * @param {FileSystemDirectoryHandle} root
 * @param {string} name
 * @param {Plan} plan
 * @param {boolean} overwrite
 * @returns {Promise<import('./worker-sinks.js').Kept>}
 */
async function inFolder(root, name, plan, overwrite) {
  const wasThere =
    !isFolder(plan.files) ||
    (await root.getDirectoryHandle(name).then(
      () => true,
      () => false,
    ));
  const home = await homeOf(root, name, plan, true);
  const { open } = folderSink(home, overwrite);
  return {
    sink: { open: (file, size) => open(file || name, size) },
    made: async () => [],
    // A folder that was made for it goes too, if nothing else lies in it by now.
    drop: async () => {
      if (!wasThere) await root.removeEntry(name).catch(() => {});
    },
  };
}

/** A few messages a second. @param {(progress: any) => void} tell */
function paced(tell) {
  let last = -Infinity;
  return (/** @type {import('../lib/shrink/job.js').Progress} */ { read, total, written, memory }) => {
    const now = performance.now();
    if (now - last < BEAT) return;
    last = now;
    tell({ read, total, written, memory });
  };
}
