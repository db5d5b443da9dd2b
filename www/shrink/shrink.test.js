import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialState } from '../state.js';
import { fromHash, toHash } from '../url.js';
import { schemesOf, targetsOf } from '../lib/shrink/targets.js';
import { fromQuery, toQuery } from './address.js';
import { lossClass } from './damage.js';
import { reportCsv, reportJson } from './report-files.js';
import * as change from './state.js';

/** @param {string} name @param {number[]} shape */
const tensor = (name, shape) => ({ name, shape, dtype: 'F32', count: 8, byteLength: 32, row: [1, 8], readable: true });
/** @type {any} */
const model = {
  id: 1,
  name: 'a.safetensors',
  format: 'safetensors',
  byteLength: 96,
  tensors: [tensor('a.weight', [2, 4]), tensor('a.bias', [8]), tensor('b.weight', [2, 4])],
};
/** @type {import('../types.js').State} */
const opened = { ...initialState(), model, room: 'shrink' };
/** @type {any} */
const chosen = {
  ...{ to: 'safetensors', preset: null, scheme: { id: 'f16' }, layout: 'plain', rules: [], tensors: {} },
  ...{ targetBytes: null, roles: {}, decided: null, effort: null, isWeighed: false, isChosen: false },
};

test('the address brings back what was chosen, whatever is in a pattern', () => {
  const rules = [
    { match: '*.bias', keep: true },
    { match: 'a > b&c=d+e %41 中', scheme: { id: 'int4', groupSize: 64 } },
  ];
  const choice = { ...chosen, scheme: { id: 'int8', symmetric: false }, rules };
  assert.deepEqual(fromQuery(toQuery(choice)), choice);
  const preset = { ...chosen, scheme: null, preset: 'Q4_K_M', to: 'gguf', layout: 'x y' };
  assert.deepEqual(fromQuery(toQuery(preset)), preset);
});

test('rules that are unfinished or many stay out of the address', () => {
  const many = Array.from({ length: 100 }, (_, i) => ({ match: `layer.${i}`, keep: true }));
  assert.equal(toQuery({ ...chosen, rules: many }), toQuery(chosen));
  assert.equal(toQuery({ ...chosen, rules: [{ match: '', keep: true }] }), toQuery(chosen));
});

test('a room has its own part of the address, and the other keeps its own', () => {
  const state = fromHash({ ...opened, room: 'explore', tensor: 't' }, '#/shrink?to=gguf');
  assert.deepEqual([state.room, state.shrinkQuery, state.tensor], ['shrink', '?to=gguf', 't']);
  assert.equal(toHash(state), '#/shrink?to=gguf');
  assert.equal(fromHash(state, '#/explore?t=t&b=int4').room, 'explore');
  assert.equal(fromHash(state, '#/shrinking').room, 'explore');
});

test('what a format can be written as: a target that it does not have gives way to its first', () => {
  for (const format of ['safetensors', 'gguf', 'onnx', 'npz', 'torch']) assert.ok(targetsOf(format).length > 0, format);
  assert.deepEqual(targetsOf('a format of tomorrow'), []);
  assert.deepEqual(change.fitted(opened), chosen);
  const other = change.choose(opened, { ...chosen, to: 'nowhere', preset: 'Q9', tensors: { 'a.bias': 'keep' } });
  assert.deepEqual(change.fitted(other), { ...chosen, tensors: { 'a.bias': 'keep' } });
  assert.deepEqual(change.fitted(change.choose(opened, { scheme: { id: 'bf16' } })), {
    ...chosen,
    scheme: { id: 'bf16' },
  });
  assert.equal(change.fitted({ ...opened, model: { ...model, format: 'none' } }), null);
});

test('GGUF begins with a preset where the model is GGUF, else with a scheme', () => {
  const first = (/** @type {string} */ format) => {
    const target = targetsOf(format).find(({ to }) => to === 'gguf');
    assert.ok(target);
    return change.firstChoice(target);
  };
  assert.deepEqual([first('gguf').preset, first('gguf').scheme], ['Q4_K_M', null]);
  assert.deepEqual([first('safetensors').preset, first('safetensors').scheme], [null, { id: 'q8_0' }]);
});

