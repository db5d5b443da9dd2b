import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { forEachBrowser } from './harness/index.js';
import { ExplorePage } from './explore-page.js';

const sample = await readFile(new URL('../../www/public/models/digits.safetensors', import.meta.url));
const names = Object.keys(JSON.parse(sample.subarray(8, 8 + Number(sample.readBigUInt64LE(0))).toString()));
const SHARD = 'model-00001-of-00001.safetensors';
const index = Buffer.from(
  JSON.stringify({
    weight_map: Object.fromEntries(names.filter((name) => name !== '__metadata__').map((name) => [name, SHARD])),
  }),
);
/** @type {Record<string, Buffer>} */
const files = {
  '/me/whole/resolve/main/model.safetensors': sample,
  '/me/shards/resolve/main/model.safetensors.index.json': index,
  [`/me/shards/resolve/main/${SHARD}`]: sample,
};

/** What a server of models lets other pages do. */
const OPEN = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'Content-Range, ETag' };

/** A hub: the files lie on another server. */
const hub = createServer((request, response) => {
  const path = String(request.url);
  if (path.startsWith('/closed/')) return response.writeHead(200).end(sample);
  if (request.method === 'OPTIONS') return preflight(response);
  if (path.startsWith('/me/gated/')) return response.writeHead(401, OPEN).end();
  if (!files[path]) return response.writeHead(404, OPEN).end();
  response.writeHead(302, { ...OPEN, location: `${at(store)}${path}` }).end();
});
/** @type {{path: string, range: string | undefined}[]} */
const asked = [];
const store = createServer((request, response) => {
  if (request.method === 'OPTIONS') return preflight(response);
  const file = files[String(request.url)];
  const { range } = request.headers;
  asked.push({ path: String(request.url), range });
  const wanted = /^bytes=(\d+)-(\d+)$/.exec(range ?? '');
  if (!wanted) return response.writeHead(200, { ...OPEN, 'content-length': file.length }).end(file);
  const [start, end] = [Number(wanted[1]), Math.min(Number(wanted[2]) + 1, file.length)];
  response.writeHead(206, { ...OPEN, 'content-range': `bytes ${start}-${end - 1}/${file.length}` });
  response.end(file.subarray(start, end));
});

/** @param {import('node:http').ServerResponse} response */
const preflight = (response) => response.writeHead(204, { ...OPEN, 'access-control-allow-headers': 'Range' }).end();
/** @param {import('node:http').Server} server */
const at = (server) => `http://localhost:${/** @type {any} */ (server.address()).port}`;

before(async () => {
  for (const server of [hub, store]) {
    server.listen(0, 'localhost');
    await once(server, 'listening');
  }
});
after(() => {
  for (const server of [hub, store]) {
    server.close();
    server.closeAllConnections();
  }
});

forEachBrowser((browser) => {
  const page = new ExplorePage(browser);

  /** @param {string} path */
  async function ask(path) {
    await page.click('.strip .open');
    await page.set('#open-url', `${at(hub)}${path}`);
    await page.click('fb-open-box form button');
  }

  describe('addresses of a hub', () => {
    test('a file that lies on another server is read there by ranges, and so are shards by their index', async () => {
      await page.open();
      for (const path of Object.keys(files).slice(0, 2)) {
        asked.length = 0;
        await ask(path);
        const name = path.slice(path.lastIndexOf('/') + 1);
        await page.until(
          `return location.hash.includes(encodeURIComponent(arguments[0]).slice(-20)) || location.hash.includes(arguments[0])`,
          'the address',
          name,
        );
        await page.settled();
        assert.equal(await page.text('.problem'), null);
        const weights = asked.filter((one) => one.path.endsWith('.safetensors'));
        assert.ok(weights.length > 0, path);
        assert.ok(
          weights.every(({ range }) => /^bytes=\d+-\d+$/.test(range ?? '')),
          JSON.stringify(weights),
        );
      }
      await page.assertQuiet();
    });

    test('a gated model, one that is not there, and a server that lets no page read it are told apart; what was open stays', async () => {
      await page.open();
      const open = await page.text('.strip .name');
      for (const [path, words] of [
        ['/me/gated/resolve/main/model.safetensors', /without signing in/],
        ['/me/nothing/resolve/main/model.safetensors', /no file at this address/],
        ['/closed/model.safetensors', /must allow other pages to read it \(CORS\)/],
      ]) {
        await ask(String(path));
        await page.until(
          `return document.querySelector('.problem')?.textContent.includes(arguments[0])`,
          `a word on ${path}`,
          String(path),
        );
        assert.match(String(await page.text('.problem')), /** @type {RegExp} */ (words));
        assert.equal(await page.text('.strip .name'), open);
      }
    });
  });
});
