/** The Shrink room as a test sees it. */
import assert from 'node:assert/strict';
import { ExplorePage } from './explore-page.js';
import { axeSource, framed } from './harness/index.js';

/** Without a save picker, as most browsers are. */
export const NO_PICKER = `for (const name of ['showSaveFilePicker', 'showDirectoryPicker']) {
  delete window[name]; delete Window.prototype[name]; }`;

/** @param {{[name: string]: Uint8Array}} files */
const texts = (files) => Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);

export class ShrinkPage extends ExplorePage {
  /** @param {string} script @param {any[]} args */
  run(script, ...args) {
    return this.driver.executeScript(script, ...args);
  }

  /**
   * Enters the room.
   * @param {string} [rest] such as `?lang=en#/shrink?to=gguf`
   * @param {string} [before] is run before the room is entered: without a word of its own there is no save picker
   */
  async enter(rest = '?lang=en#/shrink', before = NO_PICKER) {
    const [search, hash] = rest.split('#');
    // An address that differs in its hash alone would not load anything.
    await this.driver.get('about:blank');
    await this.driver.get(this.browser.site.url + search);
    await this.run(`${before}; location.hash = arguments[0]`, `#${hash}`);
    await this.listed();
  }

  /** Waits until there are rows of a plan. */
  listed() {
    return this.until(`return document.querySelector('fb-shrink-table .body .row')`, 'the plan');
  }

  /** Waits until every tensor is planned and measured. */
  planned() {
    return this.until(
      `return document.querySelector('fb-shrink-table .body .row')
        && !document.querySelector('fb-shrink-strip .swatch.loss-unknown') && document.querySelector('.place')?.textContent !== ''`,
      'the plan, measured',
    );
  }

  /** @returns {Promise<{[tensor: string]: {becomes: string, sizes: string, loss: string}}>} */
  rows() {
    return this.run(`const text = (row, of) => row.querySelector(of).textContent.trim().replace(/\\s+/g, ' ');
      const becomes = (row) => row.querySelector('select')?.selectedOptions[0].textContent.trim() ?? text(row, '.to');
      return Object.fromEntries([...document.querySelectorAll('fb-shrink-table .body .row')].map((row) =>
        [row.dataset.name, { becomes: becomes(row), sizes: text(row, '.sizes'), loss: text(row, '.loss') }]))`);
  }

  /** Bytes of what would be written. @returns {Promise<number>} */
  total() {
    return this.run(`return Number(document.querySelector('.totals').dataset.bytes)`);
  }

  /** Moves the slider. @param {number} size */
  slide(size) {
    return this.run(
      `const slider = document.querySelector('#shrink-size'); slider.value = arguments[0];
       slider.dispatchEvent(new Event('input', { bubbles: true }));`,
      size,
    );
  }

  /** Waits for a plan of about this size. @param {number} size */
  aimed(size) {
    return this.until(
      `const bytes = Number(document.querySelector('.totals').dataset.bytes);
       return document.querySelector('fb-shrink-size .curve') && bytes <= arguments[0] && bytes > arguments[0] * 0.8`,
      `a plan of ${size} bytes`,
      size,
    );
  }

  async start() {
    await this.until(`return document.querySelector('.start')?.disabled === false`, 'the button');
    await this.click('.start');
  }

  done() {
    return this.until(`return document.querySelector('fb-shrink-report .done')`, 'the report');
  }

  /** Back to choosing from a result that was not saved. */
  async dismiss() {
    await this.click('fb-shrink-report .back');
    await this.until(`return document.querySelector('.unsaved .drop')`, 'the question');
    await this.click('.unsaved .drop');
    await this.until(`return !document.querySelector('fb-shrink-report .done')`, 'choosing');
  }

