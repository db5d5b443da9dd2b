import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as change from './state.js';
import { fromHash, parseScheme, schemeText, toHash } from './url.js';

/** @type {any[]} */
const catalogue = [
  {
    id: 'int8',
    family: 'affine',
    bits: 8,
    options: [
      { name: 'symmetric', kind: 'flag', default: true },
      { name: 'granularity', kind: 'choice', default: 'tensor', values: [{ value: 'tensor' }, { value: 'group' }] },
      { name: 'groupSize', kind: 'integer', default: 32, min: 1, max: 1024, when: { granularity: ['group'] } },
      { name: 'range', kind: 'choice', default: 'minmax', values: [{ value: 'minmax' }, { value: 'manual' }] },
      { name: 'rangeLow', kind: 'number', default: -1, when: { range: ['manual'] } },
      { name: 'rangeHigh', kind: 'number', default: 1, when: { range: ['manual'] } },
    ],
  },
  {
    id: 'other',
    family: 'other',
    bits: null,
    options: [{ name: 'ratio', kind: 'number', default: 0, min: 0, max: 1 }],
  },
];
const tensors = [
  { name: 'b', dtype: 'F32', shape: [4], byteLength: 16, count: 4, row: [1, 4], readable: true },
  { name: 'layer.10.w', dtype: 'F16', shape: [4, 8], byteLength: 64, count: 32, row: [4, 8], readable: true },
  { name: 'layer.9.w', dtype: 'F32', shape: [2, 2], byteLength: 16, count: 4, row: [2, 2], readable: true },
];
const start = () => change.setCatalogue({ ...change.initialState(), sides: { a: null, b: { id: 'int8' } } }, catalogue);

test('a scheme keeps only options that it knows, that differ and that have a say', () => {
  assert.deepEqual(change.tidy(catalogue, { id: 'int8', symmetric: true, groupSize: 64, foo: 1 }), { id: 'int8' });
  assert.deepEqual(change.tidy(catalogue, { id: 'int8', granularity: 'group', groupSize: 5000 }), {
    id: 'int8',
    granularity: 'group',
    groupSize: 1024,
  });
  assert.deepEqual(
    change.tidy(catalogue, { id: 'int8', granularity: 'nonsense', symmetric: /** @type {any} */ ('yes') }),
    { id: 'int8' },
  );
  assert.equal(change.tidy(catalogue, { id: 'nobody' }), null);
});

test('side B never becomes float and side A may', () => {
  const state = start();
  assert.equal(change.setScheme(state, 'b', null), state);
  assert.equal(change.setScheme(change.setScheme(state, 'a', { id: 'int8' }), 'a', null).sides.a, null);
});

test('clip handles make the range manual and keep zero in it', () => {
  const state = change.setRange(start(), 'b', [0.25, 0.5], true);
  assert.deepEqual(state.sides.b, { id: 'int8', range: 'manual', rangeLow: 0, rangeHigh: 0.5 });
  const other = { ...state, sides: { a: null, b: { id: 'other' } } };
  assert.equal(change.setRange(other, 'b', [-1, 1], true), other);
});

test('a range by hand starts where the levels lie', () => {
  const result = /** @type {any} */ ({ b: { run: { low: -0.5, high: 0.25 } } });
  const state = change.setOption({ ...start(), result }, 'b', 'range', 'manual');
  assert.deepEqual(state.sides.b, { id: 'int8', range: 'manual', rangeLow: -0.5, rangeHigh: 0.25 });
});

test('a state that does not change is the same object', () => {
  const state = start();
  assert.equal(change.setOption(state, 'b', 'symmetric', true), state);
  assert.equal(change.chooseTensor(state, 'no such tensor'), state);
  assert.equal(change.select(state, null), state);
});

test('the list is filtered by words over name, type and shape, and sorted with numbers as numbers', () => {
  const list = { query: '', sort: 'name', descending: false, dtype: '' };
  assert.deepEqual(
    change.listed(tensors, list).map((t) => t.name),
    ['b', 'layer.9.w', 'layer.10.w'],
  );
  assert.deepEqual(
    change.listed(tensors, { ...list, descending: true }).map((t) => t.name),
    ['layer.10.w', 'layer.9.w', 'b'],
  );
  assert.deepEqual(
    change.listed(tensors, { ...list, query: 'layer f16' }).map((t) => t.name),
    ['layer.10.w'],
  );
  assert.deepEqual(
    change.listed(tensors, { ...list, query: '2x2' }).map((t) => t.name),
    ['layer.9.w'],
  );
  assert.deepEqual(
    change.listed(tensors, { ...list, dtype: 'F32', sort: 'order' }).map((t) => t.name),
    ['b', 'layer.9.w'],
  );
});

