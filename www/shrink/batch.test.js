/** Several models on the page, by the real engine: its worker's answers are asked directly, and the folder is one in memory. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { MemoryFolder } from '../../tests/js/folder.js';
import { gaussians, safetensors } from '../../tests/js/models.js';
import { Batch } from '../engine/worker-batch.js';
import { init } from '../lib/index.js';
import { modelsIn } from '../lib/several.js';
import { initialState } from '../state.js';
import { Store } from '../store.js';
import * as batch from './batch-state.js';
import { BatchSession } from './batch-session.js';
import * as change from './state.js';

await init();

/** @type {any} */
let page;
beforeEach(() => (page = opened()));
afterEach(() => page.answers['shrink-batch-end']());

/** A page with nothing but the list of models. */
function opened() {
  const folder = new MemoryFolder();
  const { answers } = new Batch();
  const store = new Store({ ...initialState(), room: 'shrink' });
  /** @type {string[]} */
  const calls = [];
  const client = {
    async call(/** @type {string} */ type, /** @type {any} */ payload = {}, /** @type {any} */ options = {}) {
      calls.push(type);
      const { signal = new AbortController().signal, onProgress = () => {} } = options;
      // These name the request itself.
      assert.ok(!('id' in payload || 'type' in payload), type);
      if (type === 'shrink-place') return 'memory';
      const answer = answers[type](payload, { signal, tell: onProgress });
      const aborted = new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(Object.assign(new Error('cancelled'), { code: 'aborted' })));
      });
      return Promise.race([answer, aborted]);
    },
  };
  /** @type {string[]} */
  const looks = [];
  const session = {
    async open(/** @type {any} */ _, /** @type {{name: string}} */ { name }) {
      looks.push(name);
      const format = /** @type {any} */ (batch.batchOf(store.state).rows.find((row) => row.name === name)).format;
      store.update((s) => ({ ...s, model: /** @type {any} */ ({ id: looks.length, name, format, tensors: [] }) }));
    },
  };
  const worker = new BatchSession(store, session, /** @type {any} */ (client));
  const rows = () => batch.batchOf(store.state).rows;
  const states = () => Object.fromEntries(rows().map(({ name, state }) => [name, state]));
  return { folder, answers, store, calls, looks, session: worker, rows, states };
}

/** @param {number} seed @param {(values: Float32Array) => void} [change] */
function model(seed, change_ = (/** @type {Float32Array} */ _) => {}) {
  const values = gaussians(64 * 256, seed);
  change_(values);
  return safetensors({ 'blk.0.attn_q.weight': [[64, 256], values], 'norm.b': [[64], gaussians(64, seed + 1)] });
}

/** @param {{[name: string]: Uint8Array | string}} files */
const placed = (files) =>
  modelsIn(
    Object.entries(files).map(([path, x]) => ({
      path,
      file: new File([/** @type {any} */ (x)], path, { lastModified: 1 }),
    })),
  );

const FILES = { 'a.safetensors': model(1), 'b.safetensors': 'no model', 'c.safetensors': model(3) };

/** Waits until a condition holds. @param {() => unknown} holds @param {string} what */
async function until(holds, what) {
  for (let turn = 0; turn < 3000; turn++) {
    if (holds()) return;
    await new Promise((resolve) => void setTimeout(resolve, 5));
  }
  assert.fail(`waited in vain for ${what}: ${JSON.stringify(page.states())}`);
}

const settled = () =>
  until(() => page.rows().every((/** @type {any} */ { state }) => state !== 'waiting'), 'the plans');

/** @param {{[name: string]: Uint8Array | string}} files */
async function added(files) {
  Object.assign(globalThis, { showDirectoryPicker: undefined });
  page.session.add(placed(files));
  await settled();
  await until(() => batch.batchOf(page.store.state).place !== null, 'a place');
  page.store.update((/** @type {any} */ s) => batch.setBatch(s, { place: 'folder' }));
  Object.assign(globalThis, { window: globalThis, showDirectoryPicker: async () => page.folder });
}

