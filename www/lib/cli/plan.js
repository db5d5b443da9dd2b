/** `fewerbits plan`: what shrink would do, as a recipe. */
import { openModel } from '../model.js';
import { Usage, countOf } from './arguments.js';
import { OPTIONS, aimSummary, choicesOf, planData, planFor, planSummary, planTable } from './choices.js';
import { writeText } from './files.js';
import { CHOICES } from './help.js';

/** @type {import('./arguments.js').Command} */
export const command = {
  help: `Usage: fewerbits plan IN … [-o RECIPE.json]

Says what each tensor would become and how large, from headers alone; for a target size a sample of each tensor is read and measured. The recipe (JSON) is taken by shrink --recipe, here or on another
machine, for the whole model or for one of its shards.

${CHOICES}
  -o FILE                       writes the recipe there
  --force                       overwrites it
  --json                        the plan as JSON`,
  options: OPTIONS,
  inputs: [1, 1],
  async run({ values, inputs: [file] }, { terminal, signal }) {
    if (values.output === '') throw new Usage('-o takes a file');
    const options = await choicesOf(values);
    const model = await openModel(file, { signal });
    try {
      const planned = await planFor(
        model,
        { ...options, signal, workers: countOf(values.workers, '--workers') },
        terminal,
        values,
      );
      if (values.output !== undefined) {
        await writeText(values.output, `${JSON.stringify(planned.recipe(), null, 2)}\n`, values.force);
      }
      if (values.json) return terminal.json(planData(planned));
      terminal.print(`${planTable(planned)}\n`);
      for (const { text } of planned.notes) terminal.say(text);
      if (planned.found) terminal.say(aimSummary(planned));
      terminal.print(planSummary(planned));
    } finally {
      await model.close();
    }
  },
};
