/**
 * Where a job's files go: a path, a file or folder handle, a stream, a Blob. A {@link Sink} opens {@link Output}s, which take bytes at any
 * place. Nothing half-written stays: an output that is not closed is thrown away.
 */
import { wrong } from '../check.js';
import { FewerbitsError } from '../errors.js';
import { builtin, isNode } from '../node.js';

/**
 * @typedef {object} Output a file that is being written
 * @property {(at: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>} write
 * @property {() => Promise<void>} [prepare] whatever may fail before `close`: of several files none is kept before all are ready
 * @property {() => Promise<void>} close keeps the file
 * @property {() => Promise<void>} abort throws it away
 * @property {() => Promise<void>} [undo] throws it away after it was closed, because a file that belongs to it cannot be kept
 * @property {() => number} [held] bytes that wait in memory
 * @property {boolean} [isDone] the memory of bytes may be used again as soon as their `write` has resolved
 *
 * @typedef {{open(name: string, size: number): Promise<Output>}} Sink
 *
 * @typedef {string | URL | FileSystemFileHandle | FileSystemDirectoryHandle | WritableStream<Uint8Array> | Sink} SinkSource
 */

/**
 * @param {SinkSource} to
 * @param {{overwrite?: boolean}} [options]
 * @returns {Sink}
 */
export function sinkOf(to, { overwrite = false } = {}) {
  if (isNode && (typeof to === 'string' || to instanceof URL)) return pathSink(to, overwrite);
  if (typeof to === 'object' && to !== null && !(to instanceof URL)) {
    if ('open' in to && typeof to.open === 'function') return to;
    if ('kind' in to && to.kind === 'directory') return folderSink(to, overwrite);
    if ('kind' in to && to.kind === 'file') return handleSink(to);
    if ('getWriter' in to) return streamSink(to);
  }
  throw wrong('the sink', 'a path (in Node), a file or folder handle, a WritableStream or {open(name, size)}', to);
}

/**
 * A path in Node: the file itself, or a folder for a model of several files. Each file is written beside its place under another name, and
 * takes its place when it is complete.
 * @param {string | URL} path
 * @param {boolean} overwrite
 * @returns {Sink}
 */
export function pathSink(path, overwrite) {
  const fs = builtin('fs/promises');
  const paths = builtin('path');
  const root = path instanceof URL ? builtin('url').fileURLToPath(path) : path;
  return {
    async open(name) {
      const file = name === '' ? root : paths.join(root, name);
      const folder = paths.dirname(paths.resolve(file));
      const partial = `${file}.partial`;
      /** @param {unknown} cause */
      const unwritable = (cause) =>
        new FewerbitsError('unwritable', 'the file cannot be written', { file, found: said(cause), cause });
      if (!overwrite && (await exists(fs, file))) throw taken(file);
      /** @type {string | undefined} */
      let made;
      let handle;
      try {
        made = await fs.mkdir(folder, { recursive: true });
        handle = await fs.open(partial, 'w');
      } catch (cause) {
        await removeMade(fs, paths, folder, made);
        throw unwritable(cause);
      }
      let [ready, kept] = [false, false];
      return {
        isDone: true,
        async write(at, bytes) {
          try {
            let done = 0;
            while (done < bytes.length) {
              done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
            }
          } catch (cause) {
            throw unwritable(cause);
          }
        },
        async prepare() {
          await handle.close().catch((/** @type {unknown} */ cause) => {
            throw unwritable(cause);
          });
          ready = true;
        },
        async close() {
          try {
            if (!ready) await handle.close();
            await fs.rename(partial, file);
          } catch (cause) {
            throw unwritable(cause);
          }
          kept = true;
        },
        async abort() {
          if (kept) return;
          await handle.close().catch(() => {});
          await fs.rm(partial, { force: true });
          await removeMade(fs, paths, folder, made);
        },
        async undo() {
          await fs.rm(file, { force: true });
          await removeMade(fs, paths, folder, made);
        },
      };
    },
  };
}

/**
 * Removes folders that were made for a file that is not kept, as far as they are empty.
 * @param {any} fs
 * @param {any} paths
 * @param {string} folder the innermost
 * @param {string | undefined} made the outermost that was made
 */
async function removeMade(fs, paths, folder, made) {
  if (made === undefined) return;
  for (let at = folder; at.length >= made.length; at = paths.dirname(at)) {
    try {
      await fs.rmdir(at);
    } catch {
      return;
    }
  }
}

/** @param {any} fs @param {string} file */
async function exists(fs, file) {
  return fs.access(file).then(
    () => true,
    () => false,
  );
}