test('a layout that holds some schemes alone begins with the first of them', () => {
  const packed = change.fitted(change.choose(opened, { ...chosen, layout: 'compressed-tensors' }));
  assert.deepEqual(packed, { ...chosen, layout: 'compressed-tensors', scheme: { id: 'int4' } });
  const int8 = { ...chosen, layout: 'compressed-tensors', scheme: { id: 'int8' } };
  assert.deepEqual(change.fitted(change.choose(opened, int8)), int8);
});

test('each scheme stands in one group', () => {
  const catalogue = ['f16', 'bf16', 'int4', 'q8_0'].map((id) => ({ id }));
  for (const target of targetsOf('safetensors')) {
    for (const layout of [null, ...target.layouts]) {
      const ids = schemesOf(target, catalogue, layout).flatMap(({ schemes }) => schemes.map(({ id }) => id));
      assert.equal(new Set(ids).size, ids.length, `${target.to} ${layout}`);
    }
  }
});

test('a recipe is what was chosen, and loads as that', () => {
  const rules = [
    { match: '*.bias', keep: true },
    { match: '', keep: true },
  ];
  const choice = { ...chosen, rules, tensors: { 'b.weight': { id: 'bf16' } } };
  const text = JSON.stringify(change.recipeOf(choice));
  const loaded = change.loadRecipe(opened, text);
  assert.deepEqual(loaded.shrink?.choice, { ...choice, layout: null, rules: [rules[0]] });
  assert.deepEqual(change.fitted(loaded), { ...choice, rules: [rules[0]] });
  assert.equal(loaded.shrink?.unknown, 0);
});

test('a recipe that is not one is refused with what was expected', () => {
  const broken = [
    'no JSON',
    '7',
    '[]',
    'null',
    '{"to": "elsewhere"}',
    '{"to": "safetensors", "version": 2}',
    '{"to": "safetensors", "scheme": "f16"}',
    '{"to": "safetensors", "scheme": "keep"}',
    '{"to": "safetensors", "rules": {}}',
    '{"to": "safetensors", "rules": [{"match": 5, "keep": true}]}',
    '{"to": "safetensors", "rules": [{"match": "x"}]}',
    '{"to": "safetensors", "tensors": []}',
    '{"to": "safetensors", "tensors": {"a": 5}}',
  ];
  for (const text of broken) {
    assert.throws(
      () => change.loadRecipe(opened, text),
      (/** @type {any} */ e) => e.code === 'recipe' && Boolean(e.expected),
      text,
    );
  }
});

test('a tensor by hand, and back to the rest', () => {
  const state = change.chooseTensor(change.choose(opened, chosen), '__proto__', 'keep');
  assert.ok(Object.hasOwn(state.shrink?.choice.tensors ?? {}, '__proto__'));
  assert.deepEqual(change.chooseTensor(state, '__proto__', null).shrink?.choice.tensors, {});
});

test('damage is what was measured, then what the job found; of numbers that are not finite nothing is known', () => {
  /** @type {any} */
  const row = { name: 'w', key: 'k', scheme: { id: 'f16' } };
  const shrink = { ...change.shrinkOf(opened), damage: { k: { sqnrDb: 21, sampled: true } } };
  assert.equal(change.damageOf(shrink, { ...row, scheme: null })?.sqnrDb, Infinity);
  assert.deepEqual(change.damageOf(shrink, row), { sqnrDb: 21, sampled: true });
  assert.deepEqual(change.damageOf({ ...shrink, job: /** @type {any} */ ({ finished: { w: 20 } }) }, row), {
    sqnrDb: 20,
    sampled: false,
  });
  assert.equal(change.damageOf({ ...shrink, job: /** @type {any} */ ({ finished: { w: NaN } }) }, row), null);
  assert.deepEqual(
    [50, 49.9, 10, 9, -3, Infinity].map((sqnrDb) => lossClass({ sqnrDb, sampled: false })),
    ['loss-0', 'loss-1', 'loss-4', 'loss-5', 'loss-5', 'loss-none'],
  );
  assert.equal(lossClass(null), 'loss-unknown');
});

