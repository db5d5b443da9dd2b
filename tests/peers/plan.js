/**
 * A model under llama-quantize's presets, whose bytes are the library's own (tests/plan_llama.rs), and for each a plan of at most 98 % of its
 * file. `node plan.js MODEL FOLDER` writes them and prints a line of JSON for each preset, for plan.py.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { init, openModel, shrink } from '../../www/lib/index.js';
import { openPlanning } from '../../www/lib/shrink/plan.js';

const PRESETS = ['Q8_0', 'Q6_K', 'Q5_K_M', 'Q5_K_S', 'Q4_K_M', 'Q4_K_S', 'Q3_K_L', 'Q3_K_M', 'Q3_K_S', 'Q2_K'];
/** Of a preset's file, so that the plan is the smaller one. */
const SHARE = 0.98;

/**
 * @param {string} path
 * @param {string} folder
 * @returns {Promise<{preset: string, file: string, bytes: number, planned: string, plannedBytes: number}[]>}
 */
export async function presetsAndPlans(path, folder) {
  const model = await openModel(path);
  const planning = await openPlanning(model);
  try {
    await planning.survey({ workers: 2 });
    const made = [];
    for (const preset of PRESETS) {
      const [file, planned] = [join(folder, `${preset}.gguf`), join(folder, `${preset}-planned.gguf`)];
      const by = await planning.plan({ preset });
      await shrink(by, file, { workers: 2, overwrite: true });
      await shrink(await planning.plan({ targetBytes: Math.floor(by.outputBytes * SHARE) }), planned, {
        ...{ workers: 2, overwrite: true },
      });
      const [bytes, plannedBytes] = [file, planned].map((name) => statSync(name).size);
      made.push({ preset, file, bytes, planned, plannedBytes });
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
