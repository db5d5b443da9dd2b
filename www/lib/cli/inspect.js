/** `fewerbits inspect`: what is in a model file, by its header alone. */
import { openModel } from '../model.js';
import { bytes, counted, plain, table } from './terminal.js';

/** @type {import('./arguments.js').Command} */
export const command = {
  help: `Usage: fewerbits inspect FILE [--json]

Lists a model's tensors. Only headers are read.`,
  options: { json: { type: 'boolean' } },
  inputs: [1, 1],
  async run({ values, inputs: [file] }, { terminal, signal }) {
    const model = await openModel(file, { signal });
    try {
      const { name, format, metadata, byteLength, tensors } = model;
      if (values.json) {
        terminal.json({ name, format, metadata, byteLength, tensors });
        return;
      }
      const rows = tensors.map((tensor) => [
        tensor.name,
        tensor.dtype,
        tensor.shape.join('×') || 'scalar',
        bytes(tensor.byteLength),
        tensor.count === 0 ? '' : ((tensor.byteLength * 8) / tensor.count).toFixed(2),
        tensor.readable === true ? '' : tensor.readable,
      ]);
      // Of a weight that is stored in several tensors these hold no others.
      const weights = tensors.reduce((sum, { count, partOf }) => sum + (partOf === undefined ? count : 0), 0);
      terminal.print(table(['tensor', 'type', 'shape', '>bytes', '>bits/weight', ''], rows));
      const notes = Object.keys(metadata).length;
      terminal.print(
        `\n${plain(name)}: ${format}, ${counted(tensors.length, 'tensor')}, ${counted(weights, 'weight')}, ${bytes(byteLength)}` +
          (notes > 0 ? `, ${counted(notes, 'note')} of metadata` : ''),
      );
    } finally {
      await model.close();
    }
  },
};
