/** A page in Chromium that runs whole jobs on a file on disk. */
import { readFileSync, readdirSync } from 'node:fs';
import { ROOT, find, launch, serve } from '../tests/e2e/harness/index.js';

/** Runs in the page: one job in a worker, then the worker ends. */
const RUN = `
  const [job, done] = arguments;
  const worker = new Worker('shrink-worker.js', { type: 'module' });
  const over = (answer) => (worker.terminate(), done(answer));
  worker.onmessage = ({ data }) => over(data);
  worker.onerror = (event) => over({ error: event.message || 'the worker stopped' });
  worker.postMessage({ file: document.querySelector('input').files[0], ...job });
`;

/**
 * Opens the page with a file picked; null where there is no Chromium.
 * @param {string} file
 */
export async function openPage(file) {
  if (!find('chromium')) return null;
  const site = await serve(ROOT, '/', { probe: false });
  const browser = await launch('chromium');
  const { driver } = browser;
  await driver.manage().setTimeouts({ script: 900_000 });
  await driver.get(`${site.url}benches/shrink.html`);
  await driver.findElement({ css: 'input' }).sendKeys(file);
  return {
    /**
     * @param {{options?: any, workers?: number, isSummed?: boolean, isDiscarded?: boolean}} job
     * @returns {Promise<any>}
     */
    async shrink(job) {
      const answer = await driver.executeAsyncScript(RUN, job);
      if (answer.error) throw new Error(`in the page: ${answer.error}`);
      return answer;
    },
    memory: rendererBytes,
    close: async () => {
      await browser.close();
      await site.close();
    },
  };
}

/** Memory in use by the renderers of a Chromium that this process started, as Linux counts it; 0 elsewhere. */
export function rendererBytes() {
  /** @type {Map<number, {parent: number, pages: number, isRenderer: boolean}>} */
  const all = new Map();
  try {
    for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const stat = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
        const isRenderer = readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('--type=renderer');
        all.set(Number(id), { parent: Number(stat[1]), pages: Number(stat[21]), isRenderer });
      } catch {
        // It has ended meanwhile.
      }
    }
  } catch {
    return 0;
  }
  const isOurs = (/** @type {number} */ id) => {
    for (let at = id; at > 1; at = all.get(at)?.parent ?? 0) if (at === process.pid) return true;
    return false;
  };
  return [...all].reduce((sum, [id, { pages, isRenderer }]) => sum + (isRenderer && isOurs(id) ? pages * 4096 : 0), 0);
}
