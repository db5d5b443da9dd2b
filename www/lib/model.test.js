import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { init } from './engine.js';
import { filesFromDataTransfer, filesFromList } from './files.js';
import { openModel } from './model.js';
import { requests } from './sources.js';
import * as glue from './wasm/fewerbits.js';

const corpus = new URL('../../tests/data/corpus/', import.meta.url);
const expected = JSON.parse(await readFile(new URL('expected.json', corpus), 'utf8'));
await init();

/** A safetensors file of these tensors, `{name: {dtype, shape, data}}`, in order. */
function safetensors(tensors, metadata) {
  const header = metadata ? { __metadata__: metadata } : {};
  let at = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + data.length] };
    at += data.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return new Uint8Array(Buffer.concat([length, text, ...Object.values(tensors).map(({ data }) => data)]));
}

function f32(...values) {
  return new Uint8Array(Float32Array.from(values).buffer);
}

async function collect(chunks) {
  const parts = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}

const hex = (values) => Array.from(new Uint32Array(values.buffer), (w) => w.toString(16).padStart(8, '0')).join('');

async function holdsWhatItsWriterSays(model, want, path) {
  assert.deepEqual(new Set(model.tensors.map(({ name }) => name)), new Set(Object.keys(want.tensors)), path);
  if (want.metadata) assert.deepEqual({ ...model.metadata }, want.metadata, path);
  for (const tensor of model.tensors) {
    const { dtype, shape, f32: values } = want.tensors[tensor.name];
    assert.deepEqual([tensor.dtype, tensor.shape], [dtype, shape], `${path} ${tensor.name}`);
    assert.equal((await model.readBytes(tensor.name)).length, tensor.byteLength);
    if (values === null) {
      assert.match(tensor.readable, /complex/);
      await assert.rejects(model.read(tensor.name), { code: 'unsupported', tensor: tensor.name });
      assert.throws(() => model.chunks(tensor.name), { code: 'unsupported' });
      continue;
    }
    assert.equal(tensor.readable, true);
    const read = await model.read(tensor.name);
    assert.equal(hex(read), values, `${path} ${tensor.name}`);
    const [rows, columns] = tensor.row;
    assert.equal(rows * columns, tensor.count);
    if (rows > 1) {
      const part = await model.read(tensor.name, { start: 1, end: rows });
      assert.equal(hex(part), values.slice(columns * 8), `${path} ${tensor.name}, rows`);
    }
  }
  await model.close();
}

test('a file holds what its writer says, from a path, from memory and from a Blob', async () => {
  for (const [path, want] of Object.entries(expected)) {
    const at = fileURLToPath(new URL(path, corpus));
    if (want.refused) {
      await assert.rejects(openModel(at), (error) => {
        return error.code === 'unsupported' && error.message.includes(want.refused) && error.file === path;
      });
      continue;
    }
    await holdsWhatItsWriterSays(await openModel(at), want, path);
    if (path === 'sharded') continue;
    const bytes = await readFile(at);
    const name = path.split('/').at(-1);
    await holdsWhatItsWriterSays(await openModel(new File([bytes], name)), want, path);
    if (path.endsWith('.safetensors')) await holdsWhatItsWriterSays(await openModel(bytes), want, path);
    const handle = { kind: 'file', name, getFile: async () => new File([bytes], name) };
    await holdsWhatItsWriterSays(await openModel(handle), want, path);
  }
});

test('a tensor says where it lies and how it is laid out', async () => {
  const model = await openModel(fileURLToPath(new URL('numpy.safetensors', corpus)));
  assert.equal(model.name, 'numpy.safetensors');
  assert.equal(model.format, 'safetensors');
  assert.equal(model.byteLength, (await readFile(new URL('numpy.safetensors', corpus))).length);
  assert.deepEqual(
    model.tensors.find(({ name }) => name === 'conv.weight'),
    {
      name: 'conv.weight',
      dtype: 'F32',
      shape: [4, 2, 3, 3],
      count: 72,
      byteLength: 288,
      row: [4, 18],
      readable: true,
      file: 'numpy.safetensors',
    },
  );
  await model.close();
});

