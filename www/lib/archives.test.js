/**
 * npz, PyTorch checkpoints and weights stored in several tensors, through the model's face: numpy, torch and the libraries of each
 * quantization say what is inside.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { init } from './engine.js';
import { inflated, inflatedBytes } from './inflate.js';
import { inside, openModel } from './model.js';
import { plan } from './shrink/plan.js';
import { shrink } from './shrink/job.js';
import { bytesSource } from './sources.js';
import { chunks, read } from './views.js';

const data = new URL('../../tests/data/', import.meta.url);
await init();

/** @param {Float32Array} values */
const hex = (values) =>
  [...new Uint32Array(values.buffer, values.byteOffset, values.length)]
    .map((bits) => bits.toString(16).padStart(8, '0'))
    .join('');

/** @param {string} path */
const json = async (path) => JSON.parse(await readFile(new URL(path, data), 'utf8'));

/** @param {any} model @param {string} name */
async function fromChunks(model, name) {
  const stream = model.chunks(name);
  const pieces = [];
  for await (const piece of stream) pieces.push(Buffer.from(piece));
  return { dtype: stream.dtype, bytes: Buffer.concat(pieces) };
}

/** @param {any} model @param {any} tensor @param {string} want @param {string} what */
async function readsAs(model, tensor, want, what) {
  const all = await model.read(tensor.name);
  assert.ok(hex(all) === want, what);
  const [rows, columns] = tensor.row;
  for (const [start, end] of [
    [0, 1],
    [Math.floor(rows / 2), rows],
    [rows, rows],
  ]) {
    if (end > rows) continue;
    const some = await model.read(tensor.name, { start, end });
    assert.equal(hex(some), hex(all.subarray(start * columns, end * columns)), `${what}: rows ${start}…${end}`);
  }
  const { dtype, bytes } = await fromChunks(model, tensor.name);
  if (dtype === 'F32')
    assert.ok(hex(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)) === want, what);
}

test('npz files and checkpoints hold what numpy and torch say', async () => {
  for (const [path, want] of Object.entries(await json('zips/expected.json'))) {
    const bytes = await readFile(new URL(`zips/${path}`, data));
    if (want.refused) {
      await assert.rejects(openModel(bytes), { code: 'unsupported' }, path);
      continue;
    }
    const model = await openModel(new File([bytes], path));
    assert.equal(model.format, path.endsWith('.npz') ? 'npz' : 'torch');
    assert.deepEqual(model.tensors.map(({ name }) => name).sort(), Object.keys(want.tensors).sort(), path);
    for (const tensor of model.tensors) {
      const { dtype, shape, f32 } = want.tensors[tensor.name];
      assert.deepEqual([tensor.dtype, tensor.shape], [dtype, shape], `${path}: ${tensor.name}`);
      if (f32 === null) await assert.rejects(model.read(tensor.name), { code: 'unsupported' });
      else await readsAs(model, tensor, f32, `${path}: ${tensor.name}`);
    }
    await model.close();
  }
});

test('a weight stored in several tensors is listed and read as one, besides its parts', async () => {
  for (const [path, want] of Object.entries(await json('parts/expected.json'))) {
    const model = await openModel(await readFile(new URL(`parts/${path}`, data)));
    const derived = model.tensors.filter(({ parts }) => parts);
    assert.deepEqual(derived.map(({ name }) => name).sort(), Object.keys(want).sort());
    for (const tensor of derived) {
      const { label, shape, f32 } = want[tensor.name];
      assert.deepEqual([tensor.dtype, tensor.shape, tensor.readable], [label, shape, true]);
      await readsAs(model, tensor, f32, `${path}: ${tensor.name}`);
      const parts = model.tensors.filter(({ partOf }) => partOf === tensor.name);
      assert.deepEqual(parts.map(({ name }) => name).sort(), tensor.parts?.toSorted());
      assert.equal(
        tensor.byteLength,
        parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
      );
      await assert.rejects(model.readBytes(tensor.name), { code: 'unsupported', expected: 'one of its parts' });
    }
    await model.close();
  }
});

test('the bytes of a deflated array come inflated', async () => {
  const model = await openModel(await readFile(new URL('zips/deflated.npz', data)));
  const stored = await openModel(await readFile(new URL('zips/stored.npz', data)));
  for (const { name } of model.tensors) assert.deepEqual(await model.readBytes(name), await stored.readBytes(name));
  const { bytes } = await fromChunks(model, 'large');
  assert.deepEqual(new Uint8Array(bytes), await stored.readBytes('large'));
});

/** A tensor of deflated bytes, as the parser would state it. @param {Uint8Array} bytes @param {number} deflated */
const packed = (bytes, deflated) => {
  const stream = deflateRawSync(bytes);
  return /** @type {any} */ ({ source: bytesSource(stream), start: 0, end: stream.length, deflated });
};

test('a deflated tensor of many pieces is inflated piece by piece, from anywhere', async () => {
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 2654435761) >>> 24);
  const tensor = packed(bytes, 100);
  for (const [from, to] of [
    [0, 2_999_900],
    [1_234_567, 2_000_000],
    [5, 5],
  ]) {
    const sizes = [];
    const pieces = [];
    for await (const piece of inflated(tensor, from, to, 1_000_000)) {
      sizes.push(piece.length);
      pieces.push(piece);
    }
    assert.ok(sizes.every((size, i) => size === 1_000_000 || i === sizes.length - 1));
    assert.deepEqual(new Uint8Array(Buffer.concat(pieces)), bytes.slice(100 + from, 100 + to));
  }
});

