import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';

import { gaussians, memorySink, nowhere, safetensors, sparse } from '../../../tests/js/models.js';
import { compare, init, openModel, schemes } from '../index.js';
import { shrink, shrinkBy } from './job.js';
import { plan } from './plan.js';
import { Pool, platform } from './pool.js';
import { streamSink } from './sinks.js';

/** @type {string} */
let folder;
before(async () => {
  await init();
  folder = await mkdtemp(join(tmpdir(), 'fewerbits-job-'));
});
after(() => rm(folder, { recursive: true }));

/** A matrix that is packed in two runs of rows, and a vector. */
const large = () => safetensors({ w: [[1200, 2048], gaussians(1200 * 2048)], b: [[64], gaussians(64, 5)] });

/** @param {Uint8Array} file @param {any} options @param {any} [given] */
async function shrunk(file, options, given) {
  const model = await openModel(file);
  const planned = await plan(model, options);
  const sink = memorySink();
  const report = await shrink(planned, sink, { workers: 2, ...given });
  return { model, planned, report, sink, bytes: /** @type {Uint8Array} */ (sink.files.get('')) };
}

test('every scheme writes as many bytes as were planned, each once, and what a reader gets is what was reported', async () => {
  const ids = schemes().map(({ id }) => id);
  const tensors = ids.flatMap((id) => [
    [`w ${id}`, [[24, 512], gaussians(24 * 512)]],
    [`f ${id}`, [[8, 2, 16, 16], gaussians(8 * 512, 3)]],
  ]);
  const rules = ids.map((id) => ({ match: `? ${id}`, scheme: { id } }));
  const { model, planned, report, bytes } = await shrunk(safetensors(Object.fromEntries(tensors)), { rules });
  assert.equal(bytes.length, planned.outputBytes);
  const again = await openModel(bytes);
  for (const { name, sqnrDb, maxAbs, byteLength } of report.tensors) {
    const measured = compare(await model.read(name), await again.read(name), { bins: 0 });
    assert.ok(Math.abs(measured.sqnrDb - Number(sqnrDb)) < 1e-4 || measured.sqnrDb === sqnrDb, name);
    assert.ok(Math.abs(measured.maxAbs - Number(maxAbs)) <= 1e-6 * measured.maxAbs, name);
    assert.equal(byteLength, again.tensors.find((tensor) => tensor.name === name)?.byteLength, name);
  }
  assert.equal(report.tensors.length, 2 * ids.length);
});

test('a tensor packed in runs of rows is measured as a whole, and is the same whatever the number of workers', async () => {
  const file = large();
  for (const scheme of [{ id: 'bf16' }, { id: 'q8_0' }]) {
    const options = { scheme, rules: [{ match: 'b', keep: true }] };
    const three = await shrunk(file, options, { workers: 3 });
    const { rowsAtOnce, dims } = three.planned.job.tasks[0];
    assert.ok(rowsAtOnce < dims[0], 'it takes several runs');
    const back = await (await openModel(three.bytes)).read('w');
    const whole = compare(await three.model.read('w'), back, { bins: 0 });
    const [told] = three.report.tensors.filter(({ name }) => name === 'w');
    assert.ok(Math.abs(whole.sqnrDb - Number(told.sqnrDb)) < 1e-4);
    assert.ok(Math.abs(whole.rmse - Number(told.rmse)) < 1e-6 * whole.rmse);
    const one = await shrunk(file, options, { workers: 1 });
    assert.deepEqual(Buffer.compare(one.bytes, three.bytes), 0);
    assert.deepEqual(one.report.tensors, three.report.tensors);
  }
});

test('without workers this thread packs: the same file and report, no worker started', async () => {
  const { on } = platform;
  let started = 0;
  platform.on = (...given) => (started++, on(...given));
  try {
    const file = large();
    const options = { scheme: { id: 'q8_0' }, rules: [{ match: 'b', keep: true }] };
    const alone = await shrunk(file, options, { workers: 0 });
    assert.equal(started, 0);
    const helped = await shrunk(file, options, { workers: 2 });
    assert.equal(started, 2);
    assert.equal(Buffer.compare(alone.bytes, helped.bytes), 0);
    assert.deepEqual(alone.report.tensors, helped.report.tensors);
    const broken = gaussians(600);
    broken[500] = NaN;
    const failing = shrunk(safetensors({ w: [[2, 300], broken] }), { scheme: { id: 'bf16' } }, { workers: 0 });
    await assert.rejects(failing, { code: 'non_finite', tensor: 'w', offset: 500 });
  } finally {
    platform.on = on;
  }
});

