import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { speak as speakWords, speakOf } from '../i18n/index.js';
import { init, openModel } from '../lib/index.js';
import { explain } from './problems.js';

/** @param {string} language */
const speak = async (language) => {
  await speakWords(language);
  await speakOf('errors');
};

before(() => init());

const text = (/** @type {string} */ words) => new TextEncoder().encode(words);
const bytes = (/** @type {number[]} */ ...values) => Uint8Array.from([...values, ...new Array(32).fill(0)]);
const header = JSON.stringify({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
const tiny = Uint8Array.from([header.length, 0, 0, 0, 0, 0, 0, 0, ...text(header), 0, 0, 0, 0]);
const index = text(JSON.stringify({ weight_map: { w: 'm-1.safetensors', v: 'm-2.safetensors' } }));
const file = (/** @type {string} */ name, /** @type {any} */ content = tiny) => new File([content], name);

/** What a new user may open: what it is, what the headline says in English, and in Chinese. @type {[string, any, RegExp, RegExp][]} */
const OPENED = [
  [
    'a shard index alone',
    file('model.safetensors.index.json', index),
    /index of a model in several files/,
    /多文件模型的索引/,
  ],
  ['two shards', [file('m-1.safetensors'), file('m-2.safetensors')], /several model files/, /多个模型文件/],
  [
    'two shards as they are mostly named',
    [file('model-00001-of-00002.safetensors'), file('model-00002-of-00002.safetensors')],
    /index that says what is in them is missing/,
    /缺少说明/,
  ],
  ['two npy files', [file('a.npy'), file('b.npy')], /several model files/, /多个模型文件/],
  [
    'an index that lacks a shard',
    [file('model.safetensors.index.json', index), file('m-1.safetensors')],
    /needs the file m-\d\.safetensors, and it is missing/,
    /缺少模型所需的文件 m-\d/,
  ],
  [
    'shards that do not fit their index',
    [file('model.safetensors.index.json', index), file('m-1.safetensors'), file('m-2.safetensors')],
    /do not fit each other/,
    /不相符/,
  ],
  ['files without a model', [file('notes.txt'), file('train.py')], /no model file among/, /没有模型文件/],
  [
    'an old GGUF',
    file('m.gguf', text('GGUF\u0001\0\0\0 and more of it, as long as a header')),
    /GGUF file of a version/,
    /GGUF/,
  ],
  [
    'a big-endian GGUF',
    file('m.gguf', text('GGUF\0\0\0\u0003 and more of it, as long as a header')),
    /byte order/,
    /字节序/,
  ],
  ['an old PyTorch', file('m.bin', bytes(0x80, 2, 0x8a, 10)), /pickle/, /pickle/],
  ['a web page', file('m.safetensors', text('<!doctype html><title>Sign in</title>')), /web page/, /网页/],
  [
    'an LFS pointer',
    file('m.safetensors', text('version https://git-lfs.github.com/spec/v1\n')),
    /LFS pointer/,
    /LFS 指针/,
  ],
  ['gzip', file('m.gz', bytes(0x1f, 0x8b, 8, 0)), /compressed archive/, /压缩包/],
  ['HDF5', file('m.h5', bytes(0x89, 0x48, 0x44, 0x46, 13, 10, 0x1a, 10)), /HDF5/, /HDF5/],
  [
    'TensorFlow Lite',
    file('m.tflite', bytes(0x1c, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33)),
    /TensorFlow Lite/,
    /TensorFlow Lite/,
  ],
  ['PDF', file('m.pdf', text('%PDF-1.7 and so on')), /PDF/, /PDF/],
  ['nothing', file('m.safetensors', new Uint8Array(0)), /empty/, /空的/],
  ['another JSON', file('config.json', text('{"hidden_size": 768}')), /JSON file, but not the index/, /JSON 文件/],
  ['a broken file', file('m.safetensors', tiny.subarray(0, tiny.length - 2)), /ends too early/, /提前结束/],
  ['a structured array', file('m.npy', npy("[('a', '<f4')]")), /not supported yet/, /尚不支持/],
];

/** @param {string} descr */
function npy(descr) {
  const dict = `{'descr': ${descr}, 'fortran_order': False, 'shape': (1,), }`.padEnd(117) + '\n';
  return Uint8Array.from([0x93, ...text('NUMPY'), 1, 0, dict.length, 0, ...text(dict), 0, 0, 0, 0]);
}

/** As the session hands it on. @param {any} source @returns {Promise<import('../types.js').Problem>} */
async function refused(source) {
  try {
    await openModel(source);
  } catch (error) {
    const { code, message, file: name, tensor, offset, expected, found } = /** @type {any} */ (error);
    return { code, message, file: name, tensor, offset, expected, found, what: 'open' };
  }
  assert.fail('it was opened');
}

describe('what was opened and could not be', () => {
  for (const [name, source, en, zh] of OPENED) {
    test(`${name}: the headline says what it is, in both languages`, async () => {
      const problem = await refused(source);
      await speak('en');
      const english = explain(problem);
      assert.match(english.what, en);
      assert.match(english.remedy, /What was open is still open\.$/);
      assert.ok(english.detail.length > 10);
      await speak('zh');
      const chinese = explain(problem);
      assert.match(chinese.what, zh);
      for (const sentence of [chinese.what, chinese.remedy]) assert.match(sentence, /[一-鿿].*。$/u);
      // Of the engine's English only names and technical words stand in the sentences themselves.
      for (const part of [chinese.what, chinese.remedy, ...chinese.where]) {
        assert.doesNotMatch(part, /\b(expected|found|the|this is|a safetensors)\b/);
      }
      await speak('en');
    });
  }
});

/** @type {(code: string, what: any, more?: object) => import('../types.js').Problem} */
const problem = (code, what, more) => ({ code, what, message: 'm', ...more });

test('the same code is told by what was being done', async () => {
  await speak('en');
  const headlines = ['open', 'tensor', 'scheme', 'start'].map((what) => explain(problem('unexpected', what)).what);
  assert.equal(new Set(headlines).size, 4, `${headlines}`);
  assert.match(explain(problem('invalid_argument', 'open')).what, /opened/);
  assert.match(explain(problem('invalid_argument', 'scheme')).what, /setting/);
  assert.match(explain(problem('network', 'start')).remedy, /anew/);
  assert.doesNotMatch(explain(problem('network', 'start')).remedy, /still open/);
});

test('a file’s name cannot pass for the engine’s sentence', async () => {
  await speak('en');
  const name = 'this is a GGUF file.txt';
  const told = explain(
    problem('unknown_format', 'open', { file: name, message: `${name}: the file is of no known format` }),
  );
  assert.doesNotMatch(told.what, /GGUF/);
});

test('facts that the engine’s sentence lacks are put into the detail', async () => {
  const { detail } = explain(problem('unsupported', 'tensor', { message: 'no place', found: 'C64' }));
  assert.equal(detail, 'no place; found C64');
});

test('what an address answers is told apart', async () => {
  await speak('en');
  const answered = (/** @type {string} */ found) =>
    explain(
      problem('network', 'open', {
        message: `u: the server does not give this file; expected HTTP 200 or 206, found ${found}`,
        found,
        file: 'u',
      }),
    ).what;
  assert.match(answered('HTTP 404 Not Found'), /no file at this address/);
  assert.match(answered('HTTP 403 Forbidden'), /signing in/);
  assert.match(answered('HTTP 500'), /could not be read/);
});
