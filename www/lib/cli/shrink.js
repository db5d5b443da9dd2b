/** `fewerbits shrink`: one model or several, each proven as it is written. */
import { basename, join, resolve } from 'node:path';

import { FewerbitsError } from '../errors.js';
import { openModel } from '../model.js';
import { stemOf } from '../model-names.js';
import { pathSource } from '../paths.js';
import { batchReport, inTurn, isFolder as isSeveral, reportText, taken as refused } from '../shrink/batch.js';
import { shrink } from '../shrink/job.js';
import { standing } from '../shrink/standing.js';
import { Usage, countOf } from './arguments.js';
import {
  OPTIONS,
  aimSummary,
  choicesOf,
  endingOf,
  formatOf,
  planData,
  planFor,
  planSummary,
  planTable,
} from './choices.js';
import { exists, isFolder, refuseTaken, sizeOf, writeText } from './files.js';
import { CHOICES } from './help.js';
import { bytes, counted, decibels, plain, table } from './terminal.js';

/**
 * @typedef {import('../shrink/plan.js').Plan} Plan
 * @typedef {import('../shrink/job.js').Report} Report
 */

/** Tensors shown after a job, those that lost the most. */
const SHOWN = 5;

/** @type {import('./arguments.js').Command} */
export const command = {
  help: `Usage: fewerbits shrink IN… -o OUT …

Writes a smaller model. Each tensor is read back from what was packed and compared. A file takes its place when it is complete: what fails or
is interrupted leaves nothing. Of several inputs one that fails does not stop the others.

${CHOICES}
  -o OUT                        the file; for several inputs, or a model in several files, a folder
  --force                       overwrites
  --resume                      leaves out inputs whose output is there: as long, with the same header and beginnings of tensors
  --dry-run                     says what would be done
  --report FILE                 writes what became of each tensor there, as JSON
  --json                        the same on the standard output`,
  options: {
    ...OPTIONS,
    resume: { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    report: { type: 'string' },
  },
  inputs: [1, Infinity],
  async run({ values, inputs }, { terminal, signal }) {
    const { output, json, force, resume, report } = values;
    const isDry = values['dry-run'] === true;
    if (!output && !isDry) throw new Usage('-o says where to write');
    const workers = countOf(values.workers, '--workers');
    const options = await choicesOf(values);
    if (report !== undefined) await refuseTaken(report, force);
    const isBatch = inputs.length > 1;
    if (output !== undefined && !isBatch && options.recipe?.to === undefined) options.to ??= formatOf(output);
    const inFolder = output !== undefined && (isBatch || output.endsWith('/') || (await isFolder(output)));
    if (isBatch && output !== undefined && (await exists(output)) && !(await isFolder(output))) {
      throw new Usage(`several models are written to a folder, and ${JSON.stringify(output)} is none`);
    }
    const again = inputs.find((input, i) => inputs.slice(0, i).some((one) => resolve(one) === resolve(input)));
    if (again !== undefined) throw new Usage(`${JSON.stringify(again)} is given twice`);
    /** Which input was written where. @type {Map<string, string>} */
    const taken = new Map();
    /** @type {any[]} */
    const done = [];
    const one = async (/** @type {string} */ input, /** @type {string} */ place) => {
      const model = await openModel(input, { signal });
      try {
        const planned = await planFor(model, { ...options, signal, workers }, terminal, values);
        if (planned.found) terminal.say(aimSummary(planned));
        if (isDry) {
          done.push(planData(planned));
          if (!json) terminal.print(`${planTable(planned)}\n\n${plain(model.name)}: ${planSummary(planned)}`);
          return;
        }
        // A model of several files is a folder itself; several models lie in one.
        const isOne = isBatch || !isSeveral(planned.files);
        const path = inFolder && isOne ? join(output, outputName(model.name, planned)) : /** @type {string} */ (output);
        if (taken.has(path)) throw twice(path, taken.get(path));
        taken.set(path, input);
        const fileOf = (/** @type {string} */ name) => (name === '' ? path : join(path, name));
        const there = async (/** @type {string} */ name) =>
          (await sizeOf(fileOf(name))) === null ? null : pathSource(fileOf(name), { signal });
        const found = resume ? await standing(planned, there, signal) : null;
        if (found?.state === 'other' && !force) throw refused(fileOf(found.difference.file), found.difference);
        if (found?.state === 'same') {
          terminal.say(`${plain(path)}: there and complete, left out`);
          done.push({ output: path, skipped: true });
          return;
        }
        for (const { name } of planned.files) await refuseTaken(fileOf(name), force);
        for (const { text } of planned.notes) terminal.say(text);
        const what = `${place}${basename(path)}`;
        const outcome = await run(planned, path, { signal, workers, overwrite: force, what, terminal });
        done.push({ output: path, notes: planned.notes, ...outcome });
        if (!json) terminal.print(summary(path, planned, outcome));
      } finally {
        await model.close();
      }
    };
    const each = (/** @type {string} */ input, /** @type {number} */ i) =>
      one(input, isBatch ? `${i + 1}/${inputs.length} ` : '');
    const failed = await inTurn(inputs, each, {
      signal,
      // What was not understood is about all of them.
      isAboutAll: (error) => !isBatch || error instanceof Usage,
      onFailure(input, { code, message }) {
        done.push({ input, failed: { code, message } });
        terminal.clear();
        terminal.say(plain(`fewerbits: ${code}: ${message}`));
      },
    });
    const data = isDry ? { version: 1, plans: done } : batchReport(done);
    if (report !== undefined && !isDry) await writeText(report, reportText(data), force);
    if (json) terminal.json(data);
    if (failed > 0) terminal.say(`${failed} of ${inputs.length} models failed`);
    return failed > 0 ? 1 : 0;
  },
};

/**
 * @param {Plan} planned
 * @param {string} path
 * @param {{signal: AbortSignal, workers?: number, overwrite?: boolean, what: string, terminal: import('./terminal.js').Terminal}} tools
 */
async function run(planned, path, { what, terminal, ...options }) {
  const started = Date.now();
  terminal.restart();
  try {
    return await shrink(planned, path, {
      ...options,
      onProgress: ({ read, total }) => terminal.progress(what, read, total, (Date.now() - started) / 1000),
    });
  } finally {
    terminal.clear();
  }
}

/**
 * Two models of one name have one place in a folder: the first has it, and the others go on.
 * @param {string} file
 * @param {string | undefined} first
 */
function twice(file, first) {
  const facts = {
    file,
    expected: 'a name of its own: shrink it alone, to another place',
    found: `the output of ${first}`,
  };
  return new FewerbitsError('exists', 'another of the models is written there', facts);
}

/**
 * The name in a folder of outputs: the model's own with the format's ending; of several files a folder.
 * @param {string} name
 * @param {Plan} plan
 */
function outputName(name, { to, files }) {
  const stem = stemOf(basename(name));
  return isSeveral(files) ? stem : `${stem}.${endingOf(to)}`;
}

/**
 * @param {string} path
 * @param {Plan} planned
 * @param {Report} report
 */
function summary(path, planned, report) {
  const { seconds, inputBytes, peakMemory, tensors, stages } = report;
  const changed = tensors.filter(({ sqnrDb }) => sqnrDb !== null);
  const worst = changed
    .toSorted((a, b) => Number(a.sqnrDb) - Number(b.sqnrDb))
    .slice(0, SHOWN)
    .filter(({ sqnrDb }) => sqnrDb !== Infinity);
  const rows = worst.map(({ name, from, dtype, sqnrDb, maxAbs }) => [
    ...[name, from.dtype, dtype, decibels(sqnrDb), maxAbs === null ? '' : maxAbs.toPrecision(3)],
  ]);
  const speed = bytes(inputBytes / Math.max(seconds, 1e-3));
  return [
    `${plain(path)}: ${planSummary(planned, report)}`,
    `${seconds.toFixed(1)} s, ${speed}/s, ${bytes(peakMemory)} of memory at most; ${counted(changed.length, 'tensor')} read back and compared`,
    ...(stages ? ['', stageTable(stages), '', 'without retraining'] : []),
    ...(rows.length > 0 ? ['', table(['lost the most', 'from', 'to', '>SQNR dB', '>max error'], rows)] : []),
  ].join('\n');
}

/** What each stage of Deep Compression came to. @param {import('../shrink/report.js').StageBytes} stages */
function stageTable({ float, pruned, shared, coded }) {
  const rows = [
    ['float', float],
    ['pruned, with indices', pruned],
    ['shared', shared],
    ['Huffman coded', coded],
  ].map(([stage, size]) => [String(stage), String(size), `${(float / Number(size)).toFixed(2)}×`]);
  return table(['stage', '>bytes', '>ratio'], rows);
}
