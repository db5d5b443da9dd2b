/**
 * Several models in one go: plain data, and the pure updates that change it.
 *
 * @typedef {import('../types.js').State} State
 * @typedef {import('../types.js').Problem} Problem
 * @typedef {import('./state.js').Choice} Choice
 * @typedef {import('./state.js').Made} Made
 * @typedef {import('./state.js').Place} Place
 * @typedef {import('../lib/several.js').Found} Found
 * @typedef {import('../lib/shrink/report.js').Report} Report
 *
 * @typedef {{before: number, outputBytes: number, isExact: boolean, files: number, notes: {code: string, text: string}[],
 *   bitsPerWeight?: number}} Outline of a plan: what would be written
 * @typedef {'waiting' | 'planned' | 'running' | 'done' | 'failed' | 'skipped'} RowState
 *   `waiting`: not looked at or not planned yet; `failed`: `problem` says by what; `skipped`: its output stands already
 * @typedef {{id: number, name: string, files: import('../lib/several.js').PlacedFile[], size: number, state: RowState, format: string | null,
 *   tensors: number, choice: Choice | null, outline: Outline | null, problem: Problem | null, read: number, measured: number | null,
 *   report: Report | null, made: Made[], output: string}} Row
 *   a model: `choice` is the one that it was planned for; `measured`: the share that is measured for a size
 * @typedef {{state: 'running' | 'over', place: Place, handle: any, total: number, before: number, written: number, speed: number,
 *   memory: number, isCancelled: boolean}} Job
 *   `before`: bytes of the models that are behind it
 * @typedef {{rows: Row[], choices: {[format: string]: Choice}, isChosen: boolean, job: Job | null, place: Place | null, overwrite: boolean,
 *   shown: number | null, opened: {row: number, model: number} | null, problem: Problem | null}} Batch
 *   `choices`: what was chosen last for a format; `isChosen`: by a hand, so that it is for all; `shown`: the model whose report is unfolded;
 *   `opened`: the one that is open for a look, as the page's model of that id
 */
import { stemOf } from '../lib/model-names.js';
import { batchReport } from '../lib/shrink/batch.js';
import { targetsOf } from '../lib/shrink/targets.js';
import { firstChoice, fittedTo, optionsOf, shrinkOf, whatOf } from './state.js';

/** @type {Batch} */
const EMPTY = Object.freeze({
  ...{
    rows: [],
    choices: {},
    isChosen: false,
    job: null,
    place: null,
    overwrite: false,
    shown: null,
    opened: null,
    problem: null,
  },
});

/** @param {State} state @returns {Batch} */
export const batchOf = (state) => state.batch ?? EMPTY;

/**
 * @param {State} state
 * @param {Partial<Batch>} batch
 * @returns {State}
 */
export const setBatch = (state, batch) => ({ ...state, batch: { ...batchOf(state), ...batch } });

/** What tells a model from others: the same file dropped again is no other. @param {Pick<Row, 'name' | 'files'>} row */
const keyOf = ({ name, files }) =>
  JSON.stringify([name, ...files.map(({ file }) => [file.size, /** @type {File} */ (file).lastModified ?? 0])]);

/**
 * Models join those that are there.
 * @param {State} state
 * @param {Found[]} found
 * @returns {State}
 */
export function add(state, found) {
  const { rows } = batchOf(state);
  const known = new Set(rows.map(keyOf));
  const last = rows.reduce((most, { id }) => Math.max(most, id), 0);
  /** @type {Row[]} */
  const more = found
    .filter((one) => !known.has(keyOf(one)))
    .map(({ name, files }, i) => ({
      ...{ id: last + 1 + i, name, files, size: files.reduce((sum, { file }) => sum + file.size, 0) },
      ...fresh,
    }));
  return setBatch(state, { rows: [...rows, ...more] });
}

/** What a model is before anything is known of it. @type {Omit<Row, 'id' | 'name' | 'files' | 'size'>} */
const fresh = {
  ...{ state: 'waiting', format: null, tensors: 0, choice: null, outline: null, problem: null, read: 0 },
  ...{ measured: null, report: null, made: [], output: '' },
};

/**
 * @param {State} state
 * @param {number} id
 * @param {Partial<Row>} row
 * @returns {State}
 */
export function setRow(state, id, row) {
  const rows = batchOf(state).rows.map((one) => (one.id === id ? { ...one, ...row } : one));
  return state.batch ? setBatch(state, { rows }) : state;
}

/** Looked at as if it had just come. @param {State} state @param {number} id */
export const again = (state, id) => setRow(state, id, fresh);

/**
 * @param {State} state
 * @param {number} id
 * @returns {State} without a list once it is empty
 */
export function remove(state, id) {
  const rows = batchOf(state).rows.filter((row) => row.id !== id);
  return rows.length > 0 ? setBatch(state, { rows }) : { ...state, batch: null };
}

/** All of them once more: what was done is let go. @param {State} state */
export function anew(state) {
  const rows = batchOf(state).rows.map((row) => ({ ...row, ...fresh, format: row.format, tensors: row.tensors }));
  return setBatch(state, { rows, job: null, shown: null, problem: null });
}

/**
 * What a model of a format becomes.
 * @param {Batch} batch
 * @param {string} format
 * @returns {Choice | null} null where nothing can be written
 */
export function choiceFor({ choices }, format) {
  const [first] = targetsOf(format);
  // Errors are weighed by running one model, not many.
  return first ? { ...(choices[format] ?? firstChoice(first)), isWeighed: false, isChosen: false } : null;
}

/** @param {Choice} choice */
const sorted = (choice) => JSON.stringify(Object.entries(choice).sort());

