/**
 * From what a person gives (a file, a folder, a list of files, an address, a path) to the one {@link Source} that a
 * model is opened by. In a folder that is the index of its shards, or its only model file.
 */
import { FewerbitsError, throwIfAborted } from './errors.js';
import { wrong } from './check.js';
import { MAX_FILES, fromHandle } from './files.js';
import { hubPlace, openHub } from './hub.js';
import { SHARD, isIndexName, isMainIndex, isModelName, isShardName, likeliest } from './model-names.js';
import { isNode } from './node.js';
import { isFileUrl, nodeModules, pathSource } from './paths.js';
import { blobSource, bytesSource, urlSource } from './sources.js';

/**
 * @typedef {import('./sources.js').Source} Source
 * @typedef {import('./sources.js').OpenOptions} OpenOptions
 *
 * @typedef {import('./files.js').PlacedFile} PlacedFile
 *
 * @typedef {Blob | ArrayBuffer | ArrayBufferView | FileSystemFileHandle | FileSystemDirectoryHandle | ArrayLike<File> |
 *   ArrayLike<PlacedFile> | URL | string | Source} ModelSource
 *
 * @typedef {object} Folder
 * @property {string} name
 * @property {string[]} names of the files in it
 * @property {(name: string, options?: OpenOptions) => Promise<Source>} open also of a folder in it: `folder/name`
 */

/**
 * The source to begin with. Whoever calls it closes it.
 * @param {ModelSource} from
 * @param {OpenOptions} [options]
 * @returns {Promise<Source>}
 */
export async function openSource(from, options = {}) {
  throwIfAborted(options.signal);
  if (typeof from === 'string' || from instanceof URL) {
    const place = hubPlace(from, options.hub);
    if (place) return openHub(place, options);
    if (isFileUrl(from) || (isNode && isPath(from))) return openPath(from, options);
    return urlSource(from, options);
  }
  if (from instanceof Blob) return blobSource(from);
  if (ArrayBuffer.isView(from) || isBuffer(from)) return bytesSource(from);
  if (typeof from === 'object' && from !== null) {
    if ('kind' in from && from.kind === 'directory') return pick(await handleFolder(from), options);
    if ('kind' in from && from.kind === 'file') return blobSource(await fromHandle(() => from.getFile(), from.name));
    if ('read' in from && typeof from.read === 'function' && typeof from.size === 'number') return from;
    if ('length' in from && typeof from.length === 'number') return openList(from, options);
  }
  const expected =
    'a File or Blob, a folder, a list of files, a URL, a path (in Node), an ArrayBuffer or a typed array';
  throw wrong('the source of a model', expected, from);
}

/**
 * Whether this is no address: nothing with a scheme of its own. One letter and a colon are a drive.
 * @param {string | URL} from
 */
function isPath(from) {
  return typeof from === 'string' && !/^(blob:|[a-z][a-z\d+.-]+:\/\/)/i.test(from);
}

/**
 * @param {string | URL} path
 * @param {OpenOptions} options
 */
async function openPath(path, options) {
  const { fs, path: paths, url } = nodeModules();
  const folder = isFileUrl(path) ? url.fileURLToPath(path) : String(path);
  const isFolder = await fs.stat(folder).then(
    (/** @type {{isDirectory(): boolean}} */ found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) return pathSource(path, options);
  /** @type {{name: string, isDirectory(): boolean}[]} */
  const entries = await fs.readdir(folder, { withFileTypes: true });
  return pick(
    {
      name: paths.basename(paths.resolve(folder)),
      names: entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name),
      open: (name, more) => pathSource(paths.join(folder, name), more),
    },
    options,
  );
}

/**
 * @param {ArrayLike<File> | ArrayLike<PlacedFile>} list
 * @param {OpenOptions} options
 */
async function openList(list, options) {
  const placed = Array.from(/** @type {ArrayLike<File | PlacedFile>} */ (list), (item) => {
    if (item instanceof Blob) return { path: item.webkitRelativePath || item.name, file: item };
    if (item?.file instanceof Blob && typeof item.path === 'string') return item;
    throw wrong('the list of files', 'Files only', item);
  });
  if (placed.length === 1) return blobSource(placed[0].file, placed[0].path.split('/').at(-1));
  return pick(filesFolder(placed), options);
}

