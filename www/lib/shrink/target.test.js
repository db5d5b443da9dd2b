import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { gaussians, memorySink, safetensors, sparse } from '../../../tests/js/models.js';
import { compare, init, openModel, plan, shrink } from '../index.js';
import { openPlanning } from './plan.js';
import { ROLES } from './roles.js';
import { PLACES, REMOTE_SAMPLE, SAMPLE, placesOf } from './survey.js';
import { LEAST_DB } from './target.js';

/** @type {string} */
let folder;
before(async () => {
  await init();
  folder = await mkdtemp(join(tmpdir(), 'fewerbits-target-'));
});
after(() => rm(folder, { recursive: true }));

/** Layers of different sizes, and of different difficulty: some rows of some tensors are much larger than others. */
function layers() {
  const tensors = /** @type {{[name: string]: [number[], Float32Array]}} */ ({
    'token_embd.weight': [[512, 256], gaussians(512 * 256, 11)],
  });
  for (let i = 0; i < 4; i++) {
    for (const [j, [name, rows, columns]] of /** @type {const} */ ([
      ['attn_q', 256, 256],
      ['attn_v', 64, 256],
      ['ffn_up', 512, 256],
      ['ffn_down', 256, 512],
    ]).entries()) {
      const values = gaussians(rows * columns, 100 * i + j + 1);
      for (let k = 0; k < values.length; k += 61 + 7 * i) values[k] *= 1 + 3 * j;
      tensors[`blk.${i}.${name}.weight`] = [[rows, columns], values];
    }
  }
  tensors['output_norm.weight'] = [[256], gaussians(256, 9)];
  return safetensors(tensors);
}

const file = layers();
const GGUF = /** @type {const} */ ({ to: 'gguf', workers: 2 });

/** @param {import('./plan.js').Plan} p */
function costOf(p) {
  return p.tensors.reduce((sum, { name }) => {
    const why = p.found?.why(name);
    return sum + (why ? why.weight * why.error : 0);
  }, 0);
}

test('a plan fits its target, says its size to the byte, and loses less with more room', async () => {
  const model = await openModel(file);
  const planning = await openPlanning(model);
  await planning.survey(GGUF);
  let last = Infinity;
  const { least } = /** @type {any} */ ((await planning.plan({ ...GGUF, targetBytes: 1e9 })).found);
  for (let target = least; target < model.byteLength; target += 31_013) {
    const p = await planning.plan({ ...GGUF, targetBytes: target });
    assert.ok(p.outputBytes <= target, `${p.outputBytes} of ${target}`);
    // Between the last scheme and what is kept there is a wide gap.
    assert.ok(target - p.outputBytes < 40_000 || target > 2e6, `${p.outputBytes} of ${target}`);
    const { cost, why } = /** @type {any} */ (p.found);
    assert.ok(Math.abs(cost - costOf(p)) <= 1e-9 + 1e-9 * cost, 'the cost is that of its tensors');
    assert.ok(cost <= last, `${cost} after ${last}`);
    last = cost;
    assert.equal(why('output_norm.weight'), null);
  }
  const roomy = await planning.plan({ ...GGUF, targetBytes: 1e9 });
  assert.equal(roomy.found?.cost, 0);
  assert.ok(roomy.tensors.every(({ scheme }) => scheme === null));
  assert.equal(roomy.tensors[0].left?.code, 'room');
  planning.free();

  const p = await plan(model, { ...GGUF, targetBytes: 900_000 });
  const sink = memorySink();
  await shrink(p, sink, { workers: 2 });
  assert.equal(sink.files.get('')?.length, p.outputBytes);
  assert.ok(p.outputBytes <= 900_000);
});

test('no single scheme of at most its bytes is better by the same cost', async () => {
  const model = await openModel(file);
  const planning = await openPlanning(model);
  const survey = await planning.survey(GGUF);
  let compared = 0;
  for (const [s, scheme] of survey.schemes.entries()) {
    const single = await planning.plan({ ...GGUF, scheme });
    const ways = survey.tensors.map(({ ways: all, uniform }) => all[uniform[s]]);
    if (ways.some(({ error }) => error > 10 ** (-LEAST_DB / 10))) continue;
    const cost = ways.reduce((sum, { error }, i) => sum + ROLES[survey.tensors[i].role] * error, 0);
    const p = await planning.plan({ ...GGUF, targetBytes: single.outputBytes });
    assert.ok(p.outputBytes <= single.outputBytes);
    assert.ok(/** @type {any} */ (p.found).cost <= cost, `${scheme.id}: ${p.found?.cost} of ${cost}`);
    compared++;
  }
  assert.ok(compared > 12, `${compared} schemes`);
  planning.free();
});

