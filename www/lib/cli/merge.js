/** `fewerbits merge`: the index of shards that were shrunk one by one, perhaps on several machines. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { FewerbitsError } from '../errors.js';
import { openModel } from '../model.js';
import { Usage } from './arguments.js';
import { isFolder, refuseTaken, writeText } from './files.js';
import { bytes, plain } from './terminal.js';

/** @type {import('./arguments.js').Command} */
export const command = {
  help: `Usage: fewerbits merge SHARD… | FOLDER [-o model.safetensors.index.json] [--force] [--json]

Writes the index of safetensors shards that lie in one folder, such as those that \`fewerbits shrink SHARD --recipe …\` wrote on several
machines. Only headers are read.`,
  options: {
    output: { type: 'string', short: 'o' },
    force: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  inputs: [1, Infinity],
  async run({ values, inputs }, { terminal, signal }) {
    const shards = (await Promise.all(inputs.map(filesOf))).flat();
    const folders = new Set(shards.map((shard) => resolve(dirname(shard))));
    if (folders.size > 1) throw new Usage('the shards of a model lie in one folder');
    const [folder] = folders;
    const output = values.output ?? join(folder, 'model.safetensors.index.json');
    if (resolve(dirname(output)) !== folder) throw new Usage('the index lies beside its shards');
    await refuseTaken(output, values.force);
    /** @type {Map<string, string>} */
    const map = new Map();
    let total = 0;
    for (const shard of shards) {
      const model = await openModel(shard, { signal });
      try {
        if (model.format !== 'safetensors') {
          const facts = { file: shard, expected: 'safetensors', found: model.format };
          throw new FewerbitsError('unsupported', 'only safetensors have an index of shards', facts);
        }
        for (const { name, byteLength, parts } of model.tensors) {
          // A weight that is stored in several tensors is none of its own: the index places those.
          if (parts !== undefined) continue;
          const other = map.get(name);
          if (other !== undefined) {
            const facts = { file: shard, tensor: name, expected: 'one shard that holds it', found: `also in ${other}` };
            throw new FewerbitsError('malformed', 'two shards hold the same tensor', facts);
          }
          map.set(name, basename(shard));
          total += byteLength;
        }
      } finally {
        await model.close();
      }
    }
    const names = [...map.keys()].sort();
    const index = {
      metadata: { total_size: total },
      weight_map: Object.fromEntries(names.map((name) => [name, map.get(name)])),
    };
    await writeText(output, `${JSON.stringify(index, null, 2)}\n`, values.force);
    if (values.json) terminal.json({ output, shards: shards.length, tensors: map.size, totalBytes: total });
    else terminal.print(`${plain(output)}: ${map.size} tensors in ${shards.length} shards, ${bytes(total)}`);
  },
};

/** A shard, or those in a folder. @param {string} path */
async function filesOf(path) {
  if (!(await isFolder(path))) return [path];
  const named = (await readdir(path)).filter((name) => name.endsWith('.safetensors')).map((name) => join(path, name));
  // A layout of several files makes a folder of a shard, by the shard's name.
  const folders = await Promise.all(named.map(isFolder));
  const found = named.filter((_, i) => !folders[i]).sort();
  if (found.length === 0) {
    const nothing =
      named.length > 0 ? 'folders of their names: move the model.safetensors of each into its place' : 'none';
    const facts = { file: path, expected: 'shards (*.safetensors)', found: nothing };
    throw new FewerbitsError('missing_file', 'the folder holds no shards', facts);
  }
  return found;
}
