/** ONNX from ONNX through plan and shrink; that other programs run what is written is for tests/python/onnx_proof.py to say. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gaussians, memorySink } from '../../tests/js/models.js';
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

/** A field of a protocol buffer: a number, or bytes. @param {number} field @param {number | Uint8Array} value */
function wire(field, value) {
  const varint = (/** @type {number} */ n) => {
    const out = [];
    for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
    return Buffer.from([...out, n]);
  };
  if (typeof value === 'number') return Buffer.concat([varint(field * 8), varint(value)]);
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
}

test('a matrix for MatMulNBits is packed in bands of rows, and is what was reported', async () => {
  // Several bands are packed at once, and the last block has 6 rows.
  const [rows, columns] = [1030, 2100];
  const values = gaussians(rows * columns);
  const text = (/** @type {string} */ name) => Buffer.from(name);
  const node = Buffer.concat([wire(1, text('x')), wire(1, text('w')), wire(2, text('y')), wire(4, text('MatMul'))]);
  const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const tensor = Buffer.concat([wire(1, rows), wire(1, columns), wire(2, 1), wire(8, text('w')), wire(9, raw)]);
  const graph = [wire(1, node), wire(2, text('g')), wire(5, tensor), wire(11, wire(1, text('x')))];
  graph.push(wire(12, wire(1, text('y'))));
  const file = Buffer.concat([wire(1, 8), wire(8, wire(2, 13)), wire(7, Buffer.concat(graph))]);
  const model = await openModel(new Uint8Array(file));
  const planned = await plan(model, { scheme: { id: 'int4' } });
  const [{ band, rowsAtOnce, packing }] = planned.job.tasks;
  assert.deepEqual([packing.pack, band], ['onnx_mat_mul', 32]);
  assert.ok(rowsAtOnce < rows && rowsAtOnce % 32 === 0, `${rowsAtOnce} rows at once`);
  const sink = memorySink();
  const report = await shrink(planned, sink, { workers: 2 });
  const made = await openModel(sink.files.get(''));
  const { sqnrDb } = compare(values, await made.read('w'), { bins: 0 });
  assert.ok(sqnrDb > 18 && Math.abs(sqnrDb - report.tensors[0].sqnrDb) < 1e-4, `${sqnrDb} dB`);
  await Promise.all([model.close(), made.close()]);
});

test('ONNX from anything else is refused', async () => {
  const model = await openModel(fileURLToPath(new URL('../../tests/data/corpus/numpy.safetensors', import.meta.url)));
  await assert.rejects(plan(model, { to: 'onnx', scheme: { id: 'int8' } }), { code: 'invalid_argument' });
  await model.close();
});
