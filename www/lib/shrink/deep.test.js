import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { compare, dequantize, init, openModel, plan, quantize, shrink } from '../index.js';

const SAMPLE = fileURLToPath(new URL('../../public/models/digits.safetensors', import.meta.url));
const CLI = fileURLToPath(new URL('../cli.js', import.meta.url));
let folder = '';

before(async () => {
  await init();
  folder = await mkdtemp(join(tmpdir(), 'fewerbits-deep-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** @param {import('./plan.js').PlanOptions} options @param {string} name @param {number} [workers] */
async function written(options, name, workers = 2) {
  const model = await openModel(SAMPLE);
  const planned = await plan(model, { to: 'deep', ...options });
  const path = join(folder, name);
  const report = await shrink(planned, path, { workers });
  const back = await openModel(path);
  return { model, planned, path, report, back };
}

test('a container holds what the scheme makes of each matrix, and the rest as it was', async () => {
  const options = { scheme: { id: 'deep', bits: 4, pruneRatio: 0.8 } };
  const { model, planned, path, report, back } = await written(options, 'plain.fbdc');
  assert.equal(planned.isExact, false);
  assert.ok(report.outputBytes <= planned.outputBytes);
  assert.equal((await stat(path)).size, report.outputBytes);
  assert.equal(back.format, 'deep');
  assert.deepEqual(
    back.tensors.map(({ name, shape }) => ({ name, shape })),
    planned.tensors.map(({ target: name, shape }) => ({ name, shape })),
  );
  for (const { name, shape, dtype } of model.tensors) {
    const [a, b] = [await model.read(name), await back.read(name)];
    const found = back.tensors.find((tensor) => tensor.name === name);
    const told = report.tensors.find((tensor) => tensor.name === name);
    assert.equal(found?.byteLength, told?.byteLength, name);
    if (shape.length < 2) {
      assert.equal(found?.dtype, dtype);
      assert.deepEqual(b, a, name);
      assert.equal(told?.stages, undefined);
      continue;
    }
    assert.equal(found?.dtype, 'DEEP');
    const q = quantize(a, shape, options.scheme);
    assert.deepEqual(await back.readBytes(name), q.bytes, name);
    assert.deepEqual(b, q.dequantize(), name);
    assert.deepEqual(dequantize(q.bytes, shape, { id: 'deep' }), b);
    q.free();
    assert.ok(Math.abs(compare(a, b).sqnrDb - Number(told?.sqnrDb)) < 1e-3, name);
    // Rows alone are rows of the whole.
    assert.deepEqual(await back.read(name, { start: 1, end: 3 }), b.slice(found.row[1], 3 * found.row[1]));
  }
  await back.close();
  await model.close();
});

test('stages are told in bytes, of each tensor and of the whole file', async () => {
  const scheme = { id: 'deep', bits: 5, pruneRatio: 0.9, indexBits: '5' };
  const { model, report, back } = await written({ scheme }, 'stages.fbdc', 0);
  const { stages } = report;
  assert.ok(stages && stages.float > stages.pruned && stages.pruned > stages.shared && stages.shared > stages.coded);
  assert.equal(stages.coded, report.outputBytes);
  for (const { name, count, stages: of, byteLength } of report.tensors.filter((tensor) => tensor.stages)) {
    const { weights, kept, padding, codeBits, indexBits, values, float, pruned, shared, coded } = /** @type {any} */ (
      of
    );
    assert.deepEqual([weights, codeBits, indexBits, coded, float], [count, 5, 5, byteLength, 4 * count], name);
    const stored = kept + padding;
    assert.equal(pruned, 20 + 4 * stored + Math.ceil((5 * stored) / 8));
    assert.equal(shared, 20 + 4 * values + 2 * Math.ceil((5 * stored) / 8));
    const read = await back.read(name);
    assert.equal(read.filter((x) => x !== 0).length, kept);
    assert.ok(new Set(read).size <= 32);
  }
  await back.close();
  await model.close();
});

test('the same bytes come of any number of workers and any order', async () => {
  const options = {
    scheme: { id: 'deep', bits: 3 },
    rules: [{ match: '*fc1*', scheme: { id: 'deep', pruneRatio: 0.95 } }],
  };
  const [one, several] = [await written(options, 'a.fbdc', 0), await written(options, 'b.fbdc', 3)];
  assert.deepEqual(await readFile(one.path), await readFile(several.path));
  for (const { model, back } of [one, several]) await Promise.all([model.close(), back.close()]);
});

test('a container becomes a container again, byte by byte, and floats', async () => {
  const { model, path, back } = await written({}, 'first.fbdc');
  const again = join(folder, 'again.fbdc');
  await shrink(await plan(back, { to: 'deep', rules: [{ match: '*', keep: true }] }), again);
  assert.deepEqual(await readFile(again), await readFile(path));
  const floats = join(folder, 'floats.safetensors');
  await shrink(await plan(back, { to: 'safetensors' }), floats);
  const plain = await openModel(floats);
  for (const { name } of back.tensors) assert.deepEqual(await plain.read(name), await back.read(name), name);
  for (const one of [plain, back, model]) await one.close();
});

test('what a container cannot hold is refused', async () => {
  const model = await openModel(SAMPLE);
  await assert.rejects(plan(model, { to: 'deep', scheme: { id: 'int8' } }), {
    code: 'invalid_argument',
    expected: 'the scheme deep, or a cast',
  });
  await assert.rejects(plan(model, { to: 'deep', preset: 'Q4_K_M' }), { code: 'invalid_argument' });
  await assert.rejects(plan(model, { to: 'deep', scheme: { id: 'deep', indexBits: 2 } }), { code: 'invalid_option' });
  const { notes } = await plan(model, { to: 'deep' });
  assert.ok(notes.some(({ code }) => code === 'without_retraining'));
  await model.close();
});

test('a container that is cut off or changed is refused with file and tensor, and cancelling leaves nothing', async () => {
  const { model, path, back } = await written({}, 'whole.fbdc');
  const file = await readFile(path);
  await assert.rejects(openModel(file.subarray(0, file.length - 1)), { code: 'truncated' });
  const name = 'fc1.weight';
  const bytes = await back.readBytes(name);
  const at = file.indexOf(Buffer.from(bytes));
  file[at] = 9;
  const broken = await openModel(file);
  await assert.rejects(broken.read(name), { code: 'malformed', tensor: name, found: '9' });
  const stop = AbortSignal.abort();
  const planned = await plan(model, { to: 'deep' });
  await assert.rejects(shrink(planned, join(folder, 'none.fbdc'), { signal: stop }), { code: 'aborted' });
  await assert.rejects(stat(join(folder, 'none.fbdc')));
  for (const one of [broken, back, model]) await one.close();
});

test('the command line writes a container by its ending, says the stages, and opens it again', async () => {
  const run = promisify(execFile);
  const [out, report] = [join(folder, 'cli.fbdc'), join(folder, 'cli.json')];
  const scheme = 'deep:bits=4,pruneRatio=0.9,indexBits=4';
  const { stdout } = await run('node', [CLI, 'shrink', SAMPLE, '-o', out, '--scheme', scheme, '--report', report]);
  assert.match(stdout, /Huffman coded +\d+ +\d+\.\d\d×/);
  assert.match(stdout, /without retraining/);
  const { outputs } = JSON.parse(await readFile(report, 'utf8'));
  assert.equal(outputs[0].stages.coded, (await stat(out)).size);
  assert.equal(outputs[0].tensors.find((/** @type {any} */ x) => x.name === 'fc1.weight').stages.indexBits, 4);
  const inspected = await run('node', [CLI, 'inspect', out]);
  assert.match(inspected.stdout, /fc1\.weight +DEEP/);
  const compared = JSON.parse((await run('node', [CLI, 'compare', SAMPLE, out, '--json'])).stdout);
  assert.ok(compared);
  const bare = join(folder, 'bare.fbdc');
  await run('node', [CLI, 'shrink', SAMPLE, '-o', bare]);
  const model = await openModel(bare);
  assert.equal(model.tensors.filter(({ dtype }) => dtype === 'DEEP').length, 4);
  await model.close();
});
