/** Errors in words: what happened, to which file and tensor, and what to do. */
import { t, tOr, language } from '../i18n/index.js';
import { count } from './format.js';
import { shown, shownShort } from './names.js';

/** @typedef {import('../types.js').Problem} Problem */

/**
 * What the engine tells beyond its code: in what it found, or in its sentence. A test opens such files with the real
 * engine, so that words that change there are missed here.
 * @type {[code: string, fact: 'found' | 'sentence', words: RegExp, kind: string, remedy?: string][]}
 */
const KINDS = [
  ['unknown_format', 'found', /^a Git LFS pointer/, 'lfs'],
  ['unknown_format', 'found', /^a web page/, 'html'],
  ['unknown_format', 'found', /^a PDF document/, 'pdf', 'json'],
  ['unknown_format', 'sentence', /^the file is empty/, 'empty'],
  ['unknown_format', 'sentence', /^the file is JSON/, 'json'],
  ['unknown_format', 'sentence', /^there is no model among/, 'none'],
  ['unsupported', 'found', /^version \d+/, 'gguf', 'convert'],
  ['unsupported', 'found', /^a zip archive/, 'zip', 'torch'],
  ['unsupported', 'found', /^a Python pickle/, 'pickle', 'torch'],
  ['unsupported', 'found', /^an ONNX model/, 'onnx', 'convert'],
  ['unsupported', 'found', /^a (gzip|zstd) archive/, 'packed'],
  ['unsupported', 'found', /^an HDF5 file/, 'hdf5', 'convert'],
  ['unsupported', 'found', /^a TensorFlow Lite model/, 'tflite', 'convert'],
  ['missing_file', 'found', /^the index alone/, 'index'],
  ['missing_file', 'sentence', /^the index of these shards/, 'noindex'],
  ['missing_file', 'sentence', /./, 'missing'],
  ['several_models', 'sentence', /./, 'several'],
  ['invalid_argument', 'sentence', /^the folder holds too many files/, 'toomany'],
  ['invalid_argument', 'sentence', /^(this is not an address|only http)/, 'address'],
  ['malformed', 'sentence', /(^|: )the index (names|places|does not place|of shards)/, 'shard'],
  ['network', 'found', /^a web page/, 'html'],
  ['network', 'found', /^HTTP (404|410)/, 'notfound'],
  ['network', 'found', /^HTTP (401|403)/, 'forbidden'],
];

/** After these nothing of what was open is lost; the others say themselves how to go on. */
const STILL_OPEN = ['open', 'tensor', 'scheme'];
const OF_ITS_OWN = new Set(['worker_died', 'invalid_option', 'not_ready', 'no_simd', 'non_finite']);

/**
 * @param {Problem} problem
 * @returns {{what: string, where: string[], remedy: string, detail: string}}
 */
export function explain(problem) {
  const { code, message, what, file = '', tensor, offset, expected, found } = problem;
  // The engine puts the file's name before its sentence, and a name may say anything.
  const sentence = message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message;
  const known = { found: found ?? '', sentence };
  const kind = KINDS.find(([c, fact, words]) => c === code && words.test(known[fact]));
  const [, , , name, remedy] = (what !== 'scheme' && kind) || [];
  const facts = { file: shownShort(file) };

  const headline = first(
    [name && `error.file.${name}`, `error.${what}.${code}`, `error.${code}`, `error.at.${what}`],
    facts,
  );
  const advice = first(
    [name && `remedy.file.${remedy ?? name}`, `remedy.${what}.${code}`, `remedy.${code}`, `remedy.${what}.other`],
    facts,
  );
  const still = STILL_OPEN.includes(what) && !OF_ITS_OWN.has(code) ? t('remedy.still') : '';

  const several = name === 'several' || name === 'none' || name === 'noindex';
  const where = [
    several && found && found !== 'no files' ? shownShort(found) : '',
    file !== '' && !(several && file === 'files') ? t('error.file', { file: shownShort(file) }) : '',
    tensor === undefined ? '' : t('error.tensor', { tensor: shownShort(tensor) }),
    offset === undefined || (offset === 0 && name !== undefined)
      ? ''
      : t(code === 'non_finite' ? 'error.index' : 'error.offset', { offset: count(offset, language()) }),
  ].filter((x) => x !== '');
  // The facts are part of the engine's sentence; where they are not, they are put there.
  const missing = [expected && `expected ${expected}`, found && `found ${found}`].filter(
    (fact) => fact && !sentence.includes(fact),
  );
  const detail = shown([sentence, ...missing].filter(Boolean).join('; '));
  return {
    what: headline,
    where,
    remedy: [advice, still].filter(Boolean).join(language() === 'zh' ? '' : ' '),
    detail,
  };
}

/**
 * The first of these texts that there is.
 * @param {(string | undefined)[]} keys
 * @param {{[name: string]: string}} facts
 */
function first(keys, facts) {
  for (const key of keys) {
    const text = key && tOr(key, '', facts);
    if (text) return text;
  }
  return t('remedy.other');
}
