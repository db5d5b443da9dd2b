/**
 * Every format that is written, from every format that is read: without a scheme a model keeps its numbers, bit for bit, whoever wrote it.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { init } from '../engine.js';
import { openModel } from '../model.js';
import { shrink } from './job.js';
import { plan } from './plan.js';

const DATA = fileURLToPath(new URL('../../../tests/data/', import.meta.url));

/** Files of each format, most by other writers. */
const SOURCES = {
  safetensors: ['corpus/numpy.safetensors', 'corpus/ml_dtypes.safetensors', 'corpus/sharded', 'parts/awq.safetensors'],
  gguf: ['gguf', 'hugging_face/llama/expected.gguf'],
  onnx: ['corpus/onnx'],
  npy: ['corpus/half.npy', 'corpus/fortran.npy', 'corpus/big.npy', 'corpus/bfloat16.npy', 'corpus/i8.npy'],
  npz: ['zips/stored.npz', 'zips/deflated.npz'],
  torch: ['zips'],
  deep: ['deep/digits.fbdc'],
};
/** What each can become. */
const TARGETS = {
  safetensors: ['safetensors', 'gguf', 'npz', 'deep'],
  gguf: ['gguf', 'safetensors', 'npz', 'deep'],
  onnx: ['onnx', 'safetensors', 'gguf', 'npz', 'deep'],
  npy: ['safetensors', 'gguf', 'npz', 'deep'],
  npz: ['safetensors', 'gguf', 'npz', 'deep'],
  torch: ['safetensors', 'gguf', 'npz', 'deep'],
  deep: ['safetensors', 'npz', 'deep'],
};

/** @type {string} */
let out;
before(async () => {
  await init();
  out = await mkdtemp(join(tmpdir(), 'fewerbits-formats-'));
});
after(() => rm(out, { recursive: true }));

/** The paths of a format's files that can be opened. @param {string} format */
async function paths(format) {
  const found = [];
  for (const path of SOURCES[/** @type {keyof typeof SOURCES} */ (format)]) {
    const at = join(DATA, path);
    const names = ['gguf', 'corpus/onnx', 'zips'].includes(path) ? await readdir(at) : [''];
    for (const name of names) {
      const model = await openModel(join(at, name)).catch(() => null);
      if (model?.format === format) found.push(join(at, name));
      await model?.close();
    }
  }
  return found;
}

/** Every NaN alike. @param {Float32Array} values */
const bits = (values) => new Uint32Array(values.map((x) => (Number.isNaN(x) ? NaN : x)).buffer);

for (const [format, targets] of Object.entries(TARGETS)) {
  for (const to of targets) {
    test(`${format} becomes ${to} and keeps its numbers`, async () => {
      let [files, tensors] = [0, 0];
      for (const path of await paths(format)) {
        const model = await openModel(path);
        /** @type {import('./plan.js').Plan} */
        let p;
        try {
          // A container compresses unless it is asked not to.
          const rules = to === 'deep' ? [{ match: '*', keep: true }] : [];
          p = await plan(model, { to: /** @type {any} */ (to), rules });
          await shrink(p, join(out, 'model'), { workers: 0, overwrite: true });
        } catch (error) {
          // Weights that are not finite are refused where they would have to be computed with; names and shapes, where a format has no room.
          const { code } = /** @type {Error & {code: string}} */ (error);
          assert.ok(['non_finite', 'unsupported'].includes(code), `${path}: ${error}`);
          await model.close();
          continue;
        }
        files++;
        const several = p.files.length > 1;
        const back = await openModel(several ? join(out, 'model', p.files[0].name) : join(out, 'model'));
        assert.equal(back.format, to, path);
        for (const { name, target, dtype, from } of p.tensors) {
          const own = back.tensors.find((tensor) => tensor.name === target);
          assert.ok(own, `${path}: ${target} is in the file`);
          if (own.readable !== true) continue;
          // Of 64 bits the nearest f32 is kept where they are written element by element; that is what is read, too.
          const [x, y] = [await model.read(name), await back.read(target)];
          const what = `${path}: ${name}, ${from.dtype} as ${dtype}`;
          const isDerived = model.tensors.some((tensor) => tensor.name === name && tensor.parts);
          // Codes with scales become halves in GGUF, as the files are that llama.cpp's converters make.
          if (isDerived && dtype === 'F16') {
            assert.ok(
              x.every((v, i) => Math.abs(v - y[i]) <= Math.abs(v) / 2048 + 2 ** -25),
              what,
            );
          } else assert.deepEqual(bits(y), bits(x), what);
          tensors++;
        }
        await Promise.all([model.close(), back.close()]);
        await rm(join(out, 'model'), { recursive: true });
      }
      assert.ok(files > 0 && tensors > 0, `${files} files, ${tensors} tensors`);
    });
  }
}

test('what is written of itself is the same file again', async () => {
  for (const path of ['corpus/numpy.safetensors', 'hugging_face/llama/expected.gguf', 'corpus/onnx/mlp.onnx']) {
    const model = await openModel(join(DATA, path));
    await shrink(await plan(model), join(out, 'first'), { workers: 0, overwrite: true });
    const first = await openModel(join(out, 'first'));
    await shrink(await plan(first), join(out, 'second'), { workers: 0, overwrite: true });
    const [a, b] = [await readFile(join(out, 'first')), await readFile(join(out, 'second'))];
    assert.equal(a.equals(b), true, path);
    await Promise.all([model.close(), first.close()]);
  }
});
