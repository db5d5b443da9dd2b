/**
 * Where the browsers and their drivers are: the ones installed, or named by CHROMEDRIVER, CHROMIUM, GECKODRIVER,
 * FIREFOX, WEBKITDRIVER, MINIBROWSER. Nothing is downloaded. Run as a program it prints what it found as JSON
 * (`cargo xtask test` asks it so).
 */
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const BROWSERS = /** @type {const} */ (['chromium', 'firefox', 'webkit']);

const MAC = {
  chromium: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ],
  firefox: ['/Applications/Firefox.app/Contents/MacOS/firefox'],
};

/**
 * @param {string} name one of BROWSERS
 * @returns {{driver: string | null, binary: string | null}}
 */
export function look(name) {
  const env = process.env;
  const known = {
    chromium: {
      driver: [env.CHROMEDRIVER, 'chromedriver', under(env.CHROMEWEBDRIVER, 'chromedriver')],
      binary: [env.CHROMIUM, 'chromium', 'chromium-browser', 'google-chrome', ...MAC.chromium],
    },
    firefox: {
      driver: [env.GECKODRIVER, 'geckodriver', under(TOOLS, 'geckodriver'), under(env.GECKOWEBDRIVER, 'geckodriver')],
      binary: [env.FIREFOX, 'firefox-esr', 'firefox', ...MAC.firefox],
    },
    webkit: { driver: [env.WEBKITDRIVER, 'WebKitWebDriver'], binary: [env.MINIBROWSER, ...miniBrowsers()] },
  }[name];
  if (!known) throw new Error(`no browser called ${name}; known: ${BROWSERS.join(', ')}`);
  return { driver: firstProgram(known.driver), binary: firstProgram(known.binary) };
}

/** The same, or null where one of the two is missing. */
export function find(name) {
  const { driver, binary } = look(name);
  return driver && binary ? { driver, binary } : null;
}

/** Where `cargo xtask test` keeps the geckodriver that it built. */
const TOOLS = fileURLToPath(new URL('../../../target/tools/bin', import.meta.url));

const under = (dir, name) => (dir ? join(dir, name) : undefined);

/** Debian keeps it at /usr/lib/<triple>/webkit2gtk-4.1/MiniBrowser, Fedora under /usr/libexec. The newest comes first. */
function miniBrowsers() {
  const list = (dir) => {
    try {
      return readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    } catch {
      return [];
    }
  };
  const roots = ['/usr/lib', '/usr/libexec', '/usr/lib64'].filter(existsSync);
  const dirs = roots.flatMap((root) => [root, ...list(root).map((entry) => join(root, entry.name))]);
  const homes = dirs.flatMap((dir) =>
    list(dir)
      .filter((entry) => /^webkit2?gtk-\d/.test(entry.name))
      .map((entry) => join(dir, entry.name)),
  );
  return homes
    .map((home) => join(home, 'MiniBrowser'))
    .sort()
    .reverse();
}

/** The first of the names that is a program: a path, or looked for on PATH. */
export function firstProgram(names) {
  for (const name of names) {
    if (!name) continue;
    const places = name.includes('/')
      ? [name]
      : (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, name));
    for (const place of places) {
      try {
        accessSync(place, constants.X_OK);
        return place;
      } catch {
        // not here
      }
    }
  }
  return null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(Object.fromEntries(BROWSERS.map((name) => [name, look(name)]))));
}
