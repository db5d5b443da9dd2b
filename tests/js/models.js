/** What the tests of jobs share: models made in memory and on disk. No tests. */
import { open } from 'node:fs/promises';

/** Bell-shaped weights. @param {number} n @param {number} [seed] */
export function gaussians(n, seed = 1) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 4294967296;
  };
  return Float32Array.from(
    { length: n },
    () => 0.1 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/** The head of a safetensors file, and its whole length. @param {{[name: string]: {dtype: string, shape: number[], bytes: number}}} tensors */
export function head(tensors) {
  let at = 0;
  const header = Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
      at += bytes;
      return [name, { dtype, shape, data_offsets: [at - bytes, at] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return { head: Buffer.concat([length, text]), size: 8 + text.length + at };
}

/** A file of f32 tensors, `{name: [shape, values]}`. @param {{[name: string]: [number[], Float32Array]}} tensors */
export function safetensors(tensors) {
  const described = Object.entries(tensors).map(([name, [shape, values]]) => [
    name,
    { dtype: 'F32', shape, bytes: values.byteLength },
  ]);
  const data = Object.values(tensors).map(([, values]) => new Uint8Array(values.buffer));
  return new Uint8Array(Buffer.concat([head(Object.fromEntries(described)).head, ...data]));
}

/**
 * A file of zeros that takes no room on disk.
 * @param {string} path
 * @param {{[name: string]: {dtype: string, shape: number[], bytes: number}}} tensors
 */
export async function sparse(path, tensors) {
  const { head: start, size } = head(tensors);
  const file = await open(path, 'w');
  await file.write(start);
  await file.truncate(size);
  await file.close();
  return size;
}

/** A sink that keeps what is written, to be looked at. */
export function memorySink() {
  /** @type {Map<string, Uint8Array>} */
  const files = new Map();
  const log = { opened: 0, closed: 0, aborted: 0 };
  return {
    files,
    log,
    async open(/** @type {string} */ name, /** @type {number} */ size) {
      log.opened++;
      const whole = new Uint8Array(size);
      const seen = new Uint8Array(size);
      return {
        isDone: true,
        async write(/** @type {number} */ at, /** @type {Uint8Array} */ bytes) {
          if (at + bytes.length > size) throw new Error('a write past the end');
          whole.set(bytes, at);
          for (let i = at; i < at + bytes.length; i++) seen[i]++;
        },
        async close() {
          log.closed++;
          if (!seen.every((times) => times === 1)) throw new Error('a byte was written twice or never');
          files.set(name, whole);
        },
        async abort() {
          log.aborted++;
        },
      };
    },
  };
}

/** A sink that throws away. @param {(at: number) => Promise<void> | void} [onWrite] */
export function nowhere(onWrite) {
  return {
    open: async () => ({
      isDone: true,
      write: async (/** @type {number} */ at) => onWrite?.(at),
      close: async () => {},
      abort: async () => {},
    }),
  };
}
