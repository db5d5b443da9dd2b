import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineClient } from './client.js';

/** A worker that remembers what it was told and answers when the test says so. */
class Puppet {
  constructor() {
    /** @type {any[]} */
    this.told = [];
    this.ended = false;
    /** @type {(event: any) => void} */
    this.onmessage = () => {};
    /** @type {(event: any) => void} */
    this.onerror = () => {};
  }

  /** @param {any} message */
  postMessage(message) {
    this.told.push(message);
  }

  terminate() {
    this.ended = true;
  }

  /** @param {any} data */
  say(data) {
    this.onmessage({ data });
  }

  /** @param {string} type */
  last(type) {
    return this.told.findLast((m) => m.type === type);
  }
}

const settled = () => new Promise((resolve) => void setTimeout(resolve, 0));

function stage() {
  /** @type {Puppet[]} */
  const workers = [];
  const client = new EngineClient(() => {
    workers.push(new Puppet());
    return /** @type {any} */ (workers.at(-1));
  });
  return { client, workers };
}

test('an answer reaches its own call, progress its own listener', async () => {
  const { client, workers } = stage();
  /** @type {any[]} */
  const seen = [];
  const one = client.call('a', { x: 1 }, { onProgress: (p) => seen.push(p) });
  const two = client.call('b');
  await settled();
  assert.deepEqual(workers[0].last('a').x, 1);
  workers[0].say({ id: workers[0].last('b').id, done: 2 });
  workers[0].say({ id: workers[0].last('a').id, progress: 0.5 });
  workers[0].say({ id: workers[0].last('a').id, done: 1 });
  assert.deepEqual(await Promise.all([one, two]), [1, 2]);
  assert.deepEqual(seen, [0.5]);
});

test('in a lane the newest waits and the one it pushed out is superseded, never sent', async () => {
  const { client, workers } = stage();
  const first = client.call('draw', { n: 1 }, { lane: 'draw' });
  const second = client.call('draw', { n: 2 }, { lane: 'draw' });
  const third = client.call('draw', { n: 3 }, { lane: 'draw' });
  await assert.rejects(second, { code: 'superseded' });
  await settled();
  assert.deepEqual(
    workers[0].told.map((m) => m.n),
    [1],
  );
  workers[0].say({ id: workers[0].told[0].id, done: 'one' });
  assert.equal(await first, 'one');
  await settled();
  assert.deepEqual(
    workers[0].told.map((m) => m.n),
    [1, 3],
  );
  workers[0].say({ id: workers[0].told[1].id, done: 'three' });
  assert.equal(await third, 'three');
});

test('a lane that preempts aborts what is under way', async () => {
  const { client, workers } = stage();
  const first = client.call('open', { n: 1 }, { lane: 'open', preempt: true });
  await settled();
  const second = client.call('open', { n: 2 }, { lane: 'open', preempt: true });
  await assert.rejects(first, { code: 'superseded' });
  await settled();
  assert.equal(workers[0].last('abort').id, workers[0].told[0].id);
  workers[0].say({ id: workers[0].told[0].id, done: 'too late' });
  workers[0].say({ id: workers[0].last('open').id, done: 'two' });
  assert.equal(await second, 'two');
});

