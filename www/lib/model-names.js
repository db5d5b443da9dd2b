/** Which files are models, as their writers name them. What is in a file decides how it is read; names decide which of many to begin with. */

/** How the writers of shards name them: `model-00001-of-00002.safetensors`. */
export const SHARD = /-\d{3,}-of-\d{3,}\.(safetensors|bin)$/i;

/** @param {string} name */
export const isIndexName = (name) => /\.(safetensors|bin)\.index\.json$/i.test(name);

/** @param {string} name */
export const isShardName = (name) => SHARD.test(name);

/** @param {string} name */
export const isModelName = (name) =>
  isIndexName(name) ||
  /\.(safetensors|npy|npz|gguf|onnx|pt|pth|fbdc)$/i.test(name) ||
  /^pytorch_model.*\.bin$/i.test(name);

/** @param {string} name */
export const isMainIndex = (name) => /^model\.safetensors\.index\.json$/i.test(name);

/**
 * Of the same model in several formats, as hubs keep them, the first of these is meant.
 * @param {string[]} names
 */
export function likeliest(names) {
  const kinds = [/\.safetensors$/i, /\.gguf$/i, /\.onnx$/i];
  return kinds.map((kind) => names.filter((name) => kind.test(name))).find((some) => some.length > 0) ?? names;
}

/**
 * The name of a model to which something is done: without what says its format. What is written is called by it, so it is never one that a
 * folder has: `..` is what an address that ends in `/...index.json` leaves.
 * @param {string} name
 */
export function stemOf(name) {
  const ending = /(\.(safetensors|bin)\.index\.json|\.(safetensors|gguf|onnx|npz|npy|pt|pth|bin|ckpt|zip|fbdc))$/i;
  const stem = name.replace(ending, '');
  return /^[.\s]*$/.test(stem) ? 'model' : stem;
}
