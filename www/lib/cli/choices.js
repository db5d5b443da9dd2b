/** What shrink and plan share: the choices on the command line, made a plan's options; and a plan as a table. */
import { readFile } from 'node:fs/promises';

import { FewerbitsError } from '../errors.js';
import { planByRunning } from '../shrink/by-running.js';
import { measureWeights } from '../shrink/running.js';
import { runnable } from '../shrink/runnable.js';
import { plan } from '../shrink/plan.js';
import { Usage, numberFrom, rulesOf, schemeOf, sizeFrom } from './arguments.js';
import { runtimeFor } from './runtime.js';
import { bytes, table } from './terminal.js';

/**
 * @typedef {import('../shrink/plan.js').PlanOptions} PlanOptions
 * @typedef {import('../shrink/plan.js').Plan} Plan
 */

const FORMATS = /** @type {const} */ (['gguf', 'onnx', 'safetensors', 'npz', 'deep']);

/** Endings that are not a format's name. */
const ENDINGS = { deep: 'fbdc' };

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
  'target-bits': { type: 'string' },
  schemes: { type: 'string', multiple: true },
  exclude: { type: 'string', multiple: true },
  effort: { type: 'string' },
  weight: { type: 'string', multiple: true },
  'measure-weights': { type: 'boolean' },
  'by-running': { type: 'boolean' },
  'least-db': { type: 'string' },
  workers: { type: 'string' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
};

/**
 * @param {{[name: string]: any}} values
 * @returns {Promise<PlanOptions>}
 */
export async function choicesOf(values) {
  const ways = ['scheme', 'preset', 'recipe', 'target-size', 'target-bits'].filter(
    (name) => values[name] !== undefined,
  );
  if (ways.length > 1) throw new Usage(`--${ways.join(' and --')} exclude each other`);
  const isBare = ways.length === 0 && values.to === undefined && values.rule === undefined;
  if (isBare && formatOf(values.output ?? '') !== 'deep') {
    throw new Usage(
      'nothing says what the tensors shall become: give --target-size, --scheme, --preset, --recipe, --rule or --to',
    );
  }
  if (values.to !== undefined && !FORMATS.includes(values.to)) {
    throw new Usage(`--to takes ${FORMATS.join(', ')}, not ${JSON.stringify(values.to)}`);
  }
  const { to, preset, layout, effort } = values;
  /** @type {PlanOptions} */
  const options = { rules: rulesOf(values.rule, values.keep, values.exclude) };
  if (to !== undefined) options.to = to;
  if (preset !== undefined) options.preset = preset;
  if (layout !== undefined) options.layout = layout;
  if (effort !== undefined) options.effort = effort;
  if (values.scheme !== undefined) options.scheme = schemeOf(values.scheme);
  if (values.recipe !== undefined) options.recipe = await readRecipe(values.recipe);
  return { ...options, ...aimOf(values) };
}

/**
 * What belongs to a target.
 * @param {{[name: string]: any}} values
 * @returns {PlanOptions}
 */
function aimOf(values) {
  /** @type {PlanOptions} */
  const options = {};
  if (values['target-size'] !== undefined) options.targetBytes = sizeFrom(values['target-size'], '--target-size');
  if (values['target-bits'] !== undefined) options.targetBits = numberFrom(values['target-bits'], '--target-bits');
  if (options.targetBytes === undefined && options.targetBits === undefined) {
    const idle = ['schemes', 'exclude', 'weight', 'measure-weights', 'by-running', 'least-db'].find(
      (name) => values[name] !== undefined,
    );
    if (idle) throw new Usage(`--${idle} goes with --target-size or --target-bits`);
    return options;
  }
  if (values.schemes) {
    options.schemes = values.schemes
      .flatMap((/** @type {string} */ list) => list.split(/,(?=[a-z]\w*(?:[:,]|$))/))
      .map(schemeOf);
  }
  if (values['least-db'] !== undefined) options.leastDb = numberFrom(values['least-db'], '--least-db');
  if (values.weight) {
    options.roles = Object.fromEntries(
      values.weight.map((/** @type {string} */ text) => {
        const [role, weight = ''] = text.split('=');
        return [role, numberFrom(weight, '--weight ROLE=')];
      }),
    );
  }
  return options;
}

/**
 * A plan, with the progress of what is measured for it.
 * @param {import('../model.js').Model} model
 * @param {PlanOptions} options
 * @param {import('./terminal.js').Terminal} terminal
 * @param {{[name: string]: any}} values what was said: whether the model is run to weigh errors, and to choose
 */
