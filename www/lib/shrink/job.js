/**
 * Runs a plan: reads the model's rows, has them packed by workers, writes them in their places. Memory is bounded by what is under way.
 */
import { options as checked, whole, wrong } from '../check.js';
import { Checksum } from '../checksum.js';
import { memoryBytes, wasm } from '../engine.js';
import { FewerbitsError, inFile, throwIfAborted } from '../errors.js';
import { inside, isSummed } from '../model.js';
import { allocate } from '../sources.js';
import { Plan } from './plan.js';
import { Pool, defaultWorkers } from './pool.js';
import { sinkOf } from './sinks.js';
import { isPlain, readerOf } from './stored.js';

/**
 * @typedef {import('./plan.js').Task} Task
 * @typedef {import('./sinks.js').Output} Output
 *
 * @typedef {import('./stored.js').Stored} Stored
 *
 * @typedef {object} Progress
 * @property {number} read bytes of the model that are done
 * @property {number} total bytes of the model that have to be read
 * @property {number} written bytes
 * @property {string} tensor the one that was finished last, or is under way
 * @property {TensorReport | null} finished a tensor that is done
 * @property {number} memory bytes of WebAssembly memory and of buffers under way
 * @property {number} deaths workers that died and were replaced
 *
 * @typedef {import('./report.js').TensorReport} TensorReport
 * @typedef {{energy: number, error2: number, maxAbs: number, count: number, stages?: import('./report.js').Stages, length?: number}} Sums
 * @typedef {Sums & {length: number, bytes: Uint8Array<ArrayBuffer> | null}} Ahead
 * @typedef {import('./report.js').Report} Report
 *
 * @typedef {object} ShrinkOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: Progress) => void} [onProgress]
 * @property {number} [workers] as many as there are cores, 4 at most, by default; 0 packs in this thread
 * @property {boolean} [overwrite] of a path or a folder
 * @property {(error: Error, tensor: string) => Promise<'retry' | 'stop'> | 'retry' | 'stop'} [onFailure] asked when a tensor failed; by
 *   default the job stops
 */

/** Bytes copied at once. */
const COPY_BYTES = 4 << 20;

/** Buffers between these are kept. */
const LEAST_KEPT = 1 << 18;
const MOST_KEPT = 16 << 20;

/** Bytes of records that are packed before all sizes are known and kept until they are written, at most; what goes beyond is packed again. */
const PACKED_AHEAD = 64 << 20;

/** Bytes that are read before what came before them is written, at most; a single larger step goes alone. */
const UNDER_WAY = 64 << 20;

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
  if (workers !== undefined) whole(workers, 'the number of workers');
  throwIfAborted(signal);
  const sink = sinkOf(to, { overwrite });
  const pool = new Pool(workers ?? defaultWorkers());
  try {
    return await shrinkBy(pool, plan, sink, { signal, onProgress, onFailure });
  } finally {
    pool.close();
  }
}

/**
 * The same by workers that stay for the next job. After a failure they are ended, for what they have in hand is not wanted any more.
 * @param {Pool} pool
 * @param {Plan} plan
 * @param {import('./sinks.js').Sink} sink
 * @param {{signal?: AbortSignal, onProgress?: (progress: Progress) => void, onFailure: NonNullable<ShrinkOptions['onFailure']>}} tools
 * @returns {Promise<Report>}
 */
