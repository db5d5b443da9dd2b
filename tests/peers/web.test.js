/**
 * Files that `fewerbits shrink` wrote, run in Chromium by the engines of other people's pages: GGUF by npm's @wllama/wllama, ONNX by onnxruntime-web.
 * The models are made by web_models.py; `FEWERBITS_PYTHON` is a Python with tests/python/requirements.txt.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { ROOT, find, launch, serve } from '../e2e/harness/index.js';

const OUT = 'target/consumers';
const PYTHON = process.env.FEWERBITS_PYTHON;
const missing = !PYTHON ? 'FEWERBITS_PYTHON is not set' : find('chromium') ? false : 'Chromium is not installed';

describe('engines in Chromium', { skip: missing }, () => {
  /** @type {any} */
  let browser;
  /** @type {any} */
  let site;
  /** @type {any} */
  let expected;

  before(async () => {
    execFileSync(/** @type {string} */ (PYTHON), [join(ROOT, 'tests/peers/web_models.py'), join(ROOT, OUT)], {
      stdio: 'inherit',
    });
    expected = JSON.parse(readFileSync(join(ROOT, OUT, 'expected.json'), 'utf8'));
    // Its memory is shared between threads, which only such pages may do.
    const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    site = await serve(ROOT, '/', { headers });
    browser = await launch('chromium');
    await browser.driver.manage().setTimeouts({ script: 300_000 });
    await browser.driver.get(`${site.url}${OUT}/index.html`);
  });
  after(async () => {
    await browser?.close();
    await site?.close();
  });

  /**
   * What an asynchronous function gives in the page.
   * @param {Function} run
   * @param {...any} args
   */
  const inPage = async (run, ...args) => {
    const script = `const done = arguments[arguments.length - 1];
      (${run})(...[...arguments].slice(0, -1)).then((value) => done({ value }), (error) => done({ error: String(error?.stack ?? error) }));`;
    const { value, error } = await browser.driver.executeAsyncScript(script, ...args);
    if (error) throw new Error(error);
    return value;
  };

  test('int8, int4 and f16 ONNX files give outputs close to float in onnxruntime-web', async () => {
    for (const { file: original, ids, made } of expected.onnx) {
      const files = [original, ...made.map((/** @type {any} */ { file }) => file)];
      const [float, ...outputs] = await inPage(runOnnx, files, ids);
      assert.equal(float.length, 16 * 200);
      const whole = statSync(join(ROOT, OUT, original)).size;
      for (const [i, { file, least }] of made.entries()) {
        const found = cosine(float, outputs[i]);
        const bytes = statSync(join(ROOT, OUT, file)).size;
        console.log(
          `${file}: cosine to float ${found.toFixed(6)}, ${((bytes / whole) * 100).toFixed(0)} % of its bytes`,
        );
        assert.ok(found > least && bytes < 0.6 * whole, `${file} ${found} ${bytes}`);
      }
    }
  });

  test('GGUF files run in wllama as in llama.cpp: the sample language model shrunk, and models made of folders', async (t) => {
    if (expected.skipped) return t.skip(expected.skipped);
    /** @type {Map<string, number[]>} */
    const next = new Map();
    for (const { file, prompt, following, logprobs, embedding } of expected.gguf) {
      const found = await inPage(runGguf, file, prompt, embedding ? 0 : following.length);
      if (embedding) {
        const same = cosine(found.embedding, embedding);
        console.log(`${file}: cosine to llama.cpp's embedding ${same.toFixed(6)}`);
        assert.ok(same > 0.9999, `${file} ${same}`);
        continue;
      }
      const { apart, steps, tokens } = compared(found, following, logprobs);
      next.set(file, tokens);
      console.log(
        `${file}: ${steps} tokens as llama.cpp's; the likeliest ${found[0].top.length} of each within ${apart.toFixed(4)} of its`,
      );
      // Each build rounds activations to 8 bits in its own way where weights are quantized.
      assert.ok(steps >= 1 && apart < (file === 'float.gguf' ? 0.01 : 0.2), `${file} ${apart}`);
    }
    for (const file of ['q8_0.gguf', 'folder-q8_0.gguf']) {
      assert.deepEqual(next.get(file), next.get('float.gguf'), `${file} goes on as the float model does`);
    }
  });
});

