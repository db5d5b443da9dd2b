import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { gaussians, safetensors, sparse } from '../../tests/js/models.js';

// The command of the package as it is delivered.
const CLI = fileURLToPath(new URL('../../pkg/lib/cli.js', import.meta.url));

/** @type {string} */
let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fewerbits-cli-'));
  for (const [name, seed] of /** @type {const} */ ([
    ['a', 1],
    ['b', 2],
  ])) {
    const model = safetensors({ 'blk.0.w': [[64, 512], gaussians(64 * 512, seed)], 'norm.b': [[64], gaussians(64)] });
    await writeFile(join(folder, `${name}.safetensors`), model);
  }
});
after(() => rm(folder, { recursive: true }));

/** @param {...string} args */
async function run(...args) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder });
  const [out, err] = ['', ''].map(() => /** @type {string[]} */ ([]));
  child.stdout.setEncoding('utf8').on('data', (text) => out.push(text));
  child.stderr.setEncoding('utf8').on('data', (text) => err.push(text));
  const [code] = await once(child, 'close');
  return { code, out: out.join(''), err: err.join('') };
}

/** One line, no stack. @param {string} text @param {RegExp} pattern */
function isOneLine(text, pattern) {
  assert.match(text, pattern);
  assert.equal(text.trimEnd().split('\n').length, 1, text);
}

test('help, version and what is not understood', async () => {
  const [help, version, none, unknown, shrink] = await Promise.all([
    ...[run('--help'), run('--version'), run(), run('nonsense'), run('shrink', '--help')],
  ]);
  assert.deepEqual([help.code, version.code, none.code, unknown.code, shrink.code], [0, 0, 2, 2, 0]);
  assert.match(help.out, /^Usage: fewerbits COMMAND/);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
  assert.match(unknown.err, /^fewerbits: there is no command "nonsense"; known: inspect, shrink/);
  assert.match(shrink.out, /--scheme ID/);
  const wrong = await Promise.all([
    run('shrink', 'a.safetensors', '--scheme', 'f16'),
    run('shrink', 'a.safetensors', '-o', 'x', '--nonsense'),
    run('shrink', 'a.safetensors', '-o', 'x'),
    run('shrink', 'a.safetensors', '-o', 'x', '--target-size', 'twenty'),
    run('shrink', 'a.safetensors', '-o', 'x', '--scheme', 'f16', '--preset', 'Q4_K_M'),
    run('shrink', 'a.safetensors', '-o', 'x', '--scheme', 'f16', '--workers', 'many'),
    run('shrink', 'a.safetensors', '-o', 'x', '--rule', 'f16'),
    run('shrink', 'a.safetensors', '-o', 'x', '--scheme', 'f16', '--by-running'),
    run('inspect'),
    run('compare', 'a.safetensors'),
  ]);
  for (const { code, out, err } of wrong) assert.deepEqual([code, out, /^fewerbits: /.test(err)], [2, '', true], err);
  assert.match(wrong[3].err, /--target-size takes a size such as 20MB/);
});

test('inspect lists tensors, for people and for machines', async () => {
  const [text, json] = await Promise.all([run('inspect', 'a.safetensors'), run('inspect', 'a.safetensors', '--json')]);
  assert.equal(text.code, 0);
  assert.match(text.out, /^tensor +type +shape +bytes +bits\/weight\nblk\.0\.w +F32 +64×512 +131 KB +32\.00\n/);
  const found = JSON.parse(json.out);
  assert.deepEqual(Object.keys(found), ['name', 'format', 'metadata', 'byteLength', 'tensors']);
  assert.deepEqual(found.tensors[0].shape, [64, 512]);
  const gone = await run('inspect', 'gone.safetensors');
  assert.equal(gone.code, 1);
  isOneLine(gone.err, /^fewerbits: (unreadable|missing_file): .*gone\.safetensors/);
});

test('a weight that is stored in several tensors is counted once', async () => {
  const path = fileURLToPath(new URL('../../tests/data/parts/gptq.safetensors', import.meta.url));
  const { tensors } = JSON.parse((await run('inspect', path, '--json')).out);
  const whole = tensors.filter((/** @type {any} */ { partOf }) => partOf === undefined);
  const weights = whole.reduce((/** @type {number} */ sum, /** @type {any} */ { count }) => sum + count, 0);
  assert.ok(whole.some((/** @type {any} */ { parts }) => parts !== undefined));
  assert.match((await run('inspect', path)).out, new RegExp(`, ${weights.toLocaleString('en')} weights, `));
});

