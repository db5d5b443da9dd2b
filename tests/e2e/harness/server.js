/**
 * A static file server for the tests: serves a directory under a sub-path, as a static host does, and can misbehave
 * on purpose. It answers Range requests, gives .wasm its type and sends no special headers.
 */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.wasm': 'application/wasm',
  '.md': 'text/markdown; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};

/** What a page reports to the tests before anything of its own runs: errors, refused requests. */
const PROBE = `(() => {
  const seen = { errors: [], violations: [] };
  Object.defineProperty(window, '__seen', { value: seen });
  const say = (value) => (value && value.stack ? String(value.message) + '\\n' + value.stack : String(value));
  addEventListener('error', (event) => {
    if (event instanceof ErrorEvent) seen.errors.push(say(event.error ?? event.message));
    else if (event.target && event.target !== window) seen.errors.push('cannot load ' + (event.target.src || event.target.href));
  }, true);
  addEventListener('unhandledrejection', (event) => seen.errors.push('unhandled: ' + say(event.reason)));
  addEventListener('securitypolicyviolation', (event) =>
    seen.violations.push(event.effectiveDirective + ' refused ' + (event.blockedURI || 'inline') + ' in ' + event.sourceFile + ':' + event.lineNumber));
  const { error } = console;
  console.error = (...values) => { seen.errors.push(values.map(say).join(' ')); error.apply(console, values); };
})();`;
const PROBE_NAME = '__probe__.js';
const FRAME_NAME = '__frame__.html';

/**
 * The address of a page that shows `page` (relative to the served directory) in a frame of that size. Firefox and WebKit
 * have no windows of 360 pixels; go there and `driver.switchTo().frame(0)`.
 * @param {Server} site
 * @param {number} width
 * @param {number} height
 * @param {string} [page] such as '#/explore'
 */
export const framed = (site, width, height, page = '') =>
  `${site.url}${FRAME_NAME}?${new URLSearchParams({ width: String(width), height: String(height), page: `./${page}` })}`;

/**
 * @typedef {object} ServeOptions
 * @property {boolean} [range] answer Range requests (default true); false: always the whole file, status 200
 * @property {boolean} [length] send Content-Length (default true); false: chunked
 * @property {number} [bytesPerSecond] slow every body down to this
 * @property {number} [delay] milliseconds before each answer begins
 * @property {boolean} [cors] allow other origins (default false)
 * @property {boolean} [probe] put the tests' probe into HTML pages (default true), see `browsers.js`
 * @property {Record<string, string>} [headers] sent with every file
 * @property {RegExp} [refuse] answer 404 to paths that match
 * @property {{path: RegExp, script: string}} [before] put this before scripts whose paths match
 * @property {boolean} [offline] let the page keep itself for use without a network (default false: tests see what is asked for)
 * @property {number} [failAfter] break the connection after this many bytes of a body
 *
 * @typedef {object} Server
 * @property {string} url where the directory is, ending in '/'
 * @property {string} origin
 * @property {ServeOptions} options may be changed while it runs
 * @property {{method: string, path: string, range?: string, status: number}[]} requests what was asked, in order
 * @property {() => Promise<void>} close
 */

/**
 * Serves `dir` at `http://127.0.0.1:<port><subPath>`; everything outside the sub-path is 404.
 * @param {string} dir
 * @param {string} [subPath] for example '/some/where/'
 * @param {ServeOptions} [options]
 * @returns {Promise<Server>}
 */
