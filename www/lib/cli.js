#!/usr/bin/env node
/**
 * The command `fewerbits`: finds the command's file in `cli/`, runs it, and turns what went wrong into one line and an exit code.
 *
 * 0 done · 1 failed · 2 not understood · 130 interrupted, 143 by SIGTERM
 */
import process from 'node:process';

import { Usage, parse } from './cli/arguments.js';
import { OVERVIEW } from './cli/help.js';
import { Terminal } from './cli/terminal.js';
import { init } from './index.js';

/** @type {Record<string, () => Promise<{command: import('./cli/arguments.js').Command}>>} */
const COMMANDS = {
  inspect: () => import('./cli/inspect.js'),
  shrink: () => import('./cli/shrink.js'),
  quantize: () => import('./cli/shrink.js'),
  plan: () => import('./cli/plan.js'),
  compare: () => import('./cli/compare.js'),
  schemes: () => import('./cli/schemes.js'),
  merge: () => import('./cli/merge.js'),
};

/** @param {string[]} args */
async function main([name, ...args]) {
  const terminal = new Terminal(process);
  const interrupted = new AbortController();
  let signalled = 0;
  for (const [signal, code] of /** @type {const} */ ([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])) {
    process.on(signal, () => {
      // Whoever asks twice does not want to wait.
      if (signalled > 0) process.exit(signalled);
      signalled = code;
      interrupted.abort();
    });
  }
  // `fewerbits shrink … | head` closes the pipe early: what is under way goes on, and ends with its own code.
  for (const which of /** @type {const} */ (['out', 'err'])) {
    process[`std${which}`].on('error', (error) => {
      if (/** @type {any} */ (error).code !== 'EPIPE') process.exit(1);
      terminal.mute(which);
    });
  }
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      const about = name === 'help' ? args[0] : undefined;
      if (about === undefined) terminal.print(OVERVIEW);
      else terminal.print((await find(about)).help);
      return name === undefined ? 2 : 0;
    }
    if (name === '--version' || name === '-V') {
      terminal.print(await version());
      return 0;
    }
    const command = await find(name);
    if (args.includes('--help') || args.includes('-h')) {
      terminal.print(command.help);
      return 0;
    }
    const given = parse(command, args);
    await init();
    return (await command.run(given, { terminal, signal: interrupted.signal })) ?? 0;
  } catch (error) {
    terminal.clear();
    const e = /** @type {Error & {code?: string}} */ (error);
    if (e instanceof Usage) {
      terminal.say(`fewerbits: ${e.message}\nTry: fewerbits ${name in COMMANDS ? `${name} ` : ''}--help`);
      return 2;
    }
    if (signalled > 0) {
      terminal.say('fewerbits: interrupted; what was not finished was removed');
      return signalled;
    }
    terminal.say(`fewerbits: ${e?.code ?? 'unexpected'}: ${oneLine(e?.message ?? String(e))}`);
    return 1;
  }
}

/** @param {string} name */
async function find(name) {
  if (!Object.hasOwn(COMMANDS, name)) {
    throw new Usage(`there is no command ${JSON.stringify(name)}; known: ${Object.keys(COMMANDS).join(', ')}`);
  }
  return (await COMMANDS[name]()).command;
}

async function version() {
  const { readFile } = await import('node:fs/promises');
  try {
    return JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')).version;
  } catch {
    return 'unknown: this is no installed package';
  }
}

/** Names come from strangers' files: no control characters reach the terminal. @param {string} text */
function oneLine(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

process.exitCode = await main(process.argv.slice(2));
