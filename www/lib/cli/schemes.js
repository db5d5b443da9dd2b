/** `fewerbits schemes`: what there is to choose from. */
import { FewerbitsError } from '../errors.js';
import { schemes } from '../index.js';
import { table } from './terminal.js';

/** @type {import('./arguments.js').Command} */
export const command = {
  help: `Usage: fewerbits schemes [ID] [--json]

Lists the schemes, or the options of one.`,
  options: { json: { type: 'boolean' } },
  inputs: [0, 1],
  async run({ values, inputs: [id] }, { terminal }) {
    const all = schemes();
    if (id === undefined) {
      if (values.json) return terminal.json(all);
      const rows = all.map((scheme) => [scheme.id, scheme.family, String(scheme.bits ?? ''), scheme.summary]);
      return terminal.print(table(['scheme', 'family', '>bits', ''], rows));
    }
    const scheme = all.find((entry) => entry.id === id);
    if (!scheme) {
      const facts = { expected: all.map((entry) => entry.id).join(', '), found: JSON.stringify(id) };
      throw new FewerbitsError('unknown_scheme', 'there is no such scheme', facts);
    }
    if (values.json) return terminal.json(scheme);
    const rows = scheme.options.map(({ name, kind, default: usual, min, max, values: words, help }) => {
      const range = words?.map(({ value }) => value).join(' | ') ?? (min === undefined ? kind : `${min} … ${max}`);
      return [name, range, String(usual), help];
    });
    terminal.print(`${scheme.id}: ${scheme.summary}\n${scheme.source.title}, ${scheme.source.url}\n`);
    terminal.print(table(['option', 'values', 'default', ''], rows));
  },
};
