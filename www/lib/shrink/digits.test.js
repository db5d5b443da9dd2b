import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { SINGLES, openDigits } from '../../../tests/js/digits.js';
import { init } from '../index.js';

before(() => init());

for (const effort of /** @type {const} */ (['reference', 'best'])) {
  // Chosen on the images of the training, without their labels; held to the others.
  test(`the digits network is never farther from float than under a single scheme of its bytes, nor reads fewer digits, effort ${effort}`, async () => {
    const digits = await openDigits(effort);
    try {
      const singles = await digits.singles();
      assert.ok(singles.length >= SINGLES);
      let [worse, better, chosen] = [0, 0, 0];
      for (const { id, bytes, under } of singles) {
        const plan = await digits.chosen(bytes);
        assert.ok(plan.outputBytes <= bytes, id);
        const planned = await digits.judged(plan);
        const rivals = singles.filter((single) => single.bytes <= bytes).map((single) => single.under);
        const least = Math.min(...rivals.map(({ lost }) => lost));
        assert.ok(planned.lost <= least, `${id}: ${planned.lost}, a single scheme ${least}`);
        // Images that one reads rightly and the other does not are as likely either way where neither is the better reader.
        const lost = under.right.filter((is, i) => is && !planned.right[i]).length;
        const won = planned.right.filter((is, i) => is && !under.right[i]).length;
        assert.ok(chance(lost, lost + won) > 0.05, `${id}: ${lost} digits lost, ${won} won`);
        [worse, better, chosen] = [worse + lost, better + won, chosen + 1];
      }
      assert.ok(chance(worse, worse + better) > 0.05, `${worse} digits lost, ${better} won, of ${chosen} sizes`);
    } finally {
      await digits.close();
    }
  });
}

test('what is said of digits lost is a sign test', () => {
  assert.deepEqual([chance(0, 0), chance(1, 1), chance(5, 5), chance(2, 3)], [1, 0.5, 1 / 32, 0.5]);
});

/** How likely of `n` images that only one of two reads the other gets `k` or more, if each gets them by a toss. @param {number} k @param {number} n */
function chance(k, n) {
  let [sum, ways] = [0, 1];
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += ways;
    ways = (ways * (n - i)) / (i + 1);
  }
  return sum / 2 ** n;
}