test('a new model is shown at its largest matrix, with nothing left of the one before', () => {
  const before = {
    ...start(),
    model: /** @type {any} */ ({ id: 1, tensors }),
    tensor: 'gone',
    selected: 7,
    problem: /** @type {any} */ ({}),
  };
  const state = change.modelOpened(before, /** @type {any} */ ({ id: 2, tensors }));
  assert.equal(state.tensor, 'layer.10.w');
  assert.equal(state.selected, null);
  assert.equal(state.problem, null);
});

test('the first model keeps what the address asked for', () => {
  const asked = { ...start(), tensor: 'layer.9.w', selected: 3 };
  const state = change.modelOpened(asked, /** @type {any} */ ({ id: 1, tensors }));
  assert.deepEqual([state.tensor, state.selected], ['layer.9.w', 3]);
});

test('the natural axis is symmetric where the weights nearly are', () => {
  const stats = (/** @type {number} */ min, /** @type {number} */ max) =>
    change.naturalAxis(/** @type {any} */ ({ min, max }));
  assert.deepEqual(stats(-1, 0.9), [-1.06, 1.06]);
  assert.deepEqual(stats(0, 1), [-0.06, 1.06]);
  assert.ok(stats(5, 5)[0] < 5 && stats(5, 5)[1] > 5);
  assert.deepEqual(stats(NaN, NaN), [-1, 1]);
});

test('the address holds tensor, schemes, view and weight, and gives them back', () => {
  const state = {
    ...start(),
    model: /** @type {any} */ ({ url: null, tensors }),
    tensor: 'ein/name & more=50% ü.w',
    sides: { a: { id: 'other', ratio: 0.5 }, b: { id: 'int8', granularity: 'group', groupSize: 64, symmetric: false } },
    view: {
      log: true,
      axis: /** @type {[number, number]} */ ([-0.5, 0.25]),
      matrix: /** @type {const} */ ('error'),
      split: 0.25,
      region: /** @type {any} */ ([0, 4, 2, 8]),
    },
    selected: 12,
  };
  const back = fromHash(start(), toHash(state));
  for (const key of /** @type {const} */ (['tensor', 'sides', 'view', 'selected']))
    assert.deepEqual(back[key], state[key], key);
});

test('an address of nonsense gives the defaults', () => {
  const back = fromHash(start(), '#/explore?b=float&x=3,1&r=9&s=7&w=-3&m=what&t=%E0%A4%A&log');
  assert.deepEqual(back.sides, { a: null, b: { id: 'int4' } });
  assert.deepEqual([back.view.axis, back.view.region, back.view.split, back.selected], [null, null, 1, null]);
});

test('an address of a model elsewhere is offered, not opened', () => {
  assert.equal(
    fromHash(start(), '#/explore?from=https://example.org/m.safetensors').offered,
    'https://example.org/m.safetensors',
  );
  assert.equal(fromHash(start(), '#/explore?from=javascript:alert(1)').offered, null);
});

test('schemes are written as text and read back', () => {
  for (const scheme of [null, { id: 'int8' }, { id: 'x', a: true, b: -0.125, c: 'kl' }]) {
    assert.deepEqual(parseScheme(schemeText(scheme)), scheme);
  }
});

test('a channel axis that a tensor lacks becomes its last', () => {
  const sides = { a: null, b: { id: 'int4', granularity: 'channel', axis: 1 } };
  const state = { ...change.initialState(), sides };
  assert.equal(change.sidesFor(state, [3, 4], 4), sides);
  assert.deepEqual(change.sidesFor(state, [3], 3), { a: null, b: { id: 'int4', granularity: 'channel', axis: 0 } });
});

test('blocks run over rows that they do not divide, and only over those', () => {
  const flatten = { name: 'flatten', kind: 'flag', default: false, title: '', help: '' };
  const blocks = [...catalogue, { ...catalogue[0], id: 'q8_0', blockSize: 32, options: [flatten] }];
  const at = (/** @type {number} */ columns, /** @type {any} */ b) => ({
    ...change.initialState(),
    catalogue: /** @type {any} */ (blocks),
    sides: { a: null, b },
    data: /** @type {any} */ ({ matrix: [4, columns] }),
  });
  assert.deepEqual(change.setScheme(at(72, { id: 'int8' }), 'b', { id: 'q8_0' }).sides.b, {
    id: 'q8_0',
    flatten: true,
  });
  assert.deepEqual(change.setScheme(at(64, { id: 'int8' }), 'b', { id: 'q8_0' }).sides.b, { id: 'q8_0' });
  assert.deepEqual(change.sidesFor(at(64, { id: 'q8_0' }), [4, 72], 72).b, { id: 'q8_0', flatten: true });
  assert.deepEqual(change.sidesFor(at(72, { id: 'q8_0', flatten: true }), [4, 64], 64).b, { id: 'q8_0' });
  // What a person chose stays.
  assert.deepEqual(change.sidesFor(at(64, { id: 'q8_0', flatten: true }), [4, 96], 96).b, {
    id: 'q8_0',
    flatten: true,
  });
});
