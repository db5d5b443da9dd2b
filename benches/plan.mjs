/**
 * Plans for a size, held against single schemes and against llama-quantize's presets, and their time. `cargo xtask bench plan` builds the
 * package's wasm and runs it: `node plan.mjs PYTHON`.
 *
 * - The digits network: for every single scheme of GGUF the plan of at most its bytes; both run by the engine on the held-out images.
 * - The tiny language model: for every preset plans of smaller files (`tests/peers/plan.js`); all run by llama.cpp on held-out text
 *   (`plan_logits.py`), where a Python with llama.cpp's library and the model are.
 * - Time: 300 tensors, 1 GB of f16, every scheme of GGUF, two workers; then one plan after the other for moving sizes.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { DigitsNet, compare, init, openModel, shrink } from '../www/lib/index.js';
import { openPlanning } from '../www/lib/shrink/plan.js';
import { presetsAndPlans } from '../tests/peers/plan.js';

const MODELS = fileURLToPath(new URL('../www/public/models/', import.meta.url));
const [python = ''] = process.argv.slice(2);
const megabytes = Number(process.env.FEWERBITS_BENCH_MB ?? 1000);

await init();
const folder = mkdtempSync(join(tmpdir(), 'fewerbits-plan-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
console.log(`${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}`);
if (process.env.FEWERBITS_BENCH_ONLY !== 'time') {
  await digits();
  await language();
}
await time();

/** The network with what a plan makes of its weights. */
async function digits() {
  const model = await openModel(join(MODELS, 'digits.safetensors'));
  const heldOut = await openModel(join(MODELS, 'digits-heldout.safetensors'));
  const [images, labels] = [await heldOut.readBytes('images'), await heldOut.readBytes('labels')];
  const read = async (/** @type {import('../www/lib/model.js').Model} */ from) => {
    const net = new DigitsNet();
    for (const { name } of from.tensors) net.set(name, await from.read(name));
    net.setHeldOut(images, labels);
    const found = { ...net.accuracy(), logits: net.logits() };
    net.free();
    return found;
  };
  const float = await read(model);
  const planning = await openPlanning(model);
  const options = { to: /** @type {const} */ ('gguf'), workers: 1 };
  const survey = await planning.survey(options);
  const run = async (/** @type {import('../www/lib/shrink/plan.js').Plan} */ p) => {
    const path = join(folder, 'digits.gguf');
    await shrink(p, path, { overwrite: true, workers: 1 });
    const made = await openModel(path);
    const { correct, logits } = await read(made);
    await made.close();
    return { bytes: p.outputBytes, correct, ...compare(float.logits, logits, { bins: 0 }) };
  };
  console.log(`\nThe digits network, ${float.correct} of ${float.total} held-out images right in float:\n`);
  console.log(
    '| scheme | bytes | right | cosine of logits | SQNR of logits, dB | planned, bytes | right | cosine | SQNR, dB |',
  );
  console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|');
  for (const scheme of survey.schemes) {
    const single = await run(await planning.plan({ ...options, scheme }));
    const plan = await planning.plan({ ...options, targetBytes: single.bytes }).catch(() => null);
    // What keeps less than 6 dB of a tensor is not planned with: the ternary schemes' sizes are out of reach.
    if (plan === null) continue;
    const planned = await run(plan);
    const row = [single, planned].map(({ bytes, correct, cosine, sqnrDb }) =>
      [bytes, correct, cosine.toFixed(6), sqnrDb.toFixed(2)].join(' | '),
    );
    console.log(`| ${scheme.id} | ${row.join(' | ')} |`);
  }
  planning.free();
  await model.close();
}

/** The language model under presets and under plans, run by llama.cpp. */
async function language() {
  const path = join(MODELS, 'rust-docs.gguf');
  const text = join(MODELS, 'rust-docs-heldout.txt');
  if (!existsSync(path)) return console.log('\nThe language model is not here.');
  if (python === '') return console.log('\nWithout Python and llama.cpp the language model is not run.');
  const made = await presetsAndPlans(path, folder);
  const files = [path, ...made.flatMap(({ file, plans }) => [file, ...plans.map((plan) => plan.file)])];
  const script = fileURLToPath(new URL('../tests/peers/plan_logits.py', import.meta.url));
  console.log('\nThe language model, run by llama.cpp on held-out text:\n');
  process.stdout.write(execFileSync(python, [script, text, ...files], { maxBuffer: 1 << 24 }));
}

/** The least time of measuring a large model, and of plans for moving sizes. */
async function time() {
  const path = join(folder, 'large.safetensors');
  const count = large(path);
  const model = await openModel(path);
  const planning = await openPlanning(model);
  const survey = await planning.survey({ to: 'gguf', workers: 2 });
  const rounds = [];
  for (let i = 0; i < 40; i++) {
    const started = performance.now();
    await planning.plan({ to: 'gguf', targetBytes: model.byteLength * (0.25 + (0.6 * ((i * 17) % 40)) / 40) });
    rounds.push(performance.now() - started);
  }
  const [first] = rounds;
  rounds.sort((a, b) => a - b);
  console.log(
    `\n${count} tensors, ${(model.byteLength / 1e9).toFixed(2)} GB of f16, ${survey.schemes.length} schemes, two workers: measured in ` +
      `${survey.seconds.toFixed(1)} s (${(survey.bytesRead / 1e6).toFixed(0)} MB read); a plan for another size in ` +
      `${rounds[20].toFixed(1)} ms (median of 40; the slowest ${rounds[39].toFixed(1)}, the first ${first.toFixed(1)})`,
  );
  planning.free();
  await model.close();
}

/** A model of 300 matrices of bell-shaped weights in f16, each of another width. @param {string} path */
function large(path) {
  const [count, rows, columns] = [300, Math.max(1, Math.round((megabytes * 1e6) / 300 / 2 / 1536)), 1536];
  let state = 12345;
  const uniform = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0), (state + 0.5) / 2 ** 32);
  const block = Float32Array.from(
    { length: 1 << 20 },
    () => 0.02 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
  const bits = new Uint32Array(block.buffer);
  // f16, truncated; what is below the least normal one becomes 0.
  const half = Uint16Array.from(bits, (b) => {
    const magnitude = ((b & 0x7fffffff) >>> 13) - (112 << 10);
    return ((b >>> 16) & 0x8000) | (magnitude < 0x400 ? 0 : magnitude);
  });
  const each = rows * columns * 2;
  const names = Array.from({ length: count }, (_, i) => {
    const role = ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'][i % 7];
    return `blk.${Math.floor(i / 7)}.${role}.weight`;
  });
  const header = Buffer.from(
    JSON.stringify(
      Object.fromEntries(
        names.map((name, i) => [
          name,
          { dtype: 'F16', shape: [rows, columns], data_offsets: [i * each, (i + 1) * each] },
        ]),
      ),
    ),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, 'w');
  writeSync(file, length);
  writeSync(file, header);
  const bytes = Buffer.from(half.buffer);
  for (let i = 0; i < count; i++) {
    let left = each;
    // Each begins elsewhere in the block.
    let from = (i * 7919 * 2) % bytes.length;
    while (left > 0) {
      const n = Math.min(left, bytes.length - from);
      writeSync(file, bytes, from, n);
      [left, from] = [left - n, 0];
    }
  }
  closeSync(file);
  return count;
}
