/**
 * Where a job's files go on a page: to a file or folder that was picked, into the browser's own storage to be downloaded from there, or, where
 * there is neither, into memory.
 */
import { blobSink, folderSink, handleSink } from '../lib/shrink/sinks.js';

/**
 * @typedef {import('../lib/shrink/sinks.js').Sink} Sink
 * @typedef {{kind: 'file', handle: FileSystemFileHandle} | {kind: 'folder', handle: FileSystemDirectoryHandle} | {kind: 'storage'}
 *   | {kind: 'memory'}} Place
 * @typedef {{name: string, file: Blob}} Made `name` is that of the plan, empty for the only one
 * @typedef {{sink: Sink, made: () => Promise<Made[]>, drop: () => Promise<void>}} Kept
 */

/** The folder for all that is kept in the browser's storage. */
const HOME = 'fewerbits';

/**
 * @param {Place} place
 * @param {string[]} names of the files that will be written
 * @returns {Promise<Kept>}
 */
export async function keepIn(place, names) {
  const nothing = async () => {};
  if (place.kind === 'file') {
    const { handle } = place;
    return { sink: handleSink(handle), made: async () => [{ name: '', file: await handle.getFile() }], drop: nothing };
  }
  if (place.kind === 'folder') {
    const { handle } = place;
    const made = () =>
      Promise.all(names.map(async (name) => ({ name, file: await (await handle.getFileHandle(name)).getFile() })));
    return { sink: folderSink(handle, false), made, drop: nothing };
  }
  if (place.kind === 'storage') return keepInStorage();
  const sink = blobSink();
  const made = async () => [...sink.files].map(([name, file]) => ({ name, file }));
  return { sink, made, drop: async () => sink.files.clear() };
}

/**
 * Where what cannot be written straight to a picked file will lie.
 * @param {number} bytes that have to fit
 * @returns {Promise<'storage' | 'memory'>}
 */
export async function placeFor(bytes) {
  const name = `probe-${crypto.randomUUID()}`;
  // Two may ask at once, here or in another tab: what one tries out is not what is left behind.
  const release = await hold(name);
  try {
    const home = await homeFolder();
    const probe = await home.getFileHandle(name, { create: true });
    const access = await probe.createSyncAccessHandle();
    access.close();
    await home.removeEntry(name);
    return (await freeBytes()) > bytes ? 'storage' : 'memory';
  } catch {
    return 'memory';
  } finally {
    release();
  }
}

/** Bytes that the browser's storage still takes, as it says itself. */
export async function freeBytes() {
  const { quota = Infinity, usage = 0 } = (await navigator.storage.estimate?.()) ?? {};
  return quota - usage;
}

/** Throws away what visits left behind that are over. A tab that is open holds a lock on what it keeps. */
export async function sweep() {
  if (!navigator.locks) return;
  try {
    const home = await homeFolder();
    /** @type {string[]} */
    const names = [];
    for await (const [name] of home) names.push(name);
    for (const name of names) {
      await navigator.locks.request(lockName(name), { ifAvailable: true }, async (lock) => {
        if (lock) await home.removeEntry(name, { recursive: true }).catch(() => {});
      });
    }
  } catch {
    // There is no storage: nothing was left in it.
  }
}

const homeFolder = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(HOME, { create: true });
/** @param {string} name */
const lockName = (name) => `fewerbits storage ${name}`;

/**
 * Says that something in the storage is in use, before it is there.
 * @param {string} name
 * @returns {Promise<() => void>} says that it is not any more
 */
function hold(name) {
  return new Promise((held) => {
    if (!navigator.locks) return held(() => {});
    const until = () => new Promise((release) => held(() => release(undefined)));
    navigator.locks.request(lockName(name), until).catch(() => held(() => {}));
  });
}

/** @returns {Promise<Kept>} */
async function keepInStorage() {
  const home = await homeFolder();
  const id = crypto.randomUUID();
  const unlock = await hold(id);
  const folder = await home.getDirectoryHandle(id, { create: true });
  /** @type {{name: string, handle: FileSystemFileHandle}[]} */
  const files = [];
  const drop = async () => {
    await home.removeEntry(id, { recursive: true }).catch(() => {});
    unlock();
  };
  /** @type {Sink} */
  const sink = {
    async open(name) {
      // Names in the model's files are not names of files here.
      const handle = await folder.getFileHandle(`file-${files.length}`, { create: true });
      const access = await handle.createSyncAccessHandle();
      files.push({ name, handle });
      let closed = false;
      const close = () => {
        if (!closed) access.close();
        closed = true;
      };
      return {
        isDone: true,
        async write(at, bytes) {
          let done = 0;
          while (done < bytes.length) {
            const written = access.write(done === 0 ? bytes : bytes.subarray(done), { at: at + done });
            if (written === 0) throw unwritable();
            done += written;
          }
        },
        // Not flushed to the disk: what reads the file asks the same browser.
        async close() {
          close();
        },
        async abort() {
          close();
          await drop();
        },
      };
    },
  };
  const made = () => Promise.all(files.map(async ({ name, handle }) => ({ name, file: await handle.getFile() })));
  return { sink, made, drop };
}

function unwritable() {
  const message = "the browser's storage takes no more";
  return Object.assign(new Error(message), { code: 'unwritable', found: 'no room' });
}
