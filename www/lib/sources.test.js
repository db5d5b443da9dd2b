import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { pathSource } from './paths.js';
import { blobSource, bytesSource, requests, urlSource } from './sources.js';

const data = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) ^ (i >> 8));

/** What each path of the test server does with a request for `data`. */
const ways = {
  '/ranges/a%20b.bin': (request, response) => answerRange(request, response),
  '/no-ranges': (_, response) => response.writeHead(200, { 'content-length': data.length }).end(data),
  '/no-length': (_, response) => response.writeHead(200).end(data),
  '/hidden-size': (request, response) => {
    if (request.method === 'HEAD') response.writeHead(200, { 'content-length': data.length }).end();
    else answerRange(request, response, { hide: true });
  },
  '/never-a-size': (request, response) => {
    if (request.method === 'HEAD') response.writeHead(405).end();
    else if (request.headers.range) answerRange(request, response, { hide: true });
    else response.writeHead(200).end(data);
  },
  '/short': (request, response) => answerRange(request, response, { cut: 1 }),
  '/short-later': (request, response) => answerRange(request, response, { cut: first(request) ? 0 : 1 }),
  '/long-later': (request, response) => answerRange(request, response, { cut: first(request) ? 0 : -1 }),
  '/other-range': (request, response) => answerRange(request, response, { shift: first(request) ? 0 : 1 }),
  '/ranges-once': (request, response) =>
    first(request) ? answerRange(request, response) : response.writeHead(200).end(data),
  '/grows': (request, response) => answerRange(request, response, { total: first(request) ? undefined : 300_000 }),
  '/new-etag': (request, response) => answerRange(request, response, { etag: first(request) ? '"1"' : '"2"' }),
  '/html': (_, response) => response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>'),
  '/to-html': (_, response) => response.writeHead(302, { location: '/html' }).end(),
  '/to-ranges': (_, response) => response.writeHead(302, { location: '/ranges/a%20b.bin' }).end(),
  '/empty': (_, response) => response.writeHead(416, { 'content-range': 'bytes */0' }).end(),
  '/unsatisfiable': (_, response) => response.writeHead(416).end('no'),
  '/error': (_, response) => response.writeHead(503).end('later'),
  '/cut-off': (_, response) => {
    response.writeHead(200, { 'content-length': data.length }).write(data.subarray(0, 50_000));
    setTimeout(() => response.destroy(), 50);
  },
  '/slow': (_, response) => {
    response.writeHead(200, { 'content-length': data.length }).write(data.subarray(0, 50_000));
  },
  '/silent': () => {},
};

function first(request) {
  return request.headers.range?.startsWith('bytes=0-');
}

function answerRange(request, response, { hide = false, cut = 0, shift = 0, total = data.length, etag } = {}) {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range).map(Number);
  const start = from + shift;
  const end = Math.min(to + shift + 1, data.length);
  const headers = hide ? {} : { 'content-range': `bytes ${start}-${end - 1}/${total}` };
  if (etag) headers.etag = etag;
  response.writeHead(206, headers);
  const body = new Uint8Array(end - start - cut);
  body.set(data.subarray(start, Math.min(end, start + body.length)));
  response.end(body);
}

