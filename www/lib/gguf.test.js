import assert from 'node:assert/strict';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { init } from './engine.js';
import { openModel } from './model.js';

const corpus = new URL('../../tests/data/gguf/', import.meta.url);
const expected = JSON.parse(await readFile(new URL('expected.json', corpus), 'utf8'));
await init();

/** As tests/data/gguf_files.py counts it: every NaN the same. */
function checksum(/** @type {Float32Array} */ values) {
  const bits = new Uint32Array(values.length);
  values.forEach((value, i) => {
    bits[i] = Number.isNaN(value) ? 0x7fc00000 : new Uint32Array(values.buffer, values.byteOffset + 4 * i, 1)[0];
  });
  return crc32(new Uint8Array(bits.buffer));
}

test('a GGUF file reads as gguf-py dequantizes it', async () => {
  for (const [name, want] of Object.entries(expected)) {
    const path = fileURLToPath(new URL(name, corpus));
    if (want.refused) {
      await assert.rejects(openModel(path), { code: 'unsupported', file: name, found: 'version 3, big-endian' });
      continue;
    }
    const model = await openModel(path);
    assert.equal(model.format, 'gguf');
    assert.deepEqual({ ...model.metadata }, want.keys);
    assert.deepEqual(
      model.tensors.map((tensor) => tensor.name),
      Object.keys(want.tensors),
    );
    for (const tensor of model.tensors) {
      const { dtype, shape, crc } = want.tensors[tensor.name];
      assert.deepEqual([tensor.dtype, tensor.shape, tensor.readable], [dtype, shape, true]);
      assert.equal((await model.readBytes(tensor.name)).length, tensor.byteLength);
      const values = await model.read(tensor.name);
      assert.equal(values.length, tensor.count);
      if (crc !== null) assert.equal(checksum(values), crc, `${name} ${tensor.name}`);
      const [rows, columns] = tensor.row;
      if (rows < 2) continue;
      const part = await model.read(tensor.name, { start: 1, end: 2 });
      assert.deepEqual(part, values.slice(columns, 2 * columns), `${name} ${tensor.name}, one row`);
    }
    await model.close();
  }
});

test('a GGUF file of 40 GB is listed without being read', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'fewerbits-'));
  t.after(() => rm(folder, { recursive: true }));
  const count = 300;
  const [rows, columns] = [28672, 8192];
  const each = ((rows * columns) / 256) * 144;
  const u64 = (/** @type {number} */ n) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(n));
    return bytes;
  };
  const u32 = (/** @type {number} */ n) => Buffer.from(Uint32Array.of(n).buffer);
  const text = (/** @type {string} */ text) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
  const tokens = Array.from({ length: 150000 }, (_, i) => text(`token ${i}`));
  const header = [Buffer.from('GGUF'), u32(3), u64(count), u64(1), text('tokenizer.ggml.tokens'), u32(9), u32(8)];
  header.push(u64(tokens.length), Buffer.concat(tokens));
  for (let i = 0; i < count; i++) {
    header.push(text(`blk.${i}.ffn_up.weight`), u32(2), u64(columns), u64(rows), u32(12), u64(i * each));
  }
  const bytes = Buffer.concat(header);
  const start = Math.ceil(bytes.length / 32) * 32;
  const path = join(folder, 'large.gguf');
  const file = await open(path, 'w');
  await file.write(bytes);
  await file.truncate(start + count * each);
  await file.close();
  const model = await openModel(path);
  assert.ok(model.byteLength > 39e9);
  assert.equal(model.tensors.length, count);
  assert.equal(model.metadata['tokenizer.ggml.tokens'], '[150000 strings]');
  const last = await model.read(`blk.${count - 1}.ffn_up.weight`, { start: rows - 1, end: rows });
  assert.equal(last.length, columns);
  await model.close();
});