export async function serve(dir, subPath = '/', options = {}) {
  const base = `/${subPath}/`.replace(/\/+/g, '/');
  /** @type {Server['requests']} */
  const requests = [];
  const live = { ...options };
  const server = createServer((request, response) => {
    answer(dir, base, live, request, response, requests).catch((error) => {
      response.destroy(error);
    });
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => resolve(undefined));
  });
  const origin = `http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (server.address()).port}`;
  return {
    url: origin + base,
    origin,
    options: live,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers one request. */
async function answer(dir, base, options, request, response, requests) {
  const address = new URL(request.url ?? '/', 'http://x');
  const path = decodeURIComponent(address.pathname);
  const entry = { method: request.method ?? 'GET', path, range: request.headers.range, status: 0 };
  requests.push(entry);
  const end = (status, text) => {
    entry.status = status;
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(text);
  };
  if (options.delay) await sleep(options.delay);
  if (options.refuse?.test(path)) return end(404, 'refused');
  if (!options.offline && path === `${base}sw.js`) return end(404, 'not for this test');
  if (!path.startsWith(base)) return end(404, 'outside the sub-path');
  if (path === base + PROBE_NAME) return send(response, entry, Buffer.from(PROBE), TYPES['.js']);
  if (path === base + FRAME_NAME)
    return send(response, entry, Buffer.from(frame(address.searchParams)), TYPES['.html']);

  let file = normalize(join(dir, path.slice(base.length)));
  if (file !== normalize(dir) && !file.startsWith(normalize(dir + sep))) return end(404, 'outside the directory');
  let meta = await stat(file).catch(() => null);
  if (meta?.isDirectory()) {
    file = join(file, 'index.html');
    meta = await stat(file).catch(() => null);
  }
  if (!meta?.isFile()) return end(404, 'no such file');

  const type = TYPES[extname(file).toLowerCase()] ?? 'application/octet-stream';
  if (type.startsWith('text/html') && options.probe !== false) {
    const html = (await readFile(file, 'utf8')).replace(
      /<head[^>]*>/i,
      `$&<script src="${base}${PROBE_NAME}"></script>`,
    );
    return send(response, entry, Buffer.from(html), type, options.headers);
  }

  if (options.before?.path.test(path)) {
    const text = `${options.before.script}\n${await readFile(file, 'utf8')}`;
    return send(response, entry, Buffer.from(text), type, options.headers);
  }

  const headers = { 'Content-Type': type, 'Cache-Control': 'no-cache', ...options.headers };
  if (options.cors) {
    headers['Access-Control-Allow-Origin'] = '*';
    headers['Access-Control-Allow-Headers'] = '*';
    headers['Access-Control-Expose-Headers'] = 'Content-Range, Content-Length, Accept-Ranges';
  }
  if (request.method === 'OPTIONS') {
    entry.status = 204;
    response.writeHead(204, headers).end();
    return;
  }
  if (options.range !== false) headers['Accept-Ranges'] = 'bytes';
  const part = options.range === false ? null : parseRange(request.headers.range, meta.size);
  if (part === 'unsatisfiable') {
    entry.status = 416;
    response.writeHead(416, { ...headers, 'Content-Range': `bytes */${meta.size}` }).end();
    return;
  }
  const [first, last] = part ?? [0, meta.size - 1];
  entry.status = part ? 206 : 200;
  if (part) headers['Content-Range'] = `bytes ${first}-${last}/${meta.size}`;
  if (options.length !== false) headers['Content-Length'] = last - first + 1;
  response.writeHead(entry.status, headers);
  if (request.method === 'HEAD' || last < first) {
    response.end();
    return;
  }
  await stream(file, first, last, options, response);
}

/** `bytes=a-b`, `bytes=a-` or `bytes=-n` → [first, last]; null where there is no such header (or several ranges). */
function parseRange(header, size) {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const first = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  return first > last || first >= size ? 'unsatisfiable' : [first, last];
}

/** Sends bytes first…last of a file, as slowly and as brokenly as the options ask. */
async function stream(file, first, last, options, response) {
  let sent = 0;
  for await (const chunk of createReadStream(file, { start: first, end: last })) {
    let rest = chunk;
    while (rest.length > 0) {
      if (response.destroyed) return;
      const most = options.bytesPerSecond ? Math.max(1, Math.ceil(options.bytesPerSecond / 20)) : rest.length;
      const piece = rest.subarray(0, most);
      rest = rest.subarray(piece.length);
      if (options.failAfter !== undefined && sent + piece.length > options.failAfter) {
        response.destroy();
        return;
      }
      sent += piece.length;
      if (!response.write(piece)) await drained(response);
      if (options.bytesPerSecond) await sleep(50);
    }
  }
  response.end();
}

function frame(wanted) {
  const quoted = (name) => (wanted.get(name) ?? '').replace(/[&"<>]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<!doctype html><meta charset="utf-8"><title>framed</title><body style="margin:0"><iframe title="page"
    style="border:0;width:${quoted('width')}px;height:${quoted('height')}px" src="${quoted('page')}"></iframe>`;
}

function send(response, entry, bytes, type, more = {}) {
  entry.status = 200;
  const headers = { 'Content-Type': type, 'Content-Length': bytes.length, 'Cache-Control': 'no-cache', ...more };
  response.writeHead(200, headers).end(bytes);
}

/** Until the response takes more, or nobody wants it any more; no listener stays behind. */
const drained = (response) =>
  new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve(undefined);
    };
    response.on('drain', done).on('close', done);
  });
const sleep = (ms) => new Promise((resolve) => void setTimeout(resolve, ms));