test('errors of tensors that are measured whole are what a reader of the file finds', async () => {
  const model = await openModel(file);
  const p = await plan(model, { ...GGUF, targetBytes: 1_000_000 });
  const sink = memorySink();
  await shrink(p, sink, { workers: 2 });
  const back = await openModel(/** @type {Uint8Array} */ (sink.files.get('')));
  let seen = 0;
  for (const { name, scheme } of p.tensors) {
    const why = p.found?.why(name);
    if (!why || scheme === null) continue;
    const { sqnrDb } = compare(await model.read(name), await back.read(name), { bins: 0 });
    assert.ok(Math.abs(-10 * Math.log10(why.error) - sqnrDb) < 1e-3, name);
    assert.equal(why.deviation, 0);
    seen++;
  }
  assert.ok(seen > 10);
});

test('a target out of reach is refused with the smallest size, which can be reached', async () => {
  const model = await openModel(file);
  const refused = await plan(model, { ...GGUF, targetBytes: 1000 }).catch((error) => error);
  assert.equal(refused.code, 'unreachable');
  const least = Number(/at least (\d+) bytes/.exec(refused.expected)?.[1]);
  const p = await plan(model, { ...GGUF, targetBytes: least });
  assert.equal(p.outputBytes, least);
  await assert.rejects(plan(model, { ...GGUF, targetBytes: least - 1 }), { code: 'unreachable' });
  const inBits = await plan(model, { ...GGUF, targetBits: 0.5 }).catch((error) => error);
  assert.equal(inBits.code, 'unreachable');
  assert.match(inBits.expected, /bits per weight/);
});

test('a target in bits counts the tensors alone', async () => {
  const model = await openModel(file);
  for (const targetBits of [4, 5.5, 12]) {
    const p = await plan(model, { ...GGUF, targetBits });
    assert.ok(p.bitsPerWeight <= targetBits && p.bitsPerWeight > targetBits - 0.3, `${p.bitsPerWeight}`);
  }
});

test('what is kept, forced and excluded stays so', async () => {
  const model = await openModel(file);
  const rules = [
    { match: '*attn_v*', keep: true },
    { match: 'blk.0.*up*', scheme: { id: 'q8_0' } },
    { match: '*', exclude: ['q3_k', 'q2_k'] },
    { match: '*down*', exclude: ['q4_k', 'iq4_xs', 'iq4_nl', 'q4_0', 'mxfp4', 'nvfp4'] },
  ];
  const p = await plan(model, { ...GGUF, targetBytes: 1_500_000, rules });
  assert.ok(p.outputBytes <= 1_500_000);
  for (const { name, scheme } of p.tensors) {
    if (/attn_v/.test(name)) assert.equal(scheme, null, name);
    if (/blk\.0.*up/.test(name)) assert.equal(scheme?.id, 'q8_0', name);
    assert.ok(!['q3_k', 'q2_k', 'tq1_0', 'tq2_0'].includes(scheme?.id ?? ''), `${name}: ${scheme?.id}`);
    if (/down/.test(name)) assert.ok(!/^(i?q4_k|iq4|q4_0|mx|nv)/.test(scheme?.id ?? ''), `${name}: ${scheme?.id}`);
  }
  assert.equal(p.found?.why('blk.0.ffn_up.weight')?.isFree, false);
  for (const bad of [[{ match: '*' }], [{ match: '*', exclude: 'q4_k' }], 'all']) {
    await assert.rejects(plan(model, { ...GGUF, targetBytes: 1e6, rules: /** @type {any} */ (bad) }), {
      code: 'invalid_argument',
    });
  }
});

test('the weight of a role moves bytes to it', async () => {
  const model = await openModel(file);
  const bits = async (/** @type {any} */ roles) => {
    const p = await plan(model, { ...GGUF, targetBytes: 700_000, roles });
    const own = p.tensors.filter(({ name }) => /attn/.test(name));
    return own.reduce((sum, { byteLength }) => sum + byteLength, 0);
  };
  assert.ok((await bits({ attention: 50 })) > (await bits({})));
  assert.ok((await bits({ attention: 0 })) < (await bits({})));
  for (const roles of [{ attention: -1 }, { attention: NaN }, { head: 1 }]) {
    await assert.rejects(bits(roles), { code: 'invalid_argument' });
  }
});