test('each model is planned as chosen; a broken one says why, and the first that can be read is opened', async () => {
  await added(FILES);
  assert.deepEqual(page.states(), {
    'a.safetensors': 'planned',
    'b.safetensors': 'failed',
    'c.safetensors': 'planned',
  });
  const [a, b] = page.rows();
  assert.deepEqual([b.problem.code, b.problem.file], ['unknown_format', 'b.safetensors']);
  assert.deepEqual(page.looks, ['a.safetensors']);
  const before = a.outline.outputBytes;
  page.store.update((/** @type {any} */ s) => change.choose(s, { ...a.choice, scheme: { id: 'fp8_e4m3' } }));
  await until(() => page.rows()[2].outline.outputBytes < before, 'the other choice');
  assert.deepEqual(batch.totals(batch.batchOf(page.store.state)).before, 2 * (64 * 256 + 64) * 4);
  // The same files dropped again are no others.
  page.session.add(placed(FILES));
  assert.equal(page.rows().length, 3);
});

test('all are shrunk to one folder; one that fails in the middle is named, and the others go on', async () => {
  await added({
    'a.safetensors': model(1),
    'm.safetensors': model(2, (values) => void (values[7] = NaN)),
    'z.safetensors': model(3),
  });
  page.store.update((/** @type {any} */ s) =>
    change.choose(s, { ...page.rows()[0].choice, to: 'gguf', layout: null, scheme: { id: 'q8_0' } }),
  );
  await until(() => page.rows().every((/** @type {any} */ row) => row.choice.to === 'gguf'), 'plans for GGUF');
  await page.session.start();
  assert.deepEqual(page.states(), { 'a.safetensors': 'done', 'm.safetensors': 'failed', 'z.safetensors': 'done' });
  assert.deepEqual(page.folder.names, ['a-q8_0.gguf', 'z-q8_0.gguf']);
  const { problem } = page.rows()[1];
  assert.deepEqual(
    [problem.code, problem.tensor, problem.file],
    ['non_finite', 'blk.0.attn_q.weight', 'm.safetensors'],
  );
  for (const { outline, output } of [page.rows()[0], page.rows()[2]]) {
    assert.equal(page.folder.entries.get(output).size, outline.outputBytes);
  }
  const { version, outputs } = batch.reportOf(batch.batchOf(page.store.state));
  assert.equal(version, 1);
  assert.deepEqual(
    outputs.map((/** @type {any} */ x) => x.output ?? [x.input, x.failed.code]),
    ['a-q8_0.gguf', ['m.safetensors', 'non_finite'], 'z-q8_0.gguf'],
  );
  const first = /** @type {any} */ (outputs[0]);
  assert.ok(first.tensors[0].sqnrDb > 30 && first.tensors.length === 2);
  const { job } = batch.batchOf(page.store.state);
  assert.deepEqual([job?.state, job?.before, job?.isCancelled], ['over', job?.total, false]);
});

test('going on does again only what was not done, without asking for the folder again', async () => {
  await added({ 'a.safetensors': model(1), 'b.safetensors': model(2), 'c.safetensors': model(3) });
  let broken = true;
  page.folder.onWrite = (/** @type {string} */ name) => {
    if (broken && name.startsWith('b-')) throw new Error('no room');
  };
  await page.session.start();
  assert.deepEqual(page.states(), { 'a.safetensors': 'done', 'b.safetensors': 'failed', 'c.safetensors': 'done' });
  assert.equal(page.rows()[1].problem.code, 'unwritable');
  assert.deepEqual(page.folder.names, ['a-f16.safetensors', 'c-f16.safetensors']);
  broken = false;
  Object.assign(globalThis, { showDirectoryPicker: () => assert.fail('asked again') });
  page.calls.length = 0;
  await page.session.start();
  assert.equal(page.calls.filter((/** @type {string} */ x) => x === 'shrink-batch-run').length, 1);
  assert.deepEqual(page.states(), { 'a.safetensors': 'done', 'b.safetensors': 'done', 'c.safetensors': 'done' });
  assert.deepEqual(page.folder.names, ['a-f16.safetensors', 'b-f16.safetensors', 'c-f16.safetensors']);
});

