/** What a model is run on, run after run: its inputs by rules, by a seed, or as given. */
import { FewerbitsError } from '../errors.js';
import { Random, filled, inputsOf, shapeOf, sizesOf, takenFrom } from './inputs.js';

/**
 * @typedef {import('./inputs.js').Input} Input
 * @typedef {import('./inputs.js').Fill} Fill
 * @typedef {import('./inputs.js').Given} Given
 * @typedef {{name: string, type: string, shape: readonly number[], data: any}} Filled
 *
 * @typedef {object} FeedOptions
 * @property {number} [runs] 8 by default; one where every input is given
 * @property {number} [seed] of random inputs, 1 by default
 * @property {{[dimension: string]: number}} [sizes] of dimensions that the model leaves open
 * @property {{[input: string]: Fill}} [fills] in the place of what is guessed
 * @property {{[input: string]: Given}} [given] values in the place of random ones
 */

export class Feeds {
  /**
   * @param {import('./graph.js').Graph} graph
   * @param {FeedOptions} options
   * @throws {FewerbitsError} `unsupported`, `invalid_argument`, `shape_mismatch`
   */
  constructor(graph, { runs = 8, seed = 1, sizes, fills, given = {} }) {
    const inputs = inputsOf(graph, fills, given);
    this.seed = seed;
    this.given = given;
    this.sizes = sizesOf(inputs, sizes, given);
    /** @type {(Input & {shape: number[]})[]} */
    this.inputs = inputs.map((input) => ({
      ...input,
      shape: input.fill.kind === 'given' ? takenFrom(input, given[input.name]).shape : shapeOf(input, this.sizes),
    }));
    const isRandom = inputs.some(({ fill }) => fill.kind === 'gaussian' || fill.kind === 'integers');
    this.runs = isRandom ? counted(runs) : 1;
  }

  /** @param {number} run @returns {Filled[]} */
  of(run) {
    return this.inputs.map((input, i) => {
      const { name, type, shape, fill } = input;
      const isGiven = fill.kind === 'given';
      const data = isGiven
        ? takenFrom(input, this.given[name]).data
        : filled(input, shape, new Random(this.seed, run, i));
      return { name, type, shape, data };
    });
  }
}

/** @param {number} runs */
function counted(runs) {
  if (Number.isInteger(runs) && runs > 0 && runs <= 10_000) return runs;
  const facts = { expected: 'a whole number from 1 to 10000', found: String(runs) };
  throw new FewerbitsError('invalid_argument', 'so many runs cannot be made', facts);
}
