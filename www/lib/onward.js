/** Reads a Blob from front to back, as jobs do. Loaded by the first that does. */
import { abortable, throwIfAborted } from './errors.js';

/** Bytes between two reads that are read over. */
const GAP = 1 << 16;

/** Whether this browser's Blobs can be read into memory that is given. */
let canFill = true;

/**
 * A Blob that is read on and on, as jobs do, into memory that has been used before. In Chromium that takes a third of the time of `arrayBuffer()`
 * of its slices, whose memory is always fresh, and each of which opens the file anew.
 * @param {Blob} blob
 */
export function onward(blob) {
  /** @type {{reader: ReadableStreamBYOBReader, next: number, last: Promise<unknown>, isBroken: boolean} | null} */
  let stream = null;
  const drop = () => {
    const old = stream;
    stream = null;
    // What waits for bytes of it still gets them.
    old?.last.then(() => old.reader.cancel()).catch(() => {});
  };
  /** @param {number} start */
  const from = (start) => {
    if (stream && start >= stream.next && start - stream.next <= GAP) return stream;
    drop();
    try {
      const reader = blob.slice(start).stream().getReader({ mode: 'byob' });
      stream = { reader, next: start, last: Promise.resolve(), isBroken: false };
    } catch {
      canFill = false;
    }
    return stream;
  };
  return {
    drop,
    /**
     * @param {number} start
     * @param {number} end
     * @param {ArrayBuffer} room is given up
     * @param {AbortSignal} [signal]
     * @returns {Promise<Uint8Array<ArrayBuffer> | undefined>} the bytes that there are; none where they must be read in another way
     */
    async read(start, end, room, signal) {
      const mine = canFill ? from(start) : null;
      if (!mine) return undefined;
      const gap = start - mine.next;
      mine.next = end;
      const bytes = mine.last.then(async () => {
        // What failed before this one has left the stream at another place.
        if (mine.isBroken) return undefined;
        throwIfAborted(signal);
        if (gap > 0) await filled(mine.reader, new ArrayBuffer(gap), gap);
        return filled(mine.reader, room, end - start);
      });
      mine.last = bytes.catch(() => {
        mine.isBroken = true;
        if (stream === mine) drop();
      });
      return abortable(bytes, signal);
    },
  };
}

/**
 * @param {ReadableStreamBYOBReader} reader
 * @param {ArrayBuffer} room is given up
 * @param {number} n
 * @returns {Promise<Uint8Array<ArrayBuffer>>} fewer where the stream ends
 */
async function filled(reader, room, n) {
  let [at, buffer] = [0, room];
  while (at < n) {
    // Where `min` is not known yet, it comes in pieces.
    const { done, value } = await reader.read(new Uint8Array(buffer, at, n - at), /** @type {any} */ ({ min: n - at }));
    if (value === undefined) break;
    buffer = value.buffer;
    at += value.length;
    if (done) break;
  }
  return new Uint8Array(buffer, 0, at);
}
