/** The Explore room as a test sees it: what it shows, and the ways to make it do something. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './harness/index.js';

export class ExplorePage {
  /** @param {any} browser as `forEachBrowser` gives it */
  constructor(browser) {
    this.browser = browser;
    /** A guard against hanging, in milliseconds; it measures nothing. */
    this.patience = 90_000;
  }

  get driver() {
    return this.browser.driver;
  }

  /** Opens the page anew and waits until the sample's figures stand. @param {string} [rest] such as '?lang=zh#/explore?…' */
  async open(rest = '?lang=en') {
    const url = this.browser.site.url + (rest.includes('#') ? rest : `${rest}#/explore`);
    // An address that differs in its hash alone would not load anything.
    await this.driver.get('about:blank');
    await this.driver.get(url);
    await this.settled();
  }

  /** Waits until something is computed and nothing is under way. */
  async settled() {
    await this.until(`return document.querySelector('.measures td') && !document.querySelector('.job')`, 'the figures');
  }

  /**
   * Polls a script in the page until it returns something true.
   * @param {string} script
   * @param {string} what
   * @param {any[]} args
   */
  async until(script, what, ...args) {
    const end = Date.now() + this.patience;
    for (;;) {
      const value = await this.driver.executeScript(script, ...args);
      if (value) return value;
      if (Date.now() > end) assert.fail(`waited in vain for ${what}`);
      await new Promise((resolve) => void setTimeout(resolve, 60));
    }
  }

  /** @param {string} selector */
  text(selector) {
    return this.driver.executeScript(
      `return document.querySelector(arguments[0])?.textContent.trim().replace(/\\s+/g, ' ') ?? null`,
      selector,
    );
  }

  /** @param {string} selector */
  async waitText(selector, /** @type {string} */ wanted) {
    await this.until(
      `return document.querySelector(arguments[0])?.textContent.replace(/\\s+/g, ' ').includes(arguments[1])`,
      `"${wanted}" in ${selector}`,
      selector,
      wanted,
    );
  }

  /** The numbers of side B's table, as they are written. @returns {Promise<{[metric: string]: string}>} */
  metrics() {
    return this.driver.executeScript(`return Object.fromEntries([...document.querySelectorAll('tr[data-metric]')]
      .map((row) => [row.dataset.metric, row.querySelector('td:last-child').textContent.trim().replace(/\\s/g, ' ')]))`);
  }

  /** @param {string} metric @param {string} wanted */
  async waitMetric(metric, wanted) {
    await this.until(
      `return document.querySelector('tr[data-metric="' + arguments[0] + '"] td:last-child')?.textContent.trim().replace(/\\s/g, ' ') === arguments[1]`,
      `${metric} = ${wanted}`,
      metric,
      wanted,
    );
  }

  /** Chooses in a select or sets an input, as a person's change would. */
  async set(/** @type {string} */ selector, /** @type {string | boolean} */ value) {
    await this.until(`return document.querySelector(arguments[0])`, selector, selector);
    await this.driver.executeScript(
      `const e = document.querySelector(arguments[0]);
       if (typeof arguments[1] === 'boolean') e.checked = arguments[1]; else e.value = arguments[1];
       e.dispatchEvent(new Event('input', { bubbles: true })); e.dispatchEvent(new Event('change', { bubbles: true }));`,
      selector,
      value,
    );
  }

  /** @param {string} selector */
  click(selector) {
    return this.driver.executeScript(`document.querySelector(arguments[0]).click()`, selector);
  }

  /** @param {string} name */
  async choose(name) {
    await this.driver.executeScript(
      `[...document.querySelectorAll('.tensor')].find((row) => row.dataset.name === arguments[0]).click()`,
      name,
    );
    await this.waitText('.subject h2', name);
    await this.settled();
  }

  /** Drops one file made of base64 bytes. @param {string} name @param {Uint8Array} bytes */
  async drop(name, bytes) {
    await this.driver.executeScript(
      `const bytes = Uint8Array.from(atob(arguments[1]), (c) => c.charCodeAt(0));
       const dataTransfer = new DataTransfer();
       dataTransfer.items.add(new File([bytes], arguments[0]));
       for (const type of ['dragenter', 'dragover', 'drop']) {
         document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
       }`,
      name,
      Buffer.from(bytes).toString('base64'),
    );
  }

  /** Nothing went wrong that the page did not mean to say. */
  async assertQuiet() {
    assert.deepEqual(await this.browser.errors(), []);
    assert.deepEqual(await this.browser.violations(), []);
  }
}

/**
 * A safetensors file.
 * @param {{[name: string]: {shape: number[], values: Float32Array}}} tensors
 */
export function safetensors(tensors) {
  /** @type {{[name: string]: any}} */
  const header = {};
  let at = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at + values.byteLength] };
    at += values.byteLength;
  }
  let text = JSON.stringify(header);
  text += ' '.repeat((8 - (text.length % 8)) % 8);
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  const data = Object.values(tensors).map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  );
  return Buffer.concat([head, Buffer.from(text), ...data]);
}

/** A tensor of the sample, read here and not by the engine. @param {string} name @returns {{shape: number[], values: Float32Array}} */
export function sampleTensor(name) {
  const file = readFileSync(join(ROOT, 'www/public/models/digits.safetensors'));
  const length = Number(file.readBigUInt64LE(0));
  const { shape, data_offsets: offsets } = JSON.parse(file.subarray(8, 8 + length).toString())[name];
  const bytes = file.subarray(8 + length + offsets[0], 8 + length + offsets[1]);
  return { shape, values: new Float32Array(new Uint8Array(bytes).buffer) };
}

/** @param {number} x */
const halfEven = (x) => {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
};

/**
 * Symmetric narrow integers with one scale for all, by the book, and what they cost.
 * @param {Float32Array} values
 * @param {number} bits
 */
export function symmetricMetrics(values, bits) {
  const top = 2 ** (bits - 1) - 1;
  const absMax = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const scale = Math.fround(absMax / top);
  let noise = 0;
  let signal = 0;
  let most = 0;
  let zeroed = 0;
  for (const v of values) {
    const q = Math.max(-top, Math.min(top, halfEven(Math.fround(v / scale))));
    const error = v - Math.fround(q * scale);
    noise += error * error;
    signal += v * v;
    most = Math.max(most, Math.abs(error));
    if (v !== 0 && q === 0) zeroed++;
  }
  return {
    rmse: Math.sqrt(noise / values.length),
    sqnrDb: 10 * Math.log10(signal / noise),
    maxAbs: most,
    zeroed: zeroed / values.length,
  };
}

/** A number as the page writes it, back as a number. @param {string} text */
export function readNumber(text) {
  const [, mantissa, exponent] = /^([−\d.]+)(?:×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?/.exec(text) ?? [];
  const digits = [...(exponent ?? '⁰')].map((c) => (c === '⁻' ? '-' : '⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(c))).join('');
  return Number(mantissa.replace('−', '-')) * 10 ** Number(digits);
}
