import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars, digitsOf, outline, stretchesOf } from './block-cells.js';
import { frontier, neighbour, placeLabels, windowOf } from './points.js';

const point = (/** @type {string} */ key, /** @type {number} */ bits, /** @type {number} */ db) => ({ key, bits, db });
const POINTS = [point('a', 4, 20), point('b', 4.5, 22), point('c', 4.5, 18), point('d', 5, 21), point('e', 8, 44)];

test('the frontier holds the points that nothing beats in as few bits', () => {
  assert.deepEqual(
    frontier(POINTS).map(({ key }) => key),
    ['a', 'b', 'e'],
  );
  assert.deepEqual(frontier([]), []);
});

test('schemes of many bits and those without error do not squeeze the others', () => {
  const { x, y, outside } = windowOf([...POINTS, point('f16', 16, 73), point('exact', 8, Infinity)]);
  assert.deepEqual(
    [x, y],
    [
      [3, 9],
      [0, 50],
    ],
  );
  assert.deepEqual(
    outside.map(({ key }) => key),
    ['f16', 'exact'],
  );
  assert.deepEqual(windowOf([point('f32', 32, 150)]).outside, []);
  assert.deepEqual(windowOf([point('exact', 8, Infinity)]).x, [0, 9]);
});

test('arrow keys go by bits and by dB, and stop at the ends', () => {
  const to = (/** @type {string} */ from, /** @type {string} */ key) => neighbour(POINTS, from, key)?.key;
  assert.equal(to('a', 'ArrowRight'), 'c');
  assert.equal(to('c', 'ArrowRight'), 'b');
  assert.equal(to('a', 'ArrowLeft'), 'a');
  assert.equal(to('a', 'ArrowUp'), 'd');
  assert.equal(to('a', 'ArrowDown'), 'c');
  assert.equal(to('a', 'End'), 'e');
  assert.equal(to('e', 'Home'), 'a');
  assert.equal(to('a', 'x'), undefined);
});

test('names never cover each other or what is taken, and stay inside', () => {
  const wanted = Array.from({ length: 60 }, (_, i) => ({
    key: `k${i}`,
    x: 20 + ((i * 37) % 160),
    y: 20 + ((i * 53) % 160),
    label: `name ${i}`,
    room: 6,
  }));
  const found = placeLabels(wanted, [{ x: 0, y: 0, width: 60, height: 60 }], { x: 0, y: 0, width: 200, height: 200 });
  assert.ok(found.size > 5 && found.size < 60, `${found.size} names`);
  const boxes = [...found].map(([key, { x, y, anchor }]) => {
    const width = (wanted.find((w) => w.key === key)?.label.length ?? 0) * 6.4 + 2;
    return { left: anchor === 'start' ? x : anchor === 'end' ? x - width : x - width / 2, top: y - 10, width };
  });
  boxes.forEach((a, i) => {
    assert.ok(a.left >= -1e-9 && a.left + a.width <= 200.001 && a.top >= 0 && a.top <= 187);
    for (const b of boxes.slice(i + 1)) {
      const apart =
        a.left + a.width <= b.left + 1e-9 || b.left + b.width <= a.left + 1e-9 || Math.abs(a.top - b.top) >= 13;
      assert.ok(apart, JSON.stringify([a, b]));
    }
  });
});

/** A block of q5_0: a scale, the fifth bits, the codes. @type {import('../types.js').Block} */
const BLOCK = {
  offset: 44,
  weights: 32,
  bytes: Uint8Array.from({ length: 22 }, (_, i) => (i === 0 ? 0x74 : i === 1 ? 0x26 : i === 6 ? 0xe8 : 0)),
  parts: [
    { name: 'scale', bytes: 2 },
    { name: 'high bits', bytes: 4 },
    { name: 'codes', bytes: 16 },
  ],
  fields: [
    { part: 0, bit: 0, bits: 16 },
    { part: 1, bit: 16, bits: 1 },
    { part: 2, bit: 48, bits: 4 },
  ],
};

test('a part with a bit for every weight is the weights’ own, another is shared', () => {
  const stretches = stretchesOf(BLOCK, ['scale', 'high bits', 'codes']);
  assert.deepEqual(
    stretches.map(({ from, bytes, reads, pattern }) => [from, bytes, reads[0].own, pattern !== 'none']),
    [
      [0, 2, false, true],
      [2, 4, true, true],
      [6, 16, true, false],
    ],
  );
  const digits = stretches.map(({ reads }) => digitsOf(BLOCK.bytes, reads[0]));
  assert.deepEqual(digits, ['0x2674', '0', '1000']);
});

test('bits are drawn in their byte, the highest leftmost; many bits go on in the next byte', () => {
  const grid = { left: 0, columns: 16, wide: 16, tall: 20 };
  const stretches = stretchesOf(BLOCK, []);
  // Bits 0 to 3 of byte 6 are the right half of its cell.
  assert.ok(bars(grid, stretches, true).includes('M104.00 2h8.00V20'));
  // Two whole bytes, half as high.
  assert.equal(bars(grid, stretches, false), 'M0.00 11h16.00V20h-16.00ZM16.00 11h16.00V20h-16.00Z');
});

test('the edge of a part that wraps is drawn around all its rows and not between them', () => {
  const grid = { left: 0, columns: 4, wide: 10, tall: 10 };
  const whole = outline(grid, 0, 8);
  assert.ok(!whole.includes('M0 11h10'), 'nothing between the rows');
  assert.equal(whole.match(/h10/g)?.length, 8);
  assert.equal(outline(grid, 1, 1), 'M10 1v10M20 1v10M10 1h10M10 11h10');
});
