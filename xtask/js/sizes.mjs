/**
 * Measures what a first visit downloads: `node sizes.mjs DIST` prints it, `measure(dist)` returns it.
 * First-load JS: the page's scripts, what they import statically, and the workers they start; not what is imported on demand. First-load wasm:
 * the modules that those scripts name.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** gzipped bytes, 1 KB = 1000 bytes */
export const LIMITS = { wasm: 150_000, firstLoadJs: 60_000 };

/** @param {string} dist */
export function measure(dist) {
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  const scripts = new Set();
  const visit = (file) => {
    if (scripts.has(file)) return;
    scripts.add(file);
    const text = readFileSync(join(dist, file), 'utf8');
    for (const name of needed(text)) visit(normalize(join(dirname(file), name)));
  };
  for (const [, name] of html.matchAll(/(?:src|href)="\.?\/?([^"?#]+\.js)"/g)) visit(normalize(name));
  const texts = [...scripts].map((file) => readFileSync(join(dist, file), 'utf8')).join();
  const [wasm, later] = [[], []];
  // Beside the page lie the figures for other pages, with an engine of their own.
  for (const file of all(dist).filter((file) => file.endsWith('.wasm') && !file.startsWith('elements'))) {
    (texts.includes(basename(file)) ? wasm : later).push(file);
  }
  const gzipped = (file) => gzipSync(readFileSync(join(dist, file)), { level: 9 }).length;
  const list = (files) => files.map((file) => ({ file, gzipped: gzipped(file) }));
  const sum = (files) => files.reduce((total, { gzipped: bytes }) => total + bytes, 0);
  const [js, modules] = [list([...scripts].sort()), list(wasm)];
  return { js, wasm: modules, later: list(later), firstLoadJs: sum(js), wasmBytes: sum(modules) };
}

/** Files that a built module needs at once: static imports and workers, both relative to it. */
export function needed(text) {
  const found = new Set();
  for (const [, name] of text.matchAll(/(?:\bfrom|\bimport)\s*["'](\.[^"']+\.js)["']/g)) found.add(name);
  // A worker's address as Vite writes it, with any of the three quotes; a worker is the only script named so.
  for (const [, name] of text.matchAll(/new URL\(\s*["'`]([^"'`]+\.js)["'`]\s*,[^)]*import\.meta\.url/g))
    found.add(name);
  return found;
}

function all(dir, below = '') {
  return readdirSync(join(dir, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? all(dir, path) : [path];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { js, wasm, later, firstLoadJs, wasmBytes } = measure(process.argv[2]);
  const row = (name, bytes) => console.log(`  ${String(bytes).padStart(9)}  ${name}`);
  console.log('gzipped bytes');
  for (const { file, gzipped } of [...js, ...wasm]) row(file, gzipped);
  for (const { file, gzipped } of later) row(`${file}, on demand`, gzipped);
  row(`first-load JS, of ${LIMITS.firstLoadJs}`, firstLoadJs);
  row(`first-load wasm, of ${LIMITS.wasm}`, wasmBytes);
}
