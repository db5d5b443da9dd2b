import assert from 'node:assert/strict';
import { test } from 'node:test';
import { speak } from '../i18n/index.js';
import { fileStem, shown, shownShort } from './names.js';

test('an ordinary name is shown as it is', () => {
  for (const name of ['model.layers.0.mlp.weight', '权重', 'a b-c_1/2', 'naïve ☃']) assert.equal(shown(name), name);
});

test('controls, bidi overrides and other invisible characters are escaped', () => {
  assert.equal(shown('a\u202Egnp.exe'), 'a\\u202egnp.exe');
  assert.equal(shown('a\0b\nc\u200b\u2066\u00a0\ufeff'), 'a\\u0000b\\u000ac\\u200b\\u2066\\u00a0\\ufeff');
  assert.equal(shown('\u{e0041}'), '\\u{e0041}');
});

test('an empty name is said to be one, in both languages; one of spaces is quoted', async () => {
  await speak('zh');
  assert.equal(shown(''), '（无名称）');
  await speak('en');
  assert.equal(shown(''), '(no name)');
  assert.equal(shown('  '), '"  "');
});

test('letters written from right to left stay apart from the text around them', () => {
  assert.equal(shown('שלום.w'), '\u2066שלום.w\u2069');
});

test('a long name keeps both of its ends and cuts no character in two', () => {
  const short = shownShort(`${'😀'.repeat(500)}.weight`, 40);
  assert.ok([...short].length <= 40 && short.startsWith('😀') && short.endsWith('.weight'), short);
  assert.doesNotMatch(short, /\\ud/);
  assert.equal(shownShort('short'), 'short');
});

test('what is saved of a tensor is named after it, within reason', () => {
  assert.equal(fileStem(''), 'tensor');
  assert.equal(fileStem(undefined), 'tensor');
  assert.equal(fileStem('x'.repeat(1000)).length, 80);
});
