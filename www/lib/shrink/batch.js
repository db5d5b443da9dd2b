/**
 * Several models, one after the other: one that fails does not stop the others, and what stands already is left out. The command line and
 * the page go by the same rules; what a single model's job is they say themselves.
 */
import { FewerbitsError, throwIfAborted } from '../errors.js';

/**
 * @typedef {import('./report.js').Report} Report
 * @typedef {{code: string, message: string}} Failed
 * @typedef {({output: string} & Partial<Report> & {notes?: readonly {code: string, text: string}[]})
 *   | {output: string, skipped: true} | {input: string, failed: Failed}} Outcome what became of a model
 * @typedef {{file: string, offset?: number, expected: string, found: string}} Difference of what stands in an output's place from what a plan
 *   would write; `file`: its name in the plan, empty for the only one
 */

/**
 * Does one after the other.
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T, at: number) => Promise<void>} one
 * @param {{signal: AbortSignal, onFailure: (item: T, failed: Failed, error: unknown) => void, isAboutAll?: (error: unknown) => boolean}} tools
 *   `isAboutAll`: what ends the batch, besides its being interrupted
 * @returns {Promise<number>} how many failed
 * @throws what is about all of them
 */
export async function inTurn(items, one, { signal, onFailure, isAboutAll = () => false }) {
  let failed = 0;
  for (const [at, item] of items.entries()) {
    throwIfAborted(signal);
    try {
      await one(item, at);
    } catch (error) {
      if (signal.aborted || isAboutAll(error)) throw error;
      const { code = 'unexpected', message } = /** @type {Error & {code?: string}} */ (error);
      failed += 1;
      onFailure(item, { code, message }, error);
    }
  }
  return failed;
}

/**
 * Whether a model of these files is a folder: else it is one file, which has the model's own name.
 * @param {readonly {name: string}[]} files of a plan
 */
export const isFolder = (files) => files.some(({ name }) => name !== '');

/**
 * What stands in an output's place is not what would be written.
 * @param {string} file
 * @param {Difference} difference
 */
export function taken(file, { offset, expected, found }) {
  return new FewerbitsError('exists', 'another file is there already', { file, offset, expected, found });
}

/**
 * A report as text: JSON has no infinities, and a tensor that lost nothing has an SQNR of "Infinity".
 * @param {unknown} data
 */
export function reportText(data) {
  const spell = (/** @type {string} */ _key, /** @type {unknown} */ value) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  return `${JSON.stringify(data, spell, 2)}\n`;
}

/** What became of all of them, as `fewerbits shrink --report` writes it. @param {readonly Outcome[]} outputs */
export const batchReport = (outputs) => ({ version: 1, outputs });
