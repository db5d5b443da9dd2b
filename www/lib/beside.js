/**
 * Tensors of ONNX whose bytes are not in the model's file: in files beside it, or in the listing itself.
 */
import { FewerbitsError, throwIfAborted } from './errors.js';
import { bytesSource } from './sources.js';

/**
 * @typedef {import('./sources.js').Source} Source
 * @typedef {import('./sources.js').OpenOptions} OpenOptions
 * @typedef {import('./model.js').Listing} Listing
 */

/**
 * Gives every such tensor the source that it is read from. A file that is not there makes its tensors unreadable, not the model: what it
 * holds is worth seeing.
 * @param {Source} model
 * @param {Listing} listing
 * @param {Source[]} sources takes what is opened
 * @param {OpenOptions} options
 */
export async function place(model, { tensors }, sources, options) {
  /** @type {Map<string, Source>} */
  const files = new Map();
  for (const tensor of tensors) {
    if (tensor.inline !== null) tensor.source = bytesSource(fromHex(tensor.inline), model.name);
    if (tensor.beside === null) continue;
    const file = tensor.beside;
    let source = files.get(file);
    if (!source) {
      source = await open(model, file, sources, options);
      files.set(file, source);
    }
    tensor.source = source;
    if ('missing' in source) {
      tensor.unreadable = `its data lies in ${file}, which was not given`;
    } else if (tensor.end > source.size) {
      const facts = { file, tensor: tensor.name, offset: tensor.start, expected: `${tensor.end} bytes` };
      const message = 'external data ends beyond its file';
      throw new FewerbitsError('truncated', message, { ...facts, found: `${source.size} bytes` });
    }
  }
}

/**
 * @param {Source} model
 * @param {string} file
 * @param {Source[]} sources
 * @param {OpenOptions} options
 * @returns {Promise<Source & {missing?: true}>}
 */
async function open(model, file, sources, { signal, onProgress }) {
  if (model.sibling) {
    try {
      const source = await model.sibling(file, { signal, onProgress });
      sources.push(source);
      return source;
    } catch (error) {
      throwIfAborted(signal);
      const { code, cause } = /** @type {Error & {code?: string, cause?: {code?: string}}} */ (error);
      if (code !== 'missing_file' && cause?.code !== 'ENOENT' && code !== 'network') throw error;
    }
  }
  return {
    name: file,
    size: 0,
    missing: true,
    async read() {
      const expected = `${file} beside the model`;
      throw new FewerbitsError('missing_file', 'a file of the model is missing', { file, expected, found: 'none' });
    },
    async close() {},
  };
}

/** @param {string} hex */
function fromHex(hex) {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
