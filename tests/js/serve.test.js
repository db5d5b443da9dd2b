/** `cargo xtask serve` leaves no server behind, whatever ends it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Set by `cargo xtask test`; where a test file is run by itself, what cargo left there last. */
const XTASK = process.env.FEWERBITS_XTASK ?? join(ROOT, 'target/xtask/xtask');
const skip = process.platform === 'win32' || !existsSync(XTASK) ? 'there is no xtask to send signals to' : false;

/** @param {string} url */
const answers = (url) =>
  fetch(url).then(
    () => true,
    () => false,
  );

for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'])) {
  test(`serve ends its server on ${signal}`, { skip, timeout: 300_000 }, async () => {
    // CI is set because Vite then ignores the end of its standard input.
    const serve = spawn(XTASK, ['serve', '--port', '5470'], { cwd: ROOT, env: { ...process.env, CI: 'true' } });
    const ended = new Promise((resolve) => serve.once('exit', resolve));
    try {
      let text = '';
      serve.stderr.on('data', (chunk) => (text += chunk));
      const url = await new Promise((resolve, reject) => {
        serve.stdout.on('data', (chunk) => {
          text += chunk;
          const found = /Fewerbits is at {2}(http:\S+)/.exec(text);
          if (found) resolve(found[1]);
        });
        serve.once('exit', () => reject(new Error(text)));
      });
      assert.ok(await answers(url), 'it serves');
      serve.kill(signal);
      await ended;
      // After SIGKILL the server itself notices that its standard input ended.
      for (let tries = 0; tries < 100 && (await answers(url)); tries++) await new Promise((r) => setTimeout(r, 100));
      assert.equal(await answers(url), false, 'the server is gone');
    } finally {
      serve.kill('SIGKILL');
    }
  });
}