test('the weight of a single tensor moves bytes to it, in place of its role', async () => {
  const model = await openModel(file);
  const [name] = ['blk.0.attn_v.weight'];
  const bytes = async (/** @type {any} */ weights) => {
    const p = await plan(model, { ...GGUF, targetBytes: 700_000, weights });
    assert.deepEqual(p.recipe().aim?.weights, weights && Object.keys(weights).length > 0 ? weights : undefined);
    return p.tensors.find((tensor) => tensor.name === name)?.byteLength ?? NaN;
  };
  assert.ok((await bytes({ [name]: 1000 })) > (await bytes(undefined)));
  assert.ok((await bytes({ [name]: 0 })) < (await bytes({})));
  for (const weights of [{ [name]: -1 }, { [name]: '2' }]) {
    await assert.rejects(bytes(weights), { code: 'invalid_argument', message: /weight of blk\.0\.attn_v\.weight/ });
  }
});

test('a search for less error is planned with, in the same bytes', async () => {
  const model = await openModel(file);
  const aimed = (/** @type {any} */ options) => plan(model, { ...GGUF, targetBytes: 700_000, ...options });
  const [plain, searched] = [await aimed({}), await aimed({ effort: 'best' })];
  assert.ok(searched.outputBytes <= 700_000);
  assert.ok(/** @type {any} */ (searched.found).cost < /** @type {any} */ (plain.found).cost);
  for (const { scheme } of searched.tensors) {
    if (scheme !== null && /^(q|iq|mx|nv)/.test(scheme.id)) assert.equal(scheme.effort, 'best', scheme.id);
  }
  const recipe = searched.recipe();
  assert.equal(recipe.effort, 'best');
  const again = await plan(model, { recipe });
  assert.deepEqual(again.recipe().tensors, recipe.tensors);
  // A preset is searched too, and a scheme that says otherwise is not.
  const preset = await plan(model, { to: 'gguf', scheme: { id: 'q4_0' }, effort: 'best' });
  assert.ok(preset.tensors.some(({ scheme }) => scheme?.effort === 'best'));
  const own = await plan(model, { to: 'gguf', scheme: { id: 'q4_0', effort: 'reference' }, effort: 'best' });
  assert.ok(own.tensors.every(({ scheme }) => scheme === null || scheme.effort === 'reference'));
  await assert.rejects(aimed({ effort: 'more' }), { code: 'invalid_argument', expected: 'reference, best' });
  await assert.rejects(plan(model, { to: 'npz', scheme: { id: 'f16' }, effort: 'best' }), { code: 'unsupported' });
});

test('a recipe of a plan gives the same plan, without measuring', async () => {
  const model = await openModel(file);
  const p = await plan(model, { ...GGUF, targetBytes: 800_000 });
  const recipe = JSON.parse(JSON.stringify(p.recipe()));
  assert.equal(recipe.version, 1);
  assert.deepEqual(recipe.aim.decided, []);
  assert.equal(recipe.aim.outputBytes, p.outputBytes);
  const again = await plan(model, { recipe });
  assert.deepEqual(
    again.tensors.map(({ name, dtype, byteLength }) => [name, dtype, byteLength]),
    p.tensors.map(({ name, dtype, byteLength }) => [name, dtype, byteLength]),
  );
  assert.equal(again.found, null);
});

test('why a tensor is as it is: what the next scheme would save for a byte is below the price, what the one before costs above', async () => {
  const model = await openModel(file);
  const p = await plan(model, { ...GGUF, targetBytes: 700_000, roles: { feedForward: 1, output: 1 } });
  let [ups, downs, tensors] = [0, 0, 0];
  for (const { name } of p.tensors) {
    const why = p.found?.why(name);
    if (!why) continue;
    tensors++;
    assert.ok(why.isFree && why.ways.length > 10);
    if (why.up) {
      assert.ok(why.up.bytes > 0 && why.up.error < why.error);
      if (why.up.perByte <= why.price * (1 + 1e-9)) ups++;
    } else ups++;
    if (why.down) {
      assert.ok(why.down.bytes < 0);
      if (why.down.perByte >= why.price * (1 - 1e-9)) downs++;
    } else downs++;
  }
  // All but those on which the rest of the budget was spent.
  assert.ok(ups >= tensors - 2 && downs >= tensors - 3, `${ups}, ${downs} of ${tensors}`);
});

test('every format that is written can be aimed at', async () => {
  const model = await openModel(file);
  for (const [to, target] of /** @type {const} */ ([
    ['safetensors', 2_500_000],
    ['npz', 4_000_000],
  ])) {
    const p = await plan(model, { to, targetBytes: target, workers: 1 });
    assert.ok(p.outputBytes <= target && p.outputBytes > target * 0.8, `${to}: ${p.outputBytes}`);
    const sink = memorySink();
    await shrink(p, sink, { workers: 1 });
    assert.equal(sink.files.get('')?.length, p.outputBytes);
  }
});