  /** Waits for a promise in the page. @param {string} script @param {any[]} args */
  wait(script, ...args) {
    return this.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1];
       (async () => { ${script} })().then(done, (error) => done('failed: ' + error));`,
      ...args,
    );
  }

  /** Drops files, those of a folder by their paths. @param {{[name: string]: Uint8Array}} files */
  dropAll(files) {
    return this.run(
      `const dataTransfer = new DataTransfer();
       for (const [name, text] of arguments[0]) dataTransfer.items.add(
         new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { lastModified: 1 }));
       for (const type of ['dragenter', 'dragover', 'drop']) {
         document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true })); }`,
      texts(files),
    );
  }

  /**
   * Chooses files in the dialog, or a folder by its files' paths.
   * @param {{[path: string]: Uint8Array}} files
   * @param {'multiple' | 'webkitdirectory'} input
   */
  async pick(files, input) {
    await this.click('fb-file-strip .open');
    await this.until(`return document.querySelector('fb-open-box dialog[open]')`, 'the dialog');
    await this.run(
      `const transfer = new DataTransfer(); const places = new Map();
       for (const [path, text] of arguments[0]) {
         const name = path.slice(path.lastIndexOf('/') + 1);
         const file = new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { lastModified: 1 });
         // Only the browser itself says where in a folder a file lies.
         if (path !== name) Object.defineProperty(file, 'webkitRelativePath', { value: path });
         places.set(file, path); transfer.items.add(file);
       }
       const input = document.querySelector('fb-open-box input[' + arguments[1] + ']');
       if (arguments[1] === 'multiple') input.files = transfer.files;
       else Object.defineProperty(input, 'files', { value: [...places.keys()], configurable: true });
       input.dispatchEvent(new Event('change', { bubbles: true }));`,
      texts(files),
      input,
    );
  }

  /** Catches what would be downloaded: its name and its bytes. */
  catchSaves() {
    return this.run(`window.saved = []; let made = null; const { createObjectURL } = URL;
      URL.createObjectURL = (blob) => ((made = blob), createObjectURL.call(URL, blob));
      HTMLAnchorElement.prototype.click = function () { window.saved.push([this.download, made]); };`);
  }

  /** @param {number} at @returns {Promise<{name: string, bytes: Buffer}>} */
  async saved(at) {
    const [name, text] = await this.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1]; const [name, blob] = window.saved[arguments[0]];
       blob.arrayBuffer().then((buffer) => {
         let text = ''; for (const byte of new Uint8Array(buffer)) text += String.fromCharCode(byte); done([name, btoa(text)]); },
         (error) => done([String(error), '']));`,
      at,
    );
    return { name, bytes: Buffer.from(text, 'base64') };
  }

  /** @param {string} when */
  async audit(when) {
    await this.run(axeSource());
    const found = await this.driver.executeAsyncScript(
      `const done = arguments[arguments.length - 1];
       axe.run(document, { resultTypes: ['violations'] }).then((r) =>
         done(r.violations.map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | '))), (e) => done([String(e)]))`,
    );
    assert.deepEqual(found, [], when);
  }

  /**
   * The page in a frame of 360 pixels: after `prepare` nothing is wider.
   * @param {string} rest
   * @param {() => Promise<void>} prepare
   */
  async assertNarrow(rest, prepare) {
    await this.driver.get('about:blank');
    await this.driver.get(framed(this.browser.site, 360, 760, rest));
    await this.driver.switchTo().frame(0);
    try {
      await prepare();
      // What scrolls in a box of its own may be.
      const wide = await this
        .run(`return [document.documentElement.scrollWidth, ...[...document.querySelectorAll('main *')]
        .filter((e) => !e.closest('.scroll') && e.getBoundingClientRect().right > 361 && e.getBoundingClientRect().width > 2)
        .map((e) => e.outerHTML.slice(0, 120))]`);
      assert.ok(wide.length === 1 && wide[0] <= 360, wide.join('\n'));
    } finally {
      await this.driver.switchTo().defaultContent();
    }
  }
}
