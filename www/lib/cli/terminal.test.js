import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Terminal, bytes, counted, decibels, duration, table } from './terminal.js';

/** @param {boolean} isTTY */
function watched(isTTY) {
  const seen = { out: '', err: '' };
  const terminal = new Terminal({
    stdout: { write: (/** @type {string} */ text) => void (seen.out += text) },
    stderr: { write: (/** @type {string} */ text) => void (seen.err += text), isTTY, columns: 100 },
  });
  return { terminal, seen };
}

test('on a terminal progress is one line, which is taken away before anything else is said', () => {
  const { terminal, seen } = watched(true);
  terminal.progress('model.gguf', 5e8, 5e8, 2);
  assert.match(seen.err, /^\r\[#+\] 100 % {2}500 MB of 500 MB {2}250 MB\/s {2}0 s left {2}model\.gguf$/);
  const shown = seen.err.length - 1;
  assert.ok(shown < 100);
  terminal.print('done');
  assert.ok(seen.err.endsWith(`\r${' '.repeat(shown)}\r`));
  assert.equal(seen.out, 'done\n');
});

test('elsewhere progress is a few plain lines, and none of a short job', () => {
  const { terminal, seen } = watched(false);
  for (let i = 0; i <= 1000; i++) terminal.progress('m', i * 1e6, 1e9, i / 100);
  const lines = seen.err.trimEnd().split('\n');
  assert.equal(lines.length, 10);
  assert.equal(lines[0], ' 10 %  100 MB of 1.00 GB  100 MB/s  9 s left  m');
  assert.equal(seen.err.includes('\r'), false);
  const short = watched(false);
  short.terminal.progress('m', 1, 1, 0.1);
  assert.equal(short.seen.err, '');
});

test('a name in a line of progress steers nothing, on a terminal or in a log', () => {
  const name = 'evil\u001b]8;;x\u0007\nline\u009b2J';
  for (const isTTY of [true, false]) {
    for (const unit of [undefined, 'runs']) {
      const { terminal, seen } = watched(isTTY);
      terminal.progress(name, 50, 100, 2, unit);
      assert.match(seen.err, /left {2}evil\uFFFD\]8;;x\uFFFD\uFFFDline\uFFFD2J\n?$/);
    }
  }
});

test('JSON says what has no number in a word', () => {
  const { terminal, seen } = watched(false);
  terminal.json({ a: Infinity, b: -Infinity, c: 1 });
  assert.deepEqual(JSON.parse(seen.out), { a: 'Infinity', b: '-Infinity', c: 1 });
});

test('columns are aligned and strangers steer no terminal', () => {
  assert.equal(
    table(
      ['name', '>n'],
      [
        ['a', '1'],
        ['long', '100'],
      ],
    ),
    'name    n\na       1\nlong  100',
  );
  assert.equal(table(['x'], [['\u001b[2J\u202e']]), 'x\n\uFFFD[2J\uFFFD');
});

test('numbers for people', () => {
  assert.deepEqual([0, 999, 1000, 999_499, 999_500, 123_456_789, 4.2e9, 1e13].map(bytes), [
    ...['0 B', '999 B', '1.00 KB', '999 KB', '1.00 MB', '123 MB', '4.20 GB', '10.0 TB'],
  ]);
  assert.deepEqual([0.2, 89, 91, 7200, Infinity].map(duration), ['1 s', '89 s', '2 min', '2.0 h', '?']);
  assert.deepEqual([null, 12.345, Infinity, -Infinity].map(decibels), ['', '12.35', 'exact', '−∞']);
});

test('one thing is not many', () => {
  assert.equal(counted(1, 'tensor'), '1 tensor');
  assert.equal(counted(0, 'tensor'), '0 tensors');
  assert.equal(counted(2000, 'weight'), '2,000 weights');
});