export async function planFor(model, options, terminal, values) {
  if ((values['measure-weights'] || values['by-running']) && runnable(model) === 'digits') {
    const facts = { file: model.name, expected: 'a language model', found: 'the digits network' };
    throw new FewerbitsError('unsupported', 'the command has no images to run this model on', facts);
  }
  const started = Date.now();
  terminal.restart();
  try {
    if (values['measure-weights']) {
      const ort = await runtimeFor(model);
      const onProgress = (/** @type {import('../shrink/running.js').Progress} */ { done, total }) =>
        terminal.progress('running', done, total, (Date.now() - started) / 1000, ort ? 'runs' : 'matrices');
      options = { ...options, weights: await measureWeights(model, { ort, signal: options.signal, onProgress }) };
      terminal.restart();
      if (ort) terminal.say('errors weighed by running the model on random inputs, seed 1');
    }
    const onProgress = (/** @type {import('../shrink/survey.js').SurveyProgress} */ { done, total }) =>
      terminal.progress('measuring', done, total, (Date.now() - started) / 1000, 'tensors');
    if (!values['by-running']) return await plan(model, { ...options, onProgress });
    return await planByRunning(
      model,
      { ...options, onProgress },
      {
        signal: options.signal,
        onProgress: ({ run, runs }) => terminal.progress('running', run, runs, (Date.now() - started) / 1000, 'runs'),
      },
    );
  } finally {
    terminal.clear();
  }
}

/**
 * The format that a file's ending names.
 * @param {string} path
 */
export function formatOf(path) {
  return FORMATS.find((format) => path.toLowerCase().endsWith(`.${endingOf(format)}`));
}

/** What a format's files end in. @param {string} format */
export function endingOf(format) {
  return ENDINGS[/** @type {keyof typeof ENDINGS} */ (format)] ?? format;
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

/**
 * A sentence about the whole.
 * @param {Plan} plan
 * @param {{outputBytes: number, bitsPerWeight: number}} [outcome] what was written, where that was not known before
 */
export function planSummary(plan, outcome) {
  const { model, tensors } = plan;
  const { outputBytes, bitsPerWeight } = outcome ?? plan;
  const most = outcome || plan.isExact ? '' : 'at most ';
  const kept = tensors.filter(({ scheme }) => scheme === null).length;
  const fallbacks = tensors.filter(({ insteadOf }) => insteadOf !== null).length;
  const share = model.byteLength === 0 ? 100 : (outputBytes / model.byteLength) * 100;
  return (
    `${bytes(model.byteLength)} → ${most}${bytes(outputBytes)} (${share.toFixed(1)} %), ${bitsPerWeight.toFixed(2)} bits per weight; ` +
    `${tensors.length - kept} tensors changed, ${kept} kept` +
    (fallbacks > 0 ? `, ${fallbacks} fell back to another type` : '')
  );
}

/** A plan for machines. @param {Plan} plan */
export function planData({ model, to, files, outputBytes, bitsPerWeight, notes, tensors, found }) {
  const data = { model: model.name, to, files, inputBytes: model.byteLength, outputBytes, bitsPerWeight, notes };
  if (!found) return { ...data, tensors };
  const { targetBytes, targetBits, cost, price, roles, weights, byRunning, leastDb, decided, least, measured } = found;
  const aim = { targetBytes, targetBits, cost, price, roles, weights, byRunning, leastDb, decided, least, measured };
  const { why, curve } = found;
  return { ...data, aim: { ...aim, curve: [...curve()] }, tensors: tensors.map((t) => ({ ...t, why: why(t.name) })) };
}

/** What was measured for a target, and what it came to. @param {Plan} plan */
export function aimSummary({ model, outputBytes, bitsPerWeight, found }) {
  if (!found) return '';
  const { targetBytes, targetBits, least, measured, cost, weights, byRunning } = found;
  const size =
    targetBytes === undefined
      ? `${bitsPerWeight.toFixed(3)} of ${targetBits} bits per weight`
      : `${outputBytes} of ${targetBytes} bytes`;
  return (
    `${size}; at least ${least} bytes could be reached; ${bytes(measured.bytesRead)} read and measured in ` +
    `${measured.seconds.toFixed(1)} s; ` +
    (weights
      ? runnable(model) === 'onnx'
        ? `expected relative squared error of the outputs ${cost.toPrecision(3)}`
        : `expected divergence ${cost.toPrecision(3)} nats`
      : `sum of the tensors' relative errors by their weights ${cost.toPrecision(3)}`) +
    (byRunning ? `; chosen by running the model ${byRunning.runs} times: ${movedText(byRunning)}` : '')
  );
}

/** @param {import('../shrink/reasons.js').ByRunning} found */
function movedText({ measure, answers, moved, byCost }) {
  const what = measure === 'cosine' ? 'of the cosine 1 is missed by' : 'answers diverge by';
  return `on ${answers} answers ${what} ${moved.toPrecision(3)}, under the plan by cost ${byCost.toPrecision(3)}`;
}
