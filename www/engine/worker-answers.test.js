/** What the worker answers of a whole file, on the engine itself. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, test } from 'node:test';

import * as engine from '../lib/core.js';
import { answersWith } from './worker-answers.js';
import { Batch } from './worker-batch.js';

before(() => engine.init());

const { signal } = new AbortController();
const tools = { signal, onProgress: () => {}, tell: () => {} };
const read = (/** @type {string} */ name) =>
  readFile(new URL(`../../tests/data/parts/${name}.safetensors`, import.meta.url));

test('bytes and weights of what is stored in several tensors are counted once, for one model and in a batch', async () => {
  for (const name of ['awq', 'compressed', 'gptq']) {
    const bytes = await read(name);
    const stored = bytes.length - 8 - Number(bytes.readBigUInt64LE(0));
    const model = await engine.openModel(bytes);
    const count = model.tensors.reduce((sum, tensor) => sum + (tensor.partOf ? 0 : tensor.count), 0);
    await model.close();

    const answers = answersWith(engine);
    await answers.open({ source: bytes }, tools);
    const sizes = answers.file({ scheme: { id: 'int8' } });
    assert.deepEqual([sizes.before, sizes.count], [stored, count], name);

    const planned = { source: bytes, options: { scheme: { id: 'int8' } } };
    const outline = await new Batch().answers['shrink-batch-plan'](planned, tools);
    assert.equal(outline.before, stored, name);
  }
});
