/**
 * Whether an output that stands already is what a plan would write. Its length and its header are compared, and of some tensors the first
 * bytes: they are copied or packed again. Whatever the model's size, no more is read than a few steps of its job.
 */
import { inside } from '../model.js';
import { packRows } from './rows.js';
import { isPlain, readerOf } from './stored.js';

/**
 * @typedef {import('../sources.js').Source} Source
 * @typedef {import('./plan.js').Plan} Plan
 * @typedef {import('./plan.js').Task} Task
 * @typedef {import('./batch.js').Difference} Difference
 * @typedef {{state: 'none'} | {state: 'same'} | {state: 'other', difference: Difference}} Standing
 */

/** Tensors that are copied or packed again, spread evenly from the first to the last. */
const COPIED = 8;
const PACKED = 4;
/** A tensor of which more weights than these would have to be packed at once is not packed: it is as many as a step of a job has. */
const STEP = 1 << 21;
/** Bytes of a tensor that are compared, at most, and columns of one that is stored column by column. */
const FIRST_BYTES = 1 << 16;
const COLUMNS = 8;
/** Bytes of a header that are compared at once. */
const PIECE = 1 << 20;

/**
 * @param {Plan} plan
 * @param {(name: string) => Promise<Source | null>} open an output's file; null where there is none
 * @param {AbortSignal} [signal]
 * @returns {Promise<Standing>} `none` where a file is missing
 */
export async function standing(plan, open, signal) {
  /** @type {Source[]} */
  const sources = [];
  try {
    for (const { name } of plan.files) {
      const source = await open(name);
      if (source === null) return { state: 'none' };
      sources.push(source);
    }
    const difference = await new Look(plan, sources, signal).first();
    return difference ? { state: 'other', difference } : { state: 'same' };
  } finally {
    for (const source of sources) await source.close();
  }
}

class Look {
  /**
   * @param {Plan} plan
   * @param {Source[]} sources of the output
   * @param {AbortSignal} [signal]
   */
  constructor(plan, sources, signal) {
    const held = inside.get(plan.model);
    if (!held) throw Object.assign(new Error('the model has been closed'), { code: 'freed' });
    this.plan = plan;
    this.sources = sources;
    this.signal = signal;
    this.placed = held.tensors;
    this.from = held.sources;
    /** Where records lie whose places are known only when they are packed. @type {Map<number, {at: number, byteLen: number}>} */
    this.places = new Map();
  }

  /** The first difference, null where none was found. @returns {Promise<Difference | null>} */
  async first() {
    const { files, tasks, places } = this.plan.job;
    for (const [i, { byteLen }] of files.entries()) {
      const { size } = this.sources[i];
      if (places.length === 0 && size !== byteLen) return this.#other(i, `${byteLen} bytes`, `${size} bytes`);
    }
    if (places.length > 0) {
      const wrong = await this.#readPlaces();
      if (wrong) return wrong;
    }
    for (const [file, { segments }] of files.entries()) {
      for (const [i, { at, bytes }] of segments.entries()) {
        const wrong = bytes === undefined ? null : await this.#literal(file, i, at);
        if (wrong) return wrong;
      }
    }
    const segments = files.flatMap((one, file) => one.segments.map((segment) => ({ file, segment })));
    for (const { file, segment } of spread(
      segments.filter(({ segment: { copy, stored } }) => copy ?? stored),
      COPIED,
    )) {
      const wrong = await this.#copied(file, segment);
      if (wrong) return wrong;
    }
    for (const task of spread(
      tasks.filter((one) => this.#isStep(one)),
      PACKED,
    )) {
      const wrong = await this.#packed(task);
      if (wrong) return wrong;
    }
    return null;
  }

  /**
   * @param {number} file
   * @param {string} expected
   * @param {string} found
   * @param {number} [offset]
   * @returns {Difference}
   */
  #other(file, expected, found, offset) {
    return { file: this.plan.files[file].name, ...(offset === undefined ? {} : { offset }), expected, found };
  }