test('an npy is named after its file, or after what it came from', async () => {
  const bytes = await readFile(new URL('c.npy', corpus));
  assert.deepEqual(
    (await openModel(new Blob([bytes]))).tensors.map(({ name }) => name),
    ['blob'],
  );
  assert.deepEqual(
    (await openModel(bytes)).tensors.map(({ name }) => name),
    ['memory'],
  );
  assert.deepEqual(
    (await openModel(new File([bytes], '.npy'))).tensors.map(({ name }) => name),
    ['array'],
  );
});

test('rows that are not there are refused', async () => {
  const model = await openModel(safetensors({ w: { dtype: 'F32', shape: [2, 3], data: f32(0, 1, 2, 3, 4, 5) } }));
  assert.deepEqual(await model.read('w', { start: 1 }), Float32Array.of(3, 4, 5));
  assert.deepEqual(await model.read('w', { start: 1, end: 1 }), new Float32Array(0));
  assert.deepEqual(await model.read('w', { end: 1 }), Float32Array.of(0, 1, 2));
  for (const rows of [{ start: -1 }, { end: 3 }, { start: 2, end: 1 }, { start: 0.5 }, { end: NaN }]) {
    await assert.rejects(model.read('w', rows), { code: 'invalid_argument', tensor: 'w', expected: 'rows within 0…2' });
  }
  await assert.rejects(model.read('v'), { code: 'unknown_tensor', tensor: 'v' });
  await assert.rejects(model.read('toString'), { code: 'unknown_tensor' });
  await assert.rejects(model.readBytes('v'), { code: 'unknown_tensor' });
  assert.throws(() => model.chunks('v'), { code: 'unknown_tensor' });
});

test('rows of types below a byte are read where they begin within one', async () => {
  // Codes 0…11 low nibble first, in rows of 3; then 6 bits each.
  const f4 = Uint8Array.of(0x10, 0x32, 0x54, 0x76, 0x98, 0xba);
  const values4 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5];
  const bits = Array.from({ length: 12 }, (_, i) => i).reduceRight((all, code) => (all << 6n) | BigInt(code), 0n);
  const f6 = Uint8Array.from({ length: 9 }, (_, i) => Number((bits >> BigInt(8 * i)) & 255n));
  const model = await openModel(
    safetensors({
      f4: { dtype: 'F4', shape: [4, 3], data: f4 },
      f6: { dtype: 'F6_E2M3', shape: [4, 3], data: f6 },
    }),
  );
  for (let start = 0; start <= 4; start++) {
    for (let end = start; end <= 4; end++) {
      const rows4 = await model.read('f4', { start, end });
      assert.deepEqual(rows4, Float32Array.from(values4.slice(start * 3, end * 3)), `${start}…${end}`);
      assert.equal(rows4.buffer.byteLength, rows4.byteLength, 'the buffer can be transferred');
      // E2M3: codes 0…11 are below 2, in steps of 1/8.
      const rows6 = await model.read('f6', { start, end });
      assert.deepEqual(
        rows6,
        Float32Array.from({ length: 3 * (end - start) }, (_, i) => (start * 3 + i) / 8),
      );
    }
  }
});

test('chunks are whole elements, row-major and little-endian, of the type they name', async () => {
  for (const [path, dtype] of [
    ['c.npy', 'F32'],
    ['half.npy', 'F16'],
    ['big.npy', 'F32'],
    ['big_fortran.npy', 'F32'],
    ['fortran4.npy', 'F32'],
    ['empty.npy', 'F32'],
  ]) {
    const model = await openModel(fileURLToPath(new URL(path, corpus)));
    const [{ name }] = model.tensors;
    const chunks = model.chunks(name);
    assert.equal(chunks.dtype, dtype);
    const bytes = await collect(chunks);
    if (dtype === 'F32') assert.equal(hex(new Uint8Array(bytes)), expected[path].tensors[name].f32, path);
    else assert.deepEqual(bytes, Buffer.from(await model.readBytes(name)));
    await model.close();
  }
});