test('shrink writes, reports, refuses to overwrite, and compare reads it', async () => {
  const args = ['shrink', 'a.safetensors', '-o', 'out/x.safetensors', '--rule', 'blk.*=q8_0', '--workers', '2'];
  const first = await run(...args, '--report', 'report.json');
  assert.deepEqual([first.code, first.err], [0, ''], first.err);
  assert.match(first.out, /lost the most +from +to +SQNR dB +max error\nblk\.0\.w +F32/);
  assert.deepEqual(await readdir(join(folder, 'out')), ['x.safetensors']);
  const { version, outputs } = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'));
  assert.deepEqual([version, outputs.length, outputs[0].tensors.length], [1, 1, 2]);
  const [changed, kept] = outputs[0].tensors;
  assert.ok(changed.sqnrDb > 40 && kept.sqnrDb === null && kept.scheme === null);
  const second = await run(...args);
  assert.equal(second.code, 1);
  isOneLine(second.err, /^fewerbits: exists: out\/x\.safetensors: .*--force/);
  const forced = await run('quantize', ...args.slice(1), '--force', '--json');
  assert.equal(forced.code, 0, forced.err);
  assert.equal(JSON.parse(forced.out).outputs[0].outputBytes, outputs[0].outputBytes);
  const compared = await run('compare', 'a.safetensors', 'out/x.safetensors', '--json');
  const { tensors, skipped } = JSON.parse(compared.out);
  assert.deepEqual([compared.code, skipped], [0, []]);
  assert.ok(Math.abs(tensors[0].sqnrDb - changed.sqnrDb) < 1e-6);
  assert.deepEqual([tensors[1].sqnrDb, tensors[1].cosine, tensors[1].maxAbs], ['Infinity', 1, 0]);
});

test('several models go to a folder, and a batch that was stopped is resumed', async () => {
  const args = ['shrink', 'a.safetensors', 'b.safetensors', '-o', 'batch', '--scheme', 'bf16'];
  assert.equal((await run(...args)).code, 0);
  assert.deepEqual((await readdir(join(folder, 'batch'))).sort(), ['a.safetensors', 'b.safetensors']);
  await rm(join(folder, 'batch/b.safetensors'));
  const resumed = await run(...args, '--resume', '--json');
  assert.equal(resumed.code, 0, resumed.err);
  assert.deepEqual(
    JSON.parse(resumed.out).outputs.map((/** @type {any} */ output) => output.skipped ?? false),
    [true, false],
  );
  // One that is not complete is no result.
  await writeFile(join(folder, 'batch/b.safetensors'), 'half');
  assert.equal((await run(...args, '--resume')).code, 1);
  assert.equal((await run('shrink', 'a.safetensors', './a.safetensors', '-o', 'twice', '--scheme', 'bf16')).code, 2);
});

test('a batch is resumed only over its own outputs: another of the same length is named, and kept unless told', async () => {
  const file = join(folder, 'resume/a.safetensors');
  const args = ['shrink', 'a.safetensors', 'b.safetensors', '-o', 'resume', '--scheme', 'bf16', '--resume'];
  assert.equal((await run(...args)).code, 0);
  const own = await readFile(file);
  const others = {
    header: (/** @type {Buffer} */ bytes) => void bytes.write('Z', 12),
    weights: (/** @type {Buffer} */ bytes) => void (bytes[bytes.length - 1] ^= 1),
  };
  for (const [what, change] of Object.entries(others)) {
    const other = Buffer.from(own);
    change(other);
    await writeFile(file, other);
    const refused = await run(...args);
    assert.equal(refused.code, 1, what);
    assert.match(refused.err, /exists: .*resume\/a\.safetensors.*another file is there already/, what);
    assert.match(refused.err, /at \d+; expected bytes .*found bytes/, what);
    assert.deepEqual(await readFile(file), other, 'it is left as it was');
  }
  const forced = await run(...args, '--force', '--json');
  assert.deepEqual(
    JSON.parse(forced.out).outputs.map((/** @type {any} */ output) => output.skipped ?? false),
    [false, true],
  );
  assert.deepEqual(await readFile(file), own);
});

