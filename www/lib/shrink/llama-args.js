/**
 * A plan as arguments of llama.cpp's `llama-quantize`, so that a model too large for this machine is done elsewhere with the same choices.
 * Defined by tools/quantize/quantize.cpp and src/llama-quant.cpp: each `--tensor-type PATTERN=TYPE` is a regular expression searched for in the
 * tensor's name, and is put into lower case before that.
 */
import { FewerbitsError } from '../errors.js';

/**
 * @typedef {{target: string, shape: number[], from: {dtype: string}, dtype: string, byteLength: number, left: {code: string} | null}} Planned
 *   of a plan's tensor what is needed here
 */

/** Types that `llama-quantize` takes for the whole file and that are types of tensors too. */
const WHOLE = /^(q[1-8]_[01]|q[2-6]_k|iq4_nl|iq4_xs|tq[12]_0|f16|bf16|f32)$/;

/**
 * @param {{to: string, preset?: string | null, tensors: Planned[]}} plan
 * @returns {string[]} without the names of the files: `--tensor-type …`, and last the type for the whole
 * @throws {FewerbitsError} `invalid_argument` for a plan of another format
 */
export function llamaArgs({ to, preset, tensors }) {
  if (to !== 'gguf') {
    throw new FewerbitsError('invalid_argument', 'llama-quantize writes GGUF', {
      expected: 'a plan to gguf',
      found: to,
    });
  }
  // What has one dimension is never quantized there.
  const matrices = tensors.filter(({ shape }) => shape.length > 1);
  const base = preset ?? mostCommon(matrices);
  const patterns = grouped(matrices.filter(({ dtype }) => preset || dtype.toLowerCase() !== base.toLowerCase()));
  return [...patterns.flatMap(({ pattern, type }) => ['--tensor-type', `${pattern}=${type}`]), base.toUpperCase()];
}

/**
 * The same as a line for a shell, with places for the files.
 * @param {Parameters<typeof llamaArgs>[0]} plan
 * @param {{from?: string, to?: string}} [files]
 */
export function llamaCommand(plan, { from = 'model-f16.gguf', to = 'model.gguf' } = {}) {
  const args = llamaArgs(plan);
  return ['llama-quantize', ...args.slice(0, -1), from, to, ...args.slice(-1)].map(quoted).join(' ');
}

/**
 * The type that holds most bytes, of those that can be asked for the whole.
 * @param {Planned[]} tensors
 */
function mostCommon(tensors) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const { dtype, byteLength } of tensors) {
    const type = dtype.toLowerCase();
    if (WHOLE.test(type)) sums.set(type, (sums.get(type) ?? 0) + byteLength);
  }
  const [[type] = ['f16']] = [...sums].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  return type;
}

/**
 * Tensors of one type whose names differ in their first number alone, the block's, share a pattern.
 * @param {Planned[]} tensors
 * @returns {{pattern: string, type: string}[]}
 */
function grouped(tensors) {
  /** @type {Map<string, {before: string, after: string, numbers: string[], type: string}>} */
  const groups = new Map();
  for (const { target, dtype } of tensors) {
    const type = dtype.toLowerCase();
    const [, before, number, after] = /^(.*?\.)(\d+)(\..*)$/s.exec(target) ?? [null, target, '', ''];
    const key = JSON.stringify([before, after, type]);
    const group = groups.get(key) ?? { before, after, numbers: [], type };
    if (number !== '') group.numbers.push(number);
    groups.set(key, group);
  }
  return [...groups.values()].map(({ before, after, numbers, type }) => {
    const middle = numbers.length > 1 ? `(${numbers.join('|')})` : (numbers[0] ?? '');
    return { pattern: `^${escaped(before)}${middle}${escaped(after)}$`, type };
  });
}

/** A name as a regular expression; `=` ends one, and capitals would be put into lower case. @param {string} name */
function escaped(name) {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/[A-Z=]/g, '.');
}

/** As a POSIX shell takes it for one word. @param {string} word */
function quoted(word) {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}
