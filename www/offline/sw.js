/**
 * The page without a network. Each build has a cache of its own, filled before the build is used; a page gets all its files from the build that
 * it began with, so that old and new never mix. A newer build waits until no page of the old one is open, or takes over between two loads
 * of the only one.
 *
 * The build writes its version and its files in the place of the two constants.
 */

const VERSION = '__VERSION__';
/** @type {string[]} relative to this file */
const FILES = JSON.parse('__FILES__');

const worker = /** @type {any} */ (self);
const NAME = `fewerbits-${VERSION}`;
const scope = new URL('./', worker.location.href);
const known = new Set(FILES.map((file) => new URL(file, scope).href));

worker.addEventListener('install', (/** @type {any} */ event) => {
  event.waitUntil(
    caches.open(NAME).then((cache) =>
      // A file named by its content may come from the browser's own cache; the others must be those of this build.
      cache.addAll(
        FILES.map(
          (file) => new Request(new URL(file, scope), { cache: file.startsWith('assets/') ? 'default' : 'reload' }),
        ),
      ),
    ),
  );
});

worker.addEventListener('activate', (/** @type {any} */ event) => {
  const old = (/** @type {string} */ name) => name.startsWith('fewerbits-') && name !== NAME;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => worker.clients.claim()),
  );
});

worker.addEventListener('message', (/** @type {any} */ event) => {
  if (event.data === 'take over') worker.skipWaiting();
});

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const url = new URL(request.url);
  if (url.origin !== scope.origin) return;
  url.hash = '';
  if (request.mode === 'navigate' && url.pathname === scope.pathname) event.respondWith(page());
  else if (known.has(url.href)) event.respondWith(kept(url.href, request.headers.get('range')));
});

/** The page itself. Where a newer build waits and this is the only page, that one takes over first. */
async function page() {
  const { waiting } = worker.registration;
  if (waiting && (await worker.clients.matchAll()).length < 2) {
    waiting.postMessage('take over');
    return new Response('', { headers: { Refresh: '0', 'Content-Type': 'text/html' } });
  }
  return kept(new URL('index.html', scope).href);
}

/**
 * A file of this build, or the bytes of it that are asked for.
 * @param {string} url
 * @param {string | null} [range]
 */
async function kept(url, range = null) {
  const cache = await caches.open(NAME);
  const whole = await cache.match(url);
  if (!whole) return fetch(url, range === null ? {} : { headers: { Range: range } });
  const wanted = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (!wanted) return whole;
  const bytes = await whole.blob();
  const [from, to] = [Number(wanted[1]), Math.min(bytes.size - 1, Number(wanted[2] || Infinity))];
  if (from > to) return new Response('', { status: 416, headers: { 'Content-Range': `bytes */${bytes.size}` } });
  const headers = { 'Content-Range': `bytes ${from}-${to}/${bytes.size}`, 'Content-Length': String(to - from + 1) };
  return new Response(bytes.slice(from, to + 1), { status: 206, headers });
}
