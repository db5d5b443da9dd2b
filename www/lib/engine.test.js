/** What becomes of a trap: the engine is dead, and who called it has to learn that. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';

import { gaussians, memorySink, safetensors } from '../../tests/js/models.js';
import { evaluate, init, openModel, plan, planByRunning, shrink } from './index.js';
import { wasm } from './engine.js';
import { openPlanning } from './shrink/plan.js';

/** @typedef {'Allocator' | 'Derivation' | 'FormatReader' | 'Inflater' | 'Planner' | 'WasmDigitsNet' | 'WasmWeights'} Held */

before(() => init());

const values = gaussians(64 * 512);
const float = () => openModel(safetensors({ 'model.layers.0.mlp.up_proj.weight': [[64, 512], values] }));

/**
 * Runs something while a method of the engine traps. What was borrowed for the call stays borrowed, so that it cannot be freed.
 * @param {Held} name
 * @param {string} method
 * @param {() => any} run
 */
async function trapping(name, method, run) {
  const trap = new WebAssembly.RuntimeError('unreachable');
  const own = /** @type {any} */ (wasm())[name].prototype;
  const kept = { [method]: own[method], free: own.free };
  let refused = 0;
  own[method] = () => {
    throw trap;
  };
  own.free = () => {
    refused += 1;
    throw new Error('attempted to take ownership of Rust value while it was borrowed');
  };
  try {
    await assert.rejects(
      async () => run(),
      (error) => error === trap,
      `${name}.${method}`,
    );
  } finally {
    Object.assign(own, kept);
  }
  assert.ok(refused > 0, `${name} was to be freed`);
}

test('a trap is told of as it is, though the engine gives nothing back after it', async () => {
  await trapping('FormatReader', 'step', float);
  await trapping('WasmWeights', 'evaluate', () => evaluate(values, [64, 512], { id: 'int8' }));

  const model = await float();
  const target = { targetBytes: 40_000, workers: 0 };
  await trapping('FormatReader', 'step', () => openPlanning(model));
  await trapping('Planner', 'add', () => openPlanning(model));
  await trapping('Planner', 'plan', () => plan(model, { scheme: { id: 'int8' } }));
  await trapping('Planner', 'ways', () => plan(model, target));
  await trapping('Allocator', 'fit', () => plan(model, target));

  const sink = memorySink();
  await shrink(await plan(model, { scheme: { id: 'int4' }, layout: 'compressed-tensors' }), sink, { workers: 0 });
  const packed = await openModel(/** @type {any} */ (sink.files.get('model.safetensors')));
  const derived = packed.tensors.find(({ parts }) => parts !== undefined);
  assert.ok(derived);
  for (const method of ['needs', 'decode']) await trapping('Derivation', method, () => packed.read(derived.name));

  const zip = await openModel(await readFile(new URL('../../tests/data/zips/deflated.npz', import.meta.url)));
  const [{ name }] = zip.tensors.filter(({ count }) => count > 0);
  await trapping('Inflater', 'pull', () => zip.read(name));

  const digits = await openModel(await readFile(new URL('../public/models/digits.safetensors', import.meta.url)));
  const byRunning = () => planByRunning(digits, { to: 'gguf', targetBytes: 57_024, workers: 0 }, { images });
  const images = new Uint8Array(64 * 4).fill(7);
  await trapping('WasmDigitsNet', 'logits', byRunning);
  for (const one of [model, packed, zip, digits]) await one.close();
});