const server = createServer((request, response) => {
  const way = ways[request.url];
  if (way) way(request, response);
  else response.writeHead(404).end('not here');
});
let base;
let folder;
before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${server.address().port}`;
  folder = await mkdtemp(join(tmpdir(), 'fewerbits-'));
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

async function holdsData(source) {
  assert.equal(source.size, data.length);
  for (const [start, end] of [
    [0, 0],
    [0, 10],
    [0, 65_536],
    [65_530, 65_540],
    [100_000, 200_000],
    [199_999, 200_000],
    [0, 200_000],
  ]) {
    assert.deepEqual(await source.read(start, end), data.slice(start, end), `${start}…${end}`);
  }
  for (const [start, end] of [
    [-1, 5],
    [5, 4],
    [0, 200_001],
    [0.5, 1],
    [0, NaN],
  ]) {
    await assert.rejects(source.read(start, end), { code: 'invalid_argument' });
  }
  await assert.rejects(source.read(0, 200_000, { signal: AbortSignal.abort() }), { code: 'aborted' });
  await source.close();
}

test('bytes in memory are read where the view lies', async () => {
  await holdsData(bytesSource(data.buffer));
  await holdsData(bytesSource(data));
  const padded = new Uint8Array(data.length + 7);
  padded.set(data, 3);
  await holdsData(bytesSource(padded.subarray(3, data.length + 3)));
  await holdsData(bytesSource(new DataView(padded.buffer, 3, data.length)));
});

test('a read is a copy', async () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const read = await bytesSource(bytes).read(0, 3);
  read[0] = 9;
  assert.equal(bytes[0], 1);
});

test('a Blob and a File are read by slices', async () => {
  await holdsData(blobSource(new Blob([data])));
  const source = blobSource(new File([data], 'w.npy'));
  assert.equal(source.name, 'w.npy');
  await holdsData(source);
});

test('a Blob is read into memory that is given: on and on, with gaps, back, over what was given up, and to its end', async () => {
  const source = blobSource(new Blob([data]));
  /** @param {number} start @param {number} end @param {number} [size] */
  const reads = async (start, end, size = end - start) => {
    const found = await source.read(start, end, { room: new ArrayBuffer(size) });
    assert.deepEqual(found, new Uint8Array(data.slice(start, end)), `${start}…${end} into ${size}`);
  };
  const [n, third] = [data.length, Math.floor(data.length / 3)];
  await reads(0, third);
  await reads(third, third + 10, 100);
  await reads(third + 13, 2 * third);
  await reads(5, 9);
  await reads(9, 9);
  await reads(9, 20, 3);
  await reads(20, n);
  await reads(n, n, 8);
  // Many at once, in order and not.
  const pieces = Array.from({ length: 10 }, (_, i) => [Math.floor((n * i) / 10), Math.floor((n * (i + 1)) / 10)]);
  await Promise.all([...pieces, ...pieces.toReversed(), ...pieces].map(([start, end]) => reads(start, end)));
  await source.close();
  await reads(0, n);
});

test('a read that was given up leaves those that wait behind it their own bytes', async () => {
  const source = blobSource(new Blob([data]));
  const controller = new AbortController();
  const half = data.length >> 1;
  const first = source.read(0, 10, { room: new ArrayBuffer(10) });
  const dropped = source.read(10, half, { room: new ArrayBuffer(half), signal: controller.signal });
  const behind = source.read(half, half + 10, { room: new ArrayBuffer(10) });
  controller.abort();
  await assert.rejects(dropped, { code: 'aborted' });
  assert.deepEqual(await first, new Uint8Array(data.slice(0, 10)));
  assert.deepEqual(await behind, new Uint8Array(data.slice(half, half + 10)));
  assert.deepEqual(
    await source.read(half + 10, half + 20, { room: new ArrayBuffer(10) }),
    new Uint8Array(data.slice(half + 10, half + 20)),
  );
});

test('a Blob that cannot be read any more says so', async () => {
  const broken = new Blob([data]);
  broken.slice = () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) });
  const want = { code: 'unreadable', file: 'blob', offset: 5, found: 'gone' };
  await assert.rejects(blobSource(broken).read(5, 10), want);
});

test('aborting ends a read that is under way', async () => {
  const slow = new Blob([data]);
  slow.slice = () => ({ arrayBuffer: () => new Promise(() => {}) });
  const stop = new AbortController();
  const read = blobSource(slow).read(0, 10, { signal: stop.signal });
  stop.abort(new Error('enough'));
  await assert.rejects(read, (error) => error.code === 'aborted' && error.cause.message === 'enough');
});

test('a path and a file URL are read in Node', async () => {
  const path = join(folder, 'a b.bin');
  await writeFile(path, data);
  await holdsData(await pathSource(path));
  await holdsData(await pathSource(pathToFileURL(path)));
  await holdsData(await pathSource(pathToFileURL(path).href));
  const source = await pathSource(path);
  await truncate(path, 1000);
  const want = { code: 'truncated', offset: 1000, expected: '200 bytes', found: '100 bytes' };
  await assert.rejects(source.read(900, 1100), want);
  await source.close();
  await assert.rejects(pathSource(join(folder, 'none')), (error) => {
    assert.match(error.found, /ENOENT/);
    return error.code === 'unreadable' && error.file.endsWith('none');
  });
  await assert.rejects(pathSource(path, { signal: AbortSignal.abort() }), { code: 'aborted' });
});

test('a server with ranges is read range by range, each counted', async () => {
  const then = { ...requests };
  const source = await urlSource(`${base}/ranges/a%20b.bin`);
  assert.equal(source.name, 'a b.bin');
  assert.equal(requests.count - then.count, 1);
  assert.equal(requests.bytes - then.bytes, 65_536);
  await source.read(10, 65_536);
  assert.equal(requests.count - then.count, 1, 'the first bytes are held');
  await source.read(100_000, 100_010);
  assert.deepEqual(requests.list.at(-1), {
    url: `${base}/ranges/a%20b.bin`,
    method: 'GET',
    range: 'bytes=100000-100009',
    status: 206,
    bytes: 10,
  });
  assert.equal(requests.bytes - then.bytes, 65_546);
  await holdsData(source);
  await holdsData(await urlSource(new URL(`${base}/to-ranges`)));
});

test('a size that the server hides is asked for by HEAD', async () => {
  await holdsData(await urlSource(`${base}/hidden-size`));
  assert.ok(requests.list.some(({ method }) => method === 'HEAD'));
});

test('without ranges the file is downloaded once, with progress', async () => {
  for (const [path, total] of [
    ['/no-ranges', data.length],
    ['/no-length', undefined],
    ['/never-a-size', undefined],
  ]) {
    const seen = [];
    const source = await urlSource(base + path, { onProgress: (progress) => seen.push(progress) });
    const { count } = requests;
    await holdsData(source);
    assert.equal(requests.count, count, 'nothing is asked for again');
    assert.deepEqual(seen[0], { loaded: 0, total });
    assert.deepEqual(seen.at(-1), { loaded: data.length, total });
    assert.ok(seen.every(({ loaded }, i) => i === 0 || loaded > seen[i - 1].loaded));
  }
});

test('an address that is wanted whole is one request without a range', async () => {
  const { count } = requests;
  const source = await urlSource(`${base}/never-a-size`, { whole: true });
  await holdsData(source);
  assert.equal(requests.count, count + 1);
  assert.equal(requests.list.at(-1)?.range, undefined);
});

test('an answer that cannot be the file is refused', async () => {
  for (const [path, want] of [
    ['/none', { expected: 'HTTP 200 or 206', found: 'HTTP 404 Not Found' }],
    ['/error', { found: 'HTTP 503 Service Unavailable' }],
    ['/unsatisfiable', { found: 'HTTP 416 Range Not Satisfiable' }],
    ['/html', { found: 'a web page (text/html)' }],
    ['/to-html', { found: /a web page, after a redirect to .*\/html/ }],
    ['/short', { offset: 0, expected: '65536 bytes', found: '65535 bytes' }],
    ['/cut-off', { found: /terminated/ }],
  ]) {
    await assert.rejects(urlSource(base + path), { code: 'network', file: base + path, ...want }, path);
  }
});

test('a later answer that is not the range asked for is refused', async () => {
  for (const [path, want] of [
    ['/short-later', { expected: '1000 bytes', found: '999 bytes' }],
    ['/long-later', { expected: '1000 bytes', found: 'more' }],
    ['/other-range', { expected: 'bytes from 100000', found: 'bytes from 100001' }],
    ['/ranges-once', { expected: 'HTTP 206', found: 'HTTP 200' }],
    ['/grows', { expected: '200000 bytes', found: '300000 bytes' }],
    ['/new-etag', { expected: 'ETag "1"', found: '"2"' }],
  ]) {
    const source = await urlSource(base + path);
    const code = 'network';
    await assert.rejects(source.read(100_000, 101_000), { code, offset: 100_000, file: base + path, ...want }, path);
  }
});

test('an empty file on a server is an empty file', async () => {
  const source = await urlSource(`${base}/empty`);
  assert.equal(source.size, 0);
  assert.deepEqual(await source.read(0, 0), new Uint8Array(0));
});

test('aborting ends a request and a download', async () => {
  for (const path of ['/silent', '/slow']) {
    const stop = new AbortController();
    const open = urlSource(base + path, { signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    await assert.rejects(open, { code: 'aborted' }, path);
  }
  const source = await urlSource(`${base}/ranges/a%20b.bin`);
  const stop = new AbortController();
  const read = source.read(100_000, 200_000, { signal: stop.signal });
  stop.abort();
  await assert.rejects(read, { code: 'aborted' });
});

test('a server that is not there is a network error', async () => {
  await assert.rejects(urlSource('http://127.0.0.1:9/x'), (error) => {
    return (
      error.code === 'network' && error.file === 'http://127.0.0.1:9/x' && /ECONNREFUSED|bad port/.test(error.message)
    );
  });
});

test('what is not an address is refused', async () => {
  await assert.rejects(urlSource('//'), { code: 'invalid_argument', found: '"//"' });
  await assert.rejects(urlSource('data:,x'), { code: 'invalid_argument', found: 'data:' });
  await assert.rejects(urlSource('javascript:1'), { code: 'invalid_argument', found: 'javascript:' });
});

test('the list of requests stays short', async () => {
  const source = await urlSource(`${base}/ranges/a%20b.bin`);
  const { count } = requests;
  for (let i = 0; i < 1010; i++) await source.read(100_000, 100_001);
  assert.equal(requests.count, count + 1010);
  assert.equal(requests.list.length, 1000);
});

test('only this module sends requests', async () => {
  const { readdir, readFile } = await import('node:fs/promises');
  const here = new URL('.', import.meta.url);
  for (const name of await readdir(here)) {
    if (!name.endsWith('.js') || name.endsWith('.test.js') || name === 'sources.js') continue;
    const text = await readFile(new URL(name, here), 'utf8');
    assert.doesNotMatch(text, /\bfetch\s*\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|importScripts/, name);
  }
});
