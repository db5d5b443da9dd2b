/**
 * What several models in one go take: three sparse files of 705 MB become f16 on the built page in Chromium, without a picker for folders, so
 * that 1 GB of results lies where the page puts it. `cargo xtask bench batch` builds the site and runs it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DIST, launch, serve } from '../tests/e2e/harness/index.js';
import { ShrinkPage } from '../tests/e2e/shrink-page.js';
import { sparse } from '../tests/js/models.js';
import { bytes } from '../www/lib/cli/terminal.js';
import { rendererBytes } from './shrink-page.js';

const MODELS = ['a', 'b', 'c'];
const TENSORS = 16;
const SHAPE = [2688, 4096];

const folder = mkdtempSync(join(tmpdir(), 'fewerbits-batch-'));
const site = await serve(DIST);
const browser = await launch('chromium');
try {
  const tensor = { dtype: 'F32', shape: SHAPE, bytes: 4 * SHAPE[0] * SHAPE[1] };
  const tensors = Object.fromEntries(Array.from({ length: TENSORS }, (_, i) => [`blk.${i}.ffn_up.weight`, tensor]));
  const paths = MODELS.map((name) => join(folder, `${name}.safetensors`));
  for (const path of paths) await sparse(path, tensors);
  const page = new ShrinkPage({ ...browser, site });
  await page.enter();
  await page.click('fb-file-strip .open');
  await page.until(`return document.querySelector('fb-open-box dialog[open]')`, 'the dialog');
  await browser.driver.findElement({ css: 'fb-open-box input[multiple]' }).sendKeys(paths.join('\n'));
  await page.until(`return document.querySelector('.start-all')?.disabled === false`, 'the button');
  const place = await page.text('.place-all');
  const before = rendererBytes();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, rendererBytes())), 100);
  const started = performance.now();
  await page.click('.start-all');
  while (!(await page.run(`return document.querySelector('.over') !== null`))) {
    await new Promise((resolve) => void setTimeout(resolve, 100));
  }
  clearInterval(timer);
  const seconds = (performance.now() - started) / 1000;
  const { job, rows } = await page.run(`const { job, rows } = document.querySelector('fb-shrink-batch').state.batch;
    return { job: { memory: job.memory, written: job.written, place: job.place }, rows: rows.map(({ state }) => state) }`);
  console.log(`${place} (${job.place})
| ${bytes(job.written)} of ${rows.length} models: ${rows.join(', ')} | ${seconds.toFixed(1)} s |
|---|--:|
| as the pool counts it | ${bytes(job.memory)} |
| the renderer has grown by | ${bytes(most - before)} |`);
} finally {
  await browser.close();
  await site.close();
  rmSync(folder, { recursive: true });
}
