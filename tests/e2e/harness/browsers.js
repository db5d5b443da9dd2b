/**
 * The three engines behind one face: Chromium, Firefox and WebKitGTK (its MiniBrowser), each through its own WebDriver.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { find, firstProgram } from './find.js';

// npm packages live in www/: a file outside it asks from there.
const require = createRequire(new URL('../../../www/package.json', import.meta.url));
const selenium = require('selenium-webdriver');

export const { Builder, By, Key, until, Capabilities, Origin } = selenium;

/** The text of axe-core, to be run in a page with `driver.executeScript`. */
export const axeSource = () => require('axe-core').source;

/**
 * @typedef {object} Browser
 * @property {'chromium' | 'firefox' | 'webkit'} name
 * @property {import('selenium-webdriver').WebDriver} driver
 * @property {() => Promise<string[]>} errors what the page in front reported as errors since it was loaded
 * @property {() => Promise<string[]>} violations what its Content-Security-Policy refused since it was loaded
 * @property {() => Promise<void>} close
 */

/**
 * Starts a browser with an empty profile. Close it in `finally` or in an `after` hook.
 * @param {'chromium' | 'firefox' | 'webkit'} name
 * @param {{width?: number, height?: number, downloads?: string}} [options] window size (1280 × 900), where downloads go
 * @returns {Promise<Browser>}
 */
export async function launch(name, options = {}) {
  const found = find(name);
  if (!found) throw new Error(`${name} and its driver are not installed`);
  const profile = mkdtempSync(join(tmpdir(), `fewerbits-${name}-`));
  const screen = name === 'webkit' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY ? await startScreen() : null;
  const environment = {
    ...process.env,
    ...(screen ? { DISPLAY: screen.display } : {}),
    LC_ALL: 'C.UTF-8',
    LANG: 'C.UTF-8',
  };
  // WebKitGTK keeps its data by XDG directories: an empty profile is an empty home.
  if (name === 'webkit') {
    for (const kind of ['CONFIG', 'DATA', 'CACHE', 'STATE'])
      environment[`XDG_${kind}_HOME`] = join(profile, kind.toLowerCase());
    if (options.downloads) environment.XDG_DOWNLOAD_DIR = options.downloads;
  }
  const port = await freePort();
  const args = [`--port=${port}`];
  if (name === 'firefox') args.push('--websocket-port=0', '--log=fatal');
  const process_ = spawn(found.driver, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  process_.stderr.on('data', (text) => (said = (said + text).slice(-4000)));

  let driver;
  const close = async () => {
    await within(driver?.quit(), 15_000).catch(() => {});
    process_.kill('SIGTERM');
    if (
      !(await within(exited(process_), 5_000).then(
        () => true,
        () => false,
      ))
    )
      process_.kill('SIGKILL');
    screen?.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  };
  try {
    await answering(port, process_);
    driver = await within(
      new Builder()
        .usingServer(`http://127.0.0.1:${port}`)
        .withCapabilities(capabilities(name, found.binary, profile, options))
        .build(),
      120_000,
    );
    await driver.manage().setTimeouts({ script: 120_000, pageLoad: 120_000 });
    await driver
      .manage()
      .window()
      .setRect({ width: options.width ?? 1280, height: options.height ?? 900, x: 0, y: 0 });
  } catch (error) {
    await close();
    throw new Error(`${name} did not start: ${error.message}\n${said}`, { cause: error });
  }
  const seen = async (what) =>
    (await driver.executeScript(`return window.__seen ? [...window.__seen.${what}] : [];`)) ?? [];
  return { name, driver, errors: () => seen('errors'), violations: () => seen('violations'), close };
}

function capabilities(name, binary, profile, { downloads }) {
  const wanted = new Capabilities();
  if (name === 'chromium') {
    const prefs = downloads ? { 'download.default_directory': downloads, 'download.prompt_for_download': false } : {};
    wanted.setBrowserName('chrome');
    wanted.set('goog:loggingPrefs', { browser: 'ALL' });
    wanted.set('goog:chromeOptions', {
      binary,
      prefs,
      args: [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--lang=en-US',
        '--force-color-profile=srgb',
        `--user-data-dir=${profile}`,
      ],
    });
  } else if (name === 'firefox') {
    const prefs = {
      'intl.accept_languages': 'en-US',
      'app.update.auto': false,
      'datareporting.policy.dataSubmissionEnabled': false,
      'network.captive-portal-service.enabled': false,
      'network.connectivity-service.enabled': false,
      ...(downloads ? { 'browser.download.folderList': 2, 'browser.download.dir': downloads } : {}),
    };
    wanted.setBrowserName('firefox');
    wanted.set('moz:firefoxOptions', { binary, args: ['-headless'], prefs });
  } else {
    wanted.setBrowserName('MiniBrowser');
    wanted.set('webkitgtk:browserOptions', { binary, args: ['--automation'] });
  }
  return wanted;
}

/** An X server without a screen, for WebKitGTK, which has no headless mode. */
async function startScreen() {
  const xvfb = firstProgram(['Xvfb']);
  if (!xvfb) throw new Error('webkit needs a display: install xvfb');
  const server = spawn(xvfb, ['-displayfd', '1', '-screen', '0', '1600x1200x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const display = await within(
    new Promise((resolve, reject) => {
      let text = '';
      server.stdout.on('data', (chunk) => {
        text += chunk;
        if (text.includes('\n')) resolve(`:${text.trim()}`);
      });
      server.once('exit', (code) => reject(new Error(`Xvfb ended (${code})`)));
      server.once('error', reject);
    }),
    20_000,
  );
  return { display, close: () => server.kill('SIGTERM') };
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
      probe.close(() => resolve(port));
    });
  });

/** Waits until the driver answers. */
async function answering(port, driver) {
  const until_ = Date.now() + 30_000;
  while (Date.now() < until_) {
    if (driver.exitCode !== null) throw new Error(`the driver ended (${driver.exitCode})`);
    const status = await fetch(`http://127.0.0.1:${port}/status`).catch(() => null);
    if (status?.ok) return;
    await new Promise((resolve) => void setTimeout(resolve, 100));
  }
  throw new Error('the driver does not answer');
}

const exited = (child) =>
  child.exitCode === null && child.signalCode === null
    ? new Promise((resolve) => void child.once('exit', resolve))
    : Promise.resolve();

/** A guard against hanging, generous: it fails, it does not measure. */
function within(promise, ms) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms / 1000} s`)), ms);
  });
  return Promise.race([Promise.resolve(promise), late]).finally(() => clearTimeout(timer));
}
