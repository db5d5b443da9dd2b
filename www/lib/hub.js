/**
 * Models on the Hugging Face hub, by name or by the address of a page there.
 *
 * `hf:owner/name`, `hf:owner/name@revision`, `hf:owner/name/file`; and the addresses that a browser shows for a model (`…/owner/name`), a
 * revision (`…/tree/main`) or a file (`…/blob/main/file`). A file itself lies under `…/resolve/REVISION/file`, which answers any page and
 * leads on to where the bytes are.
 */
import { FewerbitsError } from './errors.js';
import { urlSource } from './sources.js';

/**
 * @typedef {import('./sources.js').Source} Source
 * @typedef {import('./sources.js').OpenOptions} OpenOptions
 * @typedef {{folder: string, file: string | null, name: string}} Place where a model's files lie, and which is meant, if one is
 */

/** The hub asked where no other is named. */
export const HUB = 'https://huggingface.co';

/** What a model is looked for by, the likeliest first. */
const CANDIDATES = [
  'model.safetensors',
  'model.safetensors.index.json',
  'onnx/model.onnx',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'diffusion_pytorch_model.safetensors',
];

const NAME = '[A-Za-z0-9][\\w.-]*';
const SHORT = new RegExp(`^hf:(?://)?(${NAME}/${NAME})(?:@([\\w.-]+))?(?:/(.+))?$`);
const PAGE = new RegExp(`^/(${NAME}/${NAME})(?:/(?:tree|blob)/([^/]+)(?:/(.+))?)?/?$`);

/**
 * Where a model lies on a hub, or `null` for any other address.
 * @param {string | URL} address
 * @param {string} [hub]
 * @returns {Place | null}
 */
export function hubPlace(address, hub = HUB) {
  const text = String(address);
  const short = SHORT.exec(text);
  if (short) return place(hub, short[1], short[2], short[3]);
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.origin !== new URL(hub).origin && url.origin !== HUB) return null;
  const page = PAGE.exec(url.pathname);
  return page && place(url.origin, page[1], page[2], page[3]);
}

/**
 * @param {string} hub
 * @param {string} name
 * @param {string} [revision]
 * @param {string} [file]
 * @returns {Place}
 */
function place(hub, name, revision = 'main', file = '') {
  const inside = file.replace(/\/+$/, '');
  const isFile = /\.[a-z0-9]+$/i.test(inside);
  const folder = `${hub}/${name}/resolve/${revision}/${inside && !isFile ? `${inside}/` : ''}`;
  return { folder, file: isFile ? inside : null, name };
}

/**
 * Opens what is meant: the file named, or the first of the usual ones that is there.
 * @param {Place} place
 * @param {OpenOptions} options
 * @returns {Promise<Source>}
 */
export async function openHub({ folder, file, name }, options) {
  for (const candidate of file === null ? CANDIDATES : [file]) {
    try {
      return await urlSource(new URL(candidate, folder), options);
    } catch (error) {
      // Its own answer, whatever else is being fetched.
      const isMissing = error instanceof FewerbitsError && /^HTTP 404\b/.test(error.found ?? '');
      if (file !== null || !isMissing) throw error;
    }
  }
  throw new FewerbitsError('missing_file', 'the hub has no file of this model that can be opened', {
    file: name,
    expected: `one of ${CANDIDATES.join(', ')}; or name the file: hf:${name}/FILE`,
    found: 'none of them',
  });
}
