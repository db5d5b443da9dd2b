/**
 * Opens a model file, or a model in several files, and reads its tensors. Only headers are read when it opens; the
 * bytes of a tensor are read when they are asked for.
 */
import { described, reading, text } from './check.js';
import { release, wasm } from './engine.js';
import { FewerbitsError, inFile, throwIfAborted } from './errors.js';
import { urlSource } from './sources.js';

/**
 * @typedef {import('./sources.js').Source} Source
 * @typedef {import('./sources.js').OpenOptions} OpenOptions
 *
 * One tensor of a model.
 * @typedef {object} Tensor
 * @property {string} name in the file; an npy file's own name, which names nothing
 * @property {string} dtype how an element is stored, in the safetensors spelling: `F32`, `BF16`, …; of a weight stored in several
 *   tensors what that is: `INT4 AWQ ×128`; of a record of Deep Compression `DEEP`
 * @property {number[]} shape outermost first; empty for a scalar
 * @property {number} count of elements
 * @property {number} byteLength stored bytes
 * @property {[rows: number, columns: number]} row the matrix that blocks and groups see: a row is the last axis of a
 *   matrix, the flattened filter of a convolution, the whole of a vector
 * @property {true | string} readable as numbers; if not, why not
 * @property {string} file the file that holds it
 * @property {string[]} [parts] the names of the tensors that it is stored in, where it is stored in several; they are listed too
 * @property {string} [partOf] the name of the weight that it is a part of
 *
 * What the parser says besides.
 * @typedef {Omit<Tensor, 'readable' | 'file' | 'byteLength'> & {block: [elements: number, bytes: number], beside: string | null,
 *   start: number, end: number, inline: string | null, strides: number[] | null, deflated: number | null, crc: number | null, deep: boolean,
 *   fortranOrder: boolean, bigEndian: boolean,
 *   unreadable: string | null, source?: Source}} Info
 * @typedef {{name: string, shape: number[], count: number, row: [number, number], label: string, parts: number[], method: object}} DerivedInfo
 * @typedef {{format: 'safetensors' | 'npy' | 'gguf' | 'npz' | 'torch' | 'onnx' | 'deep', metadata: Record<string, string>, tensors: Info[], derived?: DerivedInfo[]}} Listing
 * @typedef {{method: object, parts: Placed[]}} DerivedFrom
 * @typedef {Info & {source: Source, derived?: DerivedFrom}} Placed
 */

/** Bytes read at once from a tensor: large enough to be fast, small enough to be stopped and to fit anywhere. */
export const PIECE_BYTES = 8 << 20;

/**
 * Opens a model: safetensors, GGUF, ONNX, npy, npz, a PyTorch checkpoint, Deep Compression (.fbdc), or an index with its shards.
 * The format is found by content.
 *
 * `init()` must have resolved. On any error nothing stays open.
 *
 * @param {import('./folders.js').ModelSource} from a File or Blob, an ArrayBuffer or typed array, a URL (http, https,
 *   blob; relative in a page), a path or `file:` URL (Node); for a model in several files the URL or path of its index,
 *   a folder (path, directory handle) or a list of its files
 * @param {OpenOptions} [options] `signal`; `onProgress`, called with `{loaded, total}` when a server without Range
 *   support makes a full download necessary
 * @returns {Promise<Model>}
 * @throws {FewerbitsError} `unknown_format`, `unsupported`, `malformed`, `truncated`, `missing_file`, `several_models`,
 *   `network`, `unreadable`, `aborted`, `invalid_argument`, with the `file` concerned
 */
export async function openModel(from, options = {}) {
  wasm();
  reading(options);
  const source = isOwn(from) ? await urlSource(from, options) : await elsewhere(from, options);
  /** @type {Source[]} */
  const sources = [source];
  try {
    const answer = await list(source, options.signal);
    if ('listing' in answer) {
      const { listing } = answer;
      if (listing.format === 'npy') listing.tensors[0].name = stem(source.name);
      if (listing.format === 'onnx') await (await import('./beside.js')).place(source, listing, sources, options);
      return new Model(source.folder ?? source.name, [{ source, listing }], sources, source.sibling);
    }
    const { openShards } = await import('./shards.js');
    const shards = await openShards(source, answer.weightMap, sources, options);
    return new Model(source.folder ?? source.name.replace(/\.index\.json$/i, ''), shards, sources, source.sibling);
  } catch (error) {
    await closeAll(sources);
    throw inFile(error, source.name);
  }
}

