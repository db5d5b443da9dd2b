/**
 * What each tensor of a model loses by each scheme that it could take: measured on a sample of its rows, by workers. A survey is made once;
 * plans for any size follow from it without reading more.
 *
 * A tensor of up to {@link SAMPLE} weights is measured whole. Of a larger one {@link PLACES} runs of rows are read, evenly spaced, the same for
 * every scheme and every time; schemes that search long are measured on the first few of them. Each error comes with its standard deviation.
 */
import { whole } from '../check.js';
import { FewerbitsError, inFile, throwIfAborted } from '../errors.js';
import { inside } from '../model.js';
import { Pool, defaultWorkers } from './pool.js';
import { readerOf } from './stored.js';

/**
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {import('../model.js').Model} Model
 * @typedef {import('./reasons.js').Role} Role
 *
 * @typedef {object} Kind what a tensor can become, whichever it is
 * @property {any} packing
 * @property {Scheme | null} scheme null: it stays as it is
 * @property {string} dtype
 * @property {number} cost nanoseconds for a weight, roughly
 *
 * @typedef {object} Way one for a tensor
 * @property {number} kind
 * @property {number} bytes in the file, exact
 * @property {number} error relative squared error, Σ(w − ŵ)² / Σw²; NaN where the tensor cannot be packed so
 * @property {number} deviation of that estimate: 0 of what was measured whole, NaN where it is not known
 *
 * @typedef {object} Surveyed
 * @property {number} tensor
 * @property {string} name
 * @property {Role} role
 * @property {number} count
 * @property {Way[]} ways
 * @property {number[]} uniform of each scheme for all which way it comes to
 *
 * @typedef {{to: string, layout?: string, schemes: Scheme[], kinds: Kind[], tensors: Surveyed[], notes: {code: string, text: string}[],
 *   bytesRead: number, seconds: number}} Survey
 *
 * @typedef {{done: number, total: number, read: number, tensor: string}} SurveyProgress tensors done, of all; bytes read
 *
 * @typedef {object} SurveyOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: SurveyProgress) => void} [onProgress]
 * @property {number} [workers]
 */

/** Weights of a tensor's sample, about. */
export const SAMPLE = 1 << 18;
/** The same of a model behind a network. */
export const REMOTE_SAMPLE = 1 << 15;
/** Runs of rows that a sample is made of, a power of two. */
export const PLACES = 16;
/** Nanoseconds for a weight from which on fewer places are measured. */
const SLOW = 25;
/** Fewest places of a scheme that takes long. */
const FEWEST = 4;
/** What must be packed whole is measured whole up to so many weights; of a larger tensor the sample is packed as if it were all. */
const WHOLE = 1 << 22;
/** Formats whose blocks may run along the first axis: samples are of so many rows that these are whole. */
const ROWS_TOGETHER = { onnx: 128 };

/**
 * @param {import('../wasm/fewerbits.js').Planner} planner
 * @param {Model} model
 * @param {{to: string, schemes?: Scheme[], layout?: string}} asked
 * @param {SurveyOptions} options
 * @returns {Promise<Survey>}
 * @throws {FewerbitsError} as reading a tensor; `aborted`
 */
export async function survey(planner, model, asked, { signal, onProgress, workers }) {
  if (workers !== undefined) whole(workers, 'the number of workers');
  throwIfAborted(signal);
  const started = Date.now();
  const { schemes, kinds, tensors, notes } = JSON.parse(planner.ways(JSON.stringify(asked)));
  const held = inside.get(model);
  if (!held) throw new FewerbitsError('freed', 'the model has been closed', { file: model.name });
  const pool = new Pool(workers ?? defaultWorkers());
  const failed = new AbortController();
  const any = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const end = () => pool.close();
  any.addEventListener('abort', end, { once: true });
  const progress = { done: 0, total: tensors.length, read: 0, tensor: '' };
  /** @type {(Surveyed | null)[]} */
  const found = tensors.map(() => null);
  let next = 0;
  const one = async () => {
    while (next < tensors.length) {
      const at = next++;
      const placed = held.tensors[tensors[at].tensor];
      try {
        found[at] = await measured(model, placed, tensors[at], kinds, asked.to, pool, any, progress);
      } catch (error) {
        throw named(error, placed);
      }
      progress.done++;
      progress.tensor = tensors[at].name;
      onProgress?.({ ...progress });
    }
  };
  onProgress?.({ ...progress });
  try {
    await Promise.all(Array.from({ length: pool.count + 2 }, one));
  } catch (error) {
    failed.abort();
    throwIfAborted(signal);
    throw error;
  } finally {
    any.removeEventListener('abort', end);
    pool.close();
  }
  const facts = { bytesRead: progress.read, seconds: (Date.now() - started) / 1000 };
  return { ...asked, schemes, kinds, tensors: /** @type {Surveyed[]} */ (found), notes, ...facts };
}

