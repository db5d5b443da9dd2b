/** Several models, one after the other: the rules that the command line and the page share. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchReport, inTurn, isFolder, reportText } from './batch.js';

const failing = (/** @type {string} */ code) => Object.assign(new Error(`it is ${code}`), { code });

test('one that fails is told of, and the others go on', async () => {
  /** @type {string[]} */
  const done = [];
  /** @type {any[]} */
  const failures = [];
  const one = async (/** @type {string} */ item) => {
    if (item === 'b') throw failing('malformed');
    if (item === 'd') throw new TypeError('odd');
    done.push(item);
  };
  const failed = await inTurn(['a', 'b', 'c', 'd', 'e'], one, {
    signal: new AbortController().signal,
    onFailure: (item, why) => void failures.push([item, why]),
  });
  assert.deepEqual([failed, done], [2, ['a', 'c', 'e']]);
  assert.deepEqual(failures, [
    ['b', { code: 'malformed', message: 'it is malformed' }],
    ['d', { code: 'unexpected', message: 'odd' }],
  ]);
});

test('what is about all of them ends it, and so does being interrupted', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  /** @type {string[]} */
  const begun = [];
  const none = () => assert.fail('no failure of a single one');
  const one = async (/** @type {string} */ item) => {
    begun.push(item);
    if (item === 'b') throw failing('usage');
  };
  const isAboutAll = (/** @type {any} */ error) => error.code === 'usage';
  await assert.rejects(inTurn(['a', 'b', 'c'], one, { signal, onFailure: none, isAboutAll }), { code: 'usage' });
  assert.deepEqual(begun, ['a', 'b']);
  const stopping = async (/** @type {string} */ item) => {
    begun.push(item);
    if (item === 'y') controller.abort();
  };
  await assert.rejects(inTurn(['x', 'y', 'z'], stopping, { signal, onFailure: none }), { code: 'aborted' });
  assert.deepEqual(begun, ['a', 'b', 'x', 'y']);
});

test('a model of several files is a folder', () => {
  assert.deepEqual([isFolder([{ name: 'config.json' }]), isFolder([{ name: '' }])], [true, false]);
});

test('a report spells what JSON has no number for', () => {
  const text = reportText(batchReport([{ output: 'a', skipped: true }]));
  assert.deepEqual(JSON.parse(text), { version: 1, outputs: [{ output: 'a', skipped: true }] });
  assert.deepEqual(JSON.parse(reportText({ a: Infinity, b: NaN, c: -Infinity, d: 1 })), {
    ...{ a: 'Infinity', b: 'NaN', c: '-Infinity', d: 1 },
  });
});
