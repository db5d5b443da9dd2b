/**
 * Runs `benches/bench.js` in Node and in one Chromium session: `node bench.mjs SIMD_DIR SCALAR_DIR [filter]`.
 *
 * The benchmark exports `async run({simd, scalar, log, filter}) → {markdown}`: two initialized wasm-bindgen namespaces of
 * the same crate, the delivered one and one compiled without SIMD, and a function that says how far it is.
 */
import { readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { cpus } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { find, launch, serve } from '../../tests/e2e/harness/index.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const [simdDir, scalarDir, filter = ''] = process.argv.slice(2);
const dirs = { simd: resolve(simdDir), scalar: resolve(scalarDir) };
const log = (line) => console.error(`  ${line}`);

const machine = `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} threads, ${new Date().toISOString().slice(0, 10)}`;
console.log(`\n### Node ${process.version}, ${machine}\n`);
console.log((await inNode()).markdown);
if (find('chromium')) {
  const { markdown, version } = await inChromium();
  console.log(`\n### ${version}, ${machine}\n`);
  console.log(markdown);
} else {
  console.log('\nChromium and its driver are not installed: measured in Node only.');
}

async function inNode() {
  const load = async (dir) => {
    const glue = await import(pathToFileURL(join(dir, 'fewerbits.js')).href);
    await glue.default({ module_or_path: readFileSync(join(dir, 'fewerbits_bg.wasm')) });
    return glue;
  };
  const { run } = await import('../../benches/bench.js');
  return run({ simd: await load(dirs.simd), scalar: await load(dirs.scalar), log, filter });
}

/** In a module worker of a page that is cross-origin isolated, where clocks are fine enough to measure with. */
async function inChromium() {
  const site = await serve(ROOT, '/', {
    probe: false,
    headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
  });
  const browser = await launch('chromium');
  try {
    const capabilities = await browser.driver.getCapabilities();
    const url = (dir) => `/${relative(ROOT, dir).split(sep).join('/')}/fewerbits.js`;
    if (url(dirs.scalar).includes('..')) throw new Error('the target directory must lie in the repository');
    const asked = new URLSearchParams({ simd: url(dirs.simd), scalar: url(dirs.scalar), filter });
    await browser.driver.get(`${site.url}xtask/js/bench-page.html?${asked}`);
    for (let said = 0; ;) {
      const { lines, done, error } = await browser.driver.executeScript('return window.bench;');
      while (said < lines.length) log(lines[said++]);
      if (error) throw new Error(`in Chromium: ${error}`);
      if (done) return { ...done, version: `Chromium ${capabilities.get('browserVersion')}` };
      await new Promise((wake) => setTimeout(wake, 500));
    }
  } finally {
    await browser.close();
    await site.close();
  }
}
