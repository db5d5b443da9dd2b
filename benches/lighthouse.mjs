/**
 * Lighthouse on the built page: accessibility and best practices of several chapters, Explore and Shrink, in both languages. Run it after
 * `cargo xtask build`: `node benches/lighthouse.mjs`. It fails on anything below 100. Lighthouse itself is fetched by npx, and no part of the
 * project's own packages: it is larger than all of them together. LIGHTHOUSE names one that is installed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIST, find, serve } from '../tests/e2e/harness/index.js';

const PAGES = ['#/learn', '#/learn/1', '#/learn/5', '#/learn/9', '#/learn/13', '#/learn/16', '#/explore', '#/shrink'];
const CATEGORIES = ['accessibility', 'best-practices'];
const { LIGHTHOUSE } = process.env;
const [program, ...before] = LIGHTHOUSE ? ['node', LIGHTHOUSE] : ['npx', '--yes', 'lighthouse@12.8.2'];

const folder = mkdtempSync(join(tmpdir(), 'fewerbits-lighthouse-'));
const site = await serve(DIST, '/a/sub-path/', { probe: false, offline: true });
let failed = 0;
try {
  for (const language of ['en', 'zh']) {
    for (const hash of PAGES) {
      const out = join(folder, 'report.json');
      // In another process than the server's, which goes on answering.
      await run([...before, `${site.url}?lang=${language}${hash}`, ...options(out)]);
      const { categories, audits } = JSON.parse(readFileSync(out, 'utf8'));
      const scores = CATEGORIES.map((name) => Math.round(100 * categories[name].score));
      const low = CATEGORIES.flatMap((name) => categories[name].auditRefs)
        .map(({ id }) => audits[id])
        .filter(({ score }) => score !== null && score < 1)
        .map(({ id, title }) => `${id}: ${title}`);
      console.log(`${language} ${hash.padEnd(11)} ${scores.join(' ')} ${low.join('; ')}`);
      if (scores.some((score) => score < 100)) failed++;
    }
  }
} finally {
  await site.close();
  rmSync(folder, { recursive: true, force: true });
}
if (failed > 0) process.exit(1);

/** @param {string} out */
function options(out) {
  return [
    `--only-categories=${CATEGORIES.join(',')}`,
    '--chrome-flags=--headless=new --no-sandbox',
    '--output=json',
    `--output-path=${out}`,
    '--quiet',
  ];
}

/** @param {string[]} args */
async function run(args) {
  const child = spawn(program, args, {
    env: { ...process.env, CHROME_PATH: find('chromium')?.binary },
    stdio: 'inherit',
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`lighthouse ended (${code})`);
}
