/**
 * Where bytes come from: memory, a Blob or File, a URL, a path in Node. Each becomes a {@link Source}, which is read
 * range by range. This is the only module of the package that sends requests; each one is counted in {@link requests}.
 */
import { FewerbitsError, abortable, throwIfAborted } from './errors.js';
import { isNode } from './node.js';

/**
 * One file of bytes.
 * @typedef {object} Source
 * @property {string} name the file's name, for people
 * @property {number} size bytes
 * @property {(start: number, end: number, options?: {signal?: AbortSignal, room?: ArrayBuffer}) => Promise<Uint8Array<ArrayBuffer>>} read
 *   bytes `start … end`, all of them or an error; they may lie in `room`, where it is large enough
 * @property {() => Promise<void>} close
 * @property {(name: string, options?: OpenOptions) => Promise<Source>} [sibling] opens a file that lies beside this one
 * @property {boolean} [isRemote] every read is a request
 * @property {string} [folder] name of the folder that was opened, where one was
 *
 * @typedef {object} OpenOptions
 * @property {AbortSignal} [signal]
 * @property {(progress: {loaded: number, total?: number}) => void} [onProgress] bytes of a full download
 * @property {string} [hub] the hub that `hf:` names, such as a mirror; https://huggingface.co by default
 * @property {boolean} [whole] an address is fetched in one request and kept, though its server may answer ranges
 *
 * @typedef {object} Request
 * @property {string} url
 * @property {string} method
 * @property {string} [range] the `Range` header sent
 * @property {number} [status] of the answer, once there is one
 * @property {number} bytes received so far
 */

/**
 * Every request that this package has sent: how many, how many bytes came, and the latest thousand.
 * @type {{count: number, bytes: number, list: Request[]}}
 */
export const requests = { count: 0, bytes: 0, list: [] };

const REQUESTS_KEPT = 1000;

/** What the first request of a URL asks for: the range that the readers of headers ask for first. */
const PROBE_BYTES = 65_536;

/** A full download is handed to the browser in Blobs of this size, which it may keep on disk. */
const BLOB_BYTES = 8 << 20;

/**
 * Bytes in memory; they are not copied, so they must stay as they are.
 * @param {ArrayBufferLike | ArrayBufferView} data
 * @param {string} [name]
 * @returns {Source}
 */
export function bytesSource(data, name = 'memory') {
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
  const size = bytes.length;
  return {
    name,
    size,
    async read(start, end, { signal } = {}) {
      throwIfAborted(signal);
      checkRange(name, size, start, end);
      return bytes.slice(start, end);
    },
    async close() {},
  };
}

/**
 * A Blob or a File, read by slices.
 * @param {Blob} blob
 * @param {string} [name]
 * @returns {Source}
 */
export function blobSource(blob, name = 'name' in blob ? String(blob.name) : 'blob') {
  const { size } = blob;
  /** Fetched when the first job reads. @type {Promise<ReturnType<typeof import('./onward.js').onward>> | null} */
  let stream = null;
  return {
    name,
    size,
    async read(start, end, { signal, room } = {}) {
      throwIfAborted(signal);
      checkRange(name, size, start, end);
      let bytes;
      try {
        if (room !== undefined && end > start && end - start <= room.byteLength) {
          stream ??= import('./onward.js').then(({ onward }) => onward(blob));
          bytes = await (await stream).read(start, end, room, signal);
        }
        bytes ??= new Uint8Array(await abortable(blob.slice(start, end).arrayBuffer(), signal));
      } catch (cause) {
        if (cause instanceof FewerbitsError) throw cause;
        const message = 'the file could not be read: it may have changed or gone since it was opened';
        throw new FewerbitsError('unreadable', message, { file: name, offset: start, found: reason(cause), cause });
      }
      return whole(bytes, start, end, name);
    },
    close: async () => (await stream)?.drop(),
  };
}

/**
 * A file on a server, read by one Range request at a time. A server that does not answer ranges sends the whole file
 * once, and it is kept as a Blob.
 * @param {string | URL} address
 * @param {OpenOptions} [options]
 * @returns {Promise<Source>}
 */
export async function urlSource(address, { signal, onProgress, whole: all = false } = {}) {
  const url = absolute(address);
  const name = fileName(url);
  const sibling = (/** @type {string} */ other, /** @type {OpenOptions | undefined} */ options) =>
    urlSource(new URL(other.split('/').map(encodeURIComponent).join('/'), url), options);

  const first = all ? await send(url, { signal }) : await probe(url, signal);
  if (first.status === 200) return { ...blobSource(await download(first, onProgress, signal), name), sibling };
  if (first.status === 416) return { ...bytesSource(new Uint8Array(0), name), sibling };
  const size = first.total ?? (await sizeByHead(url, signal));
  if (size === undefined) {
    await first.drop();
    const again = await send(url, { signal });
    return { ...blobSource(await download(again, onProgress, signal), name), sibling };
  }
  const head = await first.exactly(Math.min(PROBE_BYTES, size), signal);
  return {
    name,
    size,
    isRemote: true,
    async read(start, end, { signal: stop } = {}) {
      throwIfAborted(stop);
      checkRange(name, size, start, end);
      if (end <= head.length) return head.slice(start, end);
      const answer = await send(url, { range: [start, end], signal: stop });
      await expectRange(answer, start, size, first.etag);
      return answer.exactly(end - start, stop);
    },
    async close() {},
    sibling,
  };
}

