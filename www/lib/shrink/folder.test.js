import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { gaussians, safetensors } from '../../../tests/js/models.js';
import { init } from '../engine.js';
import { openModel } from '../model.js';
import { shrink } from './job.js';
import { plan } from './plan.js';

const FOLDERS = new URL('../../../tests/data/hugging_face/', import.meta.url);

/** @type {string} */
let out;
before(async () => {
  await init();
  out = await mkdtemp(join(tmpdir(), 'fewerbits-folder-'));
});
after(() => rm(out, { recursive: true }));

/**
 * The files of a folder as a page gets them; the pooling of an encoder lies deeper.
 * @param {string} name
 * @param {{[name: string]: string | Uint8Array | null}} [changed] other contents; null for none
 */
async function dropped(name, changed = {}) {
  const files = [];
  for (const file of await readdir(new URL(`${name}/`, FOLDERS))) {
    if (file === 'expected.gguf') continue;
    const path = file === 'pooling.json' ? '1_Pooling/config.json' : file;
    const bytes = changed[file] === undefined ? await readFile(new URL(`${name}/${file}`, FOLDERS)) : changed[file];
    if (bytes !== null) files.push({ path: `${name}/${path}`, file: new File([bytes], path) });
  }
  return files;
}

test('a folder becomes the file that llama.cpp was seen to run, byte for byte', async () => {
  for (const name of ['llama', 'mistral', 'qwen2', 'bert']) {
    const model = await openModel(await dropped(name));
    const p = await plan(model, { to: 'gguf' });
    assert.match(p.notes[0].text, /^runs in llama\.cpp, as /, name);
    const path = join(out, `${name}.gguf`);
    const report = await shrink(p, path, { workers: name === 'bert' ? 1 : 0 });
    assert.ok(
      report.tensors.every(({ sqnrDb }) => sqnrDb === null || sqnrDb === Infinity),
      name,
    );
    const [ours, theirs] = [await readFile(path), await readFile(new URL(`${name}/expected.gguf`, FOLDERS))];
    // The script that made the other says f32 of all; of halves this is said.
    const at = ours.indexOf('general.file_type') + 'general.file_type'.length + 4;
    assert.equal(ours[at], name === 'qwen2' ? 1 : 0);
    ours[at] = theirs[at];
    assert.equal(ours.equals(theirs), true, name);
    await model.close();
  }
});

test('rows change places whatever is packed, and are read back', async () => {
  const model = await openModel(await dropped('llama'));
  const p = await plan(model, { to: 'gguf', scheme: { id: 'q8_0' } });
  const path = join(out, 'q8_0.gguf');
  await shrink(p, path, { workers: 0 });
  const [small, whole] = [
    await openModel(path),
    await openModel(fileURLToPath(new URL('llama/expected.gguf', FOLDERS))),
  ];
  assert.equal(small.metadata['general.architecture'], 'llama');
  for (const { name, dtype } of whole.tensors) {
    const [x, y] = [await whole.read(name), await small.read(name)];
    const most = x.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const error = x.reduce((m, v, i) => Math.max(m, Math.abs(v - y[i])), 0);
    assert.ok(error <= most / 127, `${name} ${dtype} ${error}`);
  }
  await Promise.all([small, whole, model].map((m) => m.close()));
});

test('presets of llama-quantize take a folder as they take a GGUF file', async () => {
  for (const name of ['llama', 'bert']) {
    const [folder, file] = [
      await openModel(await dropped(name)),
      await openModel(fileURLToPath(new URL(`${name}/expected.gguf`, FOLDERS))),
    ];
    const types = (/** @type {import('./plan.js').Plan} */ p) =>
      p.tensors.map(({ target, dtype, insteadOf }) => [target, dtype, insteadOf]);
    for (const preset of ['Q8_0', 'Q4_K_M', 'Q4_0', 'F16']) {
      const [a, b] = [await plan(folder, { to: 'gguf', preset }), await plan(file, { preset })];
      const made = (/** @type {any[]} */ [target]) => target !== 'rope_freqs.weight';
      assert.deepEqual(types(a), types(b).filter(made), `${name} ${preset}`);
      assert.equal(a.outputBytes, b.outputBytes, `${name} ${preset}`);
    }
    await Promise.all([folder.close(), file.close()]);
  }
});

test('what cannot be mapped becomes tensors only, and says why', async () => {
  const config = JSON.parse(await readFile(new URL('llama/config.json', FOLDERS), 'utf8'));
  /** @type {[any, RegExp, string?][]} */
  const cases = [
    [{ 'config.json': null }, /because no config\.json lies beside the model/, 'tensors_only'],
    [{ 'tokenizer.json': null }, /the tokenizer is read from tokenizer\.json alone; found no such file/],
    [
      { 'config.json': JSON.stringify({ ...config, architectures: ['GPT2LMHeadModel'] }) },
      /models of this architecture cannot be made to run .* found "GPT2LMHeadModel"/,
    ],
    [{ 'config.json': '{' }, /config\.json cannot be read/],
  ];
  for (const [changed, why, what = 'not_mapped'] of cases) {
    const model = await openModel(await dropped('llama', changed));
    const p = await plan(model, { to: 'gguf', preset: 'Q8_0' });
    const note = p.notes.find(({ code }) => code === what);
    assert.match(note?.text ?? '', why);
    assert.equal(p.tensors[0].target, p.tensors[0].name);
    await model.close();
  }
});

const CONFIG = { architectures: ['LlamaForCausalLM'], model_type: 'llama', torch_dtype: 'float32' };