export async function shrinkBy(pool, plan, sink, tools) {
  throwIfAborted(tools.signal);
  return new Running(plan, pool, tools).run(sink);
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
    this.job = plan.job;
    this.literals = plan.literals;
    /** What was packed before its place was known. @type {Map<number, Ahead>} */
    this.ahead = new Map();
    /** @type {Output[]} */
    this.outputs = [];
    /** Steps that have been read and are not done. @type {Set<Promise<void>>} */
    this.busy = new Set();
    this.busyBytes = 0;
    /** How many there may be: two for each worker, and two that are read or written. */
    this.steps = 2 * pool.count + 2;
    /** Memory to use again: fresh memory costs as much as packing does. @type {ArrayBuffer[]} */
    this.spare = [];
    /** @type {{error: unknown} | null} */
    this.failure = null;
    this.read = 0;
    this.total = plan.tensors.reduce((sum, tensor) => sum + tensor.from.byteLength, 0);
    this.written = 0;
    this.inFlight = 0;
    this.peak = 0;
    this.checks = plan.job.checks.map((check) => ({
      ...check,
      /** @type {{at: number, length: number, crc: number}[]} */
      pieces: [],
    }));
    /** @type {Map<string, TensorReport>} */
    this.reports = new Map();
    this.planned = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
  }

  /**
   * @param {import('./sinks.js').Sink} sink
   * @returns {Promise<Report>}
   */
  async run(sink) {
    /** @type {Set<Output>} */
    const closed = new Set();
    try {
      if (this.job.places.length > 0) await this.#packAhead();
      for (const { name, byteLen } of this.job.files) this.outputs.push(await sink.open(name, byteLen));
      await this.#all();
      // One is kept only when all can be.
      for (const output of this.outputs) await output.prepare?.();
      for (const output of this.outputs) {
        await output.close();
        closed.add(output);
      }
    } catch (error) {
      this.failed.abort();
      this.pool.close();
      // What is being written still is written before it is thrown away.
      await Promise.allSettled(this.busy);
      const drop = (/** @type {Output} */ output) =>
        closed.has(output) && output.undo ? output.undo() : output.abort();
      // The last first: the folder that was made for the first one is empty then.
      for (const output of this.outputs.toReversed()) await drop(output).catch(() => {});
      throwIfAborted(this.given);
      throw error;
    }
    return this.#report();
  }

  /** All there is to do, in the order of its places. Each step is read here and goes on by itself, so that reading never waits for packing. */
  async #all() {
    /** @type {{at: number, file: number, run: () => Promise<void>}[]} */
    const units = [];
    this.job.files.forEach(({ segments }, file) =>
      segments.forEach((segment, i) => {
        units.push({ at: segment.at, file, run: () => this.#segment(file, i) });
      }),
    );
    for (const task of this.job.tasks) {
      const { at, file } = task.parts[0];
      units.push({ at, file, run: () => this.#task(task) });
    }
    units.sort((a, b) => a.file - b.file || a.at - b.at);
    for (const { run } of units) await run();
    while (this.busy.size > 0) await this.#someDone();
    this.#check();
  }

  /** Packs records, so that it is known how long they are, and lays the file out anew. */
  async #packAhead() {
    let held = 0;
    for (const task of this.job.tasks.filter(({ packing }) => packing.pack === 'record')) {
      const tensor = this.placed[task.tensor];
      const size = isPlain(tensor) ? tensor.end - tensor.start : 4 * tensor.count;
      await this.#room(size);
      const reader = readerOf(this.plan.model, tensor, this.signal);
      this.#start(size, async () => {
        const read = () => reader(0, tensor.count, this.#buffer(size));
        const { parts, ...sums } = await this.#pack(task, tensor, read, task.dims, 0);
        const [part] = parts;
        const keeps = held + part.length <= PACKED_AHEAD;
        if (keeps) held += part.length;
        this.#hold(keeps ? part.length : 0);
        this.ahead.set(task.tensor, { ...sums, length: part.length, bytes: keeps ? part.slice() : null });
        this.#recycle(part.buffer);
        this.read += tensor.end - tensor.start;
        this.#tell(tensor.name, null);
      });
    }
    while (this.busy.size > 0) await this.#someDone();
    this.#check();
    this.#layOut();
  }

  /** Gives every tensor its place, now that all lengths are known; the header says them. */
  #layOut() {
    const [file] = this.job.files;
    const head = /** @type {Uint8Array<ArrayBuffer>} */ (this.plan.literals.get('0/0')).slice();
    const view = new DataView(head.buffer);
    const tasks = new Map(this.job.tasks.map((task) => [task.tensor, task]));
    const segments = new Map(
      file.segments.flatMap((segment) => (segment.stored ? [[segment.stored.tensor, segment]] : [])),
    );
    /** @type {Map<number, {at: number, byteLen: number}>} */
    const places = new Map();
    let at = head.length;
    for (const [i, tensor] of this.plan.order.entries()) {
      const planned = tasks.get(tensor)?.parts[0].byteLen ?? segments.get(tensor)?.stored?.byteLen ?? 0;
      const byteLen = this.ahead.get(tensor)?.length ?? planned;
      places.set(tensor, { at, byteLen });
      view.setBigUint64(this.job.places[i], BigInt(at), true);
      view.setBigUint64(this.job.places[i] + 8, BigInt((at += byteLen)), true);
    }
    const placed = (/** @type {number} */ tensor) => /** @type {{at: number, byteLen: number}} */ (places.get(tensor));
    this.literals = new Map([['0/0', head]]);
    this.job = {
      ...this.job,
      files: [
        {
          ...file,
          byteLen: at,
          segments: file.segments.map((x) => (x.stored ? { ...x, at: placed(x.stored.tensor).at } : x)),
        },
      ],
      tasks: this.job.tasks.map((task) => ({ ...task, parts: [{ ...task.parts[0], ...placed(task.tensor) }] })),
    };
  }

  /**
   * Waits until there is room for a step that holds so many bytes. What is done and waits for its turn to be written counts too; the steps
   * that it waits for are under way.
   * @param {number} bytes
   */
  async #room(bytes) {
    while (
      this.busy.size > 0 &&
      (this.busy.size >= this.steps || this.busyBytes + this.#waiting() + bytes > UNDER_WAY) &&
      !this.failure
    ) {
      await this.#someDone();
    }
    this.#check();
  }

  #someDone() {
    return Promise.race(this.busy);
  }

  #check() {
    if (this.failure) throw this.failure.error;
    throwIfAborted(this.signal);
  }

  /**
   * Lets a step go on by itself. The first that fails stops the others.
   * @param {number} bytes that it holds
   * @param {() => Promise<void>} run
   */
  #start(bytes, run) {
    this.#hold(bytes);
    this.busyBytes += bytes;
    const step = run()
      .catch((error) => {
        this.failure ??= { error };
        this.failed.abort();
      })
      .finally(() => {
        this.busy.delete(step);
        this.busyBytes -= bytes;
        this.#hold(-bytes);
      });
    this.busy.add(step);
  }

  /** Counts bytes in memory. @param {number} bytes */
  #hold(bytes) {
    this.inFlight += bytes;
    this.peak = Math.max(this.peak, this.#memory());
  }

  /** Memory of so many bytes at least. @param {number} bytes */
  #buffer(bytes) {
    const at = this.spare.findIndex(({ byteLength }) => byteLength >= bytes);
    return at < 0 ? new ArrayBuffer(bytes) : this.spare.splice(at, 1)[0];
  }

  /** Gives memory back that nothing holds any more. @param {ArrayBuffer} buffer */
  #recycle(buffer) {
    if (buffer.byteLength < LEAST_KEPT || buffer.byteLength > MOST_KEPT) return;
    this.spare.push(buffer);
    this.spare.sort((a, b) => a.byteLength - b.byteLength);
    if (this.spare.length > this.steps) this.spare.shift();
  }

  #memory() {
    const spare = this.spare.reduce((sum, { byteLength }) => sum + byteLength, 0);
    return memoryBytes() + this.pool.memory + this.inFlight + spare + this.#waiting();
  }

  /** Bytes that outputs hold back, because what comes before them is not there yet. */
  #waiting() {
    return this.outputs.reduce((sum, output) => sum + (output.held?.() ?? 0), 0);
  }

  /**
   * @param {number} file
   * @param {number} index
   */
  async #segment(file, index) {
    const { at, bytes, copy, stored } = this.job.files[file].segments[index];
    if (bytes !== undefined) {
      const literal = /** @type {Uint8Array<ArrayBuffer>} */ (this.literals.get(`${file}/${index}`));
      await this.#write(file, at, await this.#checked(file, at, literal));
    } else if (copy) {
      await this.#copy(this.sources[copy.part], copy.range.start, copy.range.end, file, at);
    } else if (stored) {
      const tensor = this.placed[stored.tensor];
      const finished = () => this.#finish(stored.tensor, null);
      if (isPlain(tensor)) {
        await this.#copy(tensor.source, tensor.start, tensor.end, file, at, { tensor, finished });
        return;
      }
      await this.#room(tensor.end - tensor.start);
      const whole = await this.#guarded(tensor, () => this.plan.model.readBytes(tensor.name, { signal: this.signal }));
      this.#start(whole.length, async () => {
        await this.#write(file, at, whole);
        this.read += tensor.end - tensor.start;
        finished();
      });
    }
  }

  /**
   * @param {import('../sources.js').Source} source
   * @param {number} start
   * @param {number} end
   * @param {number} file
   * @param {number} to
   * @param {{tensor: import('../model.js').Placed, finished: () => void}} [of]
   */
  async #copy(source, start, end, file, to, of) {
    let left = 1;
    const done = () => {
      if (--left === 0) of?.finished();
    };
    const sum = of && isSummed(of.tensor) ? new Checksum(of.tensor) : null;
    for (let at = start; at < end; at += COPY_BYTES) {
      const size = Math.min(COPY_BYTES, end - at);
      await this.#room(size);
      const room = this.#buffer(COPY_BYTES);
      const read = async () => {
        const bytes = await source.read(at, at + size, { signal: this.signal, room });
        sum?.add(at - start, bytes);
        return bytes;
      };
      const bytes = await this.#guarded(of?.tensor ?? { name: '', source }, read);
      left++;
      this.#start(size, async () => {
        await this.#write(file, to + at - start, bytes);
        if (this.outputs[file].isDone) this.#recycle(bytes.buffer);
        if (of) this.read += size;
        done();
        if (of) this.#tell(of.tensor.name, null);
      });
    }
    done();
  }

  /**
   * The rows of a tensor, read in order.
   * @param {Task} task
   */
  async #task(task) {
    const tensor = this.placed[task.tensor];
    const ahead = this.ahead.get(task.tensor);
    if (ahead?.bytes) {
      const { bytes } = ahead;
      await this.#room(0);
      this.#start(0, async () => {
        await this.#write(task.parts[0].file, task.parts[0].at, bytes);
        ahead.bytes = null;
        this.#hold(-bytes.length);
        this.#finish(task.tensor, ahead);
      });
      return;
    }
    const [rows, ...rest] = task.dims.length === 0 ? [1] : task.dims.length === 1 ? [1, ...task.dims] : task.dims;
    const columns = rest.reduce((product, n) => product * n, 1);
    const storedBits = tensor.count === 0 ? 0 : ((tensor.end - tensor.start) * 8) / tensor.count;
    const bits = isPlain(tensor) ? storedBits : 32;
    const packedBytes = task.parts.reduce((sum, { byteLen }) => sum + byteLen, 0);
    const sums = { energy: 0, error2: 0, maxAbs: 0, count: 0 };
    let held = 0;
    const reader = readerOf(this.plan.model, tensor, this.signal, (bytes) => this.#hold(((held = bytes), bytes)));
    const bands = task.band === undefined ? null : new Bands(task, columns);
    let left = 1;
    const done = () => {
      if (--left > 0) return;
      this.#hold(-held);
      this.#finish(task.tensor, ahead ?? sums);
    };
    for (let row = 0; row < rows || row === 0; row += task.rowsAtOnce) {
      const end = Math.min(rows, row + task.rowsAtOnce);
      const dims = rows === end - row ? task.dims : [end - row, ...rest];
      // What is read and what is packed of it share their memory.
      const stored = Math.ceil(((end - row) * columns * bits) / 8);
      const size = Math.max(stored, Math.ceil(((end - row) / Math.max(1, rows)) * packedBytes));
      await this.#room(size);
      const read = () => reader(row * columns, end * columns, this.#buffer(size));
      left++;
      this.#start(size, async () => {
        const packed = await this.#pack(task, tensor, read, dims, row * columns);
        if (bands) await this.#gather(bands, packed, row, end);
        else await this.#store(task, tensor, packed, row, end);
        if (task.parts.every(({ file }) => this.outputs[file].isDone)) {
          new Set(packed.parts.map(({ buffer }) => buffer)).forEach((buffer) => this.#recycle(buffer));
        }
        sums.energy += packed.energy;
        sums.error2 += packed.error2;
        sums.maxAbs = Math.max(sums.maxAbs, packed.maxAbs);
        sums.count += packed.count;
        // What was packed ahead has been counted.
        this.read += ahead || rows === 0 ? 0 : ((end - row) / rows) * (tensor.end - tensor.start);
        done();
        this.#tell(tensor.name, null);
      });
    }
    done();
  }

  /**
   * @param {Task} task
   * @param {import('../model.js').Placed} tensor
   * @param {() => Promise<Stored>} read
   * @param {number[]} dims
   * @param {number} first
   */
  #pack(task, tensor, read, dims, first) {
    const packing = JSON.stringify(task.packing);
    const { headRows } = task;
    // A buffer that was handed to a worker is gone: who tries again reads again.
    return this.#guarded(tensor, async () => this.pool.pack({ packing, dims, first, headRows, ...(await read()) }));
  }

  /**
   * @param {Task} task
   * @param {import('../model.js').Placed} tensor
   * @param {import('./pool.js').Packed} packed
   * @param {number} row
   * @param {number} end
   */
  async #store(task, tensor, packed, row, end) {
    const rows = task.dims.length < 2 ? 1 : task.dims[0];
    const isWhole = end - row === rows;
    const writes = task.parts.map(({ file, at, rowBytes, byteLen }, i) => {
      const bytes = packed.parts[i];
      const expected = isWhole ? byteLen : /** @type {number} */ (rowBytes) * (end - row);
      if (bytes.length !== expected) {
        const facts = { tensor: tensor.name, expected: `${expected} bytes`, found: `${bytes.length} bytes` };
        throw new FewerbitsError('unexpected', 'a tensor took other bytes than planned', facts);
      }
      return { file, at: isWhole ? at : at + /** @type {number} */ (rowBytes) * row, bytes };
    });
    for (const { file, at, bytes } of writes) await this.#write(file, at, bytes);
  }

  /**
   * Puts what was packed of some bands in its places among the others'; the last ones have it written.
   * @param {Bands} bands
   * @param {import('./pool.js').Packed} packed
   * @param {number} row
   * @param {number} end
   */
  async #gather(bands, packed, row, end) {
    const { held } = bands;
    bands.add(packed.parts, row, end);
    this.#hold(bands.held - held);
    if (bands.left > 0) return;
    for (const [i, { file, at }] of bands.task.parts.entries()) await this.#write(file, at, bands.parts[i]);
    this.#hold(-bands.held);
  }

  /**
   * Tries again what a dying worker failed, once by itself; then asks. What fails for good names its tensor and file.
   * @template T
   * @param {{name: string, source: import('../sources.js').Source}} tensor
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  async #guarded(tensor, run) {
    for (let deaths = 0; ;) {
      try {
        return await run();
      } catch (error) {
        throwIfAborted(this.signal);
        const e = /** @type {Error & {code?: string, bystander?: boolean}} */ (error);
        if (e.code === 'worker_died' && (e.bystander || deaths++ === 0)) continue;
        if (e.code === 'aborted') throw error;
        const about = named(error, tensor);
        if ((await this.onFailure(about, tensor.name)) !== 'retry') throw about;
      }
    }
  }

  /**
   * @param {number} file
   * @param {number} at
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async #write(file, at, bytes) {
    const { length } = bytes;
    this.#sum(file, at, bytes);
    await this.outputs[file].write(at, bytes);
    this.written += length;
  }

  /**
   * Counts bytes in the checks that they belong to.
   * @param {number} file
   * @param {number} at
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  #sum(file, at, bytes) {
    for (const check of this.checks) {
      const from = Math.max(at, check.of.start);
      const to = Math.min(at + bytes.length, check.of.end);
      if (check.file !== file || from >= to) continue;
      check.pieces.push({ at: from, length: to - from, crc: wasm().crc32(0, bytes.subarray(from - at, to - at)) });
    }
  }

  /**
   * A literal with the checks that stand in it, once all that they are of is written.
   * @param {number} file
   * @param {number} at
   * @param {Uint8Array<ArrayBuffer>} literal
   */
  async #checked(file, at, literal) {
    const places = this.checks.flatMap((check) => check.at.map((place) => ({ check, place: place - at })));
    const inside = places.filter(
      ({ check, place }) => check.file === file && place >= 0 && place + 4 <= literal.length,
    );
    if (inside.length === 0) return literal;
    while (this.busy.size > 0 && !this.failure) await this.#someDone();
    this.#check();
    const bytes = literal.slice();
    const view = new DataView(bytes.buffer);
    for (const { check, place } of inside) {
      const pieces = check.pieces.sort((a, b) => a.at - b.at);
      const crc = pieces.reduce((sum, piece) => wasm().crc32Combine(sum, piece.crc, piece.length), 0);
      view.setUint32(place, crc >>> 0, true);
    }
    return bytes;
  }

  /**
   * @param {number} index
   * @param {Sums | null} sums
   */
  #finish(index, sums) {
    const planned = this.planned.get(this.placed[index].name);
    if (!planned) return;
    const report = reportOf(planned, sums);
    this.reports.set(planned.name, report);
    this.#tell(planned.name, report);
  }

  /**
   * @param {string} tensor
   * @param {TensorReport | null} finished
   */
  #tell(tensor, finished) {
    const [memory, { deaths }] = [this.#memory(), this.pool];
    this.peak = Math.max(this.peak, memory);
    this.onProgress?.({ read: this.read, total: this.total, written: this.written, tensor, finished, memory, deaths });
  }

  /** @returns {Report} */
  #report() {
    const { model, to } = this.plan;
    const files = this.job.files.map(({ name, byteLen }) => ({ name, byteLength: byteLen }));
    const outputBytes = files.reduce((sum, { byteLength }) => sum + byteLength, 0);
    // A tensor that was copied along with what surrounds it was not told of.
    const tensors = this.plan.tensors.map((tensor) => this.reports.get(tensor.name) ?? reportOf(tensor, null));
    const count = tensors.reduce((sum, tensor) => sum + tensor.count, 0);
    const bitsPerWeight = (tensors.reduce((sum, tensor) => sum + tensor.byteLength, 0) * 8) / Math.max(1, count);
    return {
      ...{ model: model.name, to, files, inputBytes: model.byteLength, outputBytes, bitsPerWeight },
      seconds: (Date.now() - this.started) / 1000,
      peakMemory: this.peak,
      tensors,
      ...(to === 'deep' ? { stages: stagesOf(tensors, outputBytes) } : {}),
    };
  }
}

