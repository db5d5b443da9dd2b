/** The language model through the package. Its logits and tokens are held against numpy and llama.cpp in tests/lm.rs. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LanguageModel, init, openModel } from './index.js';

const models = new URL('../public/models/', import.meta.url);
await init();
const model = await openModel(fileURLToPath(new URL('rust-docs.gguf', models)));
const text = await readFile(new URL('rust-docs-heldout.txt', models), 'utf8');
const lm = await LanguageModel.load(model);
const goldens = (await readFile(new URL('../../tests/goldens/lm.jsonl', import.meta.url), 'utf8'))
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));

test('it continues a prompt with the tokens that llama.cpp gives', () => {
  for (const { text: prompt, tokens, greedy } of goldens.filter(({ name }) => name === 'prompt')) {
    lm.begin(prompt);
    assert.equal(lm.length, tokens.length);
    const found = greedy.map(() => lm.next()?.token);
    assert.deepEqual(found, greedy, prompt);
    assert.ok(lm.text.startsWith(prompt));
  }
});

test('the loss is numpy’s, window by window, and progress is told', async () => {
  const { nats, tokens } = goldens.find(({ name }) => name === 'heldout');
  /** @type {number[]} */
  const seen = [];
  const loss = await lm.measure(text, { most: tokens.length, onProgress: ({ tokens }) => seen.push(tokens) });
  assert.ok(Math.abs(loss.nats - nats) < 1e-4 * nats, `${loss.nats}, ${nats}`);
  assert.deepEqual(seen, [256, 512, 768, 1024]);
  assert.equal(loss.bytes, new TextEncoder().encode(new TextDecoder().decode(lm.bytesOf(tokens))).length);
  await assert.rejects(lm.measure(text, { signal: AbortSignal.abort() }), { code: 'aborted' });
});

test('fewer bits cost more, and a scheme taken back costs nothing', async () => {
  const at = async (/** @type {LanguageModel} */ m) => (await m.measure(text, { most: 1024 })).perToken;
  const float = await at(lm);
  const small = lm.quantized({ id: 'q4_k' });
  const four = await at(small);
  assert.ok(small.bitsPerWeight < 4.6 && small.byteLength < lm.byteLength / 3);
  small.requantize((part) => (part.name.includes('ffn') ? { id: 'q2_k' } : { id: 'q4_k' }));
  const mixed = await at(small);
  small.requantize({ id: 'int2' });
  const two = await at(small);
  assert.ok(float - 0.01 < four && four < mixed && mixed < two, `${float} ${four} ${mixed} ${two}`);
  small.requantize(null);
  assert.equal(await at(small), float);
  assert.equal(small.byteLength, lm.byteLength);
  small.free();
});

test('what is drawn depends on the seed alone', () => {
  const drawn = (/** @type {number} */ seed) => {
    lm.begin('Ownership is');
    lm.seed(seed);
    return Array.from({ length: 12 }, () => lm.next({ temperature: 0.9 })?.token);
  };
  assert.deepEqual(drawn(1), drawn(1));
  assert.notDeepEqual(drawn(1), drawn(2));
});

test('candidates are probabilities, likeliest first', () => {
  lm.begin('This function returns');
  const found = lm.candidates(1024);
  assert.ok(Math.abs(found.reduce((sum, { probability }) => sum + probability, 0) - 1) < 1e-6);
  assert.equal(found[0].token, lm.next()?.token);
});

test('the context ends, a long prompt keeps its end, and text and tokens are each other', async () => {
  const short = await LanguageModel.load(model, { context: 16 });
  short.begin(text.slice(0, 500));
  assert.ok(short.length < 16 && text.slice(0, 500).endsWith(short.text));
  while (short.next() !== null);
  assert.equal(short.length, 16);
  short.free();
  assert.throws(() => short.begin(''), { code: 'freed' });
  const odd = 'naïve 你好 🦀\r\n\t';
  assert.equal(new TextDecoder().decode(lm.bytesOf(lm.tokenize(odd))), odd);
  assert.throws(() => lm.bytesOf([1024]), { code: 'invalid_argument' });
});

test('what is no language model is refused', async () => {
  const digits = await openModel(fileURLToPath(new URL('digits.safetensors', models)));
  await assert.rejects(LanguageModel.load(digits), { code: 'unsupported' });
  const other = await openModel(
    fileURLToPath(new URL('../../tests/data/hugging_face/bert/expected.gguf', import.meta.url)),
  );
  await assert.rejects(LanguageModel.load(other), { code: 'unsupported' });
});