test('a vector too long to be packed at once is cut where the packing allows it', async () => {
  const n = 5_000_000;
  const { planned, model, bytes } = await shrunk(safetensors({ v: [[n], gaussians(n)] }), { scheme: { id: 'f16' } });
  const [{ rowsAtOnce, dims }] = planned.job.tasks;
  assert.ok((rowsAtOnce * n) / dims[0] <= 1 << 21, 'no run is longer than others');
  const again = await openModel(bytes);
  assert.deepEqual(again.tensors[0].shape, [n]);
  assert.ok(compare(await model.read('v'), await again.read('v'), { bins: 0 }).sqnrDb > 60);
});

test('what looks at a whole tensor is given it whole', async () => {
  const model = await openModel(large());
  for (const scheme of [{ id: 'int8' }, { id: 'q8_0', prune: { ratio: 0.5 } }, { id: 'q8_0', flatten: true }]) {
    const planned = await plan(model, { scheme, rules: [{ match: 'b', keep: true }] });
    assert.equal(planned.job.tasks[0].rowsAtOnce, 1200, JSON.stringify(scheme));
  }
});

test('progress ends with all bytes and tells of every tensor once', async () => {
  /** @type {string[]} */
  const finished = [];
  let last = /** @type {any} */ (null);
  const onProgress = (/** @type {any} */ progress) => {
    assert.ok(progress.read >= (last?.read ?? 0) && progress.memory > 0);
    if (progress.finished) finished.push(progress.finished.name);
    last = progress;
  };
  const { planned } = await shrunk(large(), { scheme: { id: 'bf16' } }, { onProgress });
  assert.deepEqual([last.read, last.written], [last.total, planned.outputBytes]);
  assert.deepEqual(finished.sort(), ['b', 'w']);
});

test('cancelled half-way, a job leaves nothing', async () => {
  const model = await openModel(large());
  const planned = await plan(model, { scheme: { id: 'bf16' } });
  const stop = new AbortController();
  const path = join(folder, 'cancelled/model.safetensors');
  await assert.rejects(shrink(planned, path, { signal: stop.signal, onProgress: () => stop.abort() }), {
    code: 'aborted',
  });
  assert.deepEqual(await readdir(folder), []);
  assert.equal(model.tensors.length, 2, 'the model stays open');
  await assert.rejects(shrink(planned, path, { signal: AbortSignal.abort() }), { code: 'aborted' });
  assert.deepEqual(await readdir(folder), []);
});

test('a tensor that fails is named, is asked about, and can be tried again', async () => {
  const values = gaussians(4 * 64);
  values[130] = NaN;
  const model = await openModel(
    new File([safetensors({ fine: [[64], gaussians(64)], bad: [[4, 64], values] })], 'm.st'),
  );
  const planned = await plan(model, { scheme: { id: 'q8_0' } });
  /** @type {string[]} */
  const asked = [];
  const sink = memorySink();
  const onFailure = (/** @type {any} */ error, /** @type {string} */ tensor) => {
    asked.push(`${tensor} ${error.code} ${error.offset}`);
    return asked.length < 3 ? /** @type {const} */ ('retry') : /** @type {const} */ ('stop');
  };
  await assert.rejects(shrink(planned, sink, { workers: 1, onFailure }), (error) => {
    const { code, tensor, file } = /** @type {any} */ (error);
    assert.deepEqual([code, tensor, file], ['non_finite', 'bad', 'm.st']);
    return true;
  });
  assert.deepEqual(asked, Array(3).fill('bad non_finite 130'));
  assert.deepEqual(sink.log, { opened: 1, closed: 0, aborted: 1 });
});