test('a deflated tensor shorter than it claims is an error, and so is one that is no stream', async () => {
  const tensor = packed(new Uint8Array(1000), 0);
  await assert.rejects(inflatedBytes(tensor, 0, 1001), { code: 'truncated', expected: '1 bytes more' });
  await assert.rejects(inflatedBytes({ ...tensor, end: tensor.end - 2 }, 0, 1000), { code: 'truncated' });
  const junk = bytesSource(new Uint8Array(64).fill(255));
  await assert.rejects(inflatedBytes({ ...tensor, source: junk, end: 64 }, 0, 10), { code: 'malformed' });
});

test('a damaged tensor of an archive is refused wherever all of it is read, with both sums', async () => {
  for (const path of ['zips/stored.npz', 'zips/deflated.npz', 'zips/state_dict.pt', 'zips/deflated.pt']) {
    const bytes = await readFile(new URL(path, data));
    const whole = await openModel(bytes);
    const summed = inside.get(whole)?.tensors.filter(({ crc, row }) => crc !== null && row[0] > 1) ?? [];
    for (const { name } of whole.tensors) {
      await whole.readBytes(name);
      for await (const piece of whole.chunks(name)) assert.ok(piece);
    }
    await whole.close();
    assert.ok(summed.length > 0, path);
    if (summed[0].deflated !== null) continue;

    const { name, start } = summed[0];
    const damaged = new Uint8Array(bytes);
    damaged[start + 3] ^= 0x10;
    const model = await openModel(damaged);
    const refused = (/** @type {any} */ { code, tensor, offset, expected, found, message }) => {
      assert.deepEqual([code, tensor, offset], ['malformed', name, start], message);
      for (const sum of [expected, found]) assert.match(sum, /^CRC-32 [0-9a-f]{8}$/);
      assert.notEqual(expected, found);
      return true;
    };
    await assert.rejects(model.read(name), refused);
    await assert.rejects(model.readBytes(name), refused);
    await assert.rejects(fromChunks(model, name), refused);
    const nowhere = { open: async () => ({ write: async () => {}, close: async () => {}, abort: async () => {} }) };
    for (const options of [{ rules: [{ match: '*', keep: true }] }, { scheme: { id: 'f16' } }]) {
      const planned = await plan(model, { to: 'safetensors', ...options });
      await assert.rejects(shrink(planned, nowhere, { workers: 0 }), refused);
    }
    // Of some rows nothing can be said.
    await model.read(name, { start: 0, end: 1 });
    await model.close();
  }
});

/** A view over f32, as the parser would state it. @param {Float32Array} storage @param {number[]} shape @param {number[]} strides */
const view = (storage, shape, strides) => {
  const count = shape.reduce((a, b) => a * b, 1);
  const row = shape.length > 1 ? [shape[0], count / shape[0]] : [1, count];
  const more = { dtype: 'F32', bigEndian: false, block: [1, 4], deflated: null, start: 0, end: storage.byteLength };
  return /** @type {any} */ ({ source: bytesSource(storage), shape, strides, count, row, ...more });
};

test('a view whose span is read in many pieces is the same as its definition', async () => {
  const storage = Float32Array.from({ length: 6_000_000 }, (_, i) => i);
  /** @param {number[]} shape @param {number[]} strides @param {number} i */
  const at = (shape, strides, i) =>
    shape.reduceRight(
      ([rest, sum], n, axis) =>
        /** @type {[number, number]} */ ([Math.floor(rest / n), sum + (rest % n) * strides[axis]]),
      /** @type {[number, number]} */ ([i, 0]),
    )[1];
  for (const [shape, strides] of [
    [
      [2000, 3000],
      [1, 2000],
    ],
    [
      [3000, 1000],
      [2000, 2],
    ],
    [
      [10, 20, 300],
      [300, 3000, 1],
    ],
    [
      [7, 5, 400],
      [1, 1_000_000, 2500],
    ],
    [[5_999_990], [1]],
    [[3], [2_000_000]],
    [
      [4, 1000],
      [0, 1],
    ],
  ]) {
    const tensor = view(storage, shape, strides);
    const [rows, columns] = tensor.row;
    for (const [start, end] of [
      [0, rows],
      [rows - 1, rows],
    ]) {
      const values = await read(tensor, start, end);
      assert.equal(values.length, (end - start) * columns);
      const step = Math.max(1, Math.floor(values.length / 5000));
      for (let i = 0; i < values.length; i += step) {
        const want = at(shape, strides, start * columns + i);
        if (values[i] !== want) assert.fail(`${shape} by ${strides}: element ${i} is ${values[i]}, not ${want}`);
      }
    }
    let length = 0;
    for await (const piece of chunks(tensor)) length += piece.length;
    assert.equal(length, tensor.count * 4);
  }
});

test('a view that claims 10¹² elements is listed, and refused on reading with its size', async () => {
  const model = await openModel(await readFile(new URL('zips/claims.pt', data)));
  const huge = model.tensors.find(({ name }) => name === 'huge');
  assert.equal(huge?.count, 1e12);
  assert.notEqual(huge?.readable, true);
  const want = { code: 'unsupported', tensor: 'huge', found: 'F32, 1000000000000 elements in 4 bytes' };
  await assert.rejects(model.read('huge'), want);
  assert.throws(() => model.chunks('huge'), want);
  assert.deepEqual(await model.read('w'), Float32Array.of(1, 1));
});
