/**
 * What is written on the command line, understood: options, schemes, rules.
 */
import { parseArgs } from 'node:util';

/**
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {import('../shrink/recipe.js').Rule} Rule
 * @typedef {{values: {[name: string]: any}, inputs: string[]}} Given
 * @typedef {{terminal: import('./terminal.js').Terminal, signal: AbortSignal}} Tools
 *
 * @typedef {object} Command
 * @property {string} help
 * @property {{[name: string]: {type: 'string' | 'boolean', short?: string, multiple?: boolean}}} options
 * @property {[least: number, most: number]} inputs how many it takes
 * @property {(given: Given, tools: Tools) => Promise<number | void>} run an exit code, 0 by default
 */

/** The command line cannot be understood. */
export class Usage extends Error {}

/**
 * @param {Command} command
 * @param {string[]} args
 * @returns {Given}
 */
export function parse(command, args) {
  let given;
  try {
    given = parseArgs({ args, options: command.options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new Usage(/** @type {Error} */ (error).message);
  }
  const { values, positionals } = given;
  const [least, most] = command.inputs;
  if (positionals.length < least || positionals.length > most) {
    const takes = least === most ? String(least) : most === Infinity ? `${least} or more` : `${least} to ${most}`;
    throw new Usage(`this command takes ${takes} ${most === 1 ? 'file' : 'files'}, ${positionals.length} were given`);
  }
  return { values, inputs: positionals };
}

/**
 * `q4_k`, or with options `int4:granularity=group,groupSize=32`.
 * @param {string} text
 * @returns {Scheme}
 */
export function schemeOf(text) {
  const [id, ...rest] = text.split(':');
  /** @type {Scheme} */
  const scheme = { id };
  if (id === '') throw new Usage(`this is no scheme: ${JSON.stringify(text)}; expected ID or ID:option=value,…`);
  for (const pair of rest
    .join(':')
    .split(',')
    .filter((pair) => pair !== '')) {
    const at = pair.indexOf('=');
    if (at < 1) throw new Usage(`this is no option of a scheme: ${JSON.stringify(pair)}; expected option=value`);
    scheme[pair.slice(0, at)] = valueOf(pair.slice(at + 1));
  }
  return scheme;
}

/** @param {string} text */
function valueOf(text) {
  if (text === 'true' || text === 'false') return text === 'true';
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : text;
}

/**
 * `--rule GLOB=SCHEME` in their order, then `--keep GLOB` and `--exclude GLOB=ID,…`.
 * @param {string[]} rules
 * @param {string[]} keep
 * @param {string[]} exclude
 * @returns {Rule[]}
 */
export function rulesOf(rules = [], keep = [], exclude = []) {
  const schemes = rules.map((text) => {
    // The scheme's own options have an equals sign too, a tensor's name hardly ever.
    const at = text.indexOf('=');
    if (at < 1) throw new Usage(`this is no rule: ${JSON.stringify(text)}; expected GLOB=SCHEME`);
    return { match: text.slice(0, at), scheme: schemeOf(text.slice(at + 1)) };
  });
  const excluding = exclude.map((text) => {
    const at = text.lastIndexOf('=');
    if (at < 1 || at === text.length - 1) {
      throw new Usage(`this excludes nothing: ${JSON.stringify(text)}; expected GLOB=ID,…`);
    }
    return { match: text.slice(0, at), exclude: text.slice(at + 1).split(',') };
  });
  return [...schemes, ...keep.map((match) => ({ match, keep: true })), ...excluding];
}

/**
 * A number, 1 or above, or none.
 * @param {string | undefined} text
 * @param {string} option
 */
export function countOf(text, option) {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,3}$/.test(text))
    throw new Usage(`${option} takes a number, 1 or above, not ${JSON.stringify(text)}`);
  return Number(text);
}

const UNITS = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };

/**
 * Bytes: `20MB`, `1.5 GB`, `400MiB`, `20000000`.
 * @param {string} text
 * @param {string} option
 */
export function sizeFrom(text, option) {
  const [, number, unit = 'b'] = /^\s*(\d+\.?\d*|\.\d+)\s*([kmgt]i?b|b)?\s*$/i.exec(text) ?? [];
  if (number === undefined) throw new Usage(`${option} takes a size such as 20MB, not ${JSON.stringify(text)}`);
  return Math.floor(Number(number) * UNITS[/** @type {keyof typeof UNITS} */ (unit.toLowerCase())]);
}

/** @param {string} text @param {string} option */
export function numberFrom(text, option) {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)$/.test(text)) throw new Usage(`${option} takes a number, not ${JSON.stringify(text)}`);
  return Number(text);
}
