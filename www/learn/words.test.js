/** The lesson's words in both languages, and its code as the reader sees it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

// What the figures' modules ask of a browser when they are loaded; Lit brings the rest in Node.
globalThis.matchMedia ??= /** @type {any} */ (() => ({ matches: false, addEventListener() {} }));
const { CHAPTERS, FRONT } = await import('./contents.js');
const { PAPERS } = await import('./papers.js');
const { COMMON } = await import('./live.js');

const FIGURES = fileURLToPath(new URL('./figures/', import.meta.url));
const holes = (/** @type {string} */ text) => [...text.matchAll(/\{([\w.]+)\}/g)].map((m) => m[1]);
/** Everything that a template says, with the values that were put into it. @param {any} part @returns {string} */
const textOf = (part) => {
  if (Array.isArray(part)) return part.map(textOf).join('');
  if (part?.strings)
    return part.strings
      .map((/** @type {string} */ s, /** @type {number} */ i) => s + textOf(part.values[i] ?? ''))
      .join('');
  return typeof part === 'string' || typeof part === 'number' ? String(part) : '';
};
/** What a text asks its tools for, in order. @param {any} text */
function asked(text) {
  /** @type {string[]} */
  const found = [];
  const tool =
    (/** @type {string} */ kind) =>
    (/** @type {any[]} */ ...args) => {
      found.push(
        [
          kind,
          ...args.filter((arg) => kind !== 'chapter' || typeof arg === 'number').slice(0, kind === 'see' ? 2 : 1),
        ].join(' '),
      );
      return kind === 'see' || kind === 'chapter' ? args.at(-1) : '';
    };
  const said = textOf(
    text({
      figure: tool('figure'),
      math: tool('math'),
      code: tool('code'),
      see: tool('see'),
      chapter: tool('chapter'),
      paper: tool('paper'),
    }),
  );
  return { found, said };
}

test('every figure says in Chinese what it says in English, with the same values', async () => {
  /** @type {[string, {en: any, zh: any}][]} */
  const all = [['what all figures say', COMMON]];
  for (const file of readdirSync(FIGURES)) {
    for (const value of Object.values(await import(join(FIGURES, file)))) {
      if (typeof value === 'function' && 'words' in value) all.push([file, /** @type {any} */ (value).words]);
    }
  }
  assert.ok(all.length > 15);
  for (const [file, { en, zh }] of all) {
    assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort(), file);
    for (const key of Object.keys(en))
      assert.deepEqual(holes(zh[key]).sort(), holes(en[key]).sort(), `${file}: ${key}`);
  }
});

for (const chapter of [FRONT, ...CHAPTERS]) {
  test(`chapter ${chapter.n} has the same figures, equations, code, numbers and sources in both languages`, async () => {
    const parts = await chapter.parts();
    const [en, zh] = await Promise.all([chapter.text.en(), chapter.text.zh()]);
    const [a, b] = [asked(en.default), asked(zh.default)];
    assert.deepEqual(b.found.toSorted(), a.found.toSorted());
    for (const one of a.found) {
      const [kind, name] = one.split(' ');
      if (kind === 'figure' || kind === 'see') assert.ok(parts.figures[name], one);
      if (kind === 'math') assert.ok(parts.math?.[name], one);
      if (kind === 'code') assert.ok(parts.code?.[name], one);
      if (kind === 'paper') assert.ok(PAPERS[name] && parts.papers?.includes(name), `${one} is listed`);
      if (kind === 'chapter')
        assert.ok(
          CHAPTERS.some(({ n }) => n === Number(name)),
          one,
        );
    }
    for (const name of Object.keys(parts.figures)) assert.ok(a.found.includes(`figure ${name}`), `${name} is shown`);
    for (const name of Object.keys(parts.code ?? {})) assert.ok(a.found.includes(`code ${name}`), `${name} is shown`);
    // Figures of four digits and more, and shares, are the same.
    const numbers = (/** @type {string} */ text) =>
      (text.match(/\d+,\d{3}|\d+(?:\.\d+)?(?:&nbsp;|\u00a0)%/g) ?? []).sort();
    assert.deepEqual(numbers(b.said), numbers(a.said));
  });
}

test('the code that is shown runs, and gives what its comments say', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'fewerbits-code-'));
  const face = pathToFileURL(fileURLToPath(new URL('../lib/index.js', import.meta.url))).href;
  const model = fileURLToPath(new URL('../public/models/rust-docs.gguf', import.meta.url));
  let checks = 0;
  try {
    for (const chapter of CHAPTERS) {
      for (const [name, text] of Object.entries((await chapter.parts()).code ?? {})) {
        const lines = text.split('\n').map((line) => {
          const said = /^(\S.*); \/\/ (?:"([^"]*)"|(-?[\d.]+|true|false)\b.*)$/.exec(line);
          if (!said) return line;
          checks++;
          return `same(String(${said[1]}), ${JSON.stringify(said[2] ?? said[3])});`;
        });
        const file = join(folder, `${chapter.n}-${name}.mjs`);
        writeFileSync(
          file,
          `import { strictEqual as same } from 'node:assert';\n${lines
            .join('\n')
            .replace("from 'fewerbits'", `from '${face}'`)
            .replace("'rust-docs.gguf'", JSON.stringify(model))}\n`,
        );
        await import(pathToFileURL(file).href);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  assert.ok(checks >= 15, `${checks} comments were held against what runs`);
});

test('floats are stepped and counted by the book', async () => {
  const { floatOf, nextFloat } = await import('./figures/float-bits.js');
  const { counted } = await import('./figures/number-line.js');
  const bitsOf = (/** @type {number} */ x) => new Uint32Array(Float32Array.of(x).buffer)[0];
  for (const x of [1, -1, 0.0731, -0.0731, 1e-45, 3.4e38, -1e-45]) {
    const [up, down] = [floatOf(nextFloat(bitsOf(x), 1)), floatOf(nextFloat(bitsOf(x), -1))];
    assert.ok(up > x && down < x, `${down} < ${Math.fround(x)} < ${up}`);
    assert.ok(Math.abs(up - Math.fround(x)) <= 2 ** -23 * Math.max(Math.abs(x), 2 ** -126));
  }
  assert.equal(floatOf(nextFloat(bitsOf(Infinity), 1)), Infinity);
  // fp4 (e2m1): ±0.5, 1, 1.5, 2, 3, 4 and zero lie within ±4.
  assert.equal(counted({ fraction: 1, least: 0 }, 4), 13);
  assert.equal(counted({ fraction: 10, least: -14 }, 1), 2 * 15 * 1024 + 1);
});

test('weights beyond a range are those that lie more than half a step outside it', async () => {
  const { outside } = await import('./figures/range.js');
  const counts = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const histogram = { lo: -4, hi: 4, counts };
  assert.equal(outside({ histogram }, { low: -2, high: 2, scale: 1 }), 1 + 8 + 0);
  assert.equal(outside({ histogram }, { low: -4, high: 4, scale: 1 }), 0);
});
