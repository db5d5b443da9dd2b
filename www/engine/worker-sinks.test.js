/** The browser's own storage, by one in memory that takes its time: several ask at once, and others clear up meanwhile. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { keepIn, placeFor, sweep } from './worker-sinks.js';

const turn = () => new Promise((resolve) => void setTimeout(resolve, 1));
const gone = () => Object.assign(new Error('there is none'), { name: 'NotFoundError' });

class SlowFolder {
  /** @type {Map<string, SlowFolder | {name: string}>} */
  entries = new Map();

  async *[Symbol.asyncIterator]() {
    for (const entry of [...this.entries]) {
      await turn();
      yield entry;
    }
  }

  /** @param {string} name */
  async getDirectoryHandle(name) {
    await turn();
    const found = this.entries.get(name) ?? new SlowFolder();
    this.entries.set(name, found);
    return found;
  }

  /** @param {string} name */
  async getFileHandle(name) {
    await turn();
    this.entries.set(name, { name });
    const createSyncAccessHandle = async () => {
      // Opening is what takes longest.
      for (let i = 0; i < 8; i++) await turn();
      if (!this.entries.has(name)) throw gone();
      return { close() {}, write: (/** @type {Uint8Array} */ bytes) => bytes.length };
    };
    return { createSyncAccessHandle, getFile: async () => new Blob(['made']) };
  }

  /** @param {string} name */
  async removeEntry(name) {
    await turn();
    if (!this.entries.delete(name)) throw gone();
  }
}

/** Locks as a browser has them, granted a moment later. */
class Locks {
  held = new Set();

  /** @param {string} name @param {any} options @param {any} [then] */
  async request(name, options, then = options) {
    await turn();
    if (this.held.has(name)) {
      if (options.ifAvailable) return then(null);
      throw new Error('the tests never wait for a lock');
    }
    this.held.add(name);
    try {
      return await then({ name });
    } finally {
      this.held.delete(name);
    }
  }
}

/** @type {SlowFolder} */
let root;
let quota = Infinity;
const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
beforeEach(() => {
  root = new SlowFolder();
  quota = 1000;
  const storage = { getDirectory: async () => root, estimate: async () => ({ quota, usage: 0 }) };
  Object.defineProperty(globalThis, 'navigator', { value: { storage, locks: new Locks() }, configurable: true });
});
afterEach(() => {
  if (before) Object.defineProperty(globalThis, 'navigator', before);
  else Reflect.deleteProperty(globalThis, 'navigator');
});

test('a place is found however many ask for one at once, and nothing of that stays', async () => {
  const ask = async (/** @type {unknown} */ _, /** @type {number} */ turns) => {
    for (let i = 0; i < turns; i++) await turn();
    await sweep();
    return placeFor(10);
  };
  const places = await Promise.all(Array.from({ length: 20 }, ask));
  assert.deepEqual([...new Set(places)], ['storage']);
  const home = /** @type {SlowFolder} */ (root.entries.get('fewerbits'));
  assert.equal(home.entries.size, 0);
  quota = 5;
  assert.equal(await placeFor(10), 'memory');
});

test('what a tab keeps is not cleared up before it is let go of', async () => {
  const [kept] = await Promise.all([keepIn({ kind: 'storage' }, []), sweep(), sweep()]);
  await sweep();
  const output = await kept.sink.open('', 4);
  await output.write(0, new Uint8Array(4));
  await output.close();
  const home = /** @type {SlowFolder} */ (root.entries.get('fewerbits'));
  assert.equal(home.entries.size, 1);
  assert.equal((await kept.made()).length, 1);
  await kept.drop();
  assert.equal(home.entries.size, 0);
  // What a visit left behind that is over is nobody's.
  await home.getDirectoryHandle('left');
  await sweep();
  assert.equal(home.entries.size, 0);
});
