import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

/**
 * While developing, Vite puts style sheets into the page as `<style>` elements and talks to it over a web socket: the
 * page's strict policy is widened by exactly these two, in the served copy only. The built page keeps it as written.
 */
function policyForDevelopment() {
  return {
    name: 'fewerbits-policy-for-development',
    apply: 'serve',
    /** @param {string} html */
    transformIndexHtml(html) {
      return html.replace(/(<meta[^>]*Content-Security-Policy[^>]*content=")([^"]*)"/is, (_, head, policy) => {
        const wider = policy
          .replace(/style-src ([^;]*)/, "style-src 'unsafe-inline' $1")
          .replace(/connect-src ([^;]*)/, 'connect-src ws: $1');
        return `${head}${wider}"`;
      });
    },
  };
}

/** Says where the page is, in one line that is easy to find. */
function announce() {
  return {
    name: 'fewerbits-announce',
    apply: 'serve',
    /** @param {import('vite').ViteDevServer} server */
    configureServer(server) {
      server.httpServer?.once('listening', () => {
        const address = server.httpServer?.address();
        const port = typeof address === 'object' && address ? address.port : server.config.server.port;
        console.log(`\n  Fewerbits is at  http://localhost:${port}/   (Ctrl-C ends it)\n`);
      });
    },
  };
}

/** Files of onnxruntime-web, which the page loads from `ort/` when it is asked to run models. */
const RUNTIME = ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'];

/** Puts the runtime beside the page, as it is. */
function runtimeBeside() {
  const from = (/** @type {string} */ name) =>
    fileURLToPath(new URL(`node_modules/onnxruntime-web/dist/${name}`, import.meta.url));
  return {
    name: 'fewerbits-runtime',
    /** @param {import('vite').ViteDevServer} server */
    configureServer(server) {
      server.middlewares.use('/ort', (request, response, next) => {
        const name = RUNTIME.find((file) => request.url?.split('?')[0] === `/${file}`);
        if (!name) return next();
        response.setHeader('Content-Type', name.endsWith('.wasm') ? 'application/wasm' : 'text/javascript');
        createReadStream(from(name)).pipe(response);
      });
    },
    async closeBundle() {
      // While developing there is nothing to be put anywhere.
      if (process.argv.includes('build')) await putRuntime();
    },
  };
  async function putRuntime() {
    const to = fileURLToPath(new URL('../dist/ort/', import.meta.url));
    await mkdir(to, { recursive: true });
    await Promise.all(RUNTIME.map((name) => cp(from(name), join(to, name))));
  }
}

/** Writes the service worker: which files this build has, and a version that changes with any of them. */
function keptForLater() {
  return {
    name: 'fewerbits-offline',
    apply: 'build',
    async closeBundle() {
      const out = fileURLToPath(new URL('../dist/', import.meta.url));
      const entries = await readdir(out, { withFileTypes: true, recursive: true });
      const files = entries
        .filter((entry) => entry.isFile() && entry.name !== 'sw.js')
        .map((entry) => relative(out, join(entry.parentPath, entry.name)).split(sep).join('/'))
        // The language model is large, and no page shows it yet.
        .filter((file) => !file.startsWith('models/rust-docs'))
        // A runtime is large, and fetched when somebody runs models.
        .filter((file) => !file.startsWith('ort/'))
        .sort();
      const template = await readFile(new URL('./offline/sw.js', import.meta.url), 'utf8');
      const hash = createHash('sha256').update(template);
      for (const file of files) hash.update(file).update(await readFile(join(out, file)));
      const written = template
        .replace('__VERSION__', hash.digest('hex').slice(0, 16))
        .replace('__FILES__', JSON.stringify(files));
      await writeFile(join(out, 'sw.js'), written);
    },
  };
}

/**
 * Whether a module is there from the beginning: the page's entry, or what that imports without waiting.
 * @param {string} id
 * @param {any} context
 * @param {Set<string>} [seen]
 * @returns {boolean}
 */
function isFirst(id, context, seen = new Set()) {
  if (seen.has(id)) return false;
  seen.add(id);
  const info = context.getModuleInfo(id);
  return info?.isEntry || info?.importers.some((/** @type {string} */ by) => isFirst(by, context, seen)) || false;
}

/**
 * What a first visit needs is one file, though parts of it are used by what comes later too: split into many small ones it
 * would be 2 KB more, gzipped.
 */
const FIRST = {
  debugName: 'first',
  priority: 2,
  name: (/** @type {string} */ id, /** @type {any} */ context) =>
    /\.m?js$/.test(id) && isFirst(id, context) ? 'page' : null,
};

/** What a room that works on a file begins with is one file for the same reason. */
const ROOMS = {
  debugName: 'rooms',
  test: /\/www\/(views\/(explore-room|file-strip|fatal|tensor-list|explore|controls|measures|exports)|session|navigate|text\/(describe|tell)|figures\/(error-histogram|spark))\.js$|lit-html\/(directives\/live|directive|directive-helpers)\.js$/,
  name: 'rooms',
};

/** What every figure shares, in the lesson too, which needs nothing else of the rooms. */
const FIGURE = { debugName: 'figure', priority: 1, test: /\/www\/figures\/(figure|scale)\.js$/, name: 'figure' };

/**
 * What a worker begins with, but for its entry, is a file of its own: WebKit runs an entry again, as another module, when a file that is fetched
 * later imports from it.
 */
export const ENGINE = {
  debugName: 'engine',
  name: (/** @type {string} */ id, /** @type {any} */ context) =>
    /\.m?js$/.test(id) && !context.getModuleInfo(id)?.isEntry && isFirst(id, context) ? 'engine' : null,
};

export default defineConfig({
  base: './',
  logLevel: 'warn',
  clearScreen: false,
  plugins: [policyForDevelopment(), announce(), runtimeBeside(), keptForLater()],
  server: { port: 5170, strictPort: false },
  worker: { format: 'es', rolldownOptions: { output: { codeSplitting: { groups: [ENGINE] } } } },
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    // Nothing is written into the page as data: or inline: the policy in its head allows neither.
    assetsInlineLimit: 0,
    // Firefox calls a module that it is just evaluating one that cannot be loaded, when it is asked for ahead once more.
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: { output: { codeSplitting: { groups: [FIRST, FIGURE, ROOMS] } } },
  },
});