test('a worker that dies is replaced, its rows are read and packed again, and the file is the same', async (t) => {
  const file = large();
  const options = { scheme: { id: 'bf16' } };
  const expected = await shrunk(file, options);
  const real = platform.on;
  let spawned = 0;
  t.mock.method(platform, 'on', (/** @type {any} */ message, /** @type {any} */ died) => {
    const thread = real(message, died);
    // The first one takes its rows and dies.
    if (spawned++ > 0) return thread;
    return {
      ...thread,
      post: (/** @type {any} */ data, /** @type {any} */ transfer) => {
        structuredClone(data, { transfer });
        queueMicrotask(() => died('out of memory'));
      },
    };
  });
  let deaths = 0;
  const onProgress = (/** @type {any} */ progress) => (deaths = progress.deaths);
  const { bytes } = await shrunk(file, options, { onProgress, workers: 1 });
  assert.equal(Buffer.compare(bytes, expected.bytes), 0);
  assert.deepEqual([deaths, spawned], [1, 2]);
});

test('workers that all die fail the job with their message', async (t) => {
  t.mock.method(platform, 'on', (/** @type {any} */ _, /** @type {any} */ died) => ({
    post: () => queueMicrotask(() => died('out of memory')),
    end: () => {},
  }));
  const sink = memorySink();
  const planned = await plan(await openModel(large()), { scheme: { id: 'bf16' } });
  await assert.rejects(shrink(planned, sink), { code: 'worker_died', tensor: 'w', found: 'out of memory' });
  assert.deepEqual(sink.log, { opened: 1, closed: 0, aborted: 1 });
});

test('a sink that fails fails the job', async () => {
  const planned = await plan(await openModel(large()), { scheme: { id: 'bf16' } });
  let aborted = 0;
  const full = {
    open: async () => ({
      write: async () => {
        throw Object.assign(new Error('no room'), { code: 'unwritable' });
      },
      close: async () => {},
      abort: async () => void aborted++,
    }),
  };
  await assert.rejects(shrink(planned, full), { code: 'unwritable' });
  assert.equal(aborted, 1);
});

test('options that there are not are refused before anything is opened', async () => {
  const planned = await plan(await openModel(large()), { scheme: { id: 'bf16' } });
  const sink = memorySink();
  for (const options of [{ worker: 2 }, { workers: -1 }, { workers: 1.5 }]) {
    await assert.rejects(
      shrink(planned, sink, /** @type {any} */ (options)),
      /unknown_option|invalid_argument|cannot be taken|no such option/,
    );
  }
  await assert.rejects(shrink(/** @type {any} */ ({}), sink), { code: 'invalid_argument' });
  assert.equal(sink.log.opened, 0);
});

test('a model of 1.5 GB goes through less than 256 MB of memory', async (t) => {
  const path = join(folder, 'large.safetensors');
  const shape = [16384, 4096];
  const tensors = Object.fromEntries(
    Array.from({ length: 11 }, (_, i) => [`w${i}`, { dtype: 'F16', shape, bytes: 2 * shape[0] * shape[1] }]),
  );
  const size = await sparse(path, tensors);
  assert.ok(size > 1.45e9);
  const model = await openModel(path);
  try {
    const planned = await plan(model, { scheme: { id: 'fp8_e4m3' }, rules: [{ match: 'w10', keep: true }] });
    const before = process.memoryUsage.rss();
    let most = 0;
    let written = 0;
    const onProgress = (/** @type {any} */ progress) => {
      most = Math.max(most, process.memoryUsage.rss());
      written = progress.written;
    };
    const { peakMemory } = await shrink(planned, nowhere(), { workers: 2, onProgress });
    assert.equal(written, planned.outputBytes);
    t.diagnostic(
      `counted ${(peakMemory / 1e6).toFixed(0)} MB, the process grew by ${((most - before) / 1e6).toFixed(0)} MB`,
    );
    assert.ok(peakMemory < 256e6, `${peakMemory}`);
    assert.ok(most - before < 512e6, `${most - before}`);
  } finally {
    await model.close();
    await rm(path);
  }
});

