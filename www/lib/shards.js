/**
 * Models in several files: an index names the file of every tensor.
 */
import { FewerbitsError, inFile, throwIfAborted } from './errors.js';
import { list } from './model.js';

/**
 * @typedef {import('./sources.js').Source} Source
 * @typedef {import('./sources.js').OpenOptions} OpenOptions
 * @typedef {import('./model.js').Listing} Listing
 */

/** Files of one model that are opened at once. */
const SHARDS_AT_ONCE = 4;

/**
 * Opens the files of an index and holds each to it: the tensors that the map gives it, no more and no less.
 * @param {Source} index
 * @param {Record<string, string>} weightMap
 * @param {Source[]} sources takes what is opened
 * @param {OpenOptions} options
 */
export async function openShards(index, weightMap, sources, { signal, onProgress }) {
  const map = new Map(Object.entries(weightMap));
  const files = [...new Set(map.values())].sort();
  const { sibling } = index;
  if (!sibling) {
    throw new FewerbitsError('missing_file', 'the index of a model in several files was given alone', {
      file: index.name,
      expected: `its folder, or also what it names: ${some(files)}`,
      found: 'the index alone',
    });
  }
  const failed = new AbortController();
  const both = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal;
  const openShard = async (/** @type {string} */ file) => {
    try {
      const source = await sibling(file, { signal: both, onProgress });
      sources.push(source);
      const answer = await list(source, both);
      if (!('listing' in answer) || !['safetensors', 'torch'].includes(answer.listing.format)) {
        const facts = {
          file,
          expected: 'a safetensors file or a PyTorch checkpoint',
          found: 'listing' in answer ? answer.listing.format : 'an index',
        };
        throw new FewerbitsError('malformed', 'the index names a file that is not a shard', facts);
      }
      checkShard(file, answer.listing, map);
      return { source, listing: answer.listing };
    } catch (error) {
      failed.abort();
      throw nameShard(error, file, index.name);
    }
  };
  /** @type {{source: Source, listing: Listing}[]} */
  const shards = new Array(files.length);
  /** @type {unknown[]} */
  const errors = [];
  let next = 0;
  const work = async () => {
    while (next < files.length && !both.aborted) {
      const at = next++;
      try {
        shards[at] = await openShard(files[at]);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, work));
  throwIfAborted(signal);
  if (errors.length > 0) throw errors[0];
  return shards;
}

/**
 * @param {string} file
 * @param {Listing} listing
 * @param {Map<string, string>} map
 */
function checkShard(file, listing, map) {
  const names = new Set(listing.tensors.map((tensor) => tensor.name));
  for (const name of names) {
    const says = map.get(name);
    if (says !== file) {
      const facts = { file, tensor: name, expected: says ?? 'an entry in weight_map', found: says ? file : 'none' };
      throw new FewerbitsError('malformed', 'the index does not place this tensor in the shard that holds it', facts);
    }
  }
  for (const [name, says] of map) {
    if (says === file && !names.has(name)) {
      const facts = { file, tensor: name, expected: 'the tensor in this shard', found: `${names.size} other tensors` };
      throw new FewerbitsError('malformed', 'the index places a tensor in a shard that does not hold it', facts);
    }
  }
}

/**
 * An error about a shard names it, even where its source is known by a longer name.
 * @param {unknown} error
 * @param {string} shard
 * @param {string} index
 */
function nameShard(error, shard, index) {
  const e = /** @type {Error & {code?: string, file?: string, cause?: {code?: string}}} */ (error);
  if (e instanceof Error && (e.code === 'missing_file' || e.cause?.code === 'ENOENT')) {
    const facts = { file: shard, expected: `every file that ${index} names`, found: 'no such file', cause: error };
    return new FewerbitsError('missing_file', 'a shard of the model is missing', facts);
  }
  if (!(e instanceof Error) || e.file === undefined || e.file.includes(shard)) return inFile(error, shard);
  e.message = `${shard}: ${e.message}`;
  e.file = shard;
  return e;
}

/** @param {string[]} names */
function some(names) {
  return names.slice(0, 3).join(', ') + (names.length > 3 ? ` and ${names.length - 3} more` : '');
}
