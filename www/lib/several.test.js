/** Several models among files: by their names alone, and each as `openModel` takes it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelsIn } from './several.js';

/** @param {string[]} paths */
const placed = (...paths) => paths.map((path) => ({ path, file: new Blob([path]) }));
/** @param {string[]} paths @returns {{[name: string]: string[]}} */
const found = (...paths) =>
  Object.fromEntries(modelsIn(placed(...paths)).map(({ name, files }) => [name, files.map(({ path }) => path)]));

test('every loose model file is a model, with what may belong to it beside it', () => {
  assert.deepEqual(found('b.gguf', 'a.safetensors', 'c.onnx', 'c.onnx_data', 'notes.md'), {
    'a.safetensors': ['a.safetensors', 'c.onnx_data'],
    'b.gguf': ['b.gguf', 'c.onnx_data'],
    'c.onnx': ['c.onnx', 'c.onnx_data'],
  });
  assert.deepEqual(found('a.gguf', 'b.gguf'), { 'a.gguf': ['a.gguf'], 'b.gguf': ['b.gguf'] });
  assert.deepEqual(found('notes.md', 'photo.jpg'), {});
});

test('shards with their index are one model', () => {
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  assert.deepEqual(found('model.safetensors.index.json', ...shards), {
    model: ['model.safetensors.index.json', ...shards],
  });
  assert.deepEqual(Object.keys(found('model.safetensors.index.json', ...shards, 'other.safetensors')), [
    'model',
    'other.safetensors',
  ]);
});

test('shards without an index stay together, so that their own error tells of it', () => {
  const shards = ['a-00001-of-00002.safetensors', 'a-00002-of-00002.safetensors'];
  assert.deepEqual(found(...shards, 'b.safetensors'), {
    'b.safetensors': ['b.safetensors'],
    'a.safetensors': shards,
  });
});

test('a folder with a config.json is one model in whatever formats; without it each file is one', () => {
  const hub = ['m/config.json', 'm/model.safetensors', 'm/pytorch_model.bin', 'm/onnx/model.onnx', 'm/tokenizer.json'];
  assert.deepEqual(found(...hub), { m: ['m/model.safetensors', 'm/config.json', 'm/tokenizer.json'] });
  assert.deepEqual(Object.keys(found('f/a.gguf', 'f/b.safetensors')), ['a.gguf', 'b.safetensors']);
  // Two of the same format are two models, whatever lies beside them.
  assert.deepEqual(Object.keys(found('f/a.gguf', 'f/b.gguf', 'f/config.json')), ['a.gguf', 'b.gguf']);
});

test('folders in a folder are models, and files of one name are told apart by their folders', () => {
  assert.deepEqual(
    Object.keys(found('all/x/model.safetensors', 'all/x/config.json', 'all/y/model.gguf', 'all/z/model.gguf')),
    ['x', 'all/y/model.gguf', 'all/z/model.gguf'],
  );
});