  /** Reads from the header where each record lies, and that they end where the file does. @returns {Promise<Difference | null>} */
  async #readPlaces() {
    const [source] = this.sources;
    const { job, order, literals } = this.plan;
    const length = /** @type {Uint8Array} */ (literals.get('0/0')).length;
    if (source.size < length) return this.#other(0, `${length} bytes or more`, `${source.size} bytes`);
    const head = await source.read(0, length, { signal: this.signal });
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    let end = length;
    for (const [i, tensor] of order.entries()) {
      const from = Number(view.getBigUint64(job.places[i], true));
      const to = Number(view.getBigUint64(job.places[i] + 8, true));
      if (from !== end || to < from) return this.#other(0, `a tensor at ${end}`, `at ${from} to ${to}`, job.places[i]);
      this.places.set(tensor, { at: from, byteLen: to - from });
      end = to;
    }
    return end === source.size ? null : this.#other(0, `${end} bytes`, `${source.size} bytes`);
  }

  /**
   * What is written as it is, but for sums and places that are known only at the end.
   * @param {number} file
   * @param {number} index
   * @param {number} at
   */
  async #literal(file, index, at) {
    const expected = /** @type {Uint8Array} */ (this.plan.literals.get(`${file}/${index}`));
    const { checks, places } = this.plan.job;
    const sums = checks.flatMap((check) => (check.file === file ? check.at.map((place) => [place, place + 4]) : []));
    const open = [...sums, ...places.map((place) => [place, place + 16])];
    for (let from = 0; from < expected.length; from += PIECE) {
      const piece = expected.slice(from, from + PIECE);
      const found = await this.#read(file, at + from, piece.length);
      if (found === null) return this.#other(file, `${at + from + piece.length} bytes`, 'fewer bytes');
      for (const [start, end] of open) {
        const [a, b] = [Math.max(start - at - from, 0), Math.min(end - at - from, piece.length)];
        if (a < b) found.set(piece.subarray(a, b), a);
      }
      const wrong = this.#compare(file, at + from, piece, found);
      if (wrong) return wrong;
    }
    return null;
  }

  /**
   * @param {number} file
   * @param {import('./plan.js').Segment} segment
   */
  async #copied(file, { at, copy, stored }) {
    let [source, start, end] = /** @type {[Source | null, number, number]} */ ([null, 0, 0]);
    let to = at;
    if (copy) [source, start, end] = [this.from[copy.part], copy.range.start, copy.range.end];
    if (stored && isPlain(this.placed[stored.tensor])) {
      const tensor = this.placed[stored.tensor];
      [source, start, end] = [tensor.source, tensor.start, tensor.end];
      to = this.places.get(stored.tensor)?.at ?? at;
    }
    // The end of a stretch is as telling as its start: models of one kind may begin alike.
    const length = Math.min(FIRST_BYTES, end - start);
    for (const offset of source === null || length === 0 ? [] : new Set([0, end - start - length])) {
      const expected = await /** @type {Source} */ (source).read(start + offset, start + offset + length, {
        signal: this.signal,
      });
      const found = await this.#read(file, to + offset, length);
      const wrong = found === null ? this.#short(file) : this.#compare(file, to + offset, expected, found);
      if (wrong) return wrong;
    }
    return null;
  }

  /** @param {Task} task */
  #rows({ dims, rowsAtOnce, packing }) {
    const [rows, ...rest] = dims.length === 0 ? [1] : dims.length === 1 ? [1, ...dims] : dims;
    const columns = rest.reduce((product, n) => product * n, 1);
    return { rows, rest, columns, end: packing.pack === 'record' ? rows : Math.min(rows, rowsAtOnce) };
  }

  /** @param {Task} task */
  #isStep(task) {
    const { columns, end } = this.#rows(task);
    return columns * end > 0 && columns * end <= STEP;
  }

  /** The first rows that the job would pack in one go. @param {Task} task */
  async #packed(task) {
    const tensor = this.placed[task.tensor];
    const { rows, rest, columns, end } = this.#rows(task);
    const read = readerOf(this.plan.model, tensor, this.signal);
    const { dtype, bigEndian, bytes } = await read(0, columns * end);
    const packing = JSON.stringify(task.packing);
    const dims = rows === end ? task.dims : [end, ...rest];
    const packed = packRows({ packing, dtype, bigEndian, bytes, dims, first: 0, headRows: task.headRows });
    const bands = task.band === undefined ? 1 : Math.ceil(rows / task.band);
    for (const [i, part] of task.parts.entries()) {
      const made = packed.parts[i];
      const at = this.places.get(task.tensor)?.at ?? part.at;
      // Of bands each column's record holds a share: the first columns' are told from others.
      const share = bands > 1 ? made.length / columns : made.length;
      const record = bands > 1 ? part.byteLen / columns : 0;
      for (let column = 0; column < (bands > 1 ? Math.min(columns, COLUMNS) : 1); column++) {
        const expected = made.slice(column * share, column * share + Math.min(share, FIRST_BYTES));
        const from = at + column * record;
        const found = await this.#read(part.file, from, expected.length);
        const wrong = found === null ? this.#short(part.file) : this.#compare(part.file, from, expected, found);
        if (wrong) return wrong;
      }
    }
    return null;
  }

  /** @param {number} file */
  #short(file) {
    return this.#other(file, 'more bytes', `${this.sources[file].size} bytes`);
  }

  /**
   * @param {number} file
   * @param {number} at
   * @param {number} length
   * @returns {Promise<Uint8Array<ArrayBuffer> | null>}
   */
  async #read(file, at, length) {
    const source = this.sources[file];
    return at + length > source.size ? null : source.read(at, at + length, { signal: this.signal });
  }

  /**
   * @param {number} file
   * @param {number} at
   * @param {Uint8Array} expected
   * @param {Uint8Array} found
   */
  #compare(file, at, expected, found) {
    const i = expected.findIndex((byte, k) => byte !== found[k]);
    return i < 0 ? null : this.#other(file, hex(expected, i), hex(found, i), at + i);
  }
}

/** Some of them, from the first to the last. @template T @param {T[]} all @param {number} most */
function spread(all, most) {
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]);
}

/** A few bytes to be read by people. @param {Uint8Array} bytes @param {number} at */
const hex = (bytes, at) =>
  `bytes ${[...bytes.subarray(at, at + 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
