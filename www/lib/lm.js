/**
 * A tiny language model, run by the engine: float and quantized continue the same text, and what quantization costs is measured on text
 * that it has not read.
 * @module
 */

import { floats, number, options, text, whole } from './check.js';
import { release, wasm } from './engine.js';
import { FewerbitsError } from './errors.js';
import { inside } from './model.js';
import { Weights } from './weights.js';

/**
 * @typedef {import('./types.js').Scheme} Scheme
 * @typedef {{name: string, shape: readonly number[]}} Part
 * @typedef {Scheme | null | ((part: Part) => Scheme | null)} Choice one scheme for every matrix, or one for each; `null` leaves it float
 * @typedef {{vocabulary: number, width: number, layers: number, heads: number, headsKv: number, inner: number, context: number}} Sizes
 * @typedef {{nats: number, tokens: number, bytes: number, perToken: number, perByte: number}} Loss `nats` is the sum of `−ln p`
 */

/** What the tensors of a model are, shared by its quantized copies. @typedef {Map<string, {shape: readonly number[], values: Float32Array}>} Floats */

/** Bytes of an element that is left as it is, in a matrix (F16) and in a norm (F32). */
const [MATRIX_BYTES, NORM_BYTES] = [2, 4];

/** Bytes of a header that are read at most. */
const HEAD_BYTES = 64 << 20;

/**
 * A llama with its tokenizer, from a GGUF file: byte-level BPE cut as GPT-2 does, no stretched positions. It owns memory: call `free()`.
 *
 * ```js
 * const model = await openModel(new URL('rust-docs.gguf', location.href));
 * const float = await LanguageModel.load(model);
 * const small = float.quantized({ id: 'q4_k' });
 * for (const lm of [float, small]) {
 *   lm.begin('Ownership is');
 *   while (lm.length < 40) lm.next();
 *   lm.text; // 'Ownership is …'
 * }
 * (await small.measure(heldOutText)).perToken; // nats
 * ```
 */
export class LanguageModel {
  /** @type {import('./wasm/fewerbits.js').WasmLanguageModel | null} */
  #inner;
  /** @type {{head: Uint8Array, size: number, context: number}} */
  #origin;
  /** @type {Floats} */
  #floats;
  /** @type {Map<string, string>} the scheme that each matrix has now */
  #schemes = new Map();
  /** @type {Map<string, number>} */
  #bytes = new Map();
  /** @type {number[]} */
  #seen = [];

  /**
   * Made by {@link LanguageModel.load} and {@link LanguageModel#quantized}.
   *
   * @param {{head: Uint8Array, size: number, context: number}} origin
   * @param {Floats} tensors
   */
  constructor(origin, tensors) {
    const { WasmLanguageModel } = wasm();
    if (WasmLanguageModel === undefined) {
      throw new FewerbitsError('unsupported', 'this build of the engine runs no language model', {
        expected: 'the whole engine',
      });
    }
    this.#inner = new WasmLanguageModel(origin.head, origin.size, origin.context);
    this.#origin = origin;
    this.#floats = tensors;
  }

  /**
   * Reads the weights of an open GGUF file; the file may be closed afterwards.
   *
   * @param {import('./model.js').Model} model
   * @param {{context?: number, signal?: AbortSignal, onProgress?: (progress: {loaded: number, total: number}) => void}} [given] `context`:
   *   positions that are kept at most, 512 by default
   * @returns {Promise<LanguageModel>}
   * @throws {FewerbitsError} `unsupported` for what is no llama of this kind, `malformed`, `out_of_memory`, and as `model.read`
   */
  static async load(model, given) {
    const { context = 512, signal, onProgress = () => {} } = options(given);
    const parts = inside.get(model);
    if (model.format !== 'gguf' || parts === undefined || parts.sources.length !== 1) {
      throw new FewerbitsError('unsupported', 'a language model is read from one GGUF file', { found: model.format });
    }
    const [source] = parts.sources;
    const first = parts.tensors.reduce((least, { start }) => Math.min(least, start), source.size);
    const head = await source.read(0, Math.min(first, HEAD_BYTES), { signal });
    /** @type {Floats} */
    const tensors = new Map();
    const made = new LanguageModel({ head, size: source.size, context: whole(context, 'the context') }, tensors);
    try {
      let loaded = 0;
      for (const { name, shape, count } of model.tensors) {
        const values = await model.read(name, { signal });
        tensors.set(name, { shape, values });
        made.set(name, values);
        loaded += count;
        onProgress({ loaded, total: model.tensors.reduce((sum, tensor) => sum + tensor.count, 0) });
      }
      return made;
    } catch (error) {
      made.free();
      throw error;
    }
  }

