/**
 * What size costs: a GGUF file of 8 GB is shrunk to Q4_K_M with two workers, in Node and in Chromium, and one of 40 GB is listed. The files are
 * sparse, their weights zeros that take no place on disk, and what is written is thrown away: memory is measured here, not speed.
 * `cargo xtask bench shrink large` builds the package's wasm and runs it.
 *
 * The pool's count is that of the job's report: all WebAssembly memories and all buffers under way, at most. Beside it stands how much the
 * process (in Chromium: the page's) has grown, as the system counts it.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes } from '../www/lib/cli/terminal.js';
import { init, openModel, plan, shrink } from '../www/lib/index.js';
import { makeModel } from './models.js';
import { openPage } from './shrink-page.js';

const OPTIONS = { to: /** @type {const} */ ('gguf'), preset: 'Q4_K_M' };
const WORKERS = 2;
const NOWHERE = {
  open: async () => ({ isDone: true, write: async () => {}, close: async () => {}, abort: async () => {} }),
};

/**
 * The most that `measure` says while `run` is under way, above what it said before.
 * @template T
 * @param {() => number} measure
 * @param {() => Promise<T>} run
 * @returns {Promise<[T, number]>}
 */
async function growth(measure, run) {
  const before = measure();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, measure())), 100);
  try {
    const answer = await run();
    return [answer, Math.max(most, measure()) - before];
  } finally {
    clearInterval(timer);
  }
}

await init();
const folder = mkdtempSync(join(tmpdir(), 'fewerbits-bench-'));
const rss = () => process.memoryUsage.rss();
/** @type {Awaited<ReturnType<typeof openPage>>} */
let page = null;
try {
  const [huge, large] = ['huge.gguf', 'large.gguf'].map((name) => join(folder, name));
  makeModel(huge, 40_000, { isSparse: true });
  makeModel(large, Number(process.env.FEWERBITS_BENCH_MB ?? 8000), { isSparse: true });
  const started = performance.now();
  const [model, grown] = await growth(rss, () => openModel(huge));
  const listed = performance.now() - started;
  console.log(
    `${bytes(statSync(huge).size)} in ${model.tensors.length} tensors: listed in ${listed.toFixed(0)} ms, ${bytes(grown)} more memory in use`,
  );
  await model.close();

  const model8 = await openModel(large);
  const [report, inNode] = await growth(rss, async () =>
    shrink(await plan(model8, OPTIONS), NOWHERE, { workers: WORKERS }),
  );
  await model8.close();
  console.log(`
| ${bytes(statSync(large).size)} to Q4_K_M | s | memory, as the pool counts it | the process has grown by |
|---|--:|--:|--:|
| Node | ${report.seconds.toFixed(1)} | ${bytes(report.peakMemory)} | ${bytes(inNode)} |`);
  page = await openPage(large);
  if (page) {
    const there = page;
    const [{ ms, peakMemory }, inPage] = await growth(there.memory, () =>
      there.shrink({ options: OPTIONS, workers: WORKERS, isDiscarded: true }),
    );
    console.log(`| Chromium | ${(ms / 1000).toFixed(1)} | ${bytes(peakMemory)} | ${bytes(inPage)} |`);
  }
} finally {
  await page?.close();
  rmSync(folder, { recursive: true, force: true });
}
