/** ONNX from ONNX through plan and shrink; that other programs run what is written is for tests/python/onnx_proof.py to say. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compare, init, openModel, plan, shrink } from './index.js';

await init();
const source = fileURLToPath(new URL('../../tests/data/corpus/onnx/weights.onnx', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'fewerbits-onnx-'));
after(() => rm(folder, { recursive: true }));

/** Shrinks the model and opens what was written. */
async function shrunk(options, name) {
  const model = await openModel(source);
  const planned = await plan(model, options);
  const to = join(folder, name);
  const report = await shrink(planned, to, { workers: 1 });
  const made = await openModel(to);
  return { model, planned, report, made, to };
}

for (const [options, labels, least] of [
  [{ scheme: { id: 'int8' } }, ['INT8 QDQ per channel', 'INT8 QDQ per channel', 'INT8 QDQ per channel'], 35],
  [{ scheme: { id: 'int4' } }, ['INT4 GatherBlockQuantized ×32', 'INT4 MatMulNBits ×32', 'INT8 QDQ per channel'], 18],
]) {
  test(`ONNX to ${options.scheme.id} reads back close to what it was`, async () => {
    const { model, planned, report, made, to } = await shrunk(options, `${options.scheme.id}.onnx`);
    assert.equal(planned.to, 'onnx');
    assert.equal((await readFile(to)).length, planned.outputBytes);
    const derived = made.tensors.filter(({ parts }) => parts);
    assert.deepEqual(
      ['table', 'factor', 'filter'].map((name) => derived.find((tensor) => tensor.name === name).dtype),
      labels,
    );
    for (const { name, shape } of derived) {
      const { sqnrDb } = compare(await model.read(name), await made.read(name));
      assert.ok(sqnrDb > least, `${name} ${shape}: ${sqnrDb} dB`);
    }
    assert.equal(report.tensors.length, 3);
    const recipe = planned.recipe();
    const again = await plan(model, { recipe });
    assert.deepEqual(
      again.tensors.map(({ dtype, byteLength }) => [dtype, byteLength]),
      planned.tensors.map(({ dtype, byteLength }) => [dtype, byteLength]),
    );
    await Promise.all([model.close(), made.close()]);
  });
}

test('an ONNX model that keeps a tensor counts its bytes and copies the rest bit for bit', async () => {
  const { model, planned, made, to } = await shrunk({ rules: [{ match: '*', keep: true }] }, 'kept.onnx');
  assert.deepEqual(await readFile(to), await readFile(source));
  assert.deepEqual(
    planned.tensors.map(({ byteLength }) => byteLength),
    model.tensors.map(({ byteLength }) => byteLength),
  );
  await Promise.all([model.close(), made.close()]);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('partial')),
    [],
  );
});

test('ONNX from anything else is refused', async () => {
  const model = await openModel(fileURLToPath(new URL('../../tests/data/corpus/numpy.safetensors', import.meta.url)));
  await assert.rejects(plan(model, { to: 'onnx', scheme: { id: 'int8' } }), { code: 'invalid_argument' });
  await model.close();
});