/**
 * @param {Model} model
 * @param {import('../model.js').Placed} placed
 * @param {{tensor: number, name: string, role: Role, dims: number[], ways: {kind: number, bytes: number, whole: boolean}[], uniform: number[]}} of
 * @param {Kind[]} kinds
 * @param {string} to
 * @param {Pool} pool
 * @param {AbortSignal} signal
 * @param {{read: number}} progress
 * @returns {Promise<Surveyed>}
 */
async function measured(model, placed, { tensor, name, role, dims, ways, uniform }, kinds, to, pool, signal, progress) {
  const { count } = placed;
  const isRemote = placed.source.isRemote === true;
  const read = readerOf(model, placed, signal);
  /** @type {Way[]} */
  const result = ways.map(({ kind, bytes }) => ({ kind, bytes, error: 0, deviation: 0 }));
  // Nothing is lost by what is copied.
  const open = ways.map((way, at) => ({ ...way, at })).filter(({ kind }) => kinds[kind].packing.pack !== 'copy');
  const [rows, ...rest] = dims.length < 2 ? [1, ...dims] : dims;
  const width = rest.reduce((product, n) => product * n, 1);
  const together = ROWS_TOGETHER[/** @type {keyof typeof ROWS_TOGETHER} */ (to)] ?? 1;
  const sample = placesOf(rows, width, isRemote ? REMOTE_SAMPLE : SAMPLE, together);
  const isWhole = sample.starts.length === 1;
  const all = { starts: [0], take: rows };
  const alone = open.filter((way) => way.whole && !isWhole && !isRemote && count <= WHOLE);
  for (const [some, { starts, take }] of /** @type {const} */ ([
    [open.filter((way) => !alone.includes(way)), sample],
    [alone, all],
  ])) {
    if (some.length === 0 || count === 0) continue;
    // A buffer that was handed to a worker is gone: one that died is tried again with another.
    for (let tries = 0; ; tries++) {
      const pieces = await Promise.all(starts.map((start) => read(start * width, (start + take) * width)));
      const [{ dtype, bigEndian }] = pieces;
      const bytes = joined(pieces.map((piece) => piece.bytes));
      progress.read += bytes.length;
      try {
        const losses = await pool.survey({
          packings: JSON.stringify(some.map(({ kind }) => kinds[kind].packing)),
          ...{ dtype, bigEndian, bytes, count },
          dims: dims.length < 2 ? dims : [take * starts.length, ...rest],
          places: starts.length,
          used: some.map(({ kind }) =>
            Math.max(FEWEST, Math.ceil(Math.min(1, SLOW / kinds[kind].cost) * starts.length)),
          ),
        });
        some.forEach(({ at, whole: isAsIf }, i) => {
          const [error, deviation] = losses.subarray(i * 2, i * 2 + 2);
          // What needs all rows and was shown some of them is a guess.
          Object.assign(result[at], { error, deviation: isAsIf && starts.length > 1 ? NaN : deviation });
        });
        break;
      } catch (error) {
        if (/** @type {any} */ (error).code !== 'worker_died' || tries > 0) throw error;
      }
    }
  }
  return { tensor, name, role, count, ways: result, uniform };
}

/**
 * Where a sample's runs of rows begin, in an order in which the first few are spread evenly too.
 * @param {number} rows
 * @param {number} width
 * @param {number} weights of all places together, about
 * @param {number} together rows that stay together
 * @returns {{starts: number[], take: number}}
 */
export function placesOf(rows, width, weights, together) {
  const least = Math.max(1, Math.floor(weights / PLACES / Math.max(1, width)));
  const take = Math.ceil(least / together) * together;
  let n = PLACES;
  while (n > 2 && n * take * width > weights * 2) n /= 2;
  if (rows * width <= weights || n * take >= rows) return { starts: [0], take: rows };
  const starts = Array.from({ length: n }, (_, i) => {
    const start = Math.floor(((rows - take) * (reversed(i, n) + 0.5)) / n);
    return start - (start % together);
  });
  return { starts, take };
}

/** The bits of `i` in reverse. @param {number} i @param {number} n a power of two */
function reversed(i, n) {
  let out = 0;
  for (let bit = 1, high = n >> 1; bit < n; bit <<= 1, high >>= 1) if (i & bit) out |= high;
  return out;
}

/** @param {Uint8Array<ArrayBuffer>[]} pieces */
function joined(pieces) {
  // A copy, whatever the number: what is handed to a worker may be held by the source.
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** @param {unknown} error @param {import('../model.js').Placed} tensor */
function named(error, { name, source }) {
  const e = /** @type {Error & {code?: string, tensor?: string}} */ (error);
  if (e instanceof Error && typeof e.code === 'string' && e.code !== 'aborted' && e.tensor === undefined) {
    e.tensor = name;
    e.message = `tensor ${JSON.stringify(name)}: ${e.message}`;
  }
  return inFile(error, source.name);
}
