import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHash, toHash } from '../url.js';
import { initialState } from '../state.js';
import { halfEven, meant, meantCode, meantValue } from '../engine/worker-formula.js';
import { readSetting, within, writeSetting } from './setting.js';

test('a setting survives its text, and what is not of a figure is left out', () => {
  const defaults = { bits: 4, rule: 'minmax', shown: false };
  const text = writeSetting({ bits: 3, rule: 'mse', shown: true }, defaults);
  assert.equal(text, 'bits=3;rule=mse;shown=1');
  assert.deepEqual(readSetting(text, defaults), { bits: 3, rule: 'mse', shown: true });
  assert.equal(writeSetting(defaults, defaults), '');
  assert.deepEqual(readSetting('bits=many;rule;evil=1;__proto__=2;shown=0', defaults), defaults);
  assert.equal(within(9.6, 2, 8), 8);
});

test('chapters and settings are in the address; the bare address is the contents', () => {
  const state = {
    ...initialState(),
    room: /** @type {const} */ ('learn'),
    chapter: 5,
    settings: { printed: 'view=zero;bits=4' },
  };
  const hash = toHash(state);
  assert.equal(hash, '#/learn/5?printed=view=zero;bits=4');
  const back = fromHash(initialState(), hash);
  assert.deepEqual([back.room, back.chapter, back.settings], ['learn', 5, { printed: 'view=zero;bits=4' }]);
  for (const bare of ['', '#', '#/', '#/learn', '#/learn/']) {
    const { room, chapter } = fromHash(initialState(), bare);
    assert.deepEqual([room, chapter], ['learn', 0], bare);
  }
  assert.equal(fromHash(initialState(), '#/explore').room, 'explore');
  assert.equal(fromHash(initialState(), '#/learn/5?a=%E0%A4%A').chapter, 5);
});

test('the formula as it is meant: ends map to ends, halves go to even, all is clamped', () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, 2.4999].map(halfEven), [0, 2, 2, 0, 2]);
  const ranges = { low: -1, high: 3, least: -128, most: 127 };
  assert.deepEqual(
    [-1, 3, -9, 9].map((x) => meantCode(x, ranges)),
    [-128, 127, -128, 127],
  );
  assert.equal(meantValue(-128, ranges), -1);
  assert.equal(meantValue(127, ranges), 3);
  const step = 4 / 255;
  const values = Float32Array.from({ length: 1000 }, (_, i) => -1 + (4 * i) / 999);
  meant(values, ranges).forEach((back, i) => assert.ok(Math.abs(back - values[i]) <= step / 2 + 1e-6));
});
