/**
 * What the worker answers about the language model: float and quantized continue the same text, and lose so much on text that neither has read.
 * Loaded with the first such question; the model and its text come then, whole, and are held against their hashes.
 */
import { openModel } from '../lib/core.js';
import { LanguageModel } from '../lib/lm.js';
import { openSource } from '../lib/folders.js';

/** What `models/LM_PROVENANCE.md` says of the files. */
const MODEL = {
  file: 'rust-docs.gguf',
  sha256: 'a69ebcaaf4ef887caff28e5d669a1cf21dfe62b8a8794e335c6bef04903ee288',
};
const HELD_OUT = {
  file: 'rust-docs-heldout.txt',
  sha256: 'e5f577d94d2b22a2d2c947dc0c11d0b7ccf4bb376b637970f089abc0b53b210d',
};
/** Tokens of the held-out text that the loss is measured on. */
const MEASURED = 2048;
/** Tokens that follow a prompt, at most. */
const FOLLOW = 24;

/** @typedef {{signal?: AbortSignal, tell?: (progress: any) => void}} Tools */
/** @typedef {{perToken: number, perByte: number}} Loss */
/** @typedef {{text: string, ended: boolean, byteLength: number, bits: number} & Loss} Side */

/** @type {Promise<Pair> | null} */
let loading = null;
/** The question before: two at once would use the same networks. @type {Promise<unknown>} */
let before = Promise.resolve();

/**
 * @param {{scheme: any, prompt: string, models: string}} payload
 * @param {Tools} tools
 * @returns {Promise<{float: Side, small: Side, tokens: number, vocabulary: number}>}
 */
export function continued(payload, { signal, tell = () => {} }) {
  const work = async () => {
    stopIf(signal);
    loading ??= load(payload.models, signal, tell).catch((error) => {
      loading = null;
      throw error;
    });
    return (await loading).both(payload, signal, tell);
  };
  const answer = before.then(work, work);
  before = answer.catch(() => {});
  return answer;
}

/** The network twice. What was computed for the same weights is remembered. */
class Pair {
  /** @param {LanguageModel} float @param {string} heldOut */
  constructor(float, heldOut) {
    this.float = float;
    this.small = float.quantized(null);
    this.heldOut = heldOut;
    /** @type {Map<string, {loss: Loss, byteLength: number, bits: number}>} */
    this.measured = new Map();
    /** @type {Map<string, {text: string, ended: boolean}>} */
    this.continued = new Map();
  }

  /** @param {{scheme: any, prompt: string}} wanted @param {AbortSignal | undefined} signal @param {(progress: any) => void} tell */
  async both({ scheme, prompt }, signal, tell) {
    this.small.requantize(scheme);
    /** @type {[LanguageModel, string][]} */
    const sides = [
      [this.float, 'null'],
      [this.small, JSON.stringify(scheme)],
    ];
    const texts = [];
    for (const [which, [lm, key]] of sides.entries()) {
      const place = `${key} ${prompt}`;
      const found = this.continued.get(place) ?? (await follow(lm, prompt, signal, (text) => tell({ which, text })));
      this.continued.set(place, found);
      tell({ which, text: found.text });
      texts.push(found);
    }
    /** @type {{loss: Loss, byteLength: number, bits: number}[]} */
    const losses = [];
    for (const [which, [lm, key]] of sides.entries()) {
      const found = this.measured.get(key) ?? (await this.#measure(lm, signal, (at) => tell({ which, ...at })));
      this.measured.set(key, found);
      losses.push(found);
    }
    const [float, small] = texts.map((text, i) => ({
      ...text,
      ...losses[i].loss,
      byteLength: losses[i].byteLength,
      bits: losses[i].bits,
    }));
    return { float, small, tokens: MEASURED, vocabulary: this.float.sizes.vocabulary };
  }

  /** @param {LanguageModel} lm @param {AbortSignal | undefined} signal @param {(at: {read: number, of: number}) => void} tell */
  async #measure(lm, signal, tell) {
    const onProgress = (/** @type {{tokens: number, of: number}} */ { tokens, of }) => tell({ read: tokens, of });
    const { perToken, perByte } = await lm.measure(this.heldOut, { most: MEASURED, signal, onProgress });
    return { loss: { perToken, perByte }, byteLength: lm.byteLength, bits: lm.bitsPerWeight };
  }
}

/**
 * The likeliest tokens after a prompt, one by one, until the model ends its text.
 * @param {LanguageModel} lm
 * @param {string} prompt
 * @param {AbortSignal | undefined} signal
 * @param {(text: string) => void} tell
 */
async function follow(lm, prompt, signal, tell) {
  const decoder = new TextDecoder();
  lm.begin(prompt);
  let text = '';
  for (let i = 0; i < FOLLOW; i++) {
    const next = lm.next();
    if (next === null || next.isEnd) return { text: text + decoder.decode(), ended: true };
    text += decoder.decode(next.bytes, { stream: true });
    tell(text);
    // Others have their turn.
    await new Promise((resolve) => void setTimeout(resolve));
    stopIf(signal);
  }
  return { text, ended: false };
}

/** @param {string} models @param {AbortSignal | undefined} signal @param {(progress: any) => void} tell */
async function load(models, signal, tell) {
  const onProgress = (/** @type {any} */ { loaded, total }) => tell({ loaded, total });
  const heldOut = await fetched(models, HELD_OUT, { signal });
  const file = await openModel(await fetched(models, MODEL, { signal, onProgress }));
  try {
    return new Pair(await LanguageModel.load(file, { signal }), new TextDecoder().decode(heldOut));
  } finally {
    await file.close();
  }
}

/**
 * A whole file: the very one that the page was built with.
 * @param {string} models
 * @param {{file: string, sha256: string}} about
 * @param {{signal?: AbortSignal, onProgress?: (progress: {loaded: number, total?: number}) => void}} options
 */
async function fetched(models, { file, sha256 }, options) {
  const source = await openSource(new URL(file, models).href, { ...options, whole: true });
  try {
    const bytes = await source.read(0, source.size, options);
    // A page that is not served securely, by http from another machine, has no hashes.
    const hash = globalThis.crypto?.subtle && (await crypto.subtle.digest('SHA-256', bytes));
    if (hash && hex(new Uint8Array(hash)) !== sha256) {
      throw Object.assign(new Error(`${file} is not the file that this page was made with: load the page again`), {
        code: 'malformed',
        file,
      });
    }
    return bytes;
  } finally {
    await source.close();
  }
}

/** @param {Uint8Array} bytes */
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** @param {AbortSignal | undefined} signal */
function stopIf(signal) {
  if (signal?.aborted) throw Object.assign(new Error('cancelled'), { code: 'aborted' });
}
