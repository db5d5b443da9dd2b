/** What shrink and plan share: the choices on the command line, made a plan's options; and a plan as a table. */
import { readFile } from 'node:fs/promises';

import { FewerbitsError } from '../errors.js';
import { Usage, rulesOf, schemeOf } from './arguments.js';
import { bytes, table } from './terminal.js';

/**
 * @typedef {import('../shrink/plan.js').PlanOptions} PlanOptions
 * @typedef {import('../shrink/plan.js').Plan} Plan
 */

const FORMATS = /** @type {const} */ (['gguf', 'onnx', 'safetensors', 'npz']);

/** @type {import('./arguments.js').Command['options']} */
export const OPTIONS = {
  output: { type: 'string', short: 'o' },
  to: { type: 'string' },
  scheme: { type: 'string' },
  preset: { type: 'string' },
  recipe: { type: 'string' },
  layout: { type: 'string' },
  keep: { type: 'string', multiple: true },
  rule: { type: 'string', multiple: true },
  'target-size': { type: 'string' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
};

/**
 * @param {{[name: string]: any}} values
 * @returns {Promise<PlanOptions>}
 */
export async function choicesOf(values) {
  if (values['target-size'] !== undefined) {
    throw new Usage('--target-size is not there yet: choose with --scheme, --preset or --recipe');
  }
  const ways = ['scheme', 'preset', 'recipe'].filter((name) => values[name] !== undefined);
  if (ways.length > 1) throw new Usage(`--${ways.join(' and --')} exclude each other`);
  if (ways.length === 0 && values.to === undefined && values.rule === undefined) {
    throw new Usage('nothing says what the tensors shall become: give --scheme, --preset, --recipe, --rule or --to');
  }
  if (values.to !== undefined && !FORMATS.includes(values.to)) {
    throw new Usage(`--to takes ${FORMATS.join(', ')}, not ${JSON.stringify(values.to)}`);
  }
  const { to, preset, layout } = values;
  /** @type {PlanOptions} */
  const options = { rules: rulesOf(values.rule, values.keep) };
  if (to !== undefined) options.to = to;
  if (preset !== undefined) options.preset = preset;
  if (layout !== undefined) options.layout = layout;
  if (values.scheme !== undefined) options.scheme = schemeOf(values.scheme);
  if (values.recipe !== undefined) options.recipe = await readRecipe(values.recipe);
  return options;
}

/**
 * The format that a file's ending names.
 * @param {string} path
 */
export function formatOf(path) {
  return FORMATS.find((format) => path.toLowerCase().endsWith(`.${format}`));
}

/** @param {string} file */
async function readRecipe(file) {
  let text;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new FewerbitsError('unreadable', 'the recipe cannot be read', { file, found, cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new FewerbitsError('malformed', 'the recipe is no JSON', { file, found, cause });
  }
}

/** @param {Plan} plan */
export function planTable({ tensors }) {
  const rows = tensors.map((tensor) => [
    tensor.name,
    tensor.from.dtype,
    bytes(tensor.from.byteLength),
    tensor.dtype + (tensor.insteadOf ? ` (not ${tensor.insteadOf})` : ''),
    bytes(tensor.byteLength),
    tensor.bitsPerWeight.toFixed(2),
    tensor.left?.text ?? '',
  ]);
  return table(['tensor', 'from', '>bytes', 'to', '>bytes', '>bits/weight', ''], rows);
}

/** A sentence about the whole. @param {Plan} plan */
export function planSummary({ model, outputBytes, bitsPerWeight, tensors }) {
  const kept = tensors.filter(({ scheme }) => scheme === null).length;
  const fallbacks = tensors.filter(({ insteadOf }) => insteadOf !== null).length;
  const share = model.byteLength === 0 ? 100 : (outputBytes / model.byteLength) * 100;
  return (
    `${bytes(model.byteLength)} → ${bytes(outputBytes)} (${share.toFixed(1)} %), ${bitsPerWeight.toFixed(2)} bits per weight; ` +
    `${tensors.length - kept} tensors changed, ${kept} kept` +
    (fallbacks > 0 ? `, ${fallbacks} fell back to another type` : '')
  );
}

/** A plan for machines. @param {Plan} plan */
export function planData({ model, to, files, outputBytes, bitsPerWeight, notes, tensors }) {
  return { model: model.name, to, files, inputBytes: model.byteLength, outputBytes, bitsPerWeight, notes, tensors };
}
