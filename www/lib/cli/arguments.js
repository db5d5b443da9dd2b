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
 * `--rule GLOB=SCHEME` in their order, then `--keep GLOB`.
 * @param {string[]} rules
 * @param {string[]} keep
 * @returns {Rule[]}
 */
export function rulesOf(rules = [], keep = []) {
  const schemes = rules.map((text) => {
    // The scheme's own options have an equals sign too, a tensor's name hardly ever.
    const at = text.indexOf('=');
    if (at < 1) throw new Usage(`this is no rule: ${JSON.stringify(text)}; expected GLOB=SCHEME`);
    return { match: text.slice(0, at), scheme: schemeOf(text.slice(at + 1)) };
  });
  return [...schemes, ...keep.map((match) => ({ match, keep: true }))];
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