test('a large tensor comes in pieces, with progress, and can be stopped', async () => {
  const values = Float32Array.from({ length: 5_000_000 }, (_, i) => i);
  const model = await openModel(
    safetensors({ w: { dtype: 'F32', shape: [5000, 1000], data: new Uint8Array(values.buffer) } }),
  );
  const seen = [];
  const sizes = [];
  for await (const chunk of model.chunks('w', { onProgress: (progress) => seen.push(progress) }))
    sizes.push(chunk.length);
  assert.deepEqual(sizes, [8 << 20, 8 << 20, 20_000_000 - (16 << 20)]);
  assert.deepEqual(seen.at(-1), { loaded: 20_000_000, total: 20_000_000 });
  assert.deepEqual(await model.read('w'), values);

  const stop = new AbortController();
  await assert.rejects(
    async () => {
      const chunks = model.chunks('w', { signal: stop.signal });
      await chunks.next();
      stop.abort();
      await chunks.next();
    },
    { code: 'aborted' },
  );
  await assert.rejects(model.read('w', { signal: stop.signal }), { code: 'aborted' });
  await assert.rejects(model.readBytes('w', { signal: stop.signal }), { code: 'aborted' });
});

test('a closed model throws code freed', async () => {
  const model = await openModel(safetensors({ w: { dtype: 'U8', shape: [1], data: Uint8Array.of(1) } }));
  await model.close();
  await model.close();
  await assert.rejects(model.read('w'), { code: 'freed' });
  await assert.rejects(model.readBytes('w'), { code: 'freed' });
  assert.throws(() => model.chunks('w'), { code: 'freed' });
});

