/** Which models there are among dropped or picked files, told from names alone: each is then opened by itself. */
import { isIndexName, isMainIndex, isModelName, isShardName, likeliest, stemOf } from './model-names.js';

/**
 * @typedef {import('./files.js').PlacedFile} PlacedFile
 * @typedef {{name: string, files: PlacedFile[]}} Found a model: what to call it, and the files that it is opened from
 */

/** What may lie beside a model and belong to it. */
const BESIDE = /\.(json|txt|model|onnx_data|data)$/i;

/** What a folder of one model has, as hubs keep them: its files in several formats are one model. */
const CONFIG = 'config.json';

/**
 * An index with its shards is one model, and so is a folder with a `config.json` that one model can be picked from; everything else that is
 * named like a model is one by itself.
 * @param {PlacedFile[]} placed
 * @returns {Found[]} in the order of their names; what `openModel` takes as one is one
 */
export function modelsIn(placed) {
  /** @type {Map<string, PlacedFile[]>} */
  const folders = new Map();
  for (const one of placed) {
    const folder = folderOf(one.path);
    folders.set(folder, [...(folders.get(folder) ?? []), one]);
  }
  const holding = [...folders].filter(([, files]) => files.some((file) => isModelName(nameOf(file.path))));
  holding.sort(([a], [b]) => depth(a) - depth(b) || (a < b ? -1 : 1));
  const [outermost] = holding;
  // Other formats of it lie in folders of its own.
  const isOne = outermost && picked(namesOf(outermost[1])) !== null;
  const used = isOne ? holding.filter(([path]) => path === outermost[0] || !isIn(path, outermost[0])) : holding;
  const found = used.flatMap(([folder, files]) => inFolder(folder, files, placed));
  return named(found);
}

/**
 * The model that a folder with a `config.json` is, as `openModel` picks it.
 * @param {string[]} names
 * @returns {string | null}
 */
function picked(names) {
  if (!names.includes(CONFIG)) return null;
  const models = names.filter(isModelName).sort();
  const indexes = models.filter(isIndexName);
  const choice = indexes.length > 0 ? indexes : likeliest(models);
  return indexes.find(isMainIndex) ?? (choice.length === 1 ? choice[0] : null);
}

/**
 * @param {string} folder
 * @param {PlacedFile[]} files
 * @param {PlacedFile[]} all
 * @returns {(Found & {path: string})[]}
 */
function inFolder(folder, files, all) {
  const names = namesOf(files).filter(isModelName).sort();
  const one = picked(namesOf(files));
  const indexes = names.filter(isIndexName);
  const begins = one === null ? names.filter((name) => isIndexName(name) || !isShardName(name)) : [one];
  // Shards that no index names are told of when they are opened.
  const lost = indexes.length === 0 && one === null ? [...new Set(names.filter(isShardName).map(familyOf))] : [];
  const beside = all.filter(({ path }) => isIn(path, folder) && BESIDE.test(path) && !isModelName(nameOf(path)));
  const shards = files.filter(({ path }) => isShardName(nameOf(path)));
  const at = (/** @type {string} */ name) => files.filter(({ path }) => nameOf(path) === name);
  const last = nameOf(folder);
  return [
    ...begins.map((name) => ({
      name: (isIndexName(name) || one !== null) && last !== '' ? last : isIndexName(name) ? stemOf(name) : name,
      path: folder === '' ? name : `${folder}/${name}`,
      files: [...at(name), ...(isIndexName(name) ? shards : []), ...beside],
    })),
    ...lost.map((family) => ({
      name: last === '' ? family : last,
      path: folder === '' ? family : `${folder}/${family}`,
      files: shards.filter(({ path }) => familyOf(nameOf(path)) === family),
    })),
  ];
}

/**
 * Names that say which is which: of those with the same name with the folder before it.
 * @param {(Found & {path: string})[]} found
 * @returns {Found[]}
 */
function named(found) {
  const times = new Map();
  for (const { name } of found) times.set(name, (times.get(name) ?? 0) + 1);
  return found.map(({ name, path, files }) => ({ name: times.get(name) > 1 ? path : name, files }));
}

/** @param {PlacedFile[]} files */
const namesOf = (files) => files.map(({ path }) => nameOf(path));
/** @param {string} path */
const nameOf = (path) => path.slice(path.lastIndexOf('/') + 1);
/** @param {string} path */
const folderOf = (path) => path.slice(0, Math.max(path.lastIndexOf('/'), 0));
/** @param {string} folder */
const depth = (folder) => (folder === '' ? 0 : folder.split('/').length);
/** @param {string} path @param {string} folder */
const isIn = (path, folder) => folder === '' || path.startsWith(`${folder}/`);
/** @param {string} name */
const familyOf = (name) => name.replace(/-\d{3,}-of-/i, '-of-').replace(/-of-\d{3,}/i, '');
