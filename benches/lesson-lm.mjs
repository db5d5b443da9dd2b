/**
 * What the lesson's figure of the language model shows before the model is loaded: `node benches/lesson-lm.mjs` writes
 * `www/learn/figures/language-rest.js` anew from the engine, and `www/learn/language-rest.test.js` holds it.
 */
import { writeFile } from 'node:fs/promises';
import { format } from '../www/node_modules/prettier/index.mjs';
import { init } from '../www/lib/index.js';
import { continued } from '../www/engine/worker-language.js';
import { BITS, KINDS, PROMPT, keyOf, schemeOf } from '../www/learn/figures/language-schemes.js';

const models = new URL('../www/public/models/', import.meta.url).href;
const OUT = new URL('../www/learn/figures/language-rest.js', import.meta.url);

/** @param {import('../www/engine/worker-language.js').Side} side */
const line = ({ byteLength, bits, perToken, text, ended }) =>
  JSON.stringify({ byteLength, bits: Number(bits.toFixed(4)), perToken: Number(perToken.toFixed(5)), text, ended });

await init();
/** @type {string[]} */
const lines = [];
let about = { tokens: 0, vocabulary: 0, float: '' };
for (const kind of KINDS) {
  for (const bits of BITS) {
    const { float, small, tokens, vocabulary } = await continued(
      { scheme: schemeOf(kind, bits), prompt: PROMPT, models },
      {},
    );
    about = { tokens, vocabulary, float: line(float) };
    lines.push(`  ${JSON.stringify(keyOf(kind, bits))}: ${line(small)},`);
  }
}
const text = `/**
 * What the engine says of the language model, written by benches/lesson-lm.mjs and held by language-rest.test.js: the figure shows it before the
 * model is loaded. \`perToken\` is in nats, on the held-out text's first \`TOKENS\`.
 * @typedef {{byteLength: number, bits: number, perToken: number, text: string, ended: boolean}} Side
 */

export const TOKENS = ${about.tokens};
export const VOCABULARY = ${about.vocabulary};
/** @type {Side} */
export const FLOAT = ${about.float};
/** @type {{[key: string]: Side}} */
export const SMALL = {
${lines.join('\n')}
};
`;
await writeFile(OUT, await format(text, { parser: 'babel', printWidth: 120, singleQuote: true }));
