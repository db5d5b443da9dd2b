import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compare, init, openModel, plan, shrink } from '../index.js';

const SAMPLE = fileURLToPath(new URL('../../public/models/digits.safetensors', import.meta.url));
let folder = '';

before(async () => {
  await init();
  folder = await mkdtemp(join(tmpdir(), 'fewerbits-npz-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** CRC-32, bit by bit. @param {Uint8Array} bytes */
function crc(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let i = 0; i < 8; i++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}

/** What the central directory says of each member, and its bytes. @param {Buffer} file */
function members(file) {
  const end = file.lastIndexOf('PK\x05\x06');
  let at = file.readUInt32LE(end + 16);
  return Array.from({ length: file.readUInt16LE(end + 10) }, () => {
    const [sum, size] = [file.readUInt32LE(at + 16), file.readUInt32LE(at + 24)];
    const [name, extra, comment] = [28, 30, 32].map((place) => file.readUInt16LE(at + place));
    const local = file.readUInt32LE(at + 42);
    const start = local + 30 + file.readUInt16LE(local + 26) + file.readUInt16LE(local + 28);
    const found = {
      name: file.toString('utf8', at + 46, at + 46 + name),
      sum,
      after: file.readUInt32LE(start + size + 4),
    };
    at += 46 + name + extra + comment;
    return { ...found, bytes: file.subarray(start, start + size) };
  });
}

/** @param {import('./plan.js').PlanOptions} options @param {string} name */
async function written(options, name) {
  const model = await openModel(SAMPLE);
  const planned = await plan(model, { to: 'npz', ...options });
  const path = join(folder, name);
  const report = await shrink(planned, path, { workers: 2 });
  const file = await readFile(path);
  assert.equal(file.length, planned.outputBytes);
  return { model, path, file, report };
}

test('every member of an npz has the CRC-32 of its bytes, in both places', async () => {
  for (const options of [{}, { scheme: { id: 'f16' } }, { scheme: { id: 'int4', granularity: 'channel' } }]) {
    const { model, file } = await written(options, `${JSON.stringify(options).length}.npz`);
    const all = members(file);
    assert.deepEqual(
      all.map(({ name }) => name),
      model.tensors.map(({ name }) => `${name}.npy`),
    );
    for (const { name, sum, after: behind, bytes } of all) {
      assert.equal(crc(bytes), sum, name);
      assert.equal(crc(bytes), behind, name);
    }
    await model.close();
  }
});

test('an npz holds the weights, or what a scheme makes of them', async () => {
  const { model, path, report } = await written({ scheme: { id: 'int8' } }, 'int8.npz');
  const back = await openModel(path);
  for (const { name, shape } of model.tensors) {
    const [a, b] = [await model.read(name), await back.read(name)];
    const known = report.tensors.find((tensor) => tensor.name === name);
    assert.deepEqual(back.tensors.find((tensor) => tensor.name === name)?.shape, shape);
    if (shape.length < 2) assert.deepEqual(a, b, name);
    else assert.ok(Math.abs(compare(a, b).sqnrDb - Number(known?.sqnrDb)) < 1e-3, name);
  }
  await back.close();
  await model.close();
});
