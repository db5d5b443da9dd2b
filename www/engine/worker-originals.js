/** What running both models needs of the engine: the files of the one that is open, and arrays that a person gives as inputs. */
import { FewerbitsError } from '../lib/errors.js';
import { openModel } from '../lib/core.js';
import { givenIn } from '../lib/measure/given.js';
import { MOST_BYTES } from '../lib/measure/limits.js';
import { inside } from '../lib/model.js';

/** Bytes that are read at once. */
const PIECE = 16 << 20;

/**
 * The files that a model was opened from, each under the path by which the first names it.
 * @param {import('../lib/model.js').Model} model
 * @param {{signal: AbortSignal, onProgress?: (progress: {done: number, total: number}) => void}} tools
 * @returns {Promise<{name: string, file: Blob}[]>}
 */
export async function originals(model, { signal, onProgress }) {
  const { sources = [], tensors = [] } = inside.get(model) ?? {};
  const files = new Map(sources.slice(0, 1).map((source) => [source.name, source]));
  for (const { beside, source } of tensors) if (beside !== null) files.set(beside, source);
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  if (total > MOST_BYTES) {
    const facts = { file: model.name, expected: `${MOST_BYTES} bytes of both at most`, found: `${total} bytes` };
    throw new FewerbitsError('too_large', 'the models are too large to be run here', facts);
  }
  let done = 0;
  /** @type {{name: string, file: Blob}[]} */
  const read = [];
  for (const [name, source] of files) {
    if ('missing' in source)
      throw new FewerbitsError('missing_file', 'what lies beside the model was not given', { file: name });
    /** @type {Blob[]} */
    const pieces = [];
    for (let at = 0; at < source.size; at += PIECE) {
      const bytes = await source.read(at, Math.min(source.size, at + PIECE), { signal });
      pieces.push(new Blob([bytes]));
      done += bytes.length;
      onProgress?.({ done, total });
    }
    read.push({ name, file: new Blob(pieces) });
  }
  return read;
}

/**
 * Arrays in npy and npz files, by name; of two of one name the later counts.
 * @param {File[]} files
 * @returns {Promise<{[name: string]: import('../lib/measure/inputs.js').Given & {file: string}}>}
 */
export async function arraysIn(files) {
  /** @type {Map<string, any>} */
  const found = new Map();
  for (const file of files) {
    const model = await openModel(file);
    try {
      if (model.format !== 'npy' && model.format !== 'npz') {
        const facts = { file: file.name, expected: 'npy or npz', found: model.format };
        throw new FewerbitsError('invalid_argument', 'these are no arrays', facts);
      }
      for (const [name, given] of await givenIn(model)) found.set(name, { ...given, file: file.name });
    } finally {
      await model.close();
    }
  }
  // A name of a file may be one that objects have of their own.
  return Object.fromEntries(found);
}