  get #held() {
    if (this.#inner === null) throw new FewerbitsError('freed', 'This language model was used after free()');
    return this.#inner;
  }

  /** @returns {Sizes} */
  get sizes() {
    return /** @type {any} */ (this.#held.sizes());
  }

  /** Its matrices, which are quantized, by name. @returns {Part[]} */
  get matrices() {
    return [...this.#floats].filter(([, { shape }]) => shape.length > 1).map(([name, { shape }]) => ({ name, shape }));
  }

  /**
   * A tensor's weights as the file has them, whatever was set since. Not a copy.
   *
   * @param {string} name
   * @returns {{shape: readonly number[], values: Float32Array}}
   * @throws {FewerbitsError} `unknown_tensor`
   */
  floats(name) {
    const found = this.#floats.get(text(name, 'the name of the tensor'));
    if (!found) throw new FewerbitsError('unknown_tensor', 'the model has no such tensor', { tensor: name });
    return found;
  }

  /**
   * A copy with its matrices under a scheme. It shares the float weights, and takes its own memory.
   *
   * @param {Choice} choice
   * @returns {LanguageModel}
   * @throws {FewerbitsError} as `quantize`
   */
  quantized(choice) {
    const copy = new LanguageModel(this.#origin, this.#floats);
    try {
      for (const [name, { shape, values }] of this.#floats) if (shape.length === 1) copy.set(name, values);
      copy.requantize(choice);
      return copy;
    } catch (error) {
      copy.free();
      throw error;
    }
  }

  /**
   * Puts this model's matrices under another scheme, always from the float weights; those whose scheme stays are left alone. What was seen is
   * forgotten where one changes.
   *
   * @param {Choice} choice
   * @throws {FewerbitsError} as `quantize`
   */
  requantize(choice) {
    for (const part of this.matrices) {
      const scheme = typeof choice === 'function' ? choice(part) : choice;
      const key = JSON.stringify(scheme);
      if (this.#schemes.get(part.name) === key) continue;
      const { values } = /** @type {{values: Float32Array}} */ (this.#floats.get(part.name));
      if (scheme === null) {
        this.set(part.name, values);
      } else {
        const weights = new Weights(values, part.shape);
        try {
          const packed = weights.quantize(scheme);
          try {
            this.set(part.name, packed.dequantize());
            this.#bytes.set(part.name, packed.bytes.length);
          } finally {
            packed.free();
          }
        } finally {
          weights.free();
        }
      }
      this.#schemes.set(part.name, key);
    }
  }

  /** Bytes of all tensors: packed as their schemes pack them, F16 and norms in F32 elsewhere. */
  get byteLength() {
    return [...this.#floats].reduce((sum, [name, { shape, values }]) => {
      const plain = values.length * (shape.length > 1 ? MATRIX_BYTES : NORM_BYTES);
      return sum + (this.#bytes.get(name) ?? plain);
    }, 0);
  }

  /** Bits for each weight, all tensors counted. */
  get bitsPerWeight() {
    const count = [...this.#floats.values()].reduce((sum, { values }) => sum + values.length, 0);
    return (8 * this.byteLength) / count;
  }

  /**
   * Sets a tensor to any values, row-major; they are copied. What was seen is forgotten.
   *
   * @param {string} name as the file names it, `blk.0.attn_q.weight`
   * @param {Float32Array} values
   * @throws {FewerbitsError} `unknown_tensor`, `shape_mismatch`
   */
  set(name, values) {
    this.#held.set(text(name, 'the name of the tensor'), floats(values));
    this.#schemes.delete(name);
    this.#bytes.delete(name);
    this.#seen = [];
  }

  /**
   * The tokens of a text; none is put before it.
   *
   * @param {string} given
   * @returns {Uint32Array}
   */
  tokenize(given) {
    return this.#held.encode(text(given, 'the text'));
  }

  /**
   * The bytes of tokens, in UTF-8; a character may be cut.
   *
   * @param {Uint32Array | readonly number[]} tokens
   * @returns {Uint8Array}
   * @throws {FewerbitsError} `invalid_argument` for what is no token
   */
  bytesOf(tokens) {
    return this.#held.decode(Uint32Array.from(tokens));
  }

  /** Tokens seen: the beginning, the prompt and what followed. @returns {number} */
  get length() {
    return this.#held.length;
  }

  /** What was seen, as text, without the token that begins it. @returns {string} */
  get text() {
    const shown = this.#seen.filter((token) => token !== this.#held.first);
    return new TextDecoder().decode(this.bytesOf(shown));
  }

  /**
   * Forgets what was seen and reads a prompt. A prompt that is too long keeps its end.
   *
   * @param {string} prompt may be empty: then a page begins
   * @throws {FewerbitsError} `invalid_argument` while tensors are missing
   */
  begin(prompt) {
    const inner = this.#held;
    inner.forget();
    const beginning = inner.first === undefined ? [] : [inner.first];
    const room = inner.sizes().context - beginning.length - 1;
    const tokens = [...beginning, ...this.tokenize(prompt).slice(-room)];
    inner.feed(Uint32Array.from(tokens));
    this.#seen = tokens;
  }

  /**
   * Where the numbers for drawing begin: the same seed draws the same tokens.
   *
   * @param {number} seed a whole number from 0
   */
  seed(seed) {
    this.#held.seed(whole(seed, 'the seed'));
  }

  /**
   * The next token, taken in at once: the likeliest, or drawn with `temperature` above 0.
   *
   * @param {{temperature?: number}} [given]
   * @returns {{token: number, bytes: Uint8Array, isEnd: boolean} | null} null when the context is full
   * @throws {FewerbitsError} `invalid_argument` before `begin`
   */
  next(given) {
    const { temperature = 0 } = options(given);
    const inner = this.#held;
    const token = inner.choose(number(temperature, 'the temperature'));
    if (inner.length >= inner.sizes().context) return null;
    inner.feed(Uint32Array.of(token));
    this.#seen.push(token);
    return { token, bytes: this.bytesOf([token]), isEnd: token === inner.last };
  }

  /**
   * What the model holds to come next, likeliest first.
   *
   * @param {number} [most]
   * @returns {{token: number, bytes: Uint8Array, probability: number}[]} empty before `begin`
   */
  candidates(most = 5) {
    const logits = this.#held.logits();
    const largest = logits.reduce((m, v) => Math.max(m, v), -Infinity);
    const weights = Array.from(logits, (v) => Math.exp(v - largest));
    const total = weights.reduce((sum, w) => sum + w, 0);
    return weights
      .map((weight, token) => ({ token, weight }))
      .sort((a, b) => b.weight - a.weight)
      .slice(0, whole(most, 'the number of candidates'))
      .map(({ token, weight }) => ({ token, bytes: this.bytesOf([token]), probability: weight / total }));
  }

  /**
   * What the model holds to come after each of these tokens, read from the beginning. What was seen before is forgotten.
   *
   * @param {Uint32Array | readonly number[]} tokens as many as the context holds at most
   * @returns {Float32Array} logits, a row of the vocabulary's size for each token
   * @throws {FewerbitsError} `invalid_argument`, `out_of_memory`
   */
  logitsOf(tokens) {
    this.#seen = [];
    return this.#held.logitsOf(Uint32Array.from(tokens));
  }

  /** The token that comes before a text, if the model has one. @returns {number | undefined} */
  get first() {
    return this.#held.first;
  }

  /**
   * The loss on a text that is cut into windows of tokens, each read from the beginning. Between windows others get their turn, and progress is
   * told.
   *
   * @param {string} given
   * @param {{window?: number, most?: number, signal?: AbortSignal, onProgress?: (sofar: Loss & {of: number}) => void}} [how] `window`: tokens,
   *   256 by default; `most`: tokens of the text that are read, all by default
   * @returns {Promise<Loss>}
   * @throws {FewerbitsError} `invalid_argument`, `aborted`
   */
  async measure(given, how) {
    const { window = 256, most = Infinity, signal, onProgress = () => {} } = options(how);
    const size = whole(window, 'the window');
    const tokens = this.tokenize(given).slice(0, most);
    const first = this.#held.first ?? tokens[0];
    const loss = { nats: 0, tokens: 0, bytes: 0, perToken: 0, perByte: 0 };
    for (let at = 0; at < tokens.length; at += size) {
      if (signal?.aborted) throw new FewerbitsError('aborted', 'cancelled');
      const part = tokens.subarray(at, at + size);
      const [nats, count] = this.#held.loss(Uint32Array.of(first, ...part));
      loss.nats += nats;
      loss.tokens += count;
      loss.bytes += this.bytesOf(part).length;
      loss.perToken = loss.nats / loss.tokens;
      loss.perByte = loss.nats / loss.bytes;
      onProgress({ ...loss, of: tokens.length });
      await new Promise((resolve) => void setTimeout(resolve, 0));
    }
    this.#seen = [];
    return loss;
  }

  /** Gives the memory back. Every later use throws `freed`; freeing again does nothing. */
  free() {
    release(this.#inner);
    this.#inner = null;
  }
}