test('what a target does not go with is refused', async () => {
  const model = await openModel(file);
  for (const options of [
    { targetBytes: 1e6, targetBits: 4 },
    { targetBytes: -1 },
    { targetBytes: NaN },
    { targetBytes: 1e6, scheme: { id: 'q8_0' } },
    { targetBytes: 1e6, leastDb: 'much' },
    { targetBytes: 1e6, schemes: [{ id: 'int4' }] },
  ]) {
    await assert.rejects(plan(model, /** @type {any} */ ({ ...GGUF, ...options })), { code: 'invalid_argument' });
  }
  const planning = await openPlanning(model);
  await assert.rejects(planning.plan({ ...GGUF, targetBytes: 1e6 }), { code: 'not_ready' });
  planning.free();
});

test('a tensor that cannot be packed stays, and one of zeros takes the fewest bytes', async () => {
  const odd = gaussians(256 * 256, 3);
  odd[777] = NaN;
  const model = await openModel(
    safetensors({
      'a.weight': [[256, 256], odd],
      'b.weight': [[256, 256], new Float32Array(256 * 256)],
      'c.weight': [[256, 256], gaussians(256 * 256, 4)],
    }),
  );
  const p = await plan(model, { ...GGUF, targetBytes: 400_000 });
  const of = Object.fromEntries(p.tensors.map(({ name, scheme }) => [name, scheme?.id]));
  assert.equal(of['a.weight'], undefined);
  assert.equal(of['b.weight'], 'tq1_0');
  assert.notEqual(of['c.weight'], undefined);
});

test('measuring stops when it is told to', async () => {
  const model = await openModel(file);
  const stop = new AbortController();
  const seen = /** @type {number[]} */ ([]);
  const onProgress = (/** @type {{done: number, total: number}} */ { done, total }) => {
    seen.push(done);
    assert.equal(total, 17);
    if (done === 3) stop.abort();
  };
  const options = { ...GGUF, targetBytes: 1e6, signal: stop.signal, onProgress };
  await assert.rejects(plan(model, options), { code: 'aborted' });
  assert.ok(seen.length < 12, `${seen}`);
  const p = await plan(model, { ...GGUF, targetBytes: 1e6 });
  assert.ok(p.outputBytes <= 1e6);
});

test('places of a sample are whole rows, spread evenly, the first few too', () => {
  assert.deepEqual(placesOf(100, 64, SAMPLE, 1), { starts: [0], take: 100 });
  for (const [rows, width, together] of [
    [100_000, 768, 1],
    [4096, 4096, 1],
    [50, 1_000_000, 1],
    [4096, 11_008, 128],
  ]) {
    const { starts, take } = placesOf(rows, width, SAMPLE, together);
    assert.ok(starts.length >= 2 && starts.length <= PLACES);
    assert.ok(starts.every((start) => start >= 0 && start + take <= rows && start % together === 0));
    const inOrder = [...starts].sort((a, b) => a - b);
    assert.ok(
      inOrder.every((start, i) => i === 0 || start >= inOrder[i - 1] + take),
      'none overlaps another',
    );
    if (starts.length >= 4) {
      const few = starts.slice(0, 4).map((start) => Math.floor((4 * start) / rows));
      assert.deepEqual(few.sort(), [0, 1, 2, 3]);
    }
  }
});

test('over HTTP a plan reads headers and samples, a small part of the model', async () => {
  const shape = [8192, 4096];
  const tensors = Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`blk.${i}.w.weight`, { dtype: 'F16', shape, bytes: 2 * 8192 * 4096 }]),
  );
  const path = join(folder, 'large.safetensors');
  await sparse(path, tensors);
  const { size } = await stat(path);
  const disk = await open(path);
  let sent = 0;
  const server = createServer(async (request, response) => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
    const [start, end] = [Number(from), Math.min(Number(to) + 1, size)];
    const bytes = Buffer.alloc(end - start);
    await disk.read(bytes, 0, bytes.length, start);
    sent += bytes.length;
    response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${size}`, 'content-length': bytes.length });
    response.end(bytes);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  try {
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const model = await openModel(`http://127.0.0.1:${port}/large.safetensors`);
    const p = await plan(model, { ...GGUF, targetBytes: size / 4 });
    assert.ok(p.outputBytes <= size / 4);
    assert.ok(sent >= 12 * REMOTE_SAMPLE * 2 && sent < 12 * REMOTE_SAMPLE * 2 * 3 + 1e6, `${sent} bytes`);
    assert.ok(size > 200 * sent, `${sent} of ${size} bytes`);
    await model.close();
  } finally {
    await new Promise((resolve) => server.close(resolve));
    await disk.close();
  }
});
