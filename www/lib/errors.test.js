import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';

import { abortable } from './errors.js';

const never = () => new Promise(() => {});

test('many reads that wait for one signal are one listener, and all of them stop', async () => {
  const stop = new AbortController();
  const reads = Array.from({ length: 40 }, () => abortable(never(), stop.signal));
  assert.equal(getEventListeners(stop.signal, 'abort').length, 1);
  assert.equal(await abortable(Promise.resolve(7), stop.signal), 7);
  stop.abort(new Error('enough'));
  for (const read of await Promise.allSettled(reads)) {
    assert.equal(read.status, 'rejected');
    const { code, cause } = /** @type {any} */ (read).reason;
    assert.deepEqual([code, cause.message], ['aborted', 'enough']);
  }
  await assert.rejects(abortable(never(), stop.signal), { code: 'aborted' });
});

test('what is done before the signal is not touched by it, and a failure stays what it was', async () => {
  const stop = new AbortController();
  const [done, failed] = [
    abortable(Promise.resolve(1), stop.signal),
    abortable(Promise.reject(new Error('no')), stop.signal),
  ];
  assert.equal(await done, 1);
  await assert.rejects(failed, { message: 'no' });
  stop.abort();
  assert.equal(await done, 1);
  assert.equal(await abortable(Promise.resolve(2)), 2);
});