test('two models of one name: the first has its place, the other fails by name, the rest go on', async () => {
  await mkdir(join(folder, 'same'), { recursive: true });
  await cp(join(folder, 'b.safetensors'), join(folder, 'same/a.safetensors'));
  const done = await run(
    'shrink',
    'a.safetensors',
    'same/a.safetensors',
    'b.safetensors',
    '-o',
    'named',
    '--scheme',
    'bf16',
  );
  assert.equal(done.code, 1);
  assert.match(
    done.err,
    /exists: .*named\/a\.safetensors.*another of the models is written there.*found the output of a\.safetensors/,
  );
  assert.deepEqual((await readdir(join(folder, 'named'))).sort(), ['a.safetensors', 'b.safetensors']);
});

test('an address names no folder but one inside the output', async () => {
  const values = gaussians(64 * 512);
  const one = safetensors({ 'model.layers.0.mlp.up_proj.weight': [[64, 512], values] });
  const files = /** @type {{[path: string]: string | Uint8Array}} */ ({
    '/x/...index.json': JSON.stringify({ weight_map: { 'model.layers.0.mlp.up_proj.weight': 'one.safetensors' } }),
    '/x/one.safetensors': one,
    '/x/config.json': '{"model_type":"llama"}',
  });
  const server = createServer(({ url }, response) => {
    const file = files[String(url)];
    response.writeHead(file ? 200 : 404).end(file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const address = `http://127.0.0.1:${/** @type {any} */ (server.address()).port}/x/...index.json`;
    const options = ['--scheme', 'int8', '--layout', 'compressed-tensors'];
    const done = await run('shrink', address, 'a.safetensors', '-o', 'outer/inner', ...options);
    assert.equal(done.code, 0, done.err);
    assert.deepEqual(await readdir(join(folder, 'outer')), ['inner']);
    assert.deepEqual((await readdir(join(folder, 'outer/inner'))).sort(), ['a', 'model']);
  } finally {
    server.close();
  }
});

test('one model of a batch that fails does not stop the others, and is reported', async () => {
  await writeFile(join(folder, 'broken.safetensors'), 'no model');
  const values = gaussians(64);
  values[7] = NaN;
  await writeFile(join(folder, 'nan.safetensors'), safetensors({ w: [[1, 64], values] }));
  const inputs = ['broken.safetensors', 'a.safetensors', 'nan.safetensors', 'gone.safetensors', 'b.safetensors'];
  const args = ['shrink', ...inputs, '-o', 'mixed', '--scheme', 'q8_0'];
  const done = await run(...args, '--json', '--report', 'mixed.json');
  assert.equal(done.code, 1);
  assert.deepEqual((await readdir(join(folder, 'mixed'))).sort(), ['a.safetensors', 'b.safetensors']);
  const { outputs } = JSON.parse(done.out);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'mixed.json'), 'utf8')).outputs.length, inputs.length);
  assert.deepEqual(
    outputs.map((/** @type {any} */ output) => output.failed?.code ?? output.output),
    ['unknown_format', 'mixed/a.safetensors', 'non_finite', 'unreadable', 'mixed/b.safetensors'],
  );
  assert.match(done.err, /nan\.safetensors: tensor "w"[^]*3 of 5 models failed\n$/);
  // What was done is left out, what failed is tried again.
  const again = await run(...args.filter((x) => !/^(broken|gone|nan)/.test(x)), '--resume');
  assert.equal(again.code, 0, again.err);
});

test('a batch whose output nobody reads any more is done all the same', async () => {
  await writeFile(join(folder, 'unread.safetensors'), 'no model');
  for (const closed of /** @type {const} */ ([['stdout'], ['stdout', 'stderr']])) {
    const out = `unread-${closed.length}`;
    const args = ['shrink', 'a.safetensors', 'b.safetensors', 'unread.safetensors', '-o', out, '--scheme', 'bf16'];
    const child = spawn(process.execPath, [CLI, ...args], { cwd: folder });
    for (const stream of closed) child[stream].destroy();
    child.stderr.setEncoding('utf8');
    let err = '';
    child.stderr.on('data', (text) => (err += text));
    const [code] = await once(child, 'close');
    assert.equal(code, 1, err);
    assert.deepEqual((await readdir(join(folder, out))).sort(), ['a.safetensors', 'b.safetensors']);
    if (closed.length === 1) assert.match(err, /unread\.safetensors.*\n1 of 3 models failed\n$/);
  }
  const listed = spawn(process.execPath, [CLI, 'schemes'], { cwd: folder });
  listed.stdout.destroy();
  assert.deepEqual(await once(listed, 'close'), [0, null]);
});