test('names and metadata from strangers are only text', async () => {
  const data = Uint8Array.of(1);
  const names = ['__proto__', 'constructor', '<img src=x onerror=alert(1)>', ''];
  const header = names.map(
    (name, i) => `${JSON.stringify(name)}:{"dtype":"U8","shape":[1],"data_offsets":[${i},${i + 1}]}`,
  );
  const text = Buffer.from(`{"__metadata__":{"__proto__":"x","toString":"y"},${header.join(',')}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const model = await openModel(Buffer.concat([length, text, Buffer.from([0, 1, 2, 3])]));
  assert.deepEqual(
    model.tensors.map(({ name }) => name),
    names,
  );
  for (const [i, name] of names.entries()) assert.deepEqual(await model.read(name), Float32Array.of(i));
  assert.deepEqual(Object.entries(model.metadata), Object.entries(JSON.parse('{"__proto__":"x","toString":"y"}')));
  assert.equal(data.x, undefined);
});

test('a broken file says where and leaves what is open alone', async () => {
  const good = await openModel(safetensors({ w: { dtype: 'F32', shape: [1], data: f32(5) } }));
  const bytes = safetensors({ w: { dtype: 'F32', shape: [3], data: f32(1, 2) } });
  await assert.rejects(openModel(new File([bytes], 'bad.safetensors')), {
    code: 'malformed',
    file: 'bad.safetensors',
    tensor: 'w',
    offset: 60,
    expected: '12 bytes for F32 [3]',
    found: '8 bytes',
    message:
      'bad.safetensors: tensor "w": data_offsets span another size than the shape asks for at 60; ' +
      'expected 12 bytes for F32 [3], found 8 bytes',
  });
  for (const [content, code] of [
    ['', 'unknown_format'],
    ['hello', 'unknown_format'],
    ['{"weight_map":{"a":"../b"}}', 'malformed'],
  ]) {
    await assert.rejects(openModel(new File([content], 'x')), { code, file: 'x' });
  }
  const expected = 'a safetensors, GGUF, ONNX, npy, npz, PyTorch or Deep Compression file, or an index of shards';
  for (const [content, code, found] of [
    ['\x1c\0\0\0TFL3\x14\0', 'unsupported', 'a TensorFlow Lite model'],
    ['%PDF-1.7\n....', 'unknown_format', 'a PDF document'],
    ['<!doctype html><html>', 'unknown_format', 'a web page'],
    ['version https://git-lfs.github.com/spec/v1\n', 'unknown_format', 'a Git LFS pointer'],
  ]) {
    const file = new File([content], 'x');
    for (const from of [file, [file], directory('d', [file])]) {
      await assert.rejects(openModel(from), { code, file: 'x', expected, found });
    }
  }
  for (const from of [null, undefined, 5, {}, true]) {
    await assert.rejects(openModel(from), { code: 'invalid_argument' });
  }
  assert.deepEqual(await good.read('w'), Float32Array.of(5));
});

test('the sources of a model that does not open are closed', async () => {
  const closed = [];
  const source = (name, bytes) => ({
    name,
    size: bytes.length,
    read: async (start, end) => bytes.slice(start, end),
    close: async () => closed.push(name),
    sibling: async (other) => {
      if (other === 'missing') throw new Error('no');
      return source(other, safetensors({ a: { dtype: 'U8', shape: [1], data: Uint8Array.of(1) } }));
    },
  });
  const index = Buffer.from(JSON.stringify({ weight_map: { a: 'a', b: 'missing' } }));
  await assert.rejects(openModel(source('index', new Uint8Array(index))));
  assert.deepEqual(closed.sort(), ['a', 'index']);
});

test('a source may say 40 GB, and a tensor beyond 4 GiB is read from there', async () => {
  const far = 35_000_000_000;
  const size = 40_000_000_000;
  const header = Buffer.from(
    JSON.stringify({
      big: { dtype: 'F16', shape: [far / 2], data_offsets: [0, far] },
      far: { dtype: 'U8', shape: [size - far], data_offsets: [far, size] },
    }),
  );
  const start = 8 + header.length;
  const asked = [];
  const model = await openModel({
    name: 'sparse.safetensors',
    size: size + start,
    async read(from, to) {
      asked.push([from, to]);
      const bytes = new Uint8Array(to - from).fill(9);
      if (from === 0) {
        new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
        bytes.set(header, 8);
      }
      return bytes;
    },
    async close() {},
  });
  assert.deepEqual(asked, [[0, 65_536]]);
  const tensor = model.tensors[1];
  assert.deepEqual([tensor.count, tensor.byteLength], [size - far, size - far]);
  for await (const chunk of model.chunks('far')) {
    assert.equal(chunk[0], 9);
    break;
  }
  assert.deepEqual(asked.at(-1), [start + far, start + far + (8 << 20)]);
  await assert.rejects(model.read('big'), { code: 'out_of_memory', tensor: 'big' });
  await assert.rejects(
    model.readBytes('big').then((bytes) => bytes.length),
    (error) => error instanceof RangeError || error.code === 'out_of_memory',
  );
});

// A model in several files.

const shard = (names) =>
  safetensors(Object.fromEntries(names.map((name, i) => [name, { dtype: 'F32', shape: [1], data: f32(i) }])));
const indexFile = (map) => new File([JSON.stringify({ weight_map: map })], 'model.safetensors.index.json');

async function corpusFiles() {
  const at = new URL('sharded/', corpus);
  const names = await readdir(at);
  return Promise.all(names.map(async (name) => new File([await readFile(new URL(name, at))], name)));
}

/** A FileSystemDirectoryHandle over these files. */
function directory(name, files) {
  return {
    kind: 'directory',
    name,
    async *entries() {
      for (const file of files) yield [file.name, { kind: 'file', name: file.name }];
      yield ['sub', { kind: 'directory', name: 'sub' }];
    },
    getFileHandle: async (wanted) => ({ getFile: async () => files.find((file) => file.name === wanted) }),
  };
}

test('shards open as one model: folder, index path, directory handle, list of files', async () => {
  const files = await corpusFiles();
  const path = fileURLToPath(new URL('sharded', corpus));
  const want = expected.sharded;
  for (const [from, name] of [
    [path, 'sharded'],
    [`${path}/`, 'sharded'],
    [`${path}/model.safetensors.index.json`, 'model.safetensors'],
    [new URL('sharded/model.safetensors.index.json', corpus), 'model.safetensors'],
    [directory('llama', files), 'llama'],
    [files, 'files'],
    [files.map((file) => ({ path: `top/llama/${file.name}`, file })), 'llama'],
  ]) {
    const model = await openModel(from);
    assert.equal(model.name, name);
    assert.deepEqual(
      [...new Set(model.tensors.map(({ file }) => file))],
      ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'],
    );
    await holdsWhatItsWriterSays(model, want, name);
  }
});

test('an index alone asks for its folder', async () => {
  const want = {
    code: 'missing_file',
    file: 'model.safetensors.index.json',
    expected: 'its folder, or also what it names: x',
    found: 'the index alone',
  };
  await assert.rejects(openModel(indexFile({ a: 'x' })), want);
  await assert.rejects(openModel([indexFile({ a: 'x' })]), want);
});

test('a missing shard is named', async () => {
  const files = [
    indexFile({ a: 'one.safetensors', b: 'two.safetensors' }),
    new File([shard(['a'])], 'one.safetensors'),
  ];
  for (const from of [files, directory('d', files)]) {
    await assert.rejects(openModel(from), {
      code: 'missing_file',
      file: 'two.safetensors',
      expected: 'every file that model.safetensors.index.json names',
      found: 'no such file',
    });
  }
});

test('a missing shard is named from a path too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fewerbits-'));
  try {
    const index = join(folder, 'model.safetensors.index.json');
    await writeFile(index, JSON.stringify({ weight_map: { a: 'one.safetensors' } }));
    await assert.rejects(openModel(index), { code: 'missing_file', file: 'one.safetensors', found: 'no such file' });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('an address of another kind is no path', async () => {
  for (const from of ['ftp://example.org/a.safetensors', new URL('ftp://example.org/a'), 's3://bucket/a.npy']) {
    await assert.rejects(openModel(from), (error) => {
      return (
        error.code === 'invalid_argument' && /^http: or https:/.test(error.expected) && /only http/.test(error.message)
      );
    });
  }
});

test('a shard and the index must name the same tensors', async () => {
  const open = (map, names) =>
    openModel([indexFile(map), new File([shard(names)], 'one'), new File([shard(['b'])], 'two')]);
  (await open({ a: 'one', b: 'two' }, ['a'])).close();
  const file = 'one';
  await assert.rejects(open({ a: 'one', b: 'two' }, ['a', 'c']), {
    code: 'malformed',
    file,
    tensor: 'c',
    expected: 'an entry in weight_map',
    found: 'none',
  });
  await assert.rejects(open({ a: 'one', c: 'one', b: 'two' }, ['a']), {
    code: 'malformed',
    file,
    tensor: 'c',
    expected: 'the tensor in this shard',
  });
  await assert.rejects(open({ a: 'one', b: 'two' }, ['a', 'b']), {
    code: 'malformed',
    file,
    tensor: 'b',
    expected: 'two',
    found: 'one',
  });
});

test('a shard that is broken or is no shard is named', async () => {
  const open = (bytes) => openModel([indexFile({ a: 'one' }), new File([bytes], 'one')]);
  await assert.rejects(open(shard(['a']).subarray(0, 20)), { code: 'truncated', file: 'one' });
  await assert.rejects(open(await readFile(new URL('c.npy', corpus))), {
    code: 'malformed',
    file: 'one',
    found: 'npy',
  });
  await assert.rejects(open('{"weight_map":{"a":"one"}}'), { code: 'malformed', file: 'one', found: 'an index' });
});

test('a folder without one model says what it holds', async () => {
  const file = (name) => new File([shard(['a'])], name);
  await assert.rejects(openModel([file('a.safetensors'), file('b.safetensors')]), {
    code: 'several_models',
    file: 'files',
    expected: 'one model, or shards with their index',
    found: 'a.safetensors, b.safetensors',
  });
  await assert.rejects(openModel([file('a.npy'), file('b.npy')]), { code: 'several_models', found: 'a.npy, b.npy' });
  const shards = [file('m-00001-of-00002.safetensors'), file('m-00002-of-00002.safetensors')];
  await assert.rejects(openModel(shards), {
    code: 'missing_file',
    expected: 'm.safetensors.index.json beside them',
    found: 'm-00001-of-00002.safetensors, m-00002-of-00002.safetensors',
  });
  await assert.rejects(openModel(directory('d', [file('a.txt'), file('b.txt')])), {
    code: 'unknown_format',
    found: 'a.txt, b.txt',
  });
  await assert.rejects(openModel([]), { code: 'unknown_format', found: 'no files' });
  await assert.rejects(openModel([5]), { code: 'invalid_argument' });
  const model = await openModel(directory('d', [file('a.txt'), file('one.safetensors')]));
  assert.equal(model.name, 'd');
  assert.equal(model.tensors[0].file, 'one.safetensors');
});

test('drops give files and folders with their paths', async () => {
  const files = await corpusFiles();
  const entryOf = (file) => ({ name: file.name, isFile: true, isDirectory: false, file: (done) => done(file) });
  const portions = [files.slice(0, 2).map(entryOf), files.slice(2).map(entryOf), []];
  const folder = {
    name: 'llama',
    isFile: false,
    isDirectory: true,
    createReader: () => ({ readEntries: (done) => done(portions.shift()) }),
  };
  const loose = new File(['x'], 'loose.txt');
  const items = [
    { kind: 'file', webkitGetAsEntry: () => folder, getAsFile: () => null },
    { kind: 'file', getAsFile: () => loose },
    { kind: 'string', getAsFile: () => null },
  ];
  const placed = await filesFromDataTransfer({ items });
  assert.deepEqual(
    placed.map(({ path }) => path),
    [...files.map((file) => `llama/${file.name}`), 'loose.txt'],
  );
  await holdsWhatItsWriterSays(await openModel(placed), expected.sharded, 'dropped');
  assert.deepEqual(filesFromList([loose]), [{ path: 'loose.txt', file: loose }]);

  const forbidden = { ...entryOf(loose), file: (_, failed) => failed(new DOMException('no', 'NotAllowedError')) };
  const drop = filesFromDataTransfer({ items: [{ kind: 'file', webkitGetAsEntry: () => forbidden }] });
  await assert.rejects(drop, { code: 'unreadable', file: 'loose.txt', found: 'no' });
});

// Over HTTP.

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://x');
  if (pathname.startsWith('/page/')) {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end('<!DOCTYPE html>');
    return;
  }
  const bytes = await readFile(new URL(`.${decodeURI(pathname)}`, corpus)).catch(() => null);
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')?.map(Number) ?? [];
  if (bytes === null) response.writeHead(404).end();
  else if (from === undefined) response.writeHead(200).end(bytes);
  else {
    const end = Math.min(to + 1, bytes.length);
    response.writeHead(206, { 'content-range': `bytes ${from}-${end - 1}/${bytes.length}` });
    response.end(bytes.subarray(from, end));
  }
});
let base;
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

test('a file and an index are opened by their address', async () => {
  const { count } = requests;
  const model = await openModel(`${base}/numpy.safetensors`);
  assert.equal(requests.count, count + 1, 'one request lists a model');
  await holdsWhatItsWriterSays(model, expected['numpy.safetensors'], 'url');
  await holdsWhatItsWriterSays(await openModel(new URL(`${base}/c.npy?download=true`)), expected['c.npy'], 'url');
  const index = await openModel(`${base}/sharded/model.safetensors.index.json`);
  await holdsWhatItsWriterSays(index, expected.sharded, 'url');
});

test('a shard that the server does not have is named', async () => {
  const open = openModel(`${base}/sharded/../lost/model.safetensors.index.json`);
  await assert.rejects(open, { code: 'network', found: 'HTTP 404 Not Found' });
  const index = new File([JSON.stringify({ weight_map: { a: 'gone.safetensors' } })], 'i');
  const source = { name: 'i', size: index.size, read: async () => new Uint8Array(await index.arrayBuffer()) };
  const { urlSource } = await import('./sources.js');
  const sibling = (name, options) => urlSource(new URL(name, `${base}/sharded/`), options);
  await assert.rejects(openModel({ ...source, close: async () => {}, sibling }), {
    code: 'network',
    file: `${base}/sharded/gone.safetensors`,
    found: 'HTTP 404 Not Found',
  });
});

test('an error page that pretends to be a file is recognized', async () => {
  await assert.rejects(openModel(`${base}/page/model.safetensors`), (error) => {
    return error.code === 'unknown_format' && error.file === 'model.safetensors' && /web page/.test(error.message);
  });
});

test('opening can be aborted', async () => {
  await assert.rejects(openModel(`${base}/c.npy`, { signal: AbortSignal.abort() }), { code: 'aborted' });
  const stop = new AbortController();
  const open = openModel(`${base}/sharded/model.safetensors.index.json`, { signal: stop.signal });
  setTimeout(() => stop.abort(), 1);
  await open.then(
    (model) => model.close(),
    (error) => assert.equal(error.code, 'aborted'),
  );
});

// Size.

test('five thousand tensors list in milliseconds', async () => {
  const data = new Uint8Array(4);
  const names = Array.from({ length: 5000 }, (_, i) => `model.layers.${i}.self_attn.q_proj.weight`);
  const bytes = safetensors(Object.fromEntries(names.map((name) => [name, { dtype: 'F32', shape: [1, 1], data }])));
  const started = performance.now();
  const model = await openModel(bytes);
  const took = performance.now() - started;
  assert.equal(model.tensors.length, 5000);
  assert.ok(took < 2000, `${took} ms`);
});

test('a header of 50 MB does not fill the memory, and gives it back', async () => {
  const { memory } = await glue.default();
  const many = 'x'.repeat(36 << 20);
  const tensors = Array.from({ length: 100_000 }, (_, i) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`);
  const text = Buffer.from(`{"__metadata__":{"k":"${many}"},${tensors.join(',')}${' '.repeat(9 << 20)}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const file = new Blob([length, text]);
  assert.ok(file.size > 48 << 20);
  const open = async () => {
    const model = await openModel(file);
    assert.equal(model.tensors.length, 100_000);
    await model.close();
    return memory.buffer.byteLength;
  };
  const first = await open();
  assert.ok(first < 300 << 20, `${first >> 20} MiB`);
  await open();
  assert.equal(await open(), await open(), 'no leak');
});

const onnx = new URL('onnx/', corpus);
const onnxExpected = JSON.parse(await readFile(new URL('expected.json', onnx), 'utf8'));

test('every ONNX model of the corpus holds what onnx and ONNX Runtime say', async () => {
  assert.equal(Object.keys(onnxExpected).length, 10);
  for (const [file, want] of Object.entries(onnxExpected)) {
    const model = await openModel(fileURLToPath(new URL(file, onnx)));
    assert.equal(model.format, 'onnx');
    const stored = model.tensors.filter(({ parts }) => !parts);
    assert.deepEqual(new Set(stored.map(({ name }) => name)), new Set(Object.keys(want.tensors)), file);
    for (const { name, dtype, shape, readable } of stored) {
      assert.deepEqual([dtype, shape], [want.tensors[name].dtype, want.tensors[name].shape], `${file} ${name}`);
      if (readable !== true) continue;
      const values = await model.read(name);
      assert.equal(hex(values), want.tensors[name].f32, `${file} ${name}`);
      const chunks = model.chunks(name);
      const bytes = await collect(chunks);
      if (chunks.dtype === 'F32') assert.deepEqual(new Float32Array(new Uint8Array(bytes).buffer), values);
    }
    const derived = model.tensors.filter(({ parts }) => parts);
    assert.deepEqual(new Set(derived.map(({ name }) => name)), new Set(Object.keys(want.derived ?? {})), file);
    const bits = (/** @type {number} */ v) => v + 0; // 0 and −0 are one: a product with 0 has the sign of the sum around it
    for (const { name, shape } of derived) {
      const values = Array.from(await model.read(name), bits);
      const words = want.derived[name].f32.match(/.{8}/g).map((w) => parseInt(w, 16));
      const theirs = Array.from(new Float32Array(Uint32Array.from(words).buffer), bits);
      assert.deepEqual(shape, want.derived[name].shape);
      assert.deepEqual(values, theirs, `${file} ${name}`);
    }
    await model.close();
  }
});

test("ONNX's external data is read from the folder, and missed tensor by tensor", async () => {
  const [model, data] = await Promise.all(['external.onnx', 'external.data'].map((n) => readFile(new URL(n, onnx))));
  const folder = await mkdtemp(join(tmpdir(), 'fewerbits-onnx-'));
  try {
    await writeFile(join(folder, 'model.onnx'), model);
    const alone = await openModel(folder);
    assert.match(String(alone.tensors[0].readable), /external\.data/);
    await assert.rejects(alone.read('w1'), { code: 'unsupported', tensor: 'w1' });
    await assert.rejects(alone.readBytes('w1'), { code: 'missing_file', file: 'external.data' });
    await alone.close();
    await writeFile(join(folder, 'external.data'), data);
    const whole = await openModel(folder);
    assert.equal(hex(await whole.read('w2')), onnxExpected['external.onnx'].tensors.w2.f32);
    assert.equal(whole.tensors[0].file, 'external.data');
    assert.equal(whole.byteLength, model.length + data.length);
    await whole.close();
    await writeFile(join(folder, 'external.data'), data.subarray(0, data.length - 9));
    const cut = { code: 'truncated', tensor: 'b2', file: 'external.data' };
    await assert.rejects(openModel(folder), cut);
  } finally {
    await rm(folder, { recursive: true });
  }
  const bytes = await openModel(model);
  await assert.rejects(bytes.readBytes('w1'), { code: 'missing_file' });
  await bytes.close();
});