test('reports keep full precision, and a name is no formula', () => {
  const about = { target: 't', from: { dtype: 'F32', byteLength: 8 }, dtype: 'F16', byteLength: 4, count: 2 };
  /** @type {any} */
  const report = {
    tensors: [
      { name: '=HYPERLINK("x")', ...about, scheme: { id: 'f16' }, sqnrDb: 1 / 3, rmse: 0.1, maxAbs: 0.2 },
      { name: 'kept', ...about, scheme: null, sqnrDb: null, rmse: null, maxAbs: null },
      { name: 'exact', ...about, scheme: { id: 'f16' }, sqnrDb: Infinity, rmse: 0, maxAbs: 0 },
    ],
  };
  const [, formula, kept] = reportCsv(report).split('\r\n');
  assert.equal(formula, `"'=HYPERLINK(""x"")",t,F32,8,F16,4,2,"{""id"":""f16""}",0.3333333333333333,0.1,0.2`);
  assert.equal(kept, 'kept,t,F32,8,F16,4,2,,,,');
  assert.equal(JSON.parse(reportJson(report, 'out')).tensors[2].sqnrDb, 'Infinity');
});

test('a size, weights and few tensors chosen by hand are in the address, and what is wrong there is nothing', () => {
  const tensors = { 'a.weight': { id: 'int4', groupSize: 64 }, 'b > c.weight': /** @type {const} */ ('keep') };
  const choice = { ...chosen, scheme: null, targetBytes: 20_000_000, roles: { output: 2.5, attention: 0 }, tensors };
  assert.deepEqual(fromQuery(toQuery(choice)), choice);
  const searched = { ...choice, effort: /** @type {const} */ ('best'), isWeighed: true, isChosen: true };
  assert.deepEqual(fromQuery(toQuery(searched)), searched);
  assert.equal(fromQuery('?choose=run').isChosen, false, 'without a size');
  assert.deepEqual(fromQuery('?weight=output>32&weight=feedForward>2').roles, {}, 'what they count anyway');
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`layer.${i}`, /** @type {const} */ ('keep')]));
  assert.deepEqual(fromQuery(toQuery({ ...choice, tensors: many })).tensors, {});
  for (const query of [
    '?size=-4',
    '?size=x',
    '?size=1e9',
    '?size=',
    '?weight=head>2',
    '?weight=output>-1',
    '?tensor=>keep',
    '?tensor=a>',
  ]) {
    const { targetBytes, roles, tensors: none } = fromQuery(query);
    assert.deepEqual([targetBytes, roles, none], [null, {}, {}], query);
  }
  const hurt = fromQuery('?tensor=__proto__>keep').tensors;
  assert.deepEqual(Object.keys(hurt), ['__proto__']);
});

test('a size takes the place of a scheme for all, and the other way round', () => {
  const aimed = change.aimAt(change.choose(opened, chosen), 1000);
  assert.deepEqual(change.optionsOf(change.shrinkOf(aimed).choice), {
    recipe: { version: 1, to: 'safetensors', rules: [], tensors: {} },
    targetBytes: 1000,
    roles: {},
  });
  assert.equal(change.shrinkOf(change.chooseAll(aimed, 'scheme:bf16')).choice.targetBytes, null);
  const weighed = change.weigh(change.weigh(aimed, 'output', 3), 'other', 2);
  assert.deepEqual(change.shrinkOf(change.weigh(weighed, 'other', 1)).choice.roles, { output: 3 });
});

test('a recipe that was found for a size is taken as it is; a new size keeps only what a hand had chosen', () => {
  const recipe = {
    version: 1,
    to: 'safetensors',
    tensors: { 'a.weight': { id: 'bf16' }, 'b.weight': 'keep' },
    aim: { targetBytes: 80, outputBytes: 78, roles: { output: 4, other: 1, head: 3 }, decided: ['b.weight'] },
  };
  const loaded = change.loadRecipe(opened, JSON.stringify(recipe));
  const { choice } = change.shrinkOf(loaded);
  assert.deepEqual([choice.tensors, choice.targetBytes, choice.roles], [recipe.tensors, null, { output: 4 }]);
  assert.deepEqual(change.shrinkOf(change.aimAt(loaded, 70)).choice.tensors, { 'b.weight': 'keep' });
});