test('a folder becomes a GGUF file that runs, by the ending of its name', async () => {
  await cp(fileURLToPath(new URL('../../tests/data/hugging_face/llama', import.meta.url)), join(folder, 'llama'), {
    recursive: true,
  });
  await rm(join(folder, 'llama/expected.gguf'));
  const done = await run('shrink', 'llama', '-o', 'llama.gguf', '--preset', 'Q4_K_M');
  assert.equal(done.code, 0, done.err);
  assert.match(done.err, /^runs in llama\.cpp, as llama\n/);
  const { format, metadata } = JSON.parse((await run('inspect', 'llama.gguf', '--json')).out);
  assert.deepEqual([format, metadata['general.architecture']], ['gguf', 'llama']);
  const alone = await run('shrink', 'a.safetensors', '-o', 'a.gguf', '--scheme', 'q8_0');
  assert.match(alone.err, /^tensors only: llama\.cpp cannot run this file, because no config\.json/);
  const compressed = ['--layout', 'compressed-tensors', '--scheme', 'int8'];
  const packed = await run('shrink', 'llama', '-o', 'llama-int8', ...compressed);
  assert.equal(packed.code, 0, packed.err);
  const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  assert.deepEqual((await readdir(join(folder, 'llama-int8'))).sort(), files);
  isOneLine((await run('shrink', 'llama', '-o', 'llama-int8', ...compressed)).err, /^fewerbits: exists: /);
});

test('a plan is a recipe, for the model and for its shards, whose index is merged', async () => {
  const planned = await run('plan', 'a.safetensors', '--scheme', 'f16', '--keep', 'norm.*', '-o', 'recipe.json');
  assert.equal(planned.code, 0, planned.err);
  assert.match(planned.out, /blk\.0\.w +F32 +131 KB +F16 +65\.5 KB +16\.00/);
  const recipe = JSON.parse(await readFile(join(folder, 'recipe.json'), 'utf8'));
  assert.deepEqual(recipe.tensors, { 'blk.0.w': { id: 'f16' }, 'norm.b': 'keep' });
  await mkdir(join(folder, 'parts'));
  const [w, b] = [gaussians(64 * 512), gaussians(64)];
  await writeFile(join(folder, 'parts/one.safetensors'), safetensors({ 'blk.0.w': [[64, 512], w] }));
  await writeFile(join(folder, 'parts/two.safetensors'), safetensors({ 'norm.b': [[64], b] }));
  for (const part of ['one', 'two']) {
    const done = await run('shrink', `parts/${part}.safetensors`, '-o', 'small/', '--recipe', 'recipe.json');
    assert.equal(done.code, 0, done.err);
  }
  const merged = await run('merge', 'small', '--json');
  assert.equal(merged.code, 0, merged.err);
  const index = JSON.parse(await readFile(join(folder, 'small/model.safetensors.index.json'), 'utf8'));
  assert.deepEqual(index, {
    metadata: { total_size: 64 * 512 * 2 + 64 * 4 },
    weight_map: { 'blk.0.w': 'one.safetensors', 'norm.b': 'two.safetensors' },
  });
  const whole = JSON.parse((await run('inspect', 'small', '--json')).out);
  assert.deepEqual(
    whole.tensors.map((/** @type {any} */ tensor) => [tensor.name, tensor.dtype]),
    [
      ['blk.0.w', 'F16'],
      ['norm.b', 'F32'],
    ],
  );
  assert.equal((await run('merge', 'small')).code, 1, 'the index is there');
  await writeFile(join(folder, 'small/three.safetensors'), safetensors({ 'norm.b': [[64], b] }));
  isOneLine((await run('merge', 'small', '--force')).err, /^fewerbits: malformed: .*two shards hold the same tensor/);
});

