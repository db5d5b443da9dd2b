/**
 * A model under llama-quantize's presets, whose bytes are the library's own (tests/plan_llama.rs), and for each plans of smaller files: by the
 * weights of roles, by weights that were measured by running the model on what it says itself, and for the smallest preset chosen by running.
 * `node plan.js MODEL FOLDER` writes them and prints a line of JSON for each preset, for plan.py.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { init, measureWeights, openModel, shrink } from '../../www/lib/index.js';
import { chosenByRunning } from '../../www/lib/shrink/by-running.js';
import { openPlanning } from '../../www/lib/shrink/plan.js';

const PRESETS = ['Q8_0', 'Q6_K', 'Q5_K_M', 'Q5_K_S', 'Q4_K_M', 'Q4_K_S', 'Q3_K_L', 'Q3_K_M', 'Q3_K_S', 'Q2_K'];

/** What is planned beside a preset, and the share of its file that it takes at most. */
/** @type {[string, {effort?: 'best' | 'reference', isMeasured?: boolean, only?: string}, number][]} */
const KINDS = [
  ['planned', { effort: 'best' }, 0.998],
  ['measured', { effort: 'best', isMeasured: true }, 0.98],
  // Where errors are large they do not add up: there running says more than weights.
  ['running', { effort: 'best', isMeasured: true, only: 'Q2_K' }, 0.98],
];

/**
 * @param {string} path
 * @param {string} folder
 * @returns {Promise<{preset: string, file: string, plans: {kind: string, file: string, bytes: number}[]}[]>}
 */
export async function presetsAndPlans(path, folder) {
  const model = await openModel(path);
  const planning = await openPlanning(model);
  try {
    const found = await measureWeights(model);
    for (const effort of /** @type {const} */ (['reference', 'best'])) await planning.survey({ workers: 2, effort });
    const made = [];
    for (const preset of PRESETS) {
      const file = join(folder, `${preset}.gguf`);
      const by = await planning.plan({ preset });
      await shrink(by, file, { workers: 2, overwrite: true });
      const plans = [];
      for (const [kind, { isMeasured, effort = 'reference', only }, share] of KINDS) {
        if (only !== undefined && only !== preset) continue;
        const planned = join(folder, `${preset}-${kind}.gguf`);
        const targetBytes = Math.floor(by.outputBytes * share);
        const weights = isMeasured ? found : undefined;
        const options = { targetBytes, effort, weights };
        const plan = only ? await chosenByRunning(planning, model, options) : await planning.plan(options);
        await shrink(plan, planned, { workers: 2, overwrite: true });
        plans.push({ kind, file: planned, bytes: statSync(planned).size });
      }
      made.push({ preset, file, plans });
    }
    return made;
  } finally {
    planning.free();
    await model.close();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await init();
  const [path, folder] = process.argv.slice(2);
  for (const line of await presetsAndPlans(path, folder)) console.log(JSON.stringify(line));
}
