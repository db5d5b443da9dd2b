import assert from 'node:assert/strict';
import { test } from 'node:test';

import { globOf, wishesOf } from './recipe.js';

const named = (/** @type {string[]} */ ...names) => names.map((name) => ({ name }));
const tensors = named('a.0.weight', 'a.10.weight', 'b.0.weight', 'a.0.bias', 'axb');
const int8 = { id: 'int8' };
const int4 = { id: 'int4' };

/** @param {any[]} rules @param {any} [recipe] */
const wishes = (rules, recipe = {}) => ({ ...wishesOf(tensors, recipe, rules) });

test('an asterisk stands for any run, a question mark for one, all else for itself', () => {
  assert.deepEqual(
    Object.keys(wishes([{ match: '*', scheme: int8 }])),
    tensors.map(({ name }) => name),
  );
  assert.deepEqual(Object.keys(wishes([{ match: 'a.?.weight', scheme: int8 }])), ['a.0.weight']);
  assert.deepEqual(Object.keys(wishes([{ match: 'a.*.weight', scheme: int8 }])), ['a.0.weight', 'a.10.weight']);
  assert.deepEqual(Object.keys(wishes([{ match: 'a.b', scheme: int8 }])), []);
  assert.deepEqual(Object.keys(wishes([{ match: '(a|b)*', scheme: int8 }])), []);
  assert.deepEqual(Object.keys(wishesOf(named('line\nbreak', '💡'), {}, [{ match: 'line?break', scheme: int8 }])), [
    'line\nbreak',
  ]);
  assert.deepEqual(Object.keys(wishesOf(named('💡'), {}, [{ match: '?', scheme: int8 }])), ['💡']);
});

test('patterns match what the regular expression of the same meaning matches', () => {
  let state = 7;
  const below = (/** @type {number} */ n) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 12) % n;
  const made = (/** @type {string[]} */ signs) =>
    Array.from({ length: below(8) }, () => signs[below(signs.length)]).join('');
  let hits = 0;
  for (let i = 0; i < 20_000; i++) {
    const [pattern, name] = [made(['a', '.', '*', '*', '?', '💡']), made(['a', '.', '*', '💡', '\n'])];
    const spelled = pattern.replace(/\./g, '\\.').replace(/\*/g, '.*').replace(/\?/g, '.');
    const wanted = new RegExp(`^${spelled}$`, 'su').test(name);
    assert.equal(globOf(pattern).test(name), wanted, JSON.stringify({ pattern, name }));
    hits += Number(wanted);
  }
  assert.ok(hits > 1000, String(hits));
});

test('a pattern of many asterisks comes to an end', () => {
  const [pattern, name] = [`${'*a'.repeat(40)}*b`, 'a'.repeat(5000)];
  assert.deepEqual([globOf(pattern).test(name), globOf(pattern).test(`${name}b`)], [false, true]);
});

test('the last rule that matches decides, and keeping is a rule', () => {
  const found = wishes([
    { match: '*', scheme: int8 },
    { match: 'a.*', scheme: int4 },
    { match: '*.bias', keep: true },
  ]);
  assert.deepEqual(found, {
    'a.0.weight': int4,
    'a.10.weight': int4,
    'b.0.weight': int8,
    'a.0.bias': 'keep',
    axb: int8,
  });
});

test("a recipe's tensors are stronger than its rules, and rules given besides than both", () => {
  const recipe = {
    version: 1,
    rules: [{ match: '*', scheme: int8 }],
    tensors: { 'a.0.weight': int4, elsewhere: int4 },
  };
  const found = wishes([{ match: 'b.*', keep: true }], recipe);
  assert.deepEqual([found['a.0.weight'], found['b.0.weight'], found.axb], [int4, 'keep', int8]);
  assert.equal('elsewhere' in found, false, 'a recipe for a whole model serves each of its shards');
});

test('names that objects have by themselves are names like others', () => {
  const found = wishesOf(named('__proto__', 'constructor'), {}, [{ match: '*', scheme: int8 }]);
  assert.deepEqual(Object.keys(found), ['__proto__', 'constructor']);
});

test('what is no rule and no recipe is refused', () => {
  for (const rules of [7, [7], [{ match: 7, keep: true }], [{ match: '*' }], [{ scheme: int8 }]]) {
    assert.throws(() => wishes(/** @type {any} */ (rules)), { code: 'invalid_argument' }, JSON.stringify(rules));
  }
  assert.throws(() => wishes([], { version: 2 }), { code: 'unsupported', expected: 'version 1' });
  assert.throws(() => wishes([], { tensors: 'all' }), { code: 'invalid_argument' });
});