test('what stands there from an earlier visit is left out, unless it is to be overwritten or is not complete', async () => {
  await added({ 'a.safetensors': model(1), 'b.safetensors': model(2) });
  await page.session.start();
  const earlier = page.folder;
  earlier.entries.set('b-f16.safetensors', new Blob(['half']));
  const kept = earlier.entries.get('a-f16.safetensors');
  page.answers['shrink-batch-end']();
  page = opened();
  page.folder = earlier;
  await added({ 'a.safetensors': model(1), 'b.safetensors': model(2) });
  await page.session.start();
  assert.deepEqual(page.states(), { 'a.safetensors': 'skipped', 'b.safetensors': 'failed' });
  assert.equal(page.rows()[1].problem.code, 'exists');
  assert.equal(earlier.entries.get('a-f16.safetensors'), kept);
  assert.equal(earlier.entries.get('b-f16.safetensors').size, 4);
  assert.deepEqual(batch.reportOf(batch.batchOf(page.store.state)).outputs[0], {
    output: 'a-f16.safetensors',
    skipped: true,
  });
  page.store.update((/** @type {any} */ s) => batch.setBatch(s, { overwrite: true }));
  // One that is there stays what it was when the new one fails.
  earlier.onWrite = () => {
    throw new Error('no room');
  };
  await page.session.start();
  assert.equal(await earlier.entries.get('b-f16.safetensors').text(), 'half');
  earlier.onWrite = () => {};
  await page.session.start();
  assert.deepEqual(page.states(), { 'a.safetensors': 'skipped', 'b.safetensors': 'done' });
  assert.equal(earlier.entries.get('b-f16.safetensors').size, kept.size);
  page.session.anew();
  await settled();
  await page.session.start();
  assert.deepEqual(page.states(), { 'a.safetensors': 'done', 'b.safetensors': 'done' });
  assert.notEqual(earlier.entries.get('a-f16.safetensors'), kept);
});

test('a file of the same length and another content is not left out, nor overwritten untold', async () => {
  await added({ 'a.safetensors': model(1) });
  await page.session.start();
  const earlier = page.folder;
  page.answers['shrink-batch-end']();
  page = opened();
  page.folder = earlier;
  // The same names and shapes, so that the header is the same; other weights.
  await added({ 'a.safetensors': model(5) });
  await page.session.start();
  assert.deepEqual(page.states(), { 'a.safetensors': 'failed' });
  const [{ problem }] = page.rows();
  assert.deepEqual([problem.code, problem.file], ['exists', 'a-f16.safetensors']);
  assert.ok(problem.offset > 8 && /^bytes /.test(problem.expected) && /^bytes /.test(problem.found), problem.message);
});

test('what was saved is known file by file, and what was not is at stake', async () => {
  await added({ 'a.safetensors': model(1), 'b.safetensors': model(2) });
  const file = () => new Blob(['x']);
  const [a, b] = page.rows();
  page.store.update((/** @type {any} */ s) => {
    const two = batch.setRow(s, a.id, {
      made: [
        { name: 'config.json', file: file() },
        { name: 'w.safetensors', file: file() },
      ],
    });
    return batch.setRow(two, b.id, { made: [{ name: 'b.safetensors', file: file() }] });
  });
  const all = () => batch.batchOf(page.store.state);
  assert.equal(batch.atStake(all()).length, 3);
  page.store.update((/** @type {any} */ s) => batch.saved(s, a.id, all().rows[0].made[1]));
  assert.deepEqual(
    [batch.atStake(all(), a.id).map(({ name }) => name), batch.atStake(all()).length],
    [['config.json'], 2],
  );
});

