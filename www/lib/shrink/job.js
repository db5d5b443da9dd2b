/**
 * Runs a plan: reads the model's rows, has them packed by workers, writes them in their places. Memory is bounded by what is under way.
 */
import { options as checked, wrong } from '../check.js';
import { FewerbitsError, inFile, throwIfAborted } from '../errors.js';
import { inside } from '../model.js';
import { isNode, builtin } from '../node.js';
import { Plan } from './plan.js';
import { Pool } from './pool.js';
import { sinkOf } from './sinks.js';

/**
 * @typedef {import('./plan.js').Task} Task
 * @typedef {import('./sinks.js').Output} Output
 *
 * @typedef {{dtype: string, bigEndian: boolean, bytes: Uint8Array<ArrayBuffer>}} Stored
 *
 * @typedef {object} Progress
 * @property {number} read bytes of the model that are done
 * @property {number} total bytes of the model that have to be read
 * @property {number} written bytes
 * @property {string} tensor the one that was finished last, or is under way
 * @property {TensorReport | null} finished a tensor that is done
 * @property {number} memory bytes of WebAssembly memory and of buffers under way
 *
 * @typedef {object} TensorReport
 * @property {string} name
 * @property {string} target
 * @property {{dtype: string, byteLength: number}} from
 * @property {string} dtype
 * @property {number} byteLength
 * @property {number} count
 * @property {import('../types.js').Scheme | null} scheme
 * @property {number | null} sqnrDb `null` where nothing was changed
 * @property {number | null} rmse
 * @property {number | null} maxAbs
 *
 * @typedef {object} Report
 * @property {string} model
 * @property {string} to
 * @property {{name: string, byteLength: number}[]} files
 * @property {number} inputBytes
 * @property {number} outputBytes
 * @property {number} bitsPerWeight
 * @property {number} seconds
 * @property {number} peakMemory bytes of WebAssembly memory and of buffers under way, at most
 * @property {TensorReport[]} tensors
 *
 * @typedef {object} ShrinkOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {number} [workers] as many as there are cores, 4 at most, by default
 * @property {boolean} [overwrite] of a path or a folder
 * @property {(error: Error, tensor: string) => Promise<'retry' | 'stop'> | 'retry' | 'stop'} [onFailure] asked when a tensor failed; by
 *   default the job stops
 */

/** Bytes copied at once. */
const COPY_BYTES = 8 << 20;

/**
 * Shrinks a model as planned.
 *
 * @param {Plan} plan
 * @param {import('./sinks.js').SinkSource} to
 * @param {ShrinkOptions} [given]
 * @returns {Promise<Report>}
 * @throws {FewerbitsError} with `tensor` and `file`; nothing half-written stays
 */
export async function shrink(plan, to, given) {
  const { signal, onProgress, workers, overwrite, onFailure = () => 'stop', ...unknown } = checked(given);
  if (!(plan instanceof Plan)) throw wrong('the plan', 'what plan() gave', plan);
  for (const name of Object.keys(unknown)) {
    const facts = { expected: 'signal, onProgress, workers, overwrite, onFailure', found: name };
    throw new FewerbitsError('unknown_option', 'a job has no such option', facts);
  }
  throwIfAborted(signal);
  const job = new Running(plan, new Pool(workers ?? defaultWorkers()), { signal, onProgress, onFailure });
  return job.run(sinkOf(to, { overwrite }));
}

function defaultWorkers() {
  const cores = isNode ? builtin('os').availableParallelism() : (globalThis.navigator?.hardwareConcurrency ?? 2);
  return Math.max(1, Math.min(4, cores));
}

class Running {
  /**
   * @param {Plan} plan
   * @param {Pool} pool
   * @param {{signal?: AbortSignal, onProgress?: (progress: Progress) => void,
   *   onFailure: NonNullable<ShrinkOptions['onFailure']>}} tools
   */
  constructor(plan, pool, { signal, onProgress, onFailure }) {
    this.plan = plan;
    this.pool = pool;
    this.onProgress = onProgress;
    this.onFailure = onFailure;
    this.failed = new AbortController();
    this.signal = signal ? AbortSignal.any([signal, this.failed.signal]) : this.failed.signal;
    this.given = signal;
    this.started = Date.now();
    const held = inside.get(plan.model);
    if (!held) throw new FewerbitsError('freed', 'the model has been closed', { file: plan.model.name });
    this.sources = held.sources;
    this.placed = held.tensors;
    /** @type {Output[]} */
    this.outputs = [];
    this.read = 0;
    this.total = plan.tensors.reduce((sum, tensor) => sum + tensor.from.byteLength, 0);
    this.written = 0;
    this.inFlight = 0;
    this.peak = 0;
    /** @type {Map<number, TensorReport>} */
    this.reports = new Map();
    this.planned = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
  }

  /**
   * @param {import('./sinks.js').Sink} sink
   * @returns {Promise<Report>}
   */
  async run(sink) {
    try {
      for (const { name, byteLen } of this.plan.job.files) this.outputs.push(await sink.open(name, byteLen));
      await this.#all();
      for (const output of this.outputs) await output.close();
    } catch (error) {
      this.failed.abort();
      this.pool.close();
      await Promise.all(this.outputs.map((output) => output.abort()));
      throwIfAborted(this.given);
      throw error;
    }
    this.pool.close();
    return this.#report();
  }

