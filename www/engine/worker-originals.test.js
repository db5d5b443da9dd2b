import assert from 'node:assert/strict';
import { test } from 'node:test';
import { init } from '../lib/index.js';
import { arraysIn } from './worker-originals.js';

/** A file of numpy's with two floats. @param {string} name */
function npy(name) {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }`.padEnd(117, ' ');
  const head = [0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0, ...Buffer.from(`${header}\n`)];
  return new File([Uint8Array.from(head), Float32Array.of(1, 2)], name);
}

test('arrays go by the names of their files, whatever these are', async () => {
  await init();
  const found = await arraysIn([npy('ids.npy'), npy('__proto__.npy')]);
  assert.deepEqual(Object.keys(found).sort(), ['__proto__', 'ids']);
  assert.equal(Object.getPrototypeOf(found), Object.prototype);
});
