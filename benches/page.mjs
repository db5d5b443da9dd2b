/**
 * What the page feels like, in Chromium on the built site: how long all figures take to follow a dragged control on a tensor of 1M and of 25M
 * weights, whether the page's thread is ever held for over 50 ms while a 500 MB file is open, and how soon a cold load is usable.
 * `cargo xtask bench page` builds the site and runs it.
 */
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { DIST, ROOT, launch, serve } from '../tests/e2e/harness/index.js';

const STEPS = 60;

const SHAPES = { small: [1024, 1024], large: [5000, 5000], other: [9000, 11000] };

/** A file of 500 MB: one block of bell-shaped weights, again and again. @param {string} path */
async function makeFile(path) {
  /** @type {{[name: string]: any}} */
  const header = {};
  let at = 0;
  for (const [name, shape] of Object.entries(SHAPES)) {
    const end = at + 4 * shape[0] * shape[1];
    header[name] = { dtype: 'F32', shape, data_offsets: [at, end] };
    at = end;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const block = new Float32Array(1 << 20);
  for (let i = 0; i < block.length; i++) {
    block[i] = 0.05 * Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  }
  const bytes = Buffer.from(block.buffer);
  const file = createWriteStream(path);
  file.write(length);
  file.write(text);
  for (let left = at; left > 0; left -= bytes.length) {
    if (!file.write(bytes.subarray(0, Math.min(left, bytes.length)))) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
  return at + 8 + text.length;
}

/** Runs in the page: watches its thread from now on. */
const WATCH = `
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
  }).observe({ entryTypes: ['longtask'] });
`;

/** Runs in the page: moves a control step by step, each as soon as the figures have followed the last, and times every step. */
const DRAG = `
  const [selector, values, done] = arguments;
  (async () => {
    const input = document.querySelector(selector);
    const shown = () => document.querySelector('tr[data-metric="rmse"] td:last-child').textContent;
    const changed = (before) => new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (shown() === before) return;
        observer.disconnect();
        resolve();
      });
      observer.observe(document.querySelector('.measures'), { subtree: true, childList: true, characterData: true });
    });
    const steps = [];
    for (const value of values) {
      const next = changed(shown());
      const start = performance.now();
      input.value = value;
      input.dispatchEvent(new Event('input', { bubbles: true }));
      await next;
      const drawn = performance.now() - start;
      const engine = performance.getEntriesByName('fewerbits:show').at(-1).duration;
      steps.push({ drawn, engine });
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    }
    done(steps);
  })();
`;

const folder = join(ROOT, 'target/bench');
mkdirSync(folder, { recursive: true });
const path = join(folder, 'large.safetensors');
const size = await makeFile(path);
const site = await serve(DIST, '/fewerbits/');
const browser = await launch('chromium');
const { driver } = browser;
try {
  await driver.manage().setTimeouts({ script: 120_000 });
  const until = async (/** @type {string} */ what, /** @type {string} */ script, /** @type {any[]} */ ...args) => {
    const end = Date.now() + 60_000;
    while (!(await driver.executeScript(script, ...args))) {
      if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const ready = `return document.querySelector('.measures td') && !document.querySelector('.job')`;

  await driver.get(`${site.url}#/explore`);
  await until('the sample', ready);
  const usable = await driver.executeScript(`const [first] = performance.getEntriesByName('fewerbits:show');
    return first.startTime + first.duration`);
  await driver.executeScript(WATCH);
  await driver.executeScript(`document.querySelector('.strip .open').click()`);
  await until('the file input', `return document.querySelector('input[type=file]')`);
  await driver.findElement({ css: 'input[type=file]' }).sendKeys(path);
  await until('the file', `return document.querySelector('.strip')?.textContent.includes('large.safetensors')`);

  const rows = [];
  for (const [name, title] of [
    ['small', '1M weights'],
    ['large', '25M weights'],
  ]) {
    await driver.executeScript(
      `[...document.querySelectorAll('.tensor')].find((row) => row.dataset.name === arguments[0]).click()`,
      name,
    );
    const subject = `return document.querySelector('.subject h2')?.textContent.includes(arguments[0])`;
    await until(`tensor ${name}`, subject, name);
    await until(`the figures of ${name}`, ready);
    // The rungs of the bits slider, back and forth.
    const rungs = Array.from({ length: STEPS }, (_, i) => [3, 4, 5, 6, 5, 4, 3, 2][i % 8]);
    const steps = (await driver.executeAsyncScript(DRAG, '.bits input[type=range]', rungs)).slice(8);
    const sorted = (/** @type {'drawn' | 'engine'} */ part) =>
      steps
        .map((/** @type {any} */ step) => step[part])
        .sort((/** @type {number} */ a, /** @type {number} */ b) => a - b);
    const [drawn, engine] = [sorted('drawn'), sorted('engine')];
    const at = (/** @type {number[]} */ times, /** @type {number} */ q) =>
      times[Math.floor(q * (times.length - 1))].toFixed(1);
    rows.push([title, at(engine, 0.5), at(drawn, 0.5), at(drawn, 0.9), at(drawn, 1)]);
  }
  const longest = await driver.executeScript('return window.longest');
  console.log(`
| dragging the bits | the worker's answer, median ms | all figures drawn, median ms | 90 % | worst |
|---|--:|--:|--:|--:|
${rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}

Longest task of the page's thread while a file of ${(size / 1e6).toFixed(0)} MB is opened, read and dragged on: ${
    longest === 0 ? 'none over 50 ms' : `${longest.toFixed(0)} ms`
  }. Cold load until the sample's figures: ${usable.toFixed(0)} ms.`);
} finally {
  await browser.close();
  await site.close();
  rmSync(path);
}