test('while the first tensor of a stream is asked about, what follows it is not all read and held', async () => {
  const rest = Array.from(
    { length: 5 },
    (_, i) => /** @type {const} */ ([`z${i}`, [[4096, 2048], new Float32Array(4096 * 2048)]]),
  );
  const model = await openModel(safetensors({ a: [[8, 512], gaussians(8 * 512)], ...Object.fromEntries(rest) }));
  const planned = await plan(model, { rules: [{ match: 'a', scheme: { id: 'q8_0' } }] });
  class Failing extends Pool {
    failures = 0;
    /** @param {import('./pool.js').Rows} rows */
    pack(rows) {
      if (this.failures++ === 0) return Promise.reject(new Error('not this time'));
      return super.pack(rows);
    }
  }
  let [written, at] = [0, 0];
  /** @type {import('./sinks.js').Output | null} */
  let output = null;
  const stream = streamSink(new WritableStream({ write: (bytes) => void (written += bytes.length) }));
  const sink = {
    open: async (/** @type {string} */ name, /** @type {number} */ size) => {
      const one = (output = await stream.open(name, size));
      const write = (/** @type {number} */ place, /** @type {Uint8Array<ArrayBuffer>} */ bytes) => {
        at = place;
        return one.write(place, bytes);
      };
      return { ...one, write };
    },
  };
  let held = 0;
  const onFailure = async () => {
    // All is in memory: what can go on has gone on when turns of the event loop bring nothing new.
    for (let before = -1; before !== at;) {
      before = at;
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => void setImmediate(resolve));
    }
    held = output?.held?.() ?? 0;
    return /** @type {const} */ ('retry');
  };
  await shrinkBy(new Failing(0), planned, sink, { onFailure });
  assert.equal(written, planned.outputBytes);
  assert.ok(held > 16 << 20, `${held} bytes: what follows is read ahead`);
  assert.ok(held <= 64 << 20, `${held} bytes of ${written} were held`);
  await model.close();
});

test('of several files none stays when one cannot be kept', async () => {
  const model = await openModel(large());
  const planned = await plan(model, { layout: 'compressed-tensors', scheme: { id: 'int8' } });
  assert.deepEqual(
    planned.files.map(({ name }) => name),
    ['model.safetensors', 'config.json'],
  );
  const { sinkOf } = await import('./sinks.js');
  for (const step of /** @type {const} */ (['prepare', 'close'])) {
    const path = join(folder, `several-${step}`);
    const sink = sinkOf(path);
    const failing = {
      /** @param {string} name @param {number} size */
      async open(name, size) {
        const output = await sink.open(name, size);
        if (name !== 'config.json') return output;
        return { ...output, [step]: () => Promise.reject(new Error('no room')) };
      },
    };
    await assert.rejects(shrink(planned, failing, { workers: 0 }), /no room/);
    assert.equal((await readdir(folder)).includes(`several-${step}`), false, step);
  }
  const { blobSink } = await import('./sinks.js');
  const blobs = blobSink();
  const failing = {
    /** @param {string} name @param {number} size */
    async open(name, size) {
      const output = await blobs.open(name, size);
      return name === 'config.json' ? { ...output, close: () => Promise.reject(new Error('no room')) } : output;
    },
  };
  await assert.rejects(shrink(planned, failing, { workers: 0 }), /no room/);
  assert.equal(blobs.files.size, 0);
  await model.close();
});

test('workers stay for the next job, and are ended after one that failed', async () => {
  let spawned = 0;
  const spawner = {
    on: (/** @type {any[]} */ ...given) => (spawned++, platform.on(.../** @type {[any, any]} */ (given))),
  };
  const pool = new Pool(2, spawner);
  const model = await openModel(large());
  const planned = await plan(model, { scheme: { id: 'bf16' } });
  const onFailure = () => /** @type {const} */ ('stop');
  const [one, two] = [memorySink(), memorySink()];
  try {
    await shrinkBy(pool, planned, one, { onFailure });
    const before = spawned;
    await shrinkBy(pool, planned, two, { onFailure });
    assert.deepEqual([before > 0, spawned, pool.isClosed], [true, before, false]);
    assert.deepEqual(two.files.get(''), one.files.get(''));
    const full = nowhere(() => {
      throw new Error('no room');
    });
    await assert.rejects(shrinkBy(pool, planned, full, { onFailure }), /no room/);
    assert.equal(pool.isClosed, true);
  } finally {
    pool.close();
    await model.close();
  }
});
