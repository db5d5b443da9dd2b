import assert from 'node:assert/strict';
import { test } from 'node:test';
import { init, schemes } from '../lib/index.js';
import { firstLanguage, speak, t } from './index.js';
import enTexts from './en.js';
import enBatch from './en-batch.js';
import enErrors from './en-errors.js';
import enMeasure from './en-measure.js';
import enSchemes from './en-schemes.js';
import enShrink from './en-shrink.js';
import zhTexts from './zh.js';
import zhBatch from './zh-batch.js';
import zhErrors from './zh-errors.js';
import zhMeasure from './zh-measure.js';
import zhSchemes from './zh-schemes.js';
import zhShrink from './zh-shrink.js';

/** @type {{[key: string]: string}[]} */
const [en, zh] = [
  { ...enTexts, ...enErrors, ...enSchemes, ...enShrink, ...enMeasure, ...enBatch },
  { ...zhTexts, ...zhErrors, ...zhSchemes, ...zhShrink, ...zhMeasure, ...zhBatch },
];
const holes = (/** @type {string} */ text) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

test('Chinese has every text that English has, with the same values to fill in', () => {
  for (const [key, text] of Object.entries(en)) {
    assert.ok(key in zh, `zh lacks ${key}`);
    assert.deepEqual(holes(zh[key]), holes(text), key);
  }
});

test('Chinese has words for every scheme, option and choice of the catalogue', async () => {
  await init();
  for (const scheme of schemes()) {
    assert.ok(`family.${scheme.family}` in zh, `zh lacks family.${scheme.family}`);
    // A scheme named by its own id, such as int4, is called so in every language.
    if (scheme.title !== scheme.id) assert.ok(`scheme.${scheme.id}.title` in zh, `zh lacks scheme.${scheme.id}.title`);
    const summaries = [`scheme.${scheme.id}.summary`, `scheme.${scheme.family}.summary`];
    assert.ok(
      summaries.some((key) => key in zh),
      `zh lacks ${summaries[0]}`,
    );
    for (const option of scheme.options) {
      assert.ok(`option.${option.name}.title` in zh, `zh lacks option.${option.name}.title`);
      assert.ok(`option.${option.name}.help` in zh, `zh lacks option.${option.name}.help`);
      for (const { value } of option.values ?? []) {
        assert.ok(`option.${option.name}.${value}` in zh, `zh lacks option.${option.name}.${value}`);
      }
    }
  }
});

test('the language is the one asked for, else the one chosen before, else the browser’s', () => {
  assert.equal(firstLanguage({ search: '?lang=zh', stored: 'en', preferred: ['en-US'] }), 'zh');
  assert.equal(firstLanguage({ search: '', stored: 'zh', preferred: ['en-US'] }), 'zh');
  assert.equal(firstLanguage({ search: '?lang=xx', stored: null, preferred: ['fr', 'zh-Hans-CN'] }), 'zh');
  assert.equal(firstLanguage({ search: '', stored: null, preferred: [] }), 'en');
});

test('values are filled in as text', async () => {
  await speak('en');
  assert.equal(t('job.opening', { name: '{n}<b>' }), 'Opening {n}<b>');
  assert.equal(t('no such key'), 'no such key');
});