/** @param {string} file */
function taken(file) {
  return new FewerbitsError('exists', 'the file is there already', { file, expected: 'a new name, or to overwrite' });
}

/** @param {unknown} cause */
function said(cause) {
  return cause instanceof Error ? cause.message : String(cause);
}

/**
 * A file that was picked or made in the browser's own storage: the browser writes to a copy, which takes the file's place when it is closed.
 * @param {FileSystemFileHandle} handle
 * @returns {Sink}
 */
export function handleSink(handle) {
  return {
    async open(name) {
      if (name !== '') {
        const message = 'a model of several files cannot be written to one';
        throw new FewerbitsError('invalid_argument', message, { file: handle.name, expected: 'a folder' });
      }
      return handleOutput(handle);
    },
  };
}

/**
 * @param {FileSystemFileHandle} handle
 * @returns {Promise<Output>}
 */
async function handleOutput(handle) {
  const file = handle.name;
  /** @param {unknown} cause */
  const unwritable = (cause) =>
    new FewerbitsError('unwritable', 'the file cannot be written', { file, found: said(cause), cause });
  const stream = await handle.createWritable({ keepExistingData: false }).catch((cause) => {
    throw unwritable(cause);
  });
  return {
    isDone: true,
    write: (position, data) =>
      stream.write({ type: 'write', position, data }).catch((cause) => {
        throw unwritable(cause);
      }),
    close: () =>
      stream.close().catch((cause) => {
        throw unwritable(cause);
      }),
    abort: () => stream.abort().catch(() => {}),
  };
}

/**
 * A folder that was picked.
 * @param {FileSystemDirectoryHandle} folder
 * @param {boolean} overwrite
 * @returns {Sink}
 */
export function folderSink(folder, overwrite) {
  return {
    async open(name) {
      const file = name === '' ? 'model' : name;
      const found = await folder.getFileHandle(file).then(
        () => true,
        () => false,
      );
      if (!overwrite && found) throw taken(file);
      const output = await handleOutput(await folder.getFileHandle(file, { create: true }));
      const undo = () => folder.removeEntry(file).catch(() => {});
      // A file that was made for this and not finished does not stay; one that was there before is what it was.
      return { ...output, abort: () => (found ? output.abort() : output.abort().then(undo)), undo };
    },
  };
}

/**
 * A stream, which takes bytes in order: what comes early waits in memory.
 * @param {WritableStream<Uint8Array>} stream
 * @returns {Sink}
 */
export function streamSink(stream) {
  let opened = false;
  return {
    async open(name, size) {
      if (opened)
        throw new FewerbitsError('invalid_argument', 'a model of several files cannot be written to one stream');
      opened = true;
      const writer = stream.getWriter();
      return inOrder(
        size,
        (bytes) => writer.write(bytes),
        () => writer.close(),
        () => writer.abort(),
      );
    },
  };
}

/**
 * An output that hands bytes on in order.
 * @param {number} size bytes of the file
 * @param {(bytes: Uint8Array<ArrayBuffer>) => Promise<void>} write
 * @param {() => Promise<void>} close
 * @param {() => Promise<void>} abort
 * @returns {Output}
 */
export function inOrder(size, write, close, abort) {
  /** @type {Map<number, Uint8Array<ArrayBuffer>>} */
  const early = new Map();
  let at = 0;
  let held = 0;
  let last = Promise.resolve();
  const flush = async () => {
    for (let bytes = early.get(at); bytes; bytes = early.get(at)) {
      early.delete(at);
      at += bytes.length;
      await write(bytes);
      held -= bytes.length;
    }
  };
  return {
    write(place, bytes) {
      if (bytes.length === 0) return Promise.resolve();
      early.set(place, bytes);
      held += bytes.length;
      last = last.then(flush);
      return last;
    },
    async close() {
      await last;
      if (at !== size) {
        const facts = { expected: `${size} bytes`, found: `${at} bytes in a row` };
        throw new FewerbitsError('unexpected', 'the file is not complete', facts);
      }
      await close();
    },
    abort: () => abort().catch(() => {}),
    held: () => held,
  };
}

/**
 * Blobs in memory, or wherever the browser keeps them, for a download.
 * @returns {Sink & {files: Map<string, Blob>}}
 */
export function blobSink() {
  /** @type {Map<string, Blob>} */
  const files = new Map();
  return {
    files,
    async open(name, size) {
      /** @type {Blob[]} */
      const pieces = [];
      const output = inOrder(
        size,
        async (bytes) => void pieces.push(new Blob([bytes])),
        async () => void files.set(name, new Blob(pieces)),
        async () => void pieces.splice(0),
      );
      return { ...output, undo: async () => void files.delete(name) };
    },
  };
}