/** A tensor that is packed by bands of rows, each of which has its share in every column's record: it is put together in memory. */
class Bands {
  /**
   * @param {Task} task
   * @param {number} columns
   */
  constructor(task, columns) {
    this.task = task;
    this.columns = columns;
    this.band = /** @type {number} */ (task.band);
    /** Rows that are not there yet. */
    this.left = task.dims[0];
    /** Bands in all. */
    this.count = Math.ceil(this.left / this.band);
    /** @type {Uint8Array<ArrayBuffer>[]} */
    this.parts = [];
  }

  get held() {
    return this.parts.reduce((sum, { length }) => sum + length, 0);
  }

  /**
   * @param {Uint8Array<ArrayBuffer>[]} packed
   * @param {number} row
   * @param {number} end
   */
  add(packed, row, end) {
    if (this.parts.length === 0) {
      this.parts = this.task.parts.map(({ byteLen }) => allocate(byteLen, 'the packed tensor'));
    }
    packed.forEach((bytes, i) => {
      const part = this.parts[i];
      const [record, share] = [part.length / this.columns, bytes.length / this.columns];
      const first = (record / this.count) * (row / this.band);
      for (let column = 0; column < this.columns; column++) {
        part.set(bytes.subarray(column * share, (column + 1) * share), column * record + first);
      }
    });
    this.left -= end - row;
  }
}