test('a tensor or a file that was given up too late is put right: what is open is told to the worker again, and calls wait for that', async () => {
  const { client, workers } = stage();
  const answer = async (/** @type {string} */ type, /** @type {any} */ done = type) => {
    workers[0].say({ id: workers[0].last(type).id, done });
    await settled();
  };
  const first = client.call('open', { source: 'a' });
  await settled();
  await answer('open');
  await first;
  const small = client.call('tensor', { name: 'small' });
  await settled();
  await answer('tensor');
  await small;

  const controller = new AbortController();
  const large = client.call('tensor', { name: 'large' }, { signal: controller.signal });
  await settled();
  controller.abort();
  await assert.rejects(large, { code: 'aborted' });
  // The worker could not hear it any more.
  await answer('tensor');
  const told = workers[0].told.length;
  assert.deepEqual([workers[0].told.at(-1).type, workers[0].told.at(-1).name], ['tensor', 'small']);
  const show = client.call('show');
  await settled();
  assert.equal(workers[0].told.length, told);
  await answer('tensor');
  await settled();
  assert.equal(workers[0].told.at(-1).type, 'show');
  await answer('show');
  assert.equal(await show, 'show');

  const other = new AbortController();
  const b = client.call('open', { source: 'b' }, { signal: other.signal });
  await settled();
  other.abort();
  await assert.rejects(b, { code: 'aborted' });
  await answer('open');
  assert.deepEqual([workers[0].told.at(-1).type, workers[0].told.at(-1).source], ['open', 'a']);
  await answer('open');
  assert.deepEqual([workers[0].told.at(-1).type, workers[0].told.at(-1).name], ['tensor', 'small']);
  await answer('tensor');

  // One that failed, or was stopped in time, is nothing to mend; nor is one in whose place another comes.
  const c = client.call('open', { source: 'c' }, { lane: 'open', preempt: true });
  await settled();
  const idOfC = workers[0].last('open').id;
  const d = client.call('open', { source: 'd' }, { lane: 'open', preempt: true });
  await assert.rejects(c, { code: 'superseded' });
  await settled();
  workers[0].say({ id: idOfC, done: 'too late' });
  const opened = workers[0].told.filter(({ type }) => type === 'open').length;
  workers[0].say({ id: workers[0].last('open').id, done: 'd' });
  assert.equal(await d, 'd');
  await settled();
  assert.equal(workers[0].told.filter(({ type }) => type === 'open').length, opened);
});

test('aborting rejects at once and tells the worker', async () => {
  const { client, workers } = stage();
  const controller = new AbortController();
  const call = client.call('read', {}, { signal: controller.signal });
  await settled();
  controller.abort();
  await assert.rejects(call, { code: 'aborted' });
  assert.equal(workers[0].told.at(-1).type, 'abort');
  await assert.rejects(client.call('read', {}, { signal: controller.signal }), { code: 'aborted' });
});

test('errors keep their code and facts', async () => {
  const { client, workers } = stage();
  const call = client.call('open');
  await settled();
  workers[0].say({
    id: workers[0].told[0].id,
    error: { code: 'malformed', message: 'bad header', offset: 8, file: 'x' },
  });
  await assert.rejects(call, { code: 'malformed', message: 'bad header', offset: 8, file: 'x' });
});

test('when the worker dies all calls reject, and the next call opens in a new one what was open', async () => {
  const { client, workers } = stage();
  const open = client.call('open', { source: 'file' });
  await settled();
  workers[0].say({ id: workers[0].told[0].id, done: {} });
  await open;
  const tensor = client.call('tensor', { name: 'w' });
  await settled();
  workers[0].say({ id: workers[0].told[1].id, done: {} });
  await tensor;

  const calls = [client.call('a'), client.call('b', {}, { lane: 'b' }), client.call('b', {}, { lane: 'b' })];
  await settled();
  workers[0].say({ id: workers[0].last('a').id, error: { code: 'worker_died', message: 'unreachable', fatal: true } });
  for (const call of calls) await assert.rejects(call, { code: 'worker_died' });
  assert.ok(workers[0].ended);

  const next = client.call('c', {}, { lane: 'b' });
  await settled();
  assert.deepEqual(
    workers[1].told.map((m) => m.type),
    ['open'],
  );
  workers[1].say({ id: workers[1].told[0].id, done: {} });
  await settled();
  assert.deepEqual(
    workers[1].told.map((m) => [m.type, m.name]),
    [
      ['open', undefined],
      ['tensor', 'w'],
    ],
  );
  workers[1].say({ id: workers[1].told[1].id, done: {} });
  await settled();
  workers[1].say({ id: workers[1].last('c').id, done: 'alive' });
  assert.equal(await next, 'alive');
});