/** A small model with a layer, embeddings and an output. */
function layered() {
  const weights = safetensors({
    'model.embed_tokens.weight': [[40, 128], gaussians(40 * 128, 1)],
    'model.layers.0.mlp.up_proj.weight': [[64, 128], gaussians(64 * 128, 2)],
    'model.layers.0.mlp.down_proj.weight': [[128, 64], gaussians(128 * 64, 3)],
    'model.norm.weight': [[128], gaussians(128, 4)],
  });
  return [
    { path: 'm/model.safetensors', file: new File([weights], 'model.safetensors') },
    { path: 'm/config.json', file: new File([JSON.stringify(CONFIG)], 'config.json') },
    { path: 'm/tokenizer.json', file: new File(['{"kept": true}'], 'tokenizer.json') },
  ];
}

test('compressed-tensors is a folder: weights, and a config.json that says how they are stored', async () => {
  /** @type {[any, string, any, number][]} */
  const cases = [
    [{ id: 'int4' }, 'pack-quantized', { num_bits: 4, group_size: 64, strategy: 'group', type: 'int' }, 17],
    [{ id: 'int4', groupSize: 32 }, 'pack-quantized', { num_bits: 4, group_size: 32, strategy: 'group' }, 17],
    [{ id: 'int8' }, 'pack-quantized', { num_bits: 8, group_size: null, strategy: 'channel', type: 'int' }, 38],
    [{ id: 'fp8_e4m3' }, 'float-quantized', { num_bits: 8, strategy: 'channel', type: 'float' }, 30],
  ];
  for (const [i, [scheme, format, said, least]] of cases.entries()) {
    const model = await openModel(layered());
    const p = await plan(model, { layout: 'compressed-tensors', scheme });
    const left = Object.fromEntries(p.tensors.map(({ name, left: why }) => [name, why?.code ?? null]));
    assert.deepEqual(left, {
      'model.embed_tokens.weight': 'embedding',
      'model.layers.0.mlp.up_proj.weight': null,
      'model.layers.0.mlp.down_proj.weight': null,
      'model.norm.weight': 'not_matrix',
    });
    const path = join(out, `compressed-${i}`);
    const again = await plan(model, { recipe: p.recipe() });
    const becomes = (/** @type {import('./plan.js').Plan} */ { tensors }) =>
      tensors.map(({ name, dtype, scheme: own }) => [name, dtype, own]);
    assert.deepEqual(becomes(again), becomes(p), 'a recipe says it all');
    const report = await shrink(p, path, { workers: 0 });
    assert.deepEqual((await readdir(path)).sort(), ['config.json', 'model.safetensors', 'tokenizer.json']);
    assert.equal(await readFile(join(path, 'tokenizer.json'), 'utf8'), '{"kept": true}');
    const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'));
    const { quantization_config: q, ...rest } = config;
    assert.deepEqual(rest, CONFIG);
    assert.deepEqual([q.quant_method, q.format], ['compressed-tensors', format]);
    assert.equal(q.config_groups.group_0.format, format);
    assert.deepEqual(q.ignore, ['model.embed_tokens', 'lm_head']);
    for (const [key, value] of Object.entries(said)) assert.equal(q.config_groups.group_0.weights[key], value, key);
    // What was written is read as one weight, with the error that the job found.
    const back = await openModel(path);
    for (const { name, sqnrDb } of report.tensors) {
      if (sqnrDb === null) continue;
      assert.ok(sqnrDb > least, `${name} ${sqnrDb}`);
      const of = back.tensors.find((tensor) => tensor.parts?.some((part) => part.startsWith(name)));
      assert.ok(of, name);
      const [x, y] = [await model.read(name), await back.read(of.name)];
      const [energy, error2] = x.reduce(([e, r], v, k) => [e + v * v, r + (v - y[k]) ** 2], [0, 0]);
      assert.ok(Math.abs(10 * Math.log10(energy / error2) - sqnrDb) < 1e-3, name);
    }
    await Promise.all([model.close(), back.close()]);
  }
});

test('compressed-tensors refuses what its configuration cannot say', async () => {
  const model = await openModel(layered());
  const layout = 'compressed-tensors';
  const refused = (/** @type {any} */ options, /** @type {any} */ facts) =>
    assert.rejects(plan(model, { layout, ...options }), facts);
  await refused({}, { code: 'invalid_argument', expected: 'a scheme: int4, int8 or fp8_e4m3' });
  await refused({ scheme: { id: 'nf4' } }, { code: 'invalid_argument' });
  await refused({ scheme: { id: 'int4', symmetric: false } }, { code: 'invalid_option' });
  await refused({ layout: 'other', scheme: { id: 'int4' } }, { expected: 'plain or compressed-tensors' });
  const up = 'model.layers.0.mlp.up_proj.weight';
  await refused(
    { scheme: { id: 'int4' }, rules: [{ match: up, scheme: { id: 'int8' } }] },
    { code: 'invalid_argument', tensor: up },
  );
  await refused(
    { scheme: { id: 'int4' }, rules: [{ match: 'model.norm.weight', scheme: { id: 'int4' } }] },
    { code: 'invalid_argument', tensor: 'model.norm.weight' },
  );
  const p = await plan(model, { layout, scheme: { id: 'int8' }, rules: [{ match: up, scheme: { id: 'f16' } }] });
  assert.equal(p.tensors.find(({ name }) => name === up)?.dtype, 'F16');
  await model.close();
});