test('where the browser has no room, what was saved makes some; then the model fails by name', async () => {
  const disk = { quota: 1 << 20, usage: 0 };
  const removed = /** @type {string[]} */ ([]);
  const folder = {
    getDirectoryHandle: async (/** @type {string} */ name) => ({ ...folder, name }),
    getFileHandle: async () => ({
      createSyncAccessHandle: async () => ({
        write: (/** @type {Uint8Array} */ bytes) => ((disk.usage += bytes.length), bytes.length),
        close() {},
      }),
      getFile: async () => new Blob(['made']),
    }),
    removeEntry: async (/** @type {string} */ name) => void removed.push(name),
  };
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const storage = { getDirectory: async () => folder, estimate: async () => ({ ...disk }) };
  Object.defineProperty(globalThis, 'navigator', { value: { storage }, configurable: true });
  try {
    await added({ 'a.safetensors': model(1), 'b.safetensors': model(2) });
    page.store.update((/** @type {any} */ s) => batch.setBatch(s, { place: 'storage' }));
    await page.session.start();
    assert.deepEqual(page.states(), { 'a.safetensors': 'done', 'b.safetensors': 'done' });
    const [a] = page.rows();
    page.store.update((/** @type {any} */ s) => batch.saved(s, a.id, a.made[0]));
    page.session.remove(a.id);
    await until(() => page.rows().length === 1, 'one model');
    assert.deepEqual(removed, [], 'a download may still read it');
    page.session.add(placed({ 'c.safetensors': model(3) }));
    await settled();
    disk.usage = disk.quota;
    await page.session.start();
    assert.equal(removed.length, 1, 'now it makes room');
    assert.deepEqual(page.states(), { 'b.safetensors': 'done', 'c.safetensors': 'failed' });
    const { problem } = page.rows()[1];
    assert.deepEqual([problem.code, problem.file, problem.found], ['no_room', 'c.safetensors', 'room for 0 bytes']);
    disk.usage = 0;
    await page.session.start();
    assert.deepEqual(page.states(), { 'b.safetensors': 'done', 'c.safetensors': 'done' });
    // What was not saved is thrown away at once when that was asked for.
    page.session.close();
    await until(() => removed.length === 3, 'an empty storage');
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  }
});

test('cancelling leaves nothing half-written and keeps what is finished; it goes on from there', async () => {
  await added({ 'a.safetensors': model(1), 'b.safetensors': model(2), 'c.safetensors': model(3) });
  /** @type {() => void} */
  let release = () => {};
  const held = new Promise((resolve) => (release = () => resolve(undefined)));
  page.folder.onWrite = (/** @type {string} */ name) => {
    if (!name.startsWith('b-')) return;
    page.session.cancel();
    return held;
  };
  await page.session.start();
  assert.deepEqual(page.states(), { 'a.safetensors': 'done', 'b.safetensors': 'planned', 'c.safetensors': 'planned' });
  assert.equal(batch.batchOf(page.store.state).job?.isCancelled, true);
  page.folder.onWrite = () => {};
  const again = page.session.start();
  release();
  await again;
  assert.deepEqual(page.states(), { 'a.safetensors': 'done', 'b.safetensors': 'done', 'c.safetensors': 'done' });
  assert.deepEqual(page.folder.names, ['a-f16.safetensors', 'b-f16.safetensors', 'c-f16.safetensors']);
  for (const { outline, output } of page.rows()) {
    assert.equal(page.folder.entries.get(output).size, outline.outputBytes, output);
  }
});

test('cancelled and not gone on with, nothing of the one under way stays', async () => {
  await added({ 'a.safetensors': model(1), 'b.safetensors': model(2) });
  page.folder.onWrite = () => void page.session.cancel();
  await page.session.start();
  await until(() => page.folder.names.length === 0, 'an empty folder');
  assert.deepEqual(page.states(), { 'a.safetensors': 'planned', 'b.safetensors': 'planned' });
});

test('where there is no folder each result waits in memory until it is let go', async () => {
  Object.assign(globalThis, { showDirectoryPicker: undefined });
  page.session.add(placed({ 'a.safetensors': model(1), 'b.safetensors': model(2) }));
  await settled();
  page.store.update((/** @type {any} */ s) => batch.setBatch(s, { place: 'memory' }));
  await page.session.start();
  const made = page
    .rows()
    .map((/** @type {any} */ row) => [row.made[0].name, row.made[0].file.size, batch.unsaved(row).length === 0]);
  const size = page.rows()[0].outline.outputBytes;
  assert.deepEqual(made, [
    ['a-f16.safetensors', size, false],
    ['b-f16.safetensors', size, false],
  ]);
  page.session.close();
  assert.equal(page.store.state.batch, null);
});

test('a size is that of each model; one out of reach fails by itself, before anything is written', async () => {
  await added({
    'a.safetensors': model(1),
    'big.safetensors': safetensors({ 'a.weight': [[512, 512], gaussians(512 * 512)] }),
  });
  page.store.update((/** @type {any} */ s) =>
    change.choose(s, { ...page.rows()[0].choice, to: 'gguf', layout: null, scheme: { id: 'q8_0' }, targetBytes: 9000 }),
  );
  await until(() => page.rows().every((/** @type {any} */ row) => row.choice.targetBytes === 9000), 'plans for a size');
  assert.deepEqual(page.states(), { 'a.safetensors': 'planned', 'big.safetensors': 'failed' });
  assert.equal(page.rows()[1].problem.code, 'unreachable');
  await page.session.start();
  assert.equal(page.rows()[0].state, 'done');
  assert.ok(page.rows()[0].report.outputBytes <= 9000);
  assert.deepEqual(page.folder.names, ['a-0.00900MB.gguf']);
});