test('errors name file and tensor in one line, whatever the tensor is called', async () => {
  const values = gaussians(64);
  values[3] = Infinity;
  await writeFile(join(folder, 'bad.safetensors'), safetensors({ 'evil\u001b[2J\nname': [[1, 64], values] }));
  const failed = await run('shrink', 'bad.safetensors', '-o', 'bad', '--scheme', 'q8_0');
  assert.equal(failed.code, 1);
  isOneLine(failed.err, /^fewerbits: non_finite: bad\.safetensors: tensor "evil/);
  assert.equal(failed.err.includes('\u001b'), false);
  assert.equal((await run('inspect', 'bad.safetensors')).out.includes('\u001b'), false);
  assert.equal(
    (await readdir(folder)).some((name) => name.startsWith('bad') && name !== 'bad.safetensors'),
    false,
  );
  const unknown = await run('shrink', 'a.safetensors', '-o', 'x', '--scheme', 'q9');
  isOneLine(unknown.err, /^fewerbits: unknown_scheme: /);
});

test('names of folders and outputs steer no terminal either', async () => {
  const evil = 'evil\u001b[2J\nname';
  await mkdir(join(folder, evil));
  const shard = join(evil, 'a.safetensors');
  const args = ['shrink', 'a.safetensors', '-o', shard, '--scheme', 'f16', '--resume'];
  assert.equal((await run(...args)).code, 0);
  const again = await run(...args);
  assert.equal(again.code, 0, again.err);
  isOneLine(again.err, /^evil\uFFFD\[2J\uFFFDname\/a\.safetensors: there and complete, left out\n$/);
  const merged = await run('merge', shard);
  assert.equal(merged.code, 0, merged.err);
  isOneLine(merged.out, /\/evil\uFFFD\[2J\uFFFDname\/model\.safetensors\.index\.json: 2 tensors in 1 shards, /);
});

test('schemes are listed, and one with its options', async () => {
  const [all, one, json] = await Promise.all([...[run('schemes'), run('schemes', 'int4'), run('schemes', '--json')]]);
  assert.match(all.out, /\nq4_k +ggml +4 {2}/);
  assert.match(one.out, /\ngranularity +tensor \| channel \| group/);
  assert.ok(JSON.parse(json.out).some((/** @type {any} */ scheme) => scheme.id === 'nf4'));
});

test('a model of which nothing can be written is refused; a name that is as long as a file fills no screen', async () => {
  const name = `\x1b[31m${'n'.repeat(5000)}`;
  const values = gaussians(1024);
  await writeFile(join(folder, 'long.safetensors'), safetensors({ [name]: [[32, 32], values] }));
  const refused = await run('shrink', 'long.safetensors', '-o', 'long.gguf', '--scheme', 'q8_0');
  assert.equal(refused.code, 1);
  assert.match(
    refused.err,
    /unsupported: .*nothing of the model can be written to gguf; expected a tensor .*found 1 left out/,
  );
  await assert.rejects(readFile(join(folder, 'long.gguf')), { code: 'ENOENT' });
  // With another that can be, it is left out and said to be, without steering the terminal.
  await writeFile(join(folder, 'two.safetensors'), safetensors({ [name]: [[32, 32], values], w: [[32, 32], values] }));
  const said = await run('shrink', 'two.safetensors', '-o', 'two.gguf', '--scheme', 'q8_0');
  assert.equal(said.code, 0, said.err);
  assert.match(said.err, /left out: its name is longer than 63 bytes/);
  assert.ok(!said.err.includes('\x1b') && said.err.length < 3000, `${said.err.length}`);
});

test('what is no file that can be read at any place is refused and waited for by nobody', async () => {
  const device = await run('inspect', '/dev/null');
  assert.equal(device.code, 1);
  assert.match(device.err, /unreadable: \/dev\/null: .*found a device, which can only be read in order/);
});

test('interrupted, a job ends with 130 and leaves nothing', async () => {
  const bytes = 2 * 16384 * 4096;
  const tensor = { dtype: 'F16', shape: [16384, 4096], bytes };
  await sparse(
    join(folder, 'large.safetensors'),
    Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`w${i}`, tensor])),
  );
  const args = ['shrink', 'large.safetensors', '-o', 'stopped/large.safetensors', '--scheme', 'q6_k'];
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  const closed = once(child, 'close');
  const started = () => readdir(join(folder, 'stopped')).catch(() => []);
  while ((await started()).length === 0 && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGINT');
  const [code] = await closed;
  assert.deepEqual([code, err], [130, 'fewerbits: interrupted; what was not finished was removed\n']);
  assert.equal((await readdir(folder)).includes('stopped'), false);
  await rm(join(folder, 'large.safetensors'));
});

test('a target size is met by plan and by shrink, or refused with the smallest', async () => {
  const target = ['--target-size', '70kB', '--workers', '1'];
  const planned = await run('plan', 'a.safetensors', ...target, '-o', 'aim.json');
  assert.equal(planned.code, 0, planned.err);
  assert.match(planned.err, /of 70000 bytes; at least \d+ bytes could be reached/);
  const recipe = JSON.parse(await readFile(join(folder, 'aim.json'), 'utf8'));
  assert.ok(recipe.aim.outputBytes <= 70_000);
  const [by, of] = [
    await run('shrink', 'a.safetensors', '-o', 'by.safetensors', '--recipe', 'aim.json'),
    await run('shrink', 'a.safetensors', '-o', 'of.safetensors', ...target, '--json'),
  ];
  assert.deepEqual([by.code, of.code], [0, 0], by.err + of.err);
  const files = await Promise.all(['by.safetensors', 'of.safetensors'].map((name) => readFile(join(folder, name))));
  assert.equal(files[0].length, recipe.aim.outputBytes);
  assert.deepEqual(files[0], files[1]);
  const why = JSON.parse((await run('plan', 'a.safetensors', ...target, '--json')).out);
  const [w] = why.tensors.filter((/** @type {any} */ tensor) => tensor.why !== null);
  assert.ok(w.why.ways.length === 5 && w.why.role === 'other');
  const refused = await run('plan', 'a.safetensors', '--target-size', '1kB');
  assert.equal(refused.code, 1);
  isOneLine(refused.err, /^fewerbits: unreachable: .*expected at least \d+ bytes, found 1000 bytes/);
  for (const args of [
    ['--target-size', '1kB', '--scheme', 'f16'],
    ['--scheme', 'f16', '--least-db', '9'],
  ]) {
    assert.equal((await run('plan', 'a.safetensors', ...args)).code, 2);
  }
});

test('a plan that is to be chosen by running fails for a model that cannot be run, and runs one that can', async () => {
  const not = await run('plan', 'a.safetensors', '--to', 'gguf', '--target-size', '1kB', '--by-running');
  assert.equal(not.code, 1);
  isOneLine(not.err, /the engine cannot run this model/);
  const file = (/** @type {string} */ name) => fileURLToPath(new URL(`../public/models/${name}`, import.meta.url));
  const blind = await run('plan', file('digits.safetensors'), '--to', 'gguf', '--target-size', '60kB', '--by-running');
  isOneLine(blind.err, /unsupported: digits\.safetensors: the command has no images to run this model on/);
  const model = file('rust-docs.gguf');
  const size = ['--target-size', '1.5MB', '--schemes', 'q8_0,q4_k,q3_k'];
  const { code, out, err } = await run('plan', model, ...size, '--by-running', '--json');
  assert.equal(code, 0, err);
  const { outputBytes, aim, tensors } = JSON.parse(out);
  assert.ok(outputBytes <= 1.5e6);
  assert.ok(aim.byRunning.runs > 1 && aim.byRunning.moved <= aim.byRunning.byCost, JSON.stringify(aim.byRunning));
  assert.ok(tensors.some((/** @type {any} */ { why }) => why?.byRunning));
});

test('a checkpoint in shards is planned as a whole, shrunk shard by shard, and merged', async () => {
  await mkdir(join(folder, 'shards'));
  /** @type {{[name: string]: string}} */
  const map = {};
  for (const [i, seed] of [3, 4, 5].entries()) {
    const name = `model-0000${i + 1}-of-00003.safetensors`;
    const of = { [`${i}.w`]: /** @type {[number[], Float32Array]} */ ([[64, 512], gaussians(64 * 512, seed)]) };
    if (i === 2) of['2.norm'] = [[64], gaussians(64, 6)];
    await writeFile(join(folder, 'shards', name), safetensors(of));
    for (const tensor of Object.keys(of)) map[tensor] = name;
  }
  const index = join('shards', 'model.safetensors.index.json');
  await writeFile(join(folder, index), JSON.stringify({ weight_map: map }));
  const planned = await run('plan', index, '--target-size', '150kB', '-o', 'shards.json', '--workers', '1');
  assert.equal(planned.code, 0, planned.err);
  const whole = await run('shrink', index, '-o', 'whole.safetensors', '--recipe', 'shards.json');
  assert.equal(whole.code, 0, whole.err);
  for (const shard of new Set(Object.values(map))) {
    const done = await run('shrink', join('shards', shard), '-o', join('pieces', shard), '--recipe', 'shards.json');
    assert.equal(done.code, 0, done.err);
  }
  const merged = await run('merge', 'pieces');
  assert.equal(merged.code, 0, merged.err);
  const same = await run('compare', join('pieces', 'model.safetensors.index.json'), 'whole.safetensors', '--json');
  assert.equal(same.code, 0, same.err);
  const { tensors } = JSON.parse(same.out);
  assert.equal(tensors.length, 4);
  assert.ok(
    tensors.every((/** @type {any} */ { sqnrDb }) => sqnrDb === 'Infinity'),
    same.out.slice(0, 400),
  );
  const dtypes = new Set(
    JSON.parse((await run('inspect', 'whole.safetensors', '--json')).out).tensors.map(
      (/** @type {any} */ t) => t.dtype,
    ),
  );
  assert.ok(dtypes.size > 1, [...dtypes].join());
});

test('shards whose weights are stored in several tensors are merged by these, and folders among them are none', async () => {
  await mkdir(join(folder, 'wide'));
  const names = [0, 1].map((i) => `model.layers.${i}.mlp.up_proj.weight`);
  const packing = ['--scheme', 'int4', '--layout', 'compressed-tensors'];
  for (const [i, name] of names.entries()) {
    const shard = `model-0000${i + 1}-of-00002.safetensors`;
    await writeFile(join(folder, 'wide', shard), safetensors({ [name]: [[64, 512], gaussians(64 * 512, 7 + i)] }));
    const done = await run('shrink', join('wide', shard), '-o', join('made', shard), ...packing);
    assert.equal(done.code, 0, done.err);
    // Each was written with its config.json, in a folder of its own.
    await cp(join(folder, 'made', shard, 'model.safetensors'), join(folder, 'thin', shard));
  }
  await mkdir(join(folder, 'thin/model-00003-of-00003.safetensors'));
  const merged = await run('merge', 'thin', '--json');
  assert.equal(merged.code, 0, merged.err);
  const index = JSON.parse(await readFile(join(folder, 'thin/model.safetensors.index.json'), 'utf8'));
  const stored = ['weight_packed', 'weight_scale', 'weight_shape'];
  assert.deepEqual(
    Object.keys(index.weight_map),
    names.flatMap((name) => stored.map((part) => name.replace('weight', part))),
  );
  const found = JSON.parse((await run('inspect', 'thin', '--json')).out);
  const own = found.tensors.filter((/** @type {any} */ { parts }) => parts === undefined);
  const total = own.reduce((/** @type {number} */ sum, /** @type {any} */ { byteLength }) => sum + byteLength, 0);
  assert.equal(index.metadata.total_size, total);
  assert.deepEqual(
    found.tensors.filter((/** @type {any} */ { parts }) => parts).map((/** @type {any} */ { name }) => name),
    names,
  );
  const same = await run('compare', 'wide/model-00001-of-00002.safetensors', 'thin/model-00001-of-00002.safetensors');
  assert.equal(same.code, 0, same.err);
});

test('errors of an ONNX model are weighed where onnxruntime-web is installed, and else it is said what is missing', async () => {
  const [golden] = (await readFile(new URL('../../tests/goldens/weighed.jsonl', import.meta.url), 'utf8')).split('\n');
  await writeFile(join(folder, 'encoder.onnx'), Buffer.from(JSON.parse(golden).file, 'base64'));
  const args = ['plan', 'encoder.onnx', '--target-size', '28KB', '--measure-weights', '--workers', '1'];
  const without = await run(...args);
  assert.equal(without.code, 1);
  isOneLine(without.err, /^fewerbits: unsupported: encoder\.onnx: .*npm install onnxruntime-web/);
  // A folder of packages as npm would fill it.
  const packages = join(folder, 'node_modules');
  await cp(fileURLToPath(new URL('../../pkg', import.meta.url)), join(packages, 'fewerbits'), { recursive: true });
  await symlink(
    fileURLToPath(new URL('../node_modules/onnxruntime-web', import.meta.url)),
    join(packages, 'onnxruntime-web'),
  );
  const child = spawn(process.execPath, [join(packages, 'fewerbits/lib/cli.js'), ...args, '-o', 'r.json'], {
    cwd: folder,
  });
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, err);
  assert.match(err, /weighed by running the model on random inputs, seed 1/);
  assert.match(err, /expected relative squared error of the outputs \d/);
  const { aim } = JSON.parse(await readFile(join(folder, 'r.json'), 'utf8'));
  assert.equal(Object.keys(aim.weights).length, 13);
  assert.ok(aim.weights['layer0.ffn.down'] > 10 * aim.weights['layer1.ffn.down']);
});
