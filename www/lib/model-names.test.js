/** What models are called. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { stemOf } from './model-names.js';

test('the name of what is made of a model is without its format, and never one of a folder', () => {
  const cases = {
    'a.safetensors': 'a',
    'model.safetensors.index.json': 'model',
    'v1.5.gguf': 'v1.5',
    'other.txt': 'other.txt',
    '.hidden.onnx': '.hidden',
    '.gguf': 'model',
    '': 'model',
    '.': 'model',
    '..': 'model',
    '...safetensors': 'model',
    '.. .gguf': 'model',
  };
  for (const [name, stem] of Object.entries(cases)) assert.equal(stemOf(name), stem, name);
});
