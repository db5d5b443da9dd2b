import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { hubPlace } from './hub.js';
import { init, openModel } from './index.js';

const sample = await readFile(new URL('../public/models/digits.safetensors', import.meta.url));
/** @param {Buffer} file */
function names(file) {
  const header = JSON.parse(file.subarray(8, 8 + Number(file.readBigUInt64LE(0))).toString());
  return Object.keys(header).filter((name) => name !== '__metadata__');
}

const index = {
  weight_map: Object.fromEntries(names(sample).map((name) => [name, 'model-00001-of-00001.safetensors'])),
};

/** @type {Record<string, Buffer>} */
const files = {
  '/me/whole/resolve/main/model.safetensors': sample,
  '/me/whole/resolve/v2/sub/other.safetensors': sample,
  '/me/shards/resolve/main/model.safetensors.index.json': Buffer.from(JSON.stringify(index)),
  '/me/shards/resolve/main/model-00001-of-00001.safetensors': sample,
};

const asked = /** @type {string[]} */ ([]);
// As the hub does: files lie on another server, the answer says where, and who is not signed in does not learn which models there are.
const server = createServer((request, response) => {
  const path = String(request.url);
  asked.push(path);
  if (path.startsWith('/me/gated/') || path.startsWith('/nobody/')) return response.writeHead(401).end();
  if (!files[path]) return response.writeHead(404).end();
  response.writeHead(302, { location: `${store}${path}?signed=1` }).end();
});
/** Ranges that reached the server where the bytes lie. */
const ranges = /** @type {(string | undefined)[]} */ ([]);
const far = createServer((request, response) => {
  const file = files[String(request.url).replace('?signed=1', '')];
  ranges.push(request.headers.range);
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (!range) return response.writeHead(200, { 'content-length': file.length }).end(file);
  const [start, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, file.length)];
  response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${file.length}` });
  response.end(file.subarray(start, end));
});
let [hub, store] = ['', ''];

before(async () => {
  await init();
  for (const one of [server, far]) {
    one.listen(0, '127.0.0.1');
    await once(one, 'listening');
  }
  [hub, store] = [server, far].map((one) => `http://127.0.0.1:${/** @type {any} */ (one.address()).port}`);
});
after(() => {
  server.close();
  far.close();
});

test('names and pages of the hub lead to the files', () => {
  const base = 'https://huggingface.co/me/some.model-1/resolve';
  const cases = {
    'hf:me/some.model-1': [`${base}/main/`, null],
    'hf://me/some.model-1': [`${base}/main/`, null],
    'hf:me/some.model-1@v2': [`${base}/v2/`, null],
    'hf:me/some.model-1/onnx/model.onnx': [`${base}/main/`, 'onnx/model.onnx'],
    'hf:me/some.model-1@v2/unet': [`${base}/v2/unet/`, null],
    'https://huggingface.co/me/some.model-1': [`${base}/main/`, null],
    'https://huggingface.co/me/some.model-1/tree/main': [`${base}/main/`, null],
    'https://huggingface.co/me/some.model-1/tree/main/onnx': [`${base}/main/onnx/`, null],
    'https://huggingface.co/me/some.model-1/blob/v2/a/model.gguf': [`${base}/v2/`, 'a/model.gguf'],
  };
  for (const [address, [folder, file]] of Object.entries(cases)) {
    const place = hubPlace(address);
    assert.deepEqual([place?.folder, place?.file], [folder, file], address);
  }
});

test('other addresses are left as they are', () => {
  for (const address of [
    'https://huggingface.co/me/model/resolve/main/model.safetensors',
    'https://example.org/me/model',
    'models/digits.safetensors',
    '/me/model',
    'hf:me',
    'hf:../model',
  ]) {
    assert.equal(hubPlace(address), null, address);
  }
});

test('a model of the hub is opened by its name, whole or in shards', async () => {
  for (const address of [
    'hf:me/whole',
    'hf:me/shards',
    'hf:me/whole@v2/sub/other.safetensors',
    `${hub}/me/whole`,
    `${hub}/me/whole/blob/v2/sub/other.safetensors`,
    `${hub}/me/whole/resolve/main/model.safetensors`,
    `${hub}/me/shards/resolve/main/model.safetensors.index.json`,
  ]) {
    ranges.length = 0;
    const model = await openModel(address, { hub });
    assert.deepEqual(model.tensors.map(({ name }) => name).sort(), names(sample).sort(), address);
    assert.equal((await model.read('conv1.weight')).length, 288);
    await model.close();
    // The hub leads on to another server, and what is asked there is a range still.
    assert.ok(ranges.length >= 1, address);
    assert.ok(
      address.includes('shards') || ranges.every((range) => /^bytes=\d+-\d+$/.test(range ?? '')),
      `${address}: ${ranges}`,
    );
  }
});

test('a model that is gated, or not there for who is not signed in, is not looked for under other names', async () => {
  for (const address of ['hf:me/gated', 'hf:nobody/nothing', `${hub}/me/gated/blob/main/model.safetensors`]) {
    asked.length = 0;
    await assert.rejects(openModel(address, { hub }), (/** @type {any} */ error) => {
      assert.deepEqual([error.code, error.found], ['network', 'HTTP 401 Unauthorized'], address);
      assert.match(error.message, /model\.safetensors/);
      return true;
    });
    assert.equal(asked.length, 1, address);
  }
});

test('a model in shards is found whatever else is fetched meanwhile', async () => {
  const names = Array.from({ length: 24 }, (_, i) => (i % 2 ? 'hf:me/whole' : 'hf:me/shards'));
  const models = await Promise.all(names.map((name) => openModel(name, { hub })));
  for (const model of models) await model.close();
});

test('what the hub does not have is an error that says what would be opened', async () => {
  asked.length = 0;
  await assert.rejects(openModel('hf:me/nothing', { hub }), (/** @type {any} */ error) => {
    assert.equal(error.code, 'missing_file');
    assert.match(error.message, /me\/nothing.*model\.safetensors/);
    return true;
  });
  assert.ok(asked.length >= 5);
  await assert.rejects(openModel('hf:me/whole/none.safetensors', { hub }), { code: 'network' });
});