test('formats that a choice is not for keep their own', async () => {
  await added({ 'a.safetensors': model(1), 'b.safetensors': model(2) });
  const state = page.store.state;
  /** @type {any} */
  const all = {
    ...state,
    batch: { ...state.batch, rows: ['gguf', 'onnx'].map((format, id) => ({ ...state.batch.rows[0], id, format })) },
  };
  const gguf = { ...all, model: { ...state.model, format: 'gguf' } };
  const chosen = batch.follow(
    change.choose(gguf, { ...page.rows()[0].choice, to: 'gguf', preset: 'Q5_K_M', scheme: null }),
  );
  assert.equal(batch.choiceFor(batch.batchOf(chosen), 'gguf')?.preset, 'Q5_K_M');
  assert.deepEqual(batch.choiceFor(batch.batchOf(chosen), 'onnx')?.scheme, { id: 'int8' });
  // What is opened next has its own again.
  const onnx = { ...chosen, model: { ...state.model, format: 'onnx' } };
  const back = batch.follow(
    change.choose(onnx, { ...batch.choiceFor(batch.batchOf(chosen), 'onnx'), scheme: { id: 'int4' } }),
  );
  assert.deepEqual(batch.choiceFor(batch.batchOf(back), 'onnx')?.scheme, { id: 'int4' });
  assert.equal(change.fitted({ ...back, model: { ...state.model, format: 'gguf' } })?.preset, 'Q5_K_M');
});

test('what is usual for one format is not forced on another, and looking at a model chooses nothing', async () => {
  const { readFile } = await import('node:fs/promises');
  const gguf = await readFile(new URL('../../tests/data/hugging_face/llama/expected.gguf', import.meta.url));
  await added({ 'a.gguf': gguf, 'b.safetensors': model(1) });
  const becomes = () =>
    page.rows().map((/** @type {any} */ { choice }) => [choice.to, choice.preset ?? choice.scheme.id]);
  const usual = [
    ['gguf', 'Q4_K_M'],
    ['safetensors', 'f16'],
  ];
  assert.deepEqual(becomes(), usual);
  for (const id of [2, 1]) {
    await page.session.look(id);
    await settled();
    assert.deepEqual(becomes(), usual);
    assert.equal(change.shrinkOf(page.store.state).choice.to, usual[id - 1][0]);
  }
  // A format to write that a hand chose is for all that can be written so.
  const { choice } = change.shrinkOf(page.store.state);
  page.store.update((/** @type {any} */ s) => change.choose(s, { ...choice, preset: null, scheme: { id: 'q8_0' } }));
  await until(() => becomes().every(([to, what]) => to === 'gguf' && what === 'q8_0'), 'q8_0 for both');
  page.store.update((/** @type {any} */ s) => change.choose(s, choice));
  await until(() => becomes().every(([, what]) => what === 'Q4_K_M'), 'Q4_K_M for both');
});

test('names of outputs are told apart', () => {
  const row = {
    choice: {
      ...change.firstChoice({
        to: 'safetensors',
        presets: [],
        schemes: [{ kind: 'cast', ids: ['f16'] }],
        layouts: [],
        title: '',
        extension: 'safetensors',
      }),
    },
    format: 'safetensors',
    outline: { files: 1 },
  };
  /** @type {any} */
  const rows = [
    { ...row, id: 1, name: 'x/model.safetensors' },
    { ...row, id: 2, name: 'x-model.safetensors' },
    { ...row, id: 3, name: 'folder', outline: { files: 3 } },
    { ...row, id: 4, name: 'unplanned', outline: null },
    { ...row, id: 5, name: '..\\C:evil\n.safetensors' },
  ];
  assert.deepEqual(
    [...batch.outputNames(rows)],
    [
      [1, 'x-model-f16.safetensors'],
      [2, 'x-model-f16-2.safetensors'],
      [3, 'folder-f16'],
      [5, '..-C-evil--f16.safetensors'],
    ],
  );
});
