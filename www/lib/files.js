/**
 * From a drop or a file input to the list of files that {@link import('./model.js').openModel} takes.
 */
import { record, wrong } from './check.js';
import { FewerbitsError } from './errors.js';

/**
 * A file and where it lay in what was dropped or picked, `folder/name`. It survives `postMessage`, which a File's
 * `webkitRelativePath` does not everywhere.
 * @typedef {{path: string, file: Blob}} PlacedFile
 */

/** More files than this were not meant to be dropped. */
export const MAX_FILES = 10_000;

/**
 * All files of a drop, folders included. Call it in the event itself: the browser forgets the drop afterwards.
 * @param {{items: ArrayLike<{kind: string, getAsFile(): File | null, webkitGetAsEntry?(): Entry | null}>}} dataTransfer
 * @returns {Promise<PlacedFile[]>} for `openModel`
 */
export async function filesFromDataTransfer(dataTransfer) {
  const { items: given } = record(dataTransfer, 'the drop', 'a DataTransfer');
  const items = listed(given, 'the items of the drop').filter((item) => item?.kind === 'file');
  const dropped = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  /** @type {PlacedFile[]} */
  const files = [];
  for (const item of dropped) {
    if (item instanceof Blob) files.push({ path: item.name, file: item });
    else if (item) await walk(item, item.name, files);
  }
  return files;
}

/**
 * The files of an `<input type=file>`, `webkitdirectory` or not, in a form that can be posted to a worker.
 * @param {ArrayLike<File>} list
 * @returns {PlacedFile[]}
 */
export function filesFromList(list) {
  return listed(list, 'the list of files').map((file) => {
    if (!(file instanceof Blob)) throw wrong('the list of files', 'Files only', file);
    return { path: file.webkitRelativePath || file.name, file };
  });
}

/**
 * @template T
 * @param {ArrayLike<T>} list
 * @param {string} what
 * @returns {T[]}
 */
function listed(list, what) {
  if (typeof list === 'object' && typeof list?.length === 'number') return Array.from(list);
  throw wrong(what, 'a list', list);
}

/**
 * What drag and drop calls a FileSystemEntry, as far as it is used here.
 * @typedef {object} Entry
 * @property {string} name
 * @property {boolean} isFile
 * @property {boolean} isDirectory
 * @property {(done: (file: File) => void, failed: (error: unknown) => void) => void} [file]
 * @property {() => {readEntries(done: (entries: Entry[]) => void, failed: (error: unknown) => void): void}} [createReader]
 */

/**
 * @param {Entry} entry
 * @param {string} path
 * @param {PlacedFile[]} files
 */
async function walk(entry, path, files) {
  if (entry.isFile) {
    if (files.length === MAX_FILES) {
      const facts = { expected: `at most ${MAX_FILES} files`, found: 'more' };
      throw new FewerbitsError('invalid_argument', 'the folder holds too many files', facts);
    }
    const file = await fromHandle(() => promised((done, failed) => entry.file?.(done, failed)), path);
    files.push({ path, file });
    return;
  }
  const reader = entry.createReader?.();
  for (;;) {
    // A reader gives its entries in portions, and an empty one at the end.
    const entries = await fromHandle(() => promised((done, failed) => reader?.readEntries(done, failed)), path);
    if (entries.length === 0) return;
    for (const inner of entries) await walk(inner, `${path}/${inner.name}`, files);
  }
}

/**
 * @template T
 * @param {(done: (value: T) => void, failed: (error: unknown) => void) => void} start
 * @returns {Promise<T>}
 */
function promised(start) {
  return new Promise((resolve, reject) => {
    start(resolve, reject);
  });
}

/**
 * What a browser's handle gives, with a code when it refuses.
 * @template T
 * @param {() => Promise<T>} get
 * @param {string} file
 * @returns {Promise<T>}
 */
export async function fromHandle(get, file) {
  try {
    return await get();
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new FewerbitsError('unreadable', 'the file could not be opened', { file, found, cause });
  }
}
