/**
 * The digits network under single schemes of GGUF, under plans by cost and under plans chosen by running, each written to a file, read back and
 * run. Plans are chosen on the images that the network was trained on, without labels, and judged on those that were held out.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { DigitsNet, compare, openModel, shrink } from '../../www/lib/index.js';
import { chosenByRunning } from '../../www/lib/shrink/by-running.js';
import { openPlanning } from '../../www/lib/shrink/plan.js';
import { memorySink } from './models.js';

/**
 * @typedef {import('../../www/lib/shrink/plan.js').Plan} Plan
 * @typedef {{bytes: number, lost: number, cosine: number, sqnrDb: number, correct: number, right: boolean[]}} Judged `lost`: what the cosine of
 *   the logits lacks of 1
 */

const MODELS = fileURLToPath(new URL('../../www/public/models/', import.meta.url));
/** Images that plans are chosen on: a third of those that the network was trained on. */
const CHOOSING = 480;
/** Single schemes there are at least of whose bytes a plan can be. */
export const SINGLES = 16;

/** @param {'reference' | 'best'} effort */
export async function openDigits(effort) {
  const [model, heldOut, training] = await Promise.all(
    ['digits', 'digits-heldout', 'digits-training'].map((name) => openModel(join(MODELS, `${name}.safetensors`))),
  );
  const [images, labels] = [await heldOut.readBytes('images'), await heldOut.readBytes('labels')];
  const choosing = { images: (await training.readBytes('images')).slice(0, 64 * CHOOSING) };
  /** @param {import('../../www/lib/model.js').Model} from */
  const run = async (from) => {
    const net = new DigitsNet();
    try {
      for (const { name } of from.tensors) net.set(name, await from.read(name));
      net.setHeldOut(images, labels);
      return { ...net.accuracy(), logits: net.logits() };
    } finally {
      net.free();
    }
  };
  const float = await run(model);
  const planning = await openPlanning(model);
  const options = { to: /** @type {const} */ ('gguf'), workers: 1, effort };
  const { schemes } = await planning.survey(options);
  /** @param {Plan} plan @returns {Promise<Judged>} */
  const judged = async (plan) => {
    const sink = memorySink();
    await shrink(plan, sink, { workers: 1 });
    const made = await openModel(/** @type {Uint8Array} */ (sink.files.get('')));
    const { logits, correct } = await run(made);
    await made.close();
    const { cosine, sqnrDb } = compare(float.logits, logits, { bins: 0 });
    const right = Array.from(labels, (label, i) => first(logits.subarray(i * 10, i * 10 + 10)) === label);
    return { bytes: plan.outputBytes, lost: 1 - cosine, cosine, sqnrDb, correct, right };
  };
  return {
    float: { correct: float.correct, total: float.total },
    judged,
    /** The plan of at most so many bytes by cost. @param {number} targetBytes */
    byCost: (targetBytes) => planning.plan({ ...options, targetBytes }),
    /** The same, chosen by running. @param {number} targetBytes */
    chosen: (targetBytes) => chosenByRunning(planning, model, { ...options, targetBytes }, choosing),
    /** What keeps less than 6 dB of a tensor is not planned with: such schemes' sizes may be out of reach, and are left out. */
    async singles() {
      const found = [];
      for (const scheme of schemes) {
        const plan = await planning.plan({ ...options, scheme });
        try {
          await planning.plan({ ...options, targetBytes: plan.outputBytes });
        } catch (error) {
          if (/** @type {any} */ (error).code !== 'unreachable') throw error;
          continue;
        }
        found.push({ id: scheme.id, bytes: plan.outputBytes, under: await judged(plan) });
      }
      return found;
    },
    async close() {
      planning.free();
      await Promise.all([model, heldOut, training].map((one) => one.close()));
    },
  };
}

/** The first of the largest. @param {Float32Array} values */
function first(values) {
  return values.indexOf(Math.max(...values));
}
