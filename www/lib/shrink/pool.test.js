import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Pool, readyWorkers } from './pool.js';

/**
 * A pool whose workers do as they are told: `behave(message, nth worker)` gives the answer, `'die'` or nothing.
 * @param {number} count
 * @param {(message: any, worker: number) => any} behave
 */
function scripted(count, behave) {
  const log = { spawned: 0, ended: 0 };
  const pool = new Pool(count, {
    on(message, died) {
      const worker = ++log.spawned;
      return {
        post(data) {
          const answer = behave(data, worker);
          if (answer === 'die') queueMicrotask(() => died('out of memory'));
          else if (answer) queueMicrotask(() => message({ id: data.id, ...answer }));
        },
        end: () => void log.ended++,
      };
    },
  });
  return { pool, log };
}

const rows = (first = 0) => ({
  ...{ packing: '{"pack":"cast","dtype":"F16"}', dtype: 'F32', bigEndian: false, dims: [1, 4], first },
  bytes: new Uint8Array(16),
});

test('a worker that dies fails what it had in hand and another takes its place', async () => {
  const { pool, log } = scripted(1, (data, worker) => (worker === 1 ? 'die' : { parts: [], count: data.first }));
  await assert.rejects(pool.pack(rows()), { code: 'worker_died', found: 'out of memory' });
  assert.equal((await pool.pack(rows(7))).count, 7);
  assert.deepEqual([pool.deaths, log.spawned, log.ended], [1, 2, 1]);
  pool.close();
});

test('what a dying worker had not begun says so, and what waits is done by its successor', async () => {
  const { pool } = scripted(1, (data, worker) => (worker === 1 ? 'die' : { parts: [], count: data.first }));
  const [first, second, third] = /** @type {any[]} */ (
    await Promise.allSettled([1, 2, 3].map((at) => pool.pack(rows(at))))
  );
  assert.deepEqual([first.reason.code, first.reason.bystander], ['worker_died', undefined]);
  assert.deepEqual([second.reason.code, second.reason.bystander], ['worker_died', true]);
  assert.equal(third.value?.count, 3);
});

test('a worker has the next job at hand, but no more: the others wait for whoever is free first', async () => {
  /** @type {number[][]} */
  const handed = [[], []];
  const { pool } = scripted(2, (data, worker) => void handed[worker - 1].push(data.first));
  const settled = Promise.allSettled([0, 1, 2, 3, 4, 5].map((at) => pool.pack(rows(at))));
  assert.deepEqual(handed, [
    [0, 2],
    [1, 3],
  ]);
  pool.close();
  await settled;
});

test('a worker that says that its engine trapped is replaced', async () => {
  const { pool, log } = scripted(1, (_, worker) => (worker === 1 ? { died: 'unreachable' } : { parts: [] }));
  await assert.rejects(pool.pack(rows()), { code: 'worker_died', found: 'unreachable' });
  await pool.pack(rows());
  assert.equal(log.spawned, 2);
});

test('a pool starts no more workers than it may and no sooner than needed', async () => {
  const { pool, log } = scripted(2, () => ({ parts: [] }));
  await pool.pack(rows());
  assert.equal(log.spawned, 1);
  await Promise.all(Array.from({ length: 9 }, () => pool.pack(rows())));
  assert.equal(log.spawned, 2);
});

test('a closed pool ends its workers and rejects what is under way and what comes', async () => {
  const { pool, log } = scripted(1, () => null);
  const settled = Promise.allSettled([pool.pack(rows()), pool.pack(rows())]);
  pool.close();
  for (const { status, reason } of /** @type {any[]} */ (await settled)) {
    assert.deepEqual([status, reason.code], ['rejected', 'aborted']);
  }
  assert.equal(log.ended, 1);
  await assert.rejects(pool.pack(rows()), { code: 'freed' });
});

test('an error of the engine comes over with its facts', async () => {
  const error = { code: 'non_finite', message: 'a NaN at 3', offset: 3, found: 'NaN' };
  const { pool } = scripted(1, () => ({ error }));
  await assert.rejects(pool.pack(rows()), { name: 'FewerbitsError', ...error });
});

test('real threads pack in the memory that they were handed', async () => {
  const pool = new Pool(2);
  try {
    const bytes = new Uint8Array(Float32Array.of(1, -2, 0.5, 0.1).buffer);
    const packed = await pool.pack({ ...rows(), bytes });
    assert.equal(bytes.length, 0, 'the buffer was handed over');
    assert.deepEqual([...new Uint16Array(packed.parts[0].slice().buffer)], [0x3c00, 0xc000, 0x3800, 0x2e66]);
    assert.equal(packed.parts[0].buffer.byteLength, 16);
    assert.equal(packed.count, 4);
    assert.ok(Math.abs(packed.energy - 5.26) < 1e-6 && packed.error2 > 0 && packed.maxAbs < 1e-4);
    const nan = new Uint8Array(Float32Array.of(1, 2, NaN, 3).buffer);
    await assert.rejects(pool.pack({ ...rows(100), bytes: nan }), { code: 'non_finite', offset: 102 });
    assert.ok(pool.memory > 0);
  } finally {
    pool.close();
  }
});

test('workers that stand ready are taken over; one that dies before is forgotten; what is not wanted ends', async () => {
  const log = { spawned: 0, ended: 0 };
  /** @type {((why: string) => void)[]} */
  const kill = [];
  const spawner = {
    on(/** @type {(data: any) => void} */ message, /** @type {(why: string) => void} */ died) {
      log.spawned++;
      kill.push(died);
      return {
        post: (/** @type {any} */ data) => queueMicrotask(() => message({ id: 0, parts: [], count: data.first })),
        end: () => void log.ended++,
      };
    },
  };
  readyWorkers(3, spawner);
  kill[1]('out of memory');
  assert.deepEqual(log, { spawned: 3, ended: 1 });
  const pool = new Pool(3, spawner);
  const counts = await Promise.all([0, 1, 2].map(async (at) => (await pool.pack(rows(at))).count));
  assert.deepEqual(counts, [0, 1, 2]);
  // Two were there, one came.
  assert.deepEqual(log, { spawned: 4, ended: 1 });
  readyWorkers(1, spawner);
  readyWorkers(0, spawner);
  assert.deepEqual(log, { spawned: 5, ended: 2 });
  pool.close();
  assert.equal(log.ended, 5);
});
