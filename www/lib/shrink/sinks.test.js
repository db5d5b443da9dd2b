import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { blobSink, inOrder, sinkOf, streamSink } from './sinks.js';

/** @type {string} */
let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fewerbits-sinks-'));
});
after(() => rm(folder, { recursive: true }));

const bytes = (/** @type {number[]} */ ...values) => Uint8Array.from(values);

test('a path gets its file when it is complete', async () => {
  const path = join(folder, 'new/deeper/model.bin');
  const output = await sinkOf(path).open('', 4);
  await output.write(2, bytes(3, 4));
  await output.write(0, bytes(1, 2));
  assert.deepEqual(await readdir(join(folder, 'new/deeper')), ['model.bin.partial']);
  await output.close();
  assert.deepEqual([...(await readFile(path))], [1, 2, 3, 4]);
  assert.deepEqual(await readdir(join(folder, 'new/deeper')), ['model.bin']);
  await output.abort();
  assert.deepEqual(await readdir(join(folder, 'new/deeper')), ['model.bin'], 'what is kept is not thrown away');
});

test('an aborted path leaves neither the file nor folders made for it', async () => {
  const output = await sinkOf(join(folder, 'made/for/model.bin')).open('', 4);
  await output.write(0, bytes(1, 2, 3, 4));
  await output.abort();
  assert.equal((await readdir(folder)).includes('made'), false);
});

test('a path that is there is refused, and overwritten when told', async () => {
  const path = join(folder, 'there.bin');
  await writeFile(path, 'before');
  await assert.rejects(sinkOf(path).open('', 1), { code: 'exists', file: path });
  const output = await sinkOf(path, { overwrite: true }).open('', 1);
  await output.write(0, bytes(7));
  assert.equal(await readFile(path, 'utf8'), 'before', 'the old file stays until the new one is complete');
  await output.close();
  assert.deepEqual([...(await readFile(path))], [7]);
});

test('a path that cannot be written says so and leaves no folder', async () => {
  await writeFile(join(folder, 'file'), '');
  await assert.rejects(sinkOf(join(folder, 'file/model.bin')).open('', 1), { code: 'unwritable' });
});

test('several files go to a folder under their names', async () => {
  const sink = sinkOf(join(folder, 'several'));
  for (const name of ['a.bin', 'b.bin']) {
    const output = await sink.open(name, 1);
    await output.write(0, bytes(1));
    await output.close();
  }
  assert.deepEqual(await readdir(join(folder, 'several')), ['a.bin', 'b.bin']);
});

test('a stream gets bytes in order, and what comes early is counted', async () => {
  /** @type {number[]} */
  const got = [];
  const stream = new WritableStream({ write: (chunk) => void got.push(...chunk) });
  const sink = streamSink(stream);
  const output = await sink.open('', 6);
  await output.write(4, bytes(5, 6));
  await output.write(2, bytes(3, 4));
  assert.equal(output.held?.(), 4);
  assert.deepEqual(got, []);
  await output.write(0, bytes(1, 2));
  assert.equal(output.held?.(), 0);
  await output.close();
  assert.deepEqual(got, [1, 2, 3, 4, 5, 6]);
  await assert.rejects(sink.open('b', 1), { code: 'invalid_argument' });
});

test('a stream that fails fails the write, and one with a gap is not closed', async () => {
  const failing = inOrder(
    2,
    async () => {
      throw new Error('no room');
    },
    async () => {},
    async () => {},
  );
  await assert.rejects(failing.write(0, bytes(1)), /no room/);
  let closed = false;
  const gap = inOrder(
    3,
    async () => {},
    async () => void (closed = true),
    async () => {},
  );
  await gap.write(0, bytes(1));
  await gap.write(2, bytes(3));
  await assert.rejects(gap.close(), { code: 'unexpected', expected: '3 bytes' });
  assert.equal(closed, false);
});

test('an aborted stream is aborted', async () => {
  let aborted = false;
  const output = await streamSink(new WritableStream({ abort: () => void (aborted = true) })).open('', 2);
  await output.write(0, bytes(1));
  await output.abort();
  assert.equal(aborted, true);
});

test('Blobs are kept by name when they are complete', async () => {
  const sink = blobSink();
  const output = await sink.open('model', 3);
  await output.write(1, bytes(2, 3));
  await output.write(0, bytes(1));
  assert.equal(sink.files.size, 0);
  await output.close();
  assert.deepEqual([...new Uint8Array(await /** @type {Blob} */ (sink.files.get('model')).arrayBuffer())], [1, 2, 3]);
});

test('what is no sink is refused', () => {
  for (const wrong of [undefined, null, 7, {}, []]) {
    assert.throws(() => sinkOf(/** @type {any} */ (wrong)), { code: 'invalid_argument' });
  }
});
