/**
 * Files in Node, read range by range.
 */
import { FewerbitsError, abortable, throwIfAborted } from './errors.js';
import { builtin, isNode } from './node.js';
import { allocate, checkRange, reason, whole } from './sources.js';

/**
 * @typedef {import('./sources.js').Source} Source
 * @typedef {import('./sources.js').OpenOptions} OpenOptions
 */

/**
 * A file in Node.
 * @param {string | URL} path a path, or a `file:` URL
 * @param {OpenOptions} [options]
 * @returns {Promise<Source>}
 */
export async function pathSource(path, { signal } = {}) {
  const { fs, path: paths, url } = nodeModules();
  const file = isFileUrl(path) ? url.fileURLToPath(path) : String(path);
  const name = paths.basename(file);
  throwIfAborted(signal);
  /** @type {import('node:fs/promises').FileHandle} */
  let handle;
  let size;
  try {
    // Opening a pipe would wait for whoever writes to it, and its bytes have no places.
    const found = await fs.stat(file);
    if (!found.isFile() && !found.isDirectory()) throw new Error(`${kindOf(found)}, which can only be read in order`);
    handle = await fs.open(file, 'r');
    try {
      size = (await handle.stat()).size;
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (cause) {
    throw new FewerbitsError('unreadable', 'the file could not be opened', { file, found: reason(cause), cause });
  }
  return {
    name,
    size,
    async read(start, end, { signal: stop, room } = {}) {
      throwIfAborted(stop);
      checkRange(name, size, start, end);
      const fits = room !== undefined && end - start <= room.byteLength;
      const bytes = fits ? new Uint8Array(room, 0, end - start) : allocate(end - start, name);
      let at = 0;
      while (at < bytes.length) {
        let bytesRead;
        try {
          ({ bytesRead } = await abortable(handle.read(bytes, at, bytes.length - at, start + at), stop));
        } catch (cause) {
          if (cause instanceof FewerbitsError) throw cause;
          throw new FewerbitsError('unreadable', 'the file could not be read', {
            file,
            offset: start + at,
            found: reason(cause),
            cause,
          });
        }
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return whole(bytes.subarray(0, at), start, end, file);
    },
    close: () => handle.close(),
    sibling: (other, options) => pathSource(paths.join(paths.dirname(file), other), options),
  };
}

/** @param {unknown} path */
export function isFileUrl(path) {
  return path instanceof URL ? path.protocol === 'file:' : /^file:\/\//i.test(String(path));
}

/** Node's modules for files, paths and addresses; no page gets here. */
export function nodeModules() {
  if (!isNode) throw new FewerbitsError('unsupported', 'paths can only be opened in Node');
  return { fs: builtin('fs/promises'), path: builtin('path'), url: builtin('url') };
}

/** @param {import('node:fs').Stats} stats */
function kindOf(stats) {
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
}