/** Whether this is what a format's choice is when nobody has chosen. @param {string} format @param {Choice} choice */
export function isUsual(format, choice) {
  const [first] = targetsOf(format);
  return first !== undefined && sorted(choice) === sorted(firstChoice(first));
}

/**
 * The room's choice is that of all models which it can be for; the others keep theirs. What is usual for a format is so for that one alone.
 * @param {State} state
 * @returns {State}
 */
export function follow(state) {
  const batch = batchOf(state);
  const { choice } = shrinkOf(state);
  const { model } = state;
  if (!model || !state.batch || choice.to === '') return state;
  const isChosen = batch.isChosen || !isUsual(model.format, choice);
  /** @type {Batch['choices']} */
  const choices = { ...batch.choices };
  for (const format of new Set(batch.rows.map((row) => row.format))) {
    const target = format === null ? undefined : targetsOf(format).find(({ to }) => to === choice.to);
    if (format === null || !target || (!isChosen && format !== model.format)) continue;
    const fit = fittedTo(target, choice);
    const isSame = JSON.stringify([fit.preset, fit.scheme]) === JSON.stringify([choice.preset, choice.scheme]);
    if (isSame || choice.targetBytes !== null) choices[format] = fit;
  }
  const isSame = isChosen === batch.isChosen && JSON.stringify(choices) === JSON.stringify(batch.choices);
  return isSame ? state : setBatch(state, { choices, isChosen });
}

/**
 * What there is to do next while nothing runs: a model to be looked at, or to be planned.
 * @param {Batch} batch
 * @returns {{row: Row, choice: Choice | null} | null} `choice`: null for one that is to be looked at
 */
export function wanted(batch) {
  if (batch.job?.state === 'running') return null;
  const unseen = batch.rows.find(({ format, problem }) => format === null && problem === null);
  if (unseen) return { row: unseen, choice: null };
  for (const row of batch.rows) {
    if (row.format === null || row.state === 'done' || row.state === 'skipped') continue;
    const choice = choiceFor(batch, row.format);
    if (choice && keyOfChoice(choice) !== (row.choice && keyOfChoice(row.choice))) return { row, choice };
  }
  return null;
}

/** @param {Choice} choice */
const keyOfChoice = (choice) => JSON.stringify([optionsOf(choice), choice.to, choice.layout]);

/** Models that are still to be done. @param {Batch} batch */
export const left = ({ rows }) =>
  rows.filter(({ state, outline }) => outline !== null && (state === 'planned' || state === 'failed'));

/** Files of a model that were made and lie nowhere but in this page. @param {Row} row */
export const unsaved = ({ made }) => made.filter(({ isSaved }) => !isSaved);

/** The same of all models, or of one. @param {Batch} batch @param {number} [id] */
export const atStake = ({ rows }, id) => rows.filter((row) => id === undefined || row.id === id).flatMap(unsaved);

/** A file was handed over. @param {State} state @param {number} id @param {Made} one */
export const saved = (state, id, one) =>
  setRow(state, id, {
    made: batchOf(state)
      .rows.filter((row) => row.id === id)
      .flatMap(({ made }) => made.map((file) => (file.file === one.file ? { ...file, isSaved: true } : file))),
  });

/** How many are in a state. @param {Batch} batch @param {RowState} state */
export const counted = ({ rows }, state) => rows.filter((row) => row.state === state).length;

/** Bytes of all models that are planned, and of what they become. @param {Batch} batch */
export function totals({ rows }) {
  const all = rows.flatMap(({ outline, report }) => (outline ? [{ ...outline, after: report?.outputBytes }] : []));
  return {
    before: all.reduce((sum, { before }) => sum + before, 0),
    after: all.reduce((sum, { outputBytes, after }) => sum + (after ?? outputBytes), 0),
    isExact: all.every(({ isExact, after }) => isExact || after !== undefined),
  };
}

/** How far the batch is. @param {Batch} batch */
export function progress({ rows, job }) {
  const { before = 0, total = 0, speed = 0 } = job ?? {};
  const running = rows.find(({ state }) => state === 'running');
  const read = before + (running?.read ?? 0);
  return {
    read,
    total,
    share: total > 0 ? read / total : 1,
    left: speed > 0 && read > 0 ? (total - read) / speed : null,
  };
}

/**
 * Names for what is written, one for each model: its own, and what was done to it; a number where two would be the same.
 * @param {readonly Row[]} rows
 * @returns {Map<number, string>} by id
 */
export function outputNames(rows) {
  /** @type {Map<number, string>} */
  const names = new Map();
  const taken = new Set();
  for (const { id, name, format, choice, outline } of rows) {
    if (!choice || !outline) continue;
    const target = targetsOf(format ?? '').find(({ to }) => to === choice.to);
    // A model of several files is a folder.
    const ending = outline.files > 1 ? '' : `.${target?.extension ?? choice.to}`;
    const stem = `${stemOf(name).replace(/[\\/:*?"<>|\p{Cc}]/gu, '-')}-${whatOf(choice)}`;
    let whole = `${stem}${ending}`;
    for (let n = 2; taken.has(whole.toLowerCase()); n++) whole = `${stem}-${n}${ending}`;
    taken.add(whole.toLowerCase());
    names.set(id, whole);
  }
  return names;
}

/**
 * What became of them, as the command line reports it.
 * @param {Batch} batch
 */
export function reportOf({ rows }) {
  /** @returns {import('../lib/shrink/batch.js').Outcome[]} */
  const outcome = (/** @type {Row} */ { state, name, output, report, outline, problem }) => {
    if (state === 'done' && report) return [{ output, notes: outline?.notes ?? [], ...report }];
    if (state === 'skipped') return [{ output, skipped: true }];
    return problem ? [{ input: name, failed: { code: problem.code, message: problem.message } }] : [];
  };
  return batchReport(rows.flatMap(outcome));
}
