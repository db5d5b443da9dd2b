/** llama.cpp's own library on one thread, in a process of Python: benches/ggml_native.py. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ROOT } from '../tests/e2e/harness/index.js';

/**
 * The library with weights repeated from a sample, or null where it is not, which is said.
 *
 * @param {string | undefined} python
 * @param {Float32Array} sample of 65536 weights
 * @param {number} count of weights, a multiple of the sample's
 */
export async function native(python, sample, count) {
  if (!python) return null;
  const child = spawn(python, ['benches/ggml_native.py', String(count)], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => JSON.parse((await lines.next()).value ?? 'null');
  const said = await answer();
  if (said !== 'ready') {
    console.log(`Without llama.cpp's times: ${said}`);
    return null;
  }
  child.stdin.write(Buffer.from(sample.buffer, sample.byteOffset, sample.byteLength));
  /** @type {Map<string, number>} */
  const checksums = new Map();
  return {
    checksums,
    /** Milliseconds of `encode` or `decode`, null for what the library does not have. @param {string} what @param {string} id */
    time: async (what, id) => {
      if (what === 'copy') return null;
      child.stdin.write(`${what} ${id}\n`);
      const { ms = null, crc } = (await answer()) ?? {};
      if (crc !== undefined && !checksums.has(id)) checksums.set(id, crc);
      return /** @type {number | null} */ (ms);
    },
    close: async () => {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}