/**
 * Whether this is an address of the page's own host, as its sample is: all else that can be opened is found out by code that comes later.
 * @param {import('./folders.js').ModelSource} from
 * @returns {from is string | URL}
 */
function isOwn(from) {
  const here = globalThis.location?.href;
  if (here === undefined || !(typeof from === 'string' || from instanceof URL) || !URL.canParse(from, here))
    return false;
  return new URL(from, here).origin === globalThis.location.origin;
}

/**
 * @param {import('./folders.js').ModelSource} from
 * @param {OpenOptions} options
 */
async function elsewhere(from, options) {
  const { openSource } = await import('./folders.js');
  return openSource(from, options);
}

/**
 * What a model keeps to itself, for planning and shrinking: its files, where its tensors lie, and how to open what lies beside the files.
 * @type {WeakMap<Model, {sources: Source[], tensors: Placed[], sibling?: Source['sibling']}>}
 */
export const inside = new WeakMap();

/** A model whose header has been read. Made by {@link openModel}. */
export class Model {
  /** @type {Map<string, Placed>} */
  #tensors = new Map();
  /** @type {Source[]} */
  #sources;
  #closed = false;

  /**
   * @param {string} name
   * @param {{source: Source, listing: Listing}[]} parts
   * @param {Source[]} sources to close
   * @param {Source['sibling']} [sibling] opens what lies beside the files
   */
  constructor(name, parts, sources, sibling) {
    this.#sources = sources;
    /** The name of the file or folder. */
    this.name = name;
    /** @type {Listing['format']} */
    this.format = parts[0].listing.format;
    /** The author's notes; of several files the first that has a key gives its value.
     * @type {Record<string, string>} */
    this.metadata = Object.assign(Object.create(null), ...parts.map(({ listing }) => listing.metadata).reverse());
    /** Bytes of all files that hold tensors. */
    this.byteLength = holding(parts).reduce((sum, source) => sum + source.size, 0);
    /** In the order of their bytes, file after file.
     * @type {readonly Tensor[]} */
    this.tensors = parts.flatMap(({ source, listing }) => this.#place(source, listing));
    // Those that are stored, file after file, then those that are stored in several.
    const all = parts.flatMap(({ listing: { tensors, derived = [] } }) => [tensors, derived]);
    const inOrder = [...all.filter((_, i) => i % 2 === 0), ...all.filter((_, i) => i % 2 === 1)].flat();
    const tensors = inOrder.map(({ name }) => /** @type {Placed} */ (this.#tensors.get(name)));
    inside.set(this, { sources: parts.map(({ source }) => source), tensors, sibling });
  }

  /**
   * Takes in the tensors of a file: a weight that is stored in several comes before the first of them.
   * @param {Source} source
   * @param {Listing} listing
   * @returns {Tensor[]}
   */
  #place(source, { tensors, derived = [] }) {
    /** @type {Placed[]} */
    const placed = tensors.map((info) => ({ source, ...info }));
    /** @type {Tensor[][]} What comes in the place of each. */
    const places = placed.map((tensor) => {
      this.#tensors.set(tensor.name, tensor);
      const { name, shape, count, row, start, end, unreadable } = tensor;
      return [
        {
          name,
          dtype: tensor.deep ? 'DEEP' : tensor.dtype,
          shape,
          count,
          byteLength: end - start,
          row,
          readable: unreadable ?? true,
          file: tensor.source.name,
        },
      ];
    });
    for (const { label: dtype, method, parts, ...info } of derived) {
      const stored = parts.map((i) => placed[i]);
      const byteLength = stored.reduce((sum, { start, end }) => sum + end - start, 0);
      this.#tensors.set(info.name, { ...stored[0], ...info, dtype, derived: { method, parts: stored } });
      for (const i of parts) /** @type {Tensor} */ (places[i].at(-1)).partOf = info.name;
      const names = stored.map(({ name }) => name);
      places[Math.min(...parts)].unshift({
        ...{ name: info.name, dtype, shape: info.shape, count: info.count, byteLength, row: info.row },
        ...{ readable: true, file: source.name, parts: names },
      });
    }
    return places.flat();
  }

  /**
   * The elements of a tensor as numbers, row-major; types wider than f32 are rounded to nearest even.
   *
   * Memory: the result and one piece of 8 MB. A Fortran-ordered npy is read whole and reordered, whichever rows are
   * asked for: three times its size in f32.
   *
   * @param {string} name
   * @param {{start?: number, end?: number, signal?: AbortSignal}} [options] rows `start … end` of {@link Tensor.row},
   *   all by default
   * @returns {Promise<Float32Array<ArrayBuffer>>}
   * @throws {FewerbitsError} `unknown_tensor`, `unsupported`, `invalid_argument`, `aborted`, `network`, `unreadable`,
   *   `truncated`, `out_of_memory`, `freed`
   */
  async read(name, options) {
    const { start = 0, end, signal } = reading(options);
    const tensor = this.#find(name, true);
    const [rows, columns] = tensor.row;
    const stop = end ?? rows;
    if (!(Number.isInteger(start) && Number.isInteger(stop) && 0 <= start && start <= stop && stop <= rows)) {
      const facts = {
        tensor: name,
        expected: `rows within 0…${rows}`,
        found: `${described(start)}…${described(stop)}`,
      };
      throw new FewerbitsError('invalid_argument', 'the tensor has no such rows', facts);
    }
    try {
      if (isDerived(tensor)) return await (await import('./derived.js')).read(tensor, start, stop, signal);
      if (isView(tensor)) return await (await import('./views.js')).read(tensor, start, stop, signal);
      if (tensor.deep) return await (await import('./deep.js')).read(tensor, start * columns, stop * columns, signal);
      if (!tensor.fortranOrder) return await elements(tensor, start * columns, stop * columns, signal);
      const all = await rowMajor(tensor, signal);
      return stop - start === rows ? all : all.slice(start * columns, stop * columns);
    } catch (error) {
      throw about(error, tensor);
    }
  }

  /**
   * The bytes of a tensor as they are stored, whole and inflated: byte order and axis order are the file's, and of a view they are
   * those from its first element to its last.
   * @param {string} name
   * @param {{signal?: AbortSignal}} [options]
   * @returns {Promise<Uint8Array<ArrayBuffer>>}
   */
  async readBytes(name, options) {
    const { signal } = reading(options);
    const tensor = this.#find(name);
    if (isDerived(tensor)) {
      const facts = { tensor: name, expected: 'one of its parts', found: tensor.dtype };
      throw new FewerbitsError('unsupported', 'the tensor is stored in several, and has no bytes of its own', facts);
    }
    try {
      const bytes =
        tensor.deflated === null
          ? await tensor.source.read(tensor.start, tensor.end, { signal })
          : await (await import('./inflate.js')).inflatedBytes(tensor, 0, spanBytes(tensor), signal);
      if (isSummed(tensor)) (await import('./checksum.js')).check(tensor, bytes);
      return bytes;
    } catch (error) {
      throw about(error, tensor);
    }
  }

  /**
   * The elements of a tensor in pieces of about 8 MB, row-major and little-endian, each of whole elements: what
   * `Weights.push` takes. The iterator's `dtype` says of which type: the tensor's own, or `F32` where elements had to
   * be converted (big-endian, 4-bit integers with half a byte left over, or Fortran order, which is read whole first).
   * @param {string} name
   * @param {{signal?: AbortSignal, onProgress?: (progress: {loaded: number, total: number}) => void}} [options] progress
   *   in bytes of these pieces
   * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>, void> & {readonly dtype: string}}
   */
  chunks(name, options) {
    const { signal, onProgress } = reading(options);
    const tensor = this.#find(name, true);
    const isPadded = tensor.count % tensor.block[0] !== 0;
    const isPlain = !(isDerived(tensor) || isView(tensor) || tensor.deep || tensor.fortranOrder);
    const converted = !isPlain || tensor.bigEndian || isPadded;
    const total = converted ? tensor.count * 4 : spanBytes(tensor);
    const stored = converted ? convertedPieces(tensor, signal) : storedPieces(tensor, signal);
    async function* run() {
      let loaded = 0;
      try {
        for await (const piece of stored) {
          loaded += piece.length;
          onProgress?.({ loaded, total });
          yield piece;
        }
      } catch (error) {
        throw about(error, tensor);
      }
    }
    return Object.assign(run(), { dtype: converted ? 'F32' : tensor.dtype });
  }

  /** Lets go of the files; every read after it throws code `freed`. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#tensors.clear();
    await closeAll(this.#sources);
  }

  /**
   * @param {string} name
   * @param {boolean} [asNumbers]
   */
  #find(name, asNumbers = false) {
    if (this.#closed) throw new FewerbitsError('freed', 'the model has been closed', { file: this.name });
    const tensor = this.#tensors.get(text(name, 'the name of the tensor'));
    if (!tensor) {
      const facts = { file: this.name, tensor: name, found: `${this.#tensors.size} other tensors` };
      throw new FewerbitsError('unknown_tensor', 'the model has no tensor of this name', facts);
    }
    if (asNumbers && tensor.unreadable !== null) {
      const stored = isView(tensor) ? `, ${tensor.count} elements in ${tensor.end - tensor.start} bytes` : '';
      const facts = { file: tensor.source.name, tensor: name, found: tensor.dtype + stored };
      throw new FewerbitsError('unsupported', tensor.unreadable, facts);
    }
    return tensor;
  }
}

/**
 * Runs the parser over a source.
 * @param {Source} source
 * @param {AbortSignal} [signal]
 * @returns {Promise<{listing: Listing} | {weightMap: Record<string, string>}>}
 */
export async function list(source, signal) {
  const reader = new (wasm().FormatReader)(source.size);
  try {
    let bytes = new Uint8Array(0);
    for (;;) {
      const answer = JSON.parse(reader.step(bytes));
      if (!answer.need) return answer;
      bytes = await source.read(answer.need[0], answer.need[1], { signal });
    }
  } catch (error) {
    throw inFile(error, source.name);
  } finally {
    release(reader);
  }
}

/**
 * Elements `from … to` in storage order, decoded piece by piece.
 * @param {Placed} tensor
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} [signal]
 */
async function elements(tensor, from, to, signal) {
  throwIfAborted(signal);
  // Blocks, and types of less than a byte, are read whole.
  const [whole] = tensor.block;
  const first = Math.floor(from / whole) * whole;
  const out = allocate(Math.ceil(to / whole) * whole - first);
  for await (const { at, bytes, count } of pieces(tensor, first, first + out.length, signal)) {
    decode(tensor, bytes, out.subarray(at - first, at - first + count));
  }
  return out.length === to - from ? out : out.slice(from - first, to - first);
}

/**
 * A Fortran-ordered tensor, whole.
 * @param {Placed} tensor
 * @param {AbortSignal} [signal]
 */
async function rowMajor(tensor, signal) {
  const stored = await elements(tensor, 0, tensor.count, signal);
  const values = wasm().fortranToRowMajor(stored, new Float64Array(tensor.shape));
  return /** @type {Float32Array<ArrayBuffer>} */ (values);
}

/**
 * @param {Placed} tensor
 * @param {AbortSignal} [signal]
 */
async function* storedPieces(tensor, signal) {
  for await (const { bytes } of pieces(tensor, 0, tensor.count, signal)) yield bytes;
}

/**
 * @param {Placed} tensor
 * @param {AbortSignal} [signal]
 */
async function* convertedPieces(tensor, signal) {
  if (isDerived(tensor)) {
    yield* (await import('./derived.js')).chunks(tensor, signal);
    return;
  }
  if (isView(tensor)) {
    yield* (await import('./views.js')).chunks(tensor, signal);
    return;
  }
  if (tensor.fortranOrder || tensor.deep) {
    const whole = tensor.deep
      ? (await import('./deep.js')).read(tensor, 0, tensor.count, signal)
      : rowMajor(tensor, signal);
    const all = new Uint8Array((await whole).buffer);
    for (let at = 0; at < all.length; at += PIECE_BYTES) {
      throwIfAborted(signal);
      yield all.slice(at, at + PIECE_BYTES);
    }
    return;
  }
  for await (const { at, bytes, count } of pieces(tensor, 0, tensor.count, signal)) {
    const values = new Float32Array(count);
    decode(tensor, bytes, values);
    yield new Uint8Array(values.buffer, 0, 4 * Math.min(count, tensor.count - at));
  }
}

/**
 * The stored bytes of elements `from … to`, both multiples of a block; of the last 4-bit integers of ONNX one may be padding.
 * @param {Placed} tensor
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} [signal]
 */
async function* pieces(tensor, from, to, signal) {
  const {
    source,
    start,
    block: [elements, size],
  } = tensor;
  const most = Math.floor(PIECE_BYTES / size) * elements;
  // What is read in part cannot be held to a sum of the whole.
  const isWhole = isSummed(tensor) && from === 0 && to >= tensor.count;
  const sum = isWhole ? new (await import('./checksum.js')).Checksum(tensor) : null;
  if (tensor.deflated !== null) {
    const { inflated } = await import('./inflate.js');
    let at = from;
    const bytesOf = (/** @type {number} */ count) => (count / elements) * size;
    for await (const bytes of inflated(tensor, bytesOf(from), bytesOf(to), bytesOf(most), signal)) {
      sum?.add(bytesOf(at), bytes);
      const count = (bytes.length / size) * elements;
      yield { at, bytes, count };
      at += count;
    }
    return;
  }
  const stop = Math.ceil(to / elements) * elements;
  for (let at = from; at < stop; at += most) {
    const count = Math.min(most, stop - at);
    const begin = start + (at / elements) * size;
    const bytes = await source.read(begin, begin + (count / elements) * size, { signal });
    sum?.add(begin - start, bytes);
    yield { at, bytes, count };
  }
}

/**
 * @param {Placed} tensor
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Float32Array<ArrayBuffer>} out
 */
export function decode({ dtype, bigEndian }, bytes, out) {
  // Every machine that runs wasm stores f32 as the file does.
  if (dtype === 'F32' && !bigEndian) new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
  else wasm().decodeInto(dtype, bigEndian, bytes, out);
}

/** Whether the file has a sum of the tensor's bytes. @param {Placed} tensor */
export const isSummed = ({ crc }) => typeof crc === 'number';

/** @type {(tensor: Placed) => tensor is Placed & {derived: DerivedFrom}} */
const isDerived = (tensor) => tensor.derived !== undefined;

/** @type {(tensor: Placed) => tensor is Placed & {strides: number[]}} */
const isView = (tensor) => tensor.strides !== null && tensor.derived === undefined;

/**
 * Stored bytes from the first element to the last, inflated.
 * @param {Placed} tensor
 */
function spanBytes({ count, shape, strides, block: [elements, size] }) {
  if (strides === null || count === 0) return (count / elements) * size;
  return strides.reduce((sum, stride, axis) => sum + (shape[axis] - 1) * stride, 1) * size;
}

/** @param {number} count */
export function allocate(count) {
  try {
    return new Float32Array(count);
  } catch (cause) {
    const found = `a request for ${count} elements`;
    throw new FewerbitsError('out_of_memory', 'the tensor is too large to be read at once', { found, cause });
  }
}

/**
 * An error of a read, which now names its tensor and file.
 * @param {unknown} error
 * @param {Placed} tensor
 */
function about(error, { name, source }) {
  const e = /** @type {Error & {code?: string, tensor?: string}} */ (error);
  if (e instanceof Error && typeof e.code === 'string' && e.code !== 'aborted' && e.tensor === undefined) {
    e.tensor = name;
    e.message = `tensor ${JSON.stringify(name)}: ${e.message}`;
  }
  return inFile(error, source.name);
}

/**
 * The files that hold tensors, each once.
 * @param {{source: Source, listing: Listing}[]} parts
 */
function holding(parts) {
  const own = parts.map(({ source }) => source);
  const beside = parts.flatMap(({ listing: { tensors } }) => tensors.filter((tensor) => tensor.beside !== null));
  return [...new Set([...own, ...beside.map((tensor) => /** @type {Source} */ (tensor.source))])];
}

/** @param {Source[]} sources */
async function closeAll(sources) {
  await Promise.all(sources.map((source) => source.close().catch(() => {})));
}

/** @param {string} name */
function stem(name) {
  return name.replace(/\.npy$/i, '') || 'array';
}