/**
 * The first request: a range, so that the header of a large model costs one small answer. A server that refuses the
 * `Range` header itself (a cross-origin preflight may) is asked once more without it.
 * @param {URL} url
 * @param {AbortSignal} [signal]
 */
async function probe(url, signal) {
  const range = /** @type {[number, number]} */ ([0, PROBE_BYTES]);
  try {
    const answer = await send(url, { range, signal, empty: true });
    if (answer.status === 206) await expectRange(answer, 0);
    return answer;
  } catch (error) {
    if (error instanceof FewerbitsError && error.cause instanceof TypeError && !isNode) return send(url, { signal });
    throw error;
  }
}

/**
 * An answer to a request, whose body is counted as it comes.
 * @typedef {object} Answer
 * @property {number} status
 * @property {number} [start] first byte, by Content-Range
 * @property {number} [total] size of the file, by Content-Range
 * @property {number} [length] bytes of the body, by Content-Length
 * @property {string | null} etag
 * @property {(signal?: AbortSignal) => AsyncGenerator<Uint8Array<ArrayBuffer>>} body
 * @property {(n: number, signal?: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>} exactly the body, which must be `n` bytes
 * @property {() => Promise<void>} drop ends the answer unread
 * @property {(message: string, facts: import('./errors.js').Facts) => Promise<FewerbitsError>} refuse drops it and says why
 */

/**
 * Sends one request and refuses every answer that cannot hold the file.
 * @param {URL} url
 * @param {{range?: [number, number], method?: string, signal?: AbortSignal, empty?: boolean}} options
 *   `empty`: 416 for a file of no bytes is an answer too
 * @returns {Promise<Answer>}
 */
async function send(url, { range, method = 'GET', signal, empty = false }) {
  throwIfAborted(signal);
  /** @type {Request} */
  const entry = { url: url.href, method, bytes: 0 };
  /** @type {Record<string, string>} */
  const headers = {};
  if (range) headers.Range = entry.range = `bytes=${range[0]}-${range[1] - 1}`;
  requests.count += 1;
  requests.list.push(entry);
  if (requests.list.length > REQUESTS_KEPT) requests.list.shift();

  const failure = (/** @type {unknown} */ cause) => {
    throwIfAborted(signal);
    return new FewerbitsError('network', 'the request failed', { file: url.href, found: reason(cause), cause });
  };
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { method, headers, signal });
  } catch (cause) {
    throw failure(cause);
  }
  entry.status = response.status;

  async function* body(/** @type {AbortSignal | undefined} */ stop) {
    if (!response.body) return;
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await abortable(reader.read(), stop).catch((cause) => {
          throw cause instanceof FewerbitsError ? cause : failure(cause);
        });
        if (done) return;
        entry.bytes += value.length;
        requests.bytes += value.length;
        yield value;
      }
    } finally {
      await reader.cancel().catch(() => {});
    }
  }
  const contentRange = /^bytes (?:(\d+)-\d+|\*)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  const number = (/** @type {string | null | undefined} */ text) =>
    /^\d+$/.test(text ?? '') ? Number(text) : undefined;
  /** @type {Answer} */
  const answer = {
    status: response.status,
    start: number(contentRange?.[1]),
    total: number(contentRange?.[2]),
    // Of a compressed body it counts the compressed bytes.
    length: response.headers.has('content-encoding') ? undefined : number(response.headers.get('content-length')),
    etag: response.headers.get('etag'),
    body,
    drop: async () => response.body?.cancel().catch(() => {}),
    refuse: async (message, facts) => {
      await answer.drop();
      return new FewerbitsError('network', message, { file: url.href, ...facts });
    },
    exactly: async (n, stop) => {
      const bytes = allocate(n, url.href);
      let at = 0;
      for await (const piece of body(stop)) {
        if (piece.length > n - at) {
          at += piece.length;
          break;
        }
        bytes.set(piece, at);
        at += piece.length;
      }
      if (at === n) return bytes;
      const message =
        at < n ? 'the answer is shorter than what was asked for' : 'the answer is longer than what was asked for';
      const found = at < n ? `${at} bytes` : 'more';
      throw new FewerbitsError('network', message, {
        file: url.href,
        offset: range?.[0],
        expected: `${n} bytes`,
        found,
      });
    },
  };
  if (empty && response.status === 416 && answer.total === 0) {
    await answer.drop();
    return answer;
  }
  if (response.status !== 200 && response.status !== 206) {
    const found = `HTTP ${response.status} ${response.statusText}`.trimEnd();
    throw await answer.refuse('the server does not give this file', { expected: 'HTTP 200 or 206', found });
  }
  if (/^text\/html\b|^application\/xhtml/i.test(response.headers.get('content-type') ?? '')) {
    const found = response.redirected ? `a web page, after a redirect to ${response.url}` : 'a web page (text/html)';
    throw await answer.refuse('the server answers with a web page instead of the file', { found });
  }
  return answer;
}

