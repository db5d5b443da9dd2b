/** What is delivered, as it was built: `dist/` (the site) and `pkg/` (the npm package). */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LIMITS, measure, needed } from '../../xtask/js/sizes.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DIST = join(ROOT, 'dist');
const PKG = join(ROOT, 'pkg');

const filesBelow = (dir) =>
  readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));

test('a first visit downloads no more JavaScript and wasm than promised', () => {
  const { firstLoadJs, wasmBytes, js, wasm } = measure(DIST);
  assert.ok(js.length > 0 && wasm.length > 0, 'scripts and a module were found');
  assert.ok(
    firstLoadJs <= LIMITS.firstLoadJs,
    `first-load JS: ${firstLoadJs} bytes gzipped, ${LIMITS.firstLoadJs} allowed`,
  );
  assert.ok(wasmBytes <= LIMITS.wasm, `wasm: ${wasmBytes} bytes gzipped, ${LIMITS.wasm} allowed`);
});

test('the measure follows static imports and workers, not imports on demand', () => {
  const text =
    'import{a}from"./a.js";import"./b.js";export*from"./c.js";import("./lazy.js");new Worker(new URL(new URL(`w.js`,import.meta.url).href,``+import.meta.url));';
  assert.deepEqual([...needed(text)].sort(), ['./a.js', './b.js', './c.js', 'w.js']);
});

test('the site has only relative addresses, so it works under any sub-path', () => {
  for (const file of filesBelow(DIST).filter((name) => /\.(html|css|webmanifest)$/.test(name))) {
    const text = readFileSync(file, 'utf8');
    assert.deepEqual(text.match(/(?:src|href|action)="\/[^"]*"|url\(["']?\/[^)]*\)/g) ?? [], [], file);
  }
});

test('the page carries a strict policy and nothing inline', () => {
  const html = readFileSync(join(DIST, 'index.html'), 'utf8');
  const policy = /http-equiv="Content-Security-Policy"\s+content="([^"]*)"/is.exec(html)?.[1] ?? '';
  assert.match(policy, /default-src 'self'/);
  assert.match(policy, /script-src 'self' 'wasm-unsafe-eval'(;|$)/);
  assert.doesNotMatch(policy, /script-src[^;]*'unsafe-/);
  assert.deepEqual(html.match(/<script(?![^>]*\bsrc=)[^>]*>/gi) ?? [], [], 'no inline script');
  assert.deepEqual(html.match(/<[^>]*\son[a-z]+=/gi) ?? [], [], 'no inline handler');
});

test('the site holds no stand-in for a module of Node', () => {
  for (const file of filesBelow(DIST).filter((name) => name.endsWith('.js'))) {
    assert.doesNotMatch(file, /browser-external/);
    assert.doesNotMatch(readFileSync(file, 'utf8'), /browser-external|import\(\s*["'`]node:/, file);
  }
});

test('no source map and no generated leftover is delivered', () => {
  for (const dir of [DIST, PKG].filter(existsSync)) {
    const odd = filesBelow(dir).filter((name) => /\.(map|test\.js|stamp)$/.test(name));
    assert.deepEqual(odd, []);
  }
});

test('the npm package names only files that it holds, and its types stand beside its modules', () => {
  const manifest = JSON.parse(readFileSync(join(PKG, 'package.json'), 'utf8'));
  assert.equal(manifest.name, 'fewerbits');
  assert.equal(Object.keys(manifest.exports['.'])[0], 'types', 'the first condition that matches is taken');
  const targets = [manifest.types, ...Object.values(manifest.bin ?? {})];
  for (const target of Object.values(manifest.exports)) {
    targets.push(...(typeof target === 'string' ? [target] : Object.values(target)));
  }
  // A pattern names a folder.
  for (const target of targets) assert.ok(existsSync(join(PKG, target.replace(/\*$/, ''))), `${target} is missing`);
  for (const file of filesBelow(join(PKG, 'lib')).filter((name) => name.endsWith('.js'))) {
    assert.ok(existsSync(file.replace(/\.js$/, '.d.ts')), `${file} has no types`);
  }
});

test('the lock file names no registry host', () => {
  const lock = readFileSync(join(ROOT, 'www/package-lock.json'), 'utf8');
  assert.doesNotMatch(lock, /"resolved"/);
});

test('the service worker keeps every file of the page and nothing else, under a version that the files make', () => {
  const text = readFileSync(join(DIST, 'sw.js'), 'utf8');
  const kept = JSON.parse(/FILES = JSON\.parse\('(.*)'\)/.exec(text)?.[1] ?? '[]');
  const files = filesBelow(DIST)
    .map((file) => file.slice(DIST.length + 1).replaceAll('\\', '/'))
    .filter((file) => file !== 'sw.js' && !/^(elements\/|ort\/|models\/rust-docs)/.test(file));
  assert.deepEqual(kept.toSorted(), files.toSorted());
  assert.match(text, /VERSION = '[0-9a-f]{16}'/);
});

test('the figures for other pages are one script with what it fetches, in the site and in the package', () => {
  for (const folder of [join(DIST, 'elements'), join(PKG, 'elements')]) {
    const files = filesBelow(folder).map((file) => file.slice(folder.length + 1));
    assert.ok(files.includes('elements.js') && files.includes(join('models', 'digits.safetensors')), folder);
    const text = readFileSync(join(folder, 'elements.js'), 'utf8');
    assert.doesNotMatch(text, /(?:from|import)\s*["']\./, 'it needs no second script to begin with');
    for (const [, name] of text.matchAll(/["'`](assets\/worker-[^"'`]+\.js)["'`]/g))
      assert.ok(existsSync(join(folder, name)), name);
  }
});