  /** All there is to do, in the order of its places; a few things at a time. */
  async #all() {
    /** @type {{at: number, file: number, run: () => AsyncGenerator<{step: Promise<void>}> | Promise<void>}[]} */
    const units = [];
    this.plan.job.files.forEach(({ segments }, file) =>
      segments.forEach((segment, i) => {
        units.push({ at: segment.at, file, run: () => this.#segment(file, i) });
      }),
    );
    for (const task of this.plan.job.tasks) {
      const { at, file } = task.parts[0];
      units.push({ at, file, run: () => this.#task(task) });
    }
    units.sort((a, b) => a.file - b.file || a.at - b.at);
    const most = this.pool.count + 1;
    /** @type {Set<Promise<void>>} */
    const busy = new Set();
    /** @type {unknown} */
    let wrongness = null;
    for (const { run } of units) {
      const steps = run();
      if (steps instanceof Promise) {
        await steps;
        continue;
      }
      for await (const { step } of steps) {
        const tracked = step.then(
          () => void busy.delete(tracked),
          (error) => {
            busy.delete(tracked);
            wrongness ??= error;
            this.failed.abort();
          },
        );
        busy.add(tracked);
        if (busy.size >= most) await Promise.race(busy);
        if (wrongness) throw wrongness;
        throwIfAborted(this.signal);
      }
    }
    await Promise.all(busy);
    if (wrongness) throw wrongness;
  }

  /**
   * @param {number} file
   * @param {number} index
   */
  async #segment(file, index) {
    const { at, bytes, copy, stored } = this.plan.job.files[file].segments[index];
    if (bytes !== undefined) {
      await this.#write(file, at, /** @type {Uint8Array<ArrayBuffer>} */ (this.plan.literals.get(`${file}/${index}`)));
    } else if (copy) {
      await this.#copy(this.sources[copy.part], copy.range.start, copy.range.end, file, at);
    } else if (stored) {
      const tensor = this.placed[stored.tensor];
      if (tensor.deflated !== null || tensor.strides !== null || tensor.fortranOrder || tensor.beside !== null) {
        const bytes = await this.plan.model.readBytes(tensor.name, { signal: this.signal });
        await this.#write(file, at, bytes);
      } else {
        await this.#copy(tensor.source, tensor.start, tensor.end, file, at);
      }
      this.read += tensor.end - tensor.start;
      this.#finish(stored.tensor, null);
    }
  }

  /**
   * @param {import('../sources.js').Source} source
   * @param {number} start
   * @param {number} end
   * @param {number} file
   * @param {number} to
   */
  async #copy(source, start, end, file, to) {
    for (let at = start; at < end; at += COPY_BYTES) {
      try {
        const bytes = await source.read(at, Math.min(end, at + COPY_BYTES), { signal: this.signal });
        await this.#write(file, to + at - start, bytes);
      } catch (error) {
        throw inFile(error, source.name);
      }
    }
  }

  /**
   * The rows of a tensor, read in order, each run of them a step that goes on by itself.
   * @param {Task} task
   */
  async *#task(task) {
    const tensor = this.placed[task.tensor];
    const [rows, ...rest] = task.dims.length === 0 ? [1] : task.dims.length === 1 ? [1, ...task.dims] : task.dims;
    const columns = rest.reduce((product, n) => product * n, 1);
    const sums = { energy: 0, error2: 0, maxAbs: 0, count: 0, left: 1 };
    const done = () => {
      if (--sums.left === 0) this.#finish(task.tensor, sums);
    };
    for (let row = 0; row < rows || row === 0; row += task.rowsAtOnce) {
      const end = Math.min(rows, row + task.rowsAtOnce);
      const dims = rows === end - row ? task.dims : [end - row, ...rest];
      const read = () => this.#rows(tensor, row * columns, end * columns);
      const first = await this.#guarded(tensor.name, read);
      sums.left++;
      const share = ((end - row) / Math.max(1, rows)) * (tensor.end - tensor.start);
      const step = this.#step(task, tensor, first, read, dims, row, end, sums).then(() => {
        this.read += share;
        done();
        this.#tell(tensor.name, null);
      });
      // In an object: a generator would wait for a bare promise.
      yield { step };
    }
    done();
  }

  /**
   * @param {Task} task
   * @param {import('../model.js').Placed} tensor
   * @param {Stored} first
   * @param {() => Promise<any>} again
   * @param {number[]} dims
   * @param {number} row
   * @param {number} end
   * @param {{energy: number, error2: number, maxAbs: number, count: number}} sums
   */
  async #step(task, tensor, first, again, dims, row, end, sums) {
    const packing = JSON.stringify(task.packing);
    let rows = /** @type {any} */ (first);
    const size = rows.bytes.length;
    this.inFlight += size;
    try {
      const packed = await this.#guarded(tensor.name, async () => {
        const given = rows ?? (await again());
        rows = null;
        return this.pool.pack({ packing, dims, ...given });
      });
      for (const [i, { file, at, rowBytes, byteLen }] of task.parts.entries()) {
        const bytes = packed.parts[i];
        const expected = rowBytes === null || end - row === task.dims[0] ? bytes.length : rowBytes * (end - row);
        if (bytes.length !== expected || bytes.length > byteLen) {
          const facts = { tensor: tensor.name, expected: `${expected} bytes`, found: `${bytes.length} bytes` };
          throw new FewerbitsError('unexpected', 'a tensor took other bytes than planned', facts);
        }
        await this.#write(file, at + (rowBytes ?? 0) * row, bytes);
      }
      sums.energy += packed.energy;
      sums.error2 += packed.metrics.mse * packed.metrics.count;
      sums.maxAbs = Math.max(sums.maxAbs, packed.metrics.maxAbs);
      sums.count += packed.metrics.count;
    } catch (error) {
      throw named(error, tensor);
    } finally {
      this.inFlight -= size;
    }
  }

  /**
   * Tries again what a dying worker failed, once by itself; then asks.
   * @template T
   * @param {string} tensor
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  async #guarded(tensor, run) {
    for (let tries = 0; ; tries++) {
      try {
        return await run();
      } catch (error) {
        throwIfAborted(this.signal);
        const e = /** @type {Error & {code?: string}} */ (error);
        if (e.code === 'worker_died' && tries === 0) continue;
        if (e.code === 'aborted' || (await this.onFailure(e, tensor)) !== 'retry') throw error;
      }
    }
  }

  /**
   * Stored elements, or f32 where they are not stored one after the other.
   * @param {import('../model.js').Placed} tensor
   * @param {number} from
   * @param {number} to
   */
  async #rows(tensor, from, to) {
    const { dtype, bigEndian, block, start, source } = tensor;
    const isPlain =
      tensor.strides === null && tensor.deflated === null && !tensor.fortranOrder && tensor.beside === null;
    const [elements, size] = block;
    if (isPlain && from % elements === 0 && to % elements === 0) {
      const bytes = await source.read(start + (from / elements) * size, start + (to / elements) * size, {
        signal: this.signal,
      });
      return { dtype, bigEndian, bytes };
    }
    const [, columns] = tensor.row;
    const first = Math.floor(from / columns);
    const values = await this.plan.model.read(tensor.name, {
      start: first,
      end: Math.ceil(to / columns),
      signal: this.signal,
    });
    const wanted = values.slice(from - first * columns, to - first * columns);
    return { dtype: 'F32', bigEndian: false, bytes: new Uint8Array(wanted.buffer) };
  }

  /**
   * @param {number} file
   * @param {number} at
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async #write(file, at, bytes) {
    const { length } = bytes;
    this.inFlight += length;
    try {
      await this.outputs[file].write(at, bytes);
      this.written += length;
    } finally {
      this.inFlight -= length;
    }
  }

  /**
   * @param {number} index
   * @param {{energy: number, error2: number, maxAbs: number, count: number} | null} sums
   */
  #finish(index, sums) {
    const planned = this.planned.get(this.placed[index].name);
    if (!planned) return;
    const { name, target, from, dtype, byteLength, count, scheme } = planned;
    const sqnrDb = sums && (sums.error2 === 0 ? Infinity : 10 * Math.log10(sums.energy / sums.error2));
    const report = {
      ...{ name, target, from, dtype, byteLength, count, scheme },
      sqnrDb,
      rmse: sums && Math.sqrt(sums.error2 / Math.max(1, sums.count)),
      maxAbs: sums && sums.maxAbs,
    };
    this.reports.set(index, report);
    this.#tell(name, report);
  }

  /**
   * @param {string} tensor
   * @param {TensorReport | null} finished
   */
  #tell(tensor, finished) {
    const waiting = this.outputs.reduce((sum, output) => sum + (output.held?.() ?? 0), 0);
    const memory = this.pool.memory + this.inFlight + waiting;
    this.peak = Math.max(this.peak, memory);
    this.onProgress?.({ read: this.read, total: this.total, written: this.written, tensor, finished, memory });
  }

  /** @returns {Report} */
  #report() {
    const { model, to, files, outputBytes, bitsPerWeight } = this.plan;
    return {
      ...{ model: model.name, to, files, inputBytes: model.byteLength, outputBytes, bitsPerWeight },
      seconds: (Date.now() - this.started) / 1000,
      peakMemory: this.peak,
      tensors: [...this.reports.entries()].sort(([a], [b]) => a - b).map(([, report]) => report),
    };
  }
}

/**
 * @param {unknown} error
 * @param {import('../model.js').Placed} tensor
 */
function named(error, { name, source }) {
  const e = /** @type {Error & {code?: string, tensor?: string}} */ (error);
  if (e instanceof Error && typeof e.code === 'string' && e.code !== 'aborted' && e.tensor === undefined) {
    e.tensor = name;
    e.message = `tensor ${JSON.stringify(name)}: ${e.message}`;
  }
  return inFile(error, source.name);
}
