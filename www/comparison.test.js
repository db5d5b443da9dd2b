import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Comparison, plainScheme } from './comparison.js';
import { initialState } from './state.js';
import { Store } from './store.js';

const nonFinite = { name: 'nonFinite', kind: 'choice', default: 'error', values: [{ value: 'saturate' }] };
/** @type {any[]} */
const catalogue = [
  { id: 'int4', options: [nonFinite] },
  { id: 'q4', blockSize: 32, options: [{ name: 'flatten', kind: 'flag', default: false }] },
  { id: 'bad', options: [] },
];
const stats = { count: 40, nan: 0, infinite: 0 };
const opened = () =>
  new Store(
    /** @type {any} */ ({
      ...initialState(),
      catalogue,
      model: { id: 1 },
      data: { name: 'w', stats, matrix: [1, 40] },
    }),
  );

/** A session whose worker answers when the test says so. */
function puppet() {
  /** @type {any[]} */
  const asked = [];
  const pending = { size: 0 };
  const call = (/** @type {string} */ type, /** @type {any} */ payload) =>
    new Promise((resolve, reject) => {
      pending.size++;
      const settle = (/** @type {(value: any) => void} */ how) => (/** @type {any} */ value) => {
        pending.size--;
        how(value);
      };
      asked.push({ type, ...payload, answer: settle(resolve), refuse: settle(reject) });
    });
  return { asked, session: { stirred: -Infinity, client: { pending, call } } };
}

const waitWhile = async (/** @type {() => boolean} */ still) => {
  for (let i = 0; i < 200 && still(); i++) await new Promise((done) => void setTimeout(done, 5));
};

test('a scheme stands for itself as the tensor can have it', () => {
  const { state } = opened();
  assert.deepEqual(plainScheme(state, 'int4'), { id: 'int4' });
  assert.deepEqual(plainScheme(state, 'q4'), { id: 'q4', flatten: true });
  const odd = /** @type {any} */ ({ ...state, data: { ...state.data, stats: { ...stats, nan: 1 } } });
  assert.deepEqual(plainScheme(odd, 'int4'), { id: 'int4', nonFinite: 'saturate' });
});

test('schemes are tried one after the other, only while watched; a refused one is noted and the rest goes on', async () => {
  const store = opened();
  const { asked, session } = puppet();
  const comparison = new Comparison(store, session);
  await waitWhile(() => asked.length > 0);
  assert.equal(asked.length, 0);
  comparison.watch(true);
  await waitWhile(() => asked.length < 1);
  assert.deepEqual([asked.length, asked[0].type, asked[0].name], [1, 'compare', 'w']);
  asked[0].answer({ bits: 4, sqnrDb: 20, from: 40 });
  await waitWhile(() => asked.length < 2);
  assert.deepEqual(asked[1].scheme, { id: 'q4', flatten: true });
  asked[1].answer({ bits: 4.5, sqnrDb: 21, from: 40 });
  await waitWhile(() => asked.length < 3);
  asked[2].refuse(Object.assign(new Error('no'), { code: 'invalid_option' }));
  await waitWhile(() => Object.keys(store.state.compared?.schemes ?? {}).length < 3);
  assert.deepEqual(store.state.compared?.schemes.bad, { failed: 'invalid_option' });
  assert.equal(asked.length, 3);
});

test('nothing is tried while something else is asked for or was just now', async () => {
  const store = opened();
  const { asked, session } = puppet();
  const comparison = new Comparison(store, session);
  session.client.pending.size = 1;
  comparison.watch(true);
  await new Promise((done) => void setTimeout(done, 120));
  assert.equal(asked.length, 0);
  session.client.pending.size = 0;
  session.stirred = performance.now();
  await new Promise((done) => void setTimeout(done, 100));
  assert.equal(asked.length, 0);
  await waitWhile(() => asked.length < 1);
  assert.equal(asked.length, 1);
  comparison.watch(false);
});

test('what was found out about a tensor is there again when it is', async () => {
  const store = opened();
  const { asked, session } = puppet();
  const comparison = new Comparison(store, session);
  comparison.watch(true);
  for (let i = 0; i < 3; i++) {
    await waitWhile(() => asked.length <= i);
    asked[i].answer({ bits: 4, sqnrDb: i, from: 40 });
  }
  await waitWhile(() => Object.keys(store.state.compared?.schemes ?? {}).length < 3);
  const first = store.state.data;
  store.update((s) => /** @type {any} */ ({ ...s, data: { ...s.data, name: 'other' } }));
  await waitWhile(() => asked.length < 4);
  asked[3].answer({ bits: 4, sqnrDb: 9, from: 40 });
  await waitWhile(() => store.state.compared?.key !== JSON.stringify([1, 'other']));
  store.update((s) => ({ ...s, data: first }));
  await waitWhile(() => store.state.compared?.key !== JSON.stringify([1, 'w']));
  assert.equal(Object.keys(store.state.compared?.schemes ?? {}).length, 3);
  assert.ok(asked.slice(4).every(({ name }) => name === 'other'));
  comparison.watch(false);
});
