import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { memorySink } from '../../../tests/js/models.js';
import { DigitsNet, compare, init, openModel, shrink } from '../index.js';
import { openPlanning } from './plan.js';

const MODELS = fileURLToPath(new URL('../../public/models/', import.meta.url));

before(() => init());

// The plan is made without data: it knows the weights' errors, not what they do to the answers. So a single size may come out behind.
test('the digits network under plans is nearer to float than under single schemes of their bytes, and reads as many digits', async () => {
  const [model, heldOut] = await Promise.all(
    ['digits.safetensors', 'digits-heldout.safetensors'].map((name) => openModel(join(MODELS, name))),
  );
  const [images, labels] = [await heldOut.readBytes('images'), await heldOut.readBytes('labels')];
  const run = async (/** @type {import('../model.js').Model} */ from) => {
    const net = new DigitsNet();
    try {
      for (const { name } of from.tensors) net.set(name, await from.read(name));
      net.setHeldOut(images, labels);
      return { ...net.accuracy(), logits: net.logits() };
    } finally {
      net.free();
    }
  };
  const float = await run(model);
  const planning = await openPlanning(model);
  const options = { to: /** @type {const} */ ('gguf'), workers: 1 };
  const { schemes } = await planning.survey(options);
  const made = async (/** @type {import('./plan.js').Plan} */ p) => {
    const sink = memorySink();
    await shrink(p, sink, { workers: 1 });
    const found = await run(await openModel(/** @type {Uint8Array} */ (sink.files.get(''))));
    return { bytes: p.outputBytes, correct: found.correct, ...compare(float.logits, found.logits, { bins: 0 }) };
  };
  const [nearer, farther] = [/** @type {string[]} */ ([]), /** @type {string[]} */ ([])];
  const lost = { single: 0, planned: 0 };
  let [singles, plans] = [0, 0];
  for (const scheme of schemes) {
    const single = await made(await planning.plan({ ...options, scheme }));
    const plan = await planning.plan({ ...options, targetBytes: single.bytes }).catch((error) => error);
    if (plan.code === 'unreachable') {
      // What keeps less than 6 dB of a tensor is not planned with.
      assert.match(scheme.id, /^tq/);
      continue;
    }
    const planned = await made(plan);
    assert.ok(planned.bytes <= single.bytes, scheme.id);
    [singles, plans] = [singles + single.correct, plans + planned.correct];
    lost.single += 1 - single.cosine;
    lost.planned += 1 - planned.cosine;
    // A scheme that is the best of its size by itself is what the plan takes: then both are equal.
    if (planned.cosine > single.cosine + 1e-6) nearer.push(scheme.id);
    if (planned.cosine < single.cosine - 1e-6) farther.push(scheme.id);
  }
  assert.ok(nearer.length >= 4 * farther.length, `nearer than ${nearer}, farther than ${farther}`);
  assert.ok(lost.planned < lost.single, JSON.stringify(lost));
  assert.ok(plans >= singles, `${plans} digits of ${singles}`);
  planning.free();
});