/**
 * The outermost folder of the list that holds a model.
 * @param {PlacedFile[]} placed
 * @returns {Folder}
 */
function filesFolder(placed) {
  /** @type {Map<string, Map<string, Blob>>} */
  const folders = new Map();
  for (const { path, file } of placed) {
    const cut = path.lastIndexOf('/');
    const folder = path.slice(0, Math.max(cut, 0));
    if (!folders.has(folder)) folders.set(folder, new Map());
    folders.get(folder)?.set(path.slice(cut + 1), file);
  }
  const depth = (/** @type {string} */ path) => (path === '' ? 0 : path.split('/').length);
  const order = [...folders].sort(([a], [b]) => depth(a) - depth(b));
  const [path, files] = order.find(([, inside]) => [...inside.keys()].some(isModelName)) ?? order[0] ?? ['', new Map()];
  return {
    name: path.split('/').at(-1) || 'files',
    names: [...files.keys()],
    async open(name) {
      const cut = name.lastIndexOf('/');
      const deeper = cut < 0 ? path : [path, name.slice(0, cut)].filter(Boolean).join('/');
      const file = folders.get(deeper)?.get(name.slice(cut + 1));
      if (!file) throw missing(name);
      return blobSource(file, name);
    },
  };
}

/**
 * @param {FileSystemDirectoryHandle} handle
 * @returns {Promise<Folder>}
 */
async function handleFolder(handle) {
  /** @type {string[]} */
  const names = [];
  for await (const [name, entry] of handle.entries()) {
    if (entry.kind === 'file') names.push(name);
    if (names.length > MAX_FILES) break;
  }
  return {
    name: handle.name,
    names,
    async open(name) {
      const path = name.split('/');
      const last = /** @type {string} */ (path.pop());
      if (path.length === 0 && !names.includes(name)) throw missing(name);
      let folder = handle;
      try {
        for (const deeper of path) folder = await folder.getDirectoryHandle(deeper);
        if (path.length > 0) await folder.getFileHandle(last);
      } catch (error) {
        if (/** @type {Error} */ (error).name === 'NotFoundError') throw missing(name);
        throw error;
      }
      return blobSource(await fromHandle(async () => (await folder.getFileHandle(last)).getFile(), name), name);
    },
  };
}

/** @param {string} name */
function missing(name) {
  return new FewerbitsError('missing_file', 'this file of the model is missing', { file: name, found: 'no such file' });
}

/**
 * The file of the folder to begin with.
 * @param {Folder} folder
 * @param {OpenOptions} options
 * @returns {Promise<Source>}
 */
async function pick(folder, options) {
  const names = folder.names.filter(isModelName).sort();
  const indexes = names.filter(isIndexName);
  const first = indexes.find(isMainIndex);
  const choice = indexes.length ? indexes : names.length ? likeliest(names) : folder.names;
  const name = first ?? (choice.length === 1 ? choice[0] : undefined);
  if (name !== undefined) {
    const source = await folder.open(name, options);
    return { ...source, folder: folder.name, sibling: folder.open };
  }
  const shown = (names.length ? names : folder.names).slice(0, 8);
  if (folder.names.length > shown.length) shown.push('…');
  const facts = { file: folder.name, found: shown.join(', ') || 'no files' };
  if (names.length === 0) {
    const expected = 'one safetensors, GGUF, ONNX, PyTorch, npy, npz or Deep Compression file, or an index of shards';
    throw new FewerbitsError('unknown_format', 'there is no model among these files', { ...facts, expected });
  }
  if (names.every(isShardName)) {
    const expected = `${names[0].replace(SHARD, '')}.safetensors.index.json beside them`;
    throw new FewerbitsError('missing_file', 'the index of these shards is missing', { ...facts, expected });
  }
  const expected = 'one model, or shards with their index';
  throw new FewerbitsError('several_models', 'these are several models: open one of them', { ...facts, expected });
}

/**
 * @param {unknown} value
 * @returns {value is ArrayBuffer}
 */
function isBuffer(value) {
  return /^\[object (Shared)?ArrayBuffer\]$/.test(Object.prototype.toString.call(value));
}
