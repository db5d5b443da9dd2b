/**
 * The texts that lie beside a model's weights in its folder: configuration and tokenizer.
 */
import { throwIfAborted } from '../errors.js';

/**
 * @typedef {import('../sources.js').Source} Source
 * @typedef {NonNullable<Source['sibling']>} Sibling
 */

/** What everything else is about: without it nothing else is asked for. */
const FIRST = 'config.json';

/** What llama.cpp's mapping reads, and what goes along with weights that are written for transformers. */
const OTHERS = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
  '1_Pooling/config.json',
];

/** A longer text is none of these: the largest tokenizers have some 40 MB. */
const MAX_BYTES = 128 << 20;

/**
 * Those that are there, by name.
 * @param {Sibling | undefined} sibling
 * @param {AbortSignal} [signal]
 * @returns {Promise<Map<string, string>>}
 */
export async function textsBeside(sibling, signal) {
  /** @type {Map<string, string>} */
  const texts = new Map();
  const first = sibling && (await textOf(sibling, FIRST, signal));
  if (!sibling || first === null || first === undefined) return texts;
  texts.set(FIRST, first);
  for (const name of OTHERS) {
    const text = await textOf(sibling, name, signal);
    if (text !== null) texts.set(name, text);
  }
  return texts;
}

/**
 * @param {Sibling} sibling
 * @param {string} name
 * @param {AbortSignal} [signal]
 * @returns {Promise<string | null>} null where there is no such file
 */
async function textOf(sibling, name, signal) {
  /** @type {Source} */
  let source;
  try {
    source = await sibling(name, { signal });
  } catch (error) {
    throwIfAborted(signal);
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    if (source.size > MAX_BYTES) return null;
    return new TextDecoder().decode(await source.read(0, source.size, { signal }));
  } finally {
    await source.close();
  }
}

/** Whether there is no such file: not in the folder, not on disk, not on the server. @param {unknown} error */
function isMissing(error) {
  const { code, cause, found } = /** @type {Error & {code?: string, found?: string, cause?: {code?: string}}} */ (
    error
  );
  if (code === 'network') return /^(HTTP 4|a web page)/.test(found ?? '');
  return code === 'missing_file' || cause?.code === 'ENOENT' || cause?.code === 'ENOTDIR';
}
