/**
 * The page without a network. Each build has a cache of its own, filled before the build is used; a page gets all its files from the build that
 * it began with, so that old and new never mix. A newer build waits until no page of the old one is open, or takes over between two loads
 * of the only one.
 *
 * Large files that few readers ask for are kept once one has asked for them, whole, under the hash of their content: a newer build whose file is
 * the same goes on with it.
 *
 * The build writes its version and its files in the place of the constants.
 */

const VERSION = '__VERSION__';
/** @type {string[]} relative to this file */
const FILES = JSON.parse('__FILES__');
/** Kept when used: their SHA-256. @type {{[file: string]: string}} */
const LATER = JSON.parse('__LATER__');

const worker = /** @type {any} */ (self);
const scope = new URL('./', worker.location.href);
/** An origin may hold several of these pages, each in a folder of its own. */
const OURS = `fewerbits ${scope.pathname} `;
const NAME = `${OURS}${VERSION}`;
/** Of all builds; what the one in use does not name is deleted when it begins. */
const USED = `${OURS}used`;
const known = new Set(FILES.map((file) => new URL(file, scope).href));
/** Address → SHA-256. */
const later = new Map(Object.entries(LATER).map(([file, hash]) => [new URL(file, scope).href, hash]));
/** Where a file that is kept when used stands in its cache. @param {string} url */
const placeOf = (url) => `${url}?${later.get(url)}`;

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
  const old = (/** @type {string} */ name) => name.startsWith(OURS) && name !== NAME && name !== USED;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(forget)
      .then(() => worker.clients.claim()),
  );
});

/** Deletes files that only older builds used. */
async function forget() {
  if (!(await caches.has(USED))) return;
  const cache = await caches.open(USED);
  const wanted = new Set([...later.keys()].map(placeOf));
  for (const { url } of await cache.keys()) if (!wanted.has(url)) await cache.delete(url);
}

worker.addEventListener('message', (/** @type {any} */ event) => {
  if (event.data === 'take over') worker.skipWaiting();
  if (event.data === 'alone?') event.waitUntil(isAlone().then((alone) => event.ports[0].postMessage(alone)));
});

worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const url = new URL(request.url);
  if (url.origin !== scope.origin) return;
  url.hash = '';
  if (request.mode === 'navigate' && url.pathname === scope.pathname) event.respondWith(page());
  else if (known.has(url.href)) event.respondWith(kept(url.href, request.headers.get('range')));
  else if (later.has(url.href) && !request.headers.has('range')) event.respondWith(used(url.href, event));
});

/**
 * A file that is kept when used. It goes to the page as it comes, and is kept if it is the one of this build.
 * @param {string} url
 * @param {any} event
 */
async function used(url, event) {
  const cache = await caches.open(USED);
  const found = await cache.match(placeOf(url));
  if (found) return found;
  const answer = await fetch(url, { signal: event.request.signal });
  if (answer.status === 200) event.waitUntil(keep(cache, url, answer.clone()).catch(() => {}));
  return answer;
}

/** @param {Cache} cache @param {string} url @param {Response} answer */
async function keep(cache, url, answer) {
  const bytes = await answer.arrayBuffer();
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== later.get(url)) return;
  const headers = { 'Content-Type': 'application/octet-stream', 'Content-Length': String(bytes.byteLength) };
  await cache.put(placeOf(url), new Response(bytes, { headers }));
}

/**
 * Stands where the page will be, while a newer build takes over: only with no answer under way does a browser exchange the two workers, so it is
 * this document that asks for it, and loads the page once it is done. A load may get lost in the exchange: it is tried until it comes.
 */
const BETWEEN = `<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Fewerbits</title><script>
(async () => {
  const load = () => location.reload();
  setInterval(load, 2000);
  const { active, waiting } = (await navigator.serviceWorker.getRegistration()) ?? {};
  if (!waiting) return load();
  waiting.addEventListener('statechange', () => waiting.state === 'activated' && load());
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => (data ? waiting.postMessage('take over') : load());
  active.postMessage('alone?', [port2]);
})();
</script>`;
/** How often that document was sent without the newer build having taken over. */
let sent = 0;
/** Whether the next load is of this build, since another page of it is open. */
let stays = false;

/** The page itself. Where a newer build waits and this is the only page, that one takes over first, unless it never does. */
async function page() {
  if (worker.registration.waiting && !stays && sent < 10 && (await worker.clients.matchAll()).length < 2) {
    sent += 1;
    return new Response(BETWEEN, { headers: { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' } });
  }
  stays = false;
  return kept(new URL('index.html', scope).href);
}

/** Whether the document that asks is the only one: one that is still loading is not counted, so that only it can tell a reload from a second tab. */
async function isAlone() {
  const alone = (await worker.clients.matchAll()).length < 2;
  stays = !alone;
  return alone;
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
