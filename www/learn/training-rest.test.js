/** The results of training that came with the page are what training gives. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { init } from '../lib/index.js';
import { Lesson } from '../engine/worker-lesson.js';

globalThis.matchMedia ??= /** @type {any} */ (() => ({ matches: false, addEventListener() {} }));
const { BEFOREHAND, FLOAT, TOTAL } = await import('./figures/training.js');

const models = new URL('../public/models/', import.meta.url).href;
const lesson = new Lesson();
before(() => init());

for (const bits of [2, 3, 4]) {
  test(`training at ${bits} bits, three seeds, straight through and distilled`, async () => {
    let steps = 0;
    const tools = { signal: new AbortController().signal, tell: () => steps++ };
    const { float, rounded, after } = await lesson.answer('lesson-train', { bits, seeds: [1, 2, 3], models }, tools);
    assert.ok(steps >= 6);
    assert.equal(float.total, TOTAL);
    const { straight, distilled } = after;
    const short = (/** @type {{loss: number, correct: number}} */ { loss, correct }) => ({
      loss: Number(loss.toFixed(4)),
      correct: Number(correct.toFixed(1)),
    });
    assert.deepEqual(short(float), FLOAT);
    const found = { rounded: short(rounded), straight: short(straight), distilled: short(distilled) };
    assert.deepEqual(found, BEFOREHAND[bits]);
    // Promised at 2 bits: what is learned is better than what is rounded, in both measures.
    if (bits === 2)
      assert.ok(
        straight.loss < rounded.loss / 5 && straight.correct > rounded.correct + 50,
        JSON.stringify({ rounded, after }),
      );
  });
}
