/**
 * What quantization costs the language model: every matrix under one scheme, loss on held-out text in nats, true bits per weight of the whole
 * model, and how the same prompt goes on. `cargo xtask bench lm` builds the engine and prints the table.
 */
import { readFile } from 'node:fs/promises';
import { LanguageModel, init, openModel } from '../www/lib/index.js';

const MODELS = new URL('../www/public/models/', import.meta.url);
const PROMPT = 'The compiler will';
const CONTINUED = 16;
/** Tokens of the held-out text. */
const MOST = 8192;
const GROUPED = { granularity: 'group', groupSize: 32 };
/** @type {[string, any][]} */
const SCHEMES = [
  ['float (F16)', null],
  ...['q8_0', 'q6_k', 'q5_k', 'q4_k', 'q4_0', 'iq4_xs', 'q3_k', 'q2_k'].map(
    (id) => /** @type {any} */ ([`\`${id}\``, { id }]),
  ),
  ...[8, 4, 3, 2].map((bits) => /** @type {any} */ ([`\`int${bits}\` per tensor`, { id: `int${bits}` }])),
  ...[4, 3, 2].map((bits) => /** @type {any} */ ([`\`int${bits}\` ×32`, { id: `int${bits}`, ...GROUPED }])),
  ...[4, 3, 2].map(
    (bits) => /** @type {any} */ ([`\`int${bits}\` ×32, best`, { id: `int${bits}`, ...GROUPED, effort: 'best' }]),
  ),
];

await init();
const model = await openModel(new URL('rust-docs.gguf', MODELS).pathname);
const float = await LanguageModel.load(model);
const text = await readFile(new URL('rust-docs-heldout.txt', MODELS), 'utf8');

console.log(`${MOST} held-out tokens in windows of 256; “${PROMPT}” continued by ${CONTINUED} tokens.\n`);
console.log('| scheme | bits per weight | nats per token | per byte | over float | continues |');
console.log('|---|--:|--:|--:|--:|---|');
let base = 0;
let started = performance.now();
for (const [name, scheme] of SCHEMES) {
  const lm = float.quantized(scheme);
  const { perToken, perByte } = await lm.measure(text, { most: MOST });
  if (scheme === null) {
    base = perToken;
    started = (performance.now() - started) / MOST;
  }
  lm.begin(PROMPT);
  const prompt = lm.text.length;
  for (let i = 0; i < CONTINUED; i++) lm.next();
  const said = JSON.stringify(lm.text.slice(prompt).replaceAll('|', '\\|')).slice(1, -1);
  const cells = [perToken.toFixed(3), perByte.toFixed(3), (perToken - base).toFixed(3)].join(' | ');
  console.log(`| ${name} | ${lm.bitsPerWeight.toFixed(3)} | ${cells} | ${said} |`);
  lm.free();
}
console.log(`\nA token of a text took ${started.toFixed(2)} ms.`);
float.free();