/**
 * Bytes of a file of Deep Compression after each stage: what is not compressed, and the header, count in each.
 * @param {TensorReport[]} tensors
 * @param {number} outputBytes
 * @returns {import('./report.js').StageBytes}
 */
function stagesOf(tensors, outputBytes) {
  const records = tensors.flatMap(({ stages }) => stages ?? []);
  const sum = (/** @type {'float' | 'pruned' | 'shared' | 'coded'} */ stage) =>
    records.reduce((total, stages) => total + stages[stage], 0);
  const rest = outputBytes - sum('coded');
  return { float: rest + sum('float'), pruned: rest + sum('pruned'), shared: rest + sum('shared'), coded: outputBytes };
}

/**
 * @param {import('./plan.js').PlannedTensor} planned
 * @param {Sums | null} sums
 * @returns {TensorReport}
 */
function reportOf({ name, target, from, dtype, byteLength: planned, count, scheme }, sums) {
  const byteLength = sums?.length ?? planned;
  const is = { name, target, from, dtype, byteLength, count, scheme, ...(sums?.stages ? { stages: sums.stages } : {}) };
  if (sums === null) return { ...is, sqnrDb: null, rmse: null, maxAbs: null };
  const { energy, error2, maxAbs } = sums;
  const sqnrDb = error2 === 0 ? Infinity : 10 * Math.log10(energy / error2);
  return { ...is, sqnrDb, rmse: Math.sqrt(error2 / Math.max(1, sums.count)), maxAbs };
}

/**
 * @param {unknown} error
 * @param {{name: string, source: import('../sources.js').Source}} tensor
 * @returns {Error}
 */
function named(error, { name, source }) {
  const e = /** @type {Error & {code?: string, tensor?: string}} */ (error);
  if (name !== '' && e instanceof Error && typeof e.code === 'string' && e.tensor === undefined) {
    e.tensor = name;
    e.message = `tensor ${JSON.stringify(name)}: ${e.message}`;
  }
  return /** @type {Error} */ (inFile(error, source.name));
}
