/** The numbers and texts of the language model that came with the page are the engine's. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { init } from '../lib/index.js';
import { Lesson } from '../engine/worker-lesson.js';
import { BITS, KINDS, PROMPT, keyOf, perplexity, schemeOf } from './figures/language-schemes.js';
import { FLOAT, SMALL, TOKENS, VOCABULARY } from './figures/language-rest.js';

const models = new URL('../public/models/', import.meta.url).href;
const lesson = new Lesson();
before(() => init());
const ask = (/** @type {any} */ payload, tools = {}) =>
  lesson.answer('lesson-continue', { prompt: PROMPT, models, ...payload }, tools);

/** @param {any} is @param {any} said @param {string} what */
function same(is, said, what) {
  const { text, ended, byteLength } = said;
  assert.deepEqual({ text: is.text, ended: is.ended, byteLength: is.byteLength }, { text, ended, byteLength }, what);
  assert.ok(Math.abs(is.bits - said.bits) < 1e-4, `${what}: ${is.bits}`);
  assert.ok(Math.abs(is.perToken - said.perToken) < 1e-4, `${what}: ${is.perToken}, ${said.perToken}`);
}

test('what is shown at rest is what the engine gives, each scheme', async () => {
  assert.equal(Object.keys(SMALL).length, KINDS.length * BITS.length);
  for (const kind of KINDS) {
    for (const bits of BITS) {
      const { float, small, tokens, vocabulary } = await ask({ scheme: schemeOf(kind, bits) });
      assert.deepEqual([tokens, vocabulary], [TOKENS, VOCABULARY]);
      same(float, FLOAT, 'float');
      same(small, SMALL[keyOf(kind, bits)], keyOf(kind, bits));
    }
  }
});

test('the numbers that chapter 16 names', () => {
  const unsure = (/** @type {string} */ kind, /** @type {number} */ bits) =>
    perplexity(SMALL[keyOf(kind, bits)].perToken);
  assert.equal(perplexity(FLOAT.perToken).toFixed(1), '20.3');
  assert.deepEqual(
    [
      unsure('tensor', 8),
      unsure('group', 4),
      unsure('tensor', 4),
      unsure('group', 3),
      unsure('k', 3),
      unsure('k', 2),
    ].map((n) => n.toFixed(1)),
    ['20.3', '20.7', '25.3', '22.2', '21.1', '24.0'],
  );
  assert.deepEqual(
    [unsure('tensor', 3), unsure('group', 2), unsure('tensor', 2)].map((n) => n.toFixed(0)),
    ['520', '103', '1024'],
  );
});

test('progress is told, a prompt of any text goes on, and what is stopped gives way to the next', async () => {
  /** @type {any[]} */
  const told = [];
  const scheme = schemeOf('group', 4);
  const { float, small } = await ask(
    { scheme, prompt: '你好 &mut 🦀' },
    { tell: (/** @type {any} */ p) => told.push(p) },
  );
  assert.ok(told.some(({ which, text }) => which === 1 && text));
  assert.ok(float.text.length > 0 && small.text.length > 0);
  const stop = new AbortController();
  const first = ask({ scheme, prompt: 'One' }, { signal: stop.signal, tell: () => stop.abort() });
  const second = ask({ scheme });
  await assert.rejects(first, { code: 'aborted' });
  assert.equal((await second).small.text, SMALL[keyOf('group', 4)].text);
});