/**
 * How many tokens are llama.cpp's, and how far the logarithms of probabilities lie from its own. Where it has two tokens as likely as each other
 * to within the arithmetic's error, either may come, and what follows is not compared.
 * @param {{id: number, top: {id: number, logprob: number}[]}[]} found
 * @param {number[]} following
 * @param {number[][]} logprobs of all tokens, by place
 */
function compared(found, following, logprobs) {
  assert.equal(found.length, following.length);
  let apart = 0;
  for (const [i, { id, top }] of found.entries()) {
    const theirs = logprobs[i];
    assert.ok(top.length >= 5, `${top.length} tokens`);
    for (const { id: other, logprob } of top) apart = Math.max(apart, Math.abs(logprob - theirs[other]));
    if (id !== following[i]) {
      assert.ok(theirs[following[i]] - theirs[id] < 0.02, `token ${i + 1}: ${id}, llama.cpp says ${following[i]}`);
      return { apart, steps: i, tokens: found.map((one) => one.id) };
    }
  }
  return { apart, steps: found.length, tokens: found.map((one) => one.id) };
}

/** @param {number[]} a @param {number[]} b */
function cosine(a, b) {
  assert.equal(a.length, b.length);
  const dot = (/** @type {number[]} */ x, /** @type {number[]} */ y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/**
 * Runs in the page.
 * @param {string[]} files
 * @param {number[]} ids
 */
async function runOnnx(files, ids) {
  // @ts-expect-error an address on the served page
  const ort = await import('/www/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs');
  ort.env.wasm.wasmPaths = '/www/node_modules/onnxruntime-web/dist/';
  ort.env.wasm.numThreads = 1;
  const outputs = [];
  for (const file of files) {
    const bytes = new Uint8Array(await (await fetch(file)).arrayBuffer());
    const session = await ort.InferenceSession.create(bytes);
    const input = new ort.Tensor('int64', BigInt64Array.from(ids.map(BigInt)), [1, ids.length]);
    const { y } = await session.run({ ids: input });
    outputs.push([...y.data]);
    await session.release();
  }
  return outputs;
}

/**
 * Runs in the page: so many tokens that follow the prompt, or, where it is none, the prompt's embedding.
 * @param {string} file
 * @param {string} prompt
 * @param {number} count
 */
async function runGguf(file, prompt, count) {
  // @ts-expect-error an address on the served page
  const { Wllama } = await import('/www/node_modules/@wllama/wllama/esm/index.js');
  /** @type {string[]} */
  const said = [];
  const log = (/** @type {any[]} */ ...words) => void said.push(words.join(' '));
  const wllama = new Wllama(
    { default: '/www/node_modules/@wllama/wllama/esm/wasm/wllama.wasm' },
    { logger: { debug() {}, log, warn: log, error: log } },
  );
  try {
    const blob = await (await fetch(file)).blob();
    const more = count === 0 ? { embeddings: true } : {};
    await wllama.loadModel([blob], { n_ctx: 256, n_threads: 1, n_gpu_layers: 0, warmup: false, ...more });
    if (count === 0) {
      const { data } = await wllama.createEmbedding({ input: prompt });
      return { embedding: data[0].embedding };
    }
    const answer = await wllama.createCompletion({ prompt, max_tokens: count, temperature: 0, logprobs: 8 });
    return answer.choices[0].logprobs.content.map((/** @type {any} */ { id, top_logprobs }) => ({
      id,
      top: top_logprobs.map((/** @type {any} */ { id, logprob }) => ({ id, logprob })),
    }));
  } catch (error) {
    // Its own message is in what it said.
    throw new Error(`${error}\n${said.slice(-12).join('\n')}`, { cause: error });
  } finally {
    await wllama.exit().catch(() => {});
  }
}