/**
 * Refuses an answer that is not the range asked for, of the file that was opened.
 * @param {Answer} answer
 * @param {number} start
 * @param {number} [size]
 * @param {string | null} [etag]
 */
async function expectRange(answer, start, size, etag) {
  if (answer.status !== 206) {
    const found = `HTTP ${answer.status}`;
    throw await answer.refuse('the server stopped answering ranges', { offset: start, expected: 'HTTP 206', found });
  }
  if (answer.start !== undefined && answer.start !== start) {
    const facts = { offset: start, expected: `bytes from ${start}`, found: `bytes from ${answer.start}` };
    throw await answer.refuse('the server sent another range', facts);
  }
  if (size !== undefined && answer.total !== undefined && answer.total !== size) {
    const facts = { offset: start, expected: `${size} bytes`, found: `${answer.total} bytes` };
    throw await answer.refuse('the file changed on the server', facts);
  }
  if (etag && answer.etag && answer.etag !== etag) {
    const facts = { offset: start, expected: `ETag ${etag}`, found: answer.etag };
    throw await answer.refuse('the file changed on the server', facts);
  }
}

/**
 * The size of a file whose server keeps Content-Range from pages of other origins; Content-Length is always shown.
 * @param {URL} url
 * @param {AbortSignal} [signal]
 */
async function sizeByHead(url, signal) {
  try {
    const answer = await send(url, { method: 'HEAD', signal });
    return answer.length;
  } catch (error) {
    throwIfAborted(signal);
    return undefined;
  }
}

/**
 * The whole body, kept by the browser.
 * @param {Answer} answer
 * @param {OpenOptions['onProgress']} onProgress
 * @param {AbortSignal} [signal]
 */
async function download(answer, onProgress, signal) {
  const total = answer.length;
  /** @type {Blob[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  let pieces = [];
  let held = 0;
  let loaded = 0;
  onProgress?.({ loaded, total });
  for await (const piece of answer.body(signal)) {
    pieces.push(piece);
    held += piece.length;
    loaded += piece.length;
    if (held >= BLOB_BYTES) {
      parts.push(new Blob(pieces));
      pieces = [];
      held = 0;
    }
    onProgress?.({ loaded, total });
  }
  if (total !== undefined && loaded !== total) {
    const facts = { offset: loaded, expected: `${total} bytes`, found: `${loaded} bytes` };
    throw await answer.refuse('the download is not what the server announced', facts);
  }
  return new Blob([...parts, ...pieces]);
}

/** @param {string | URL} address */
function absolute(address) {
  let url;
  try {
    url = new URL(address, globalThis.location?.href);
  } catch (cause) {
    throw new FewerbitsError('invalid_argument', 'this is not an address', { found: JSON.stringify(address), cause });
  }
  if (!['http:', 'https:', 'blob:'].includes(url.protocol)) {
    const facts = { expected: 'http: or https: (or blob:, in a page)', found: url.protocol };
    throw new FewerbitsError('invalid_argument', 'only http and https addresses are opened', facts);
  }
  return url;
}

/** @param {URL} url */
function fileName(url) {
  const last = url.pathname.split('/').findLast((part) => part !== '') ?? url.host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/**
 * @param {string} name
 * @param {number} size
 * @param {number} start
 * @param {number} end
 */
export function checkRange(name, size, start, end) {
  if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= size)) {
    const facts = { file: name, expected: `a range within 0…${size}`, found: `${start}…${end}` };
    throw new FewerbitsError('invalid_argument', 'the range is not in the file', facts);
  }
}

/**
 * The bytes, when they are all there.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {number} start
 * @param {number} end
 * @param {string} file
 */
export function whole(bytes, start, end, file) {
  if (bytes.length === end - start) return bytes;
  throw new FewerbitsError('truncated', 'the file became shorter while it was open', {
    file,
    offset: start + bytes.length,
    expected: `${end - start} bytes`,
    found: `${bytes.length} bytes`,
  });
}

/**
 * @param {number} n
 * @param {string} file
 */
export function allocate(n, file) {
  try {
    return new Uint8Array(n);
  } catch (cause) {
    throw new FewerbitsError('out_of_memory', 'not enough memory', { file, found: `a request for ${n} bytes`, cause });
  }
}

/** @param {unknown} cause */
export function reason(cause) {
  if (!(cause instanceof Error)) return String(cause);
  // Node says "fetch failed" and keeps the reason below.
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
