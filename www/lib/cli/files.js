/** Small files of the command line. */
import { access, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { FewerbitsError } from '../errors.js';

/** @param {string} path */
export function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** @param {string} path */
export function isFolder(path) {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** Bytes of a file, or null where there is none. @param {string} path */
export function sizeOf(path) {
  return stat(path).then(
    (found) => (found.isFile() ? found.size : null),
    () => null,
  );
}

/** @param {string} file @param {boolean} [force] */
export async function refuseTaken(file, force) {
  if (!force && (await exists(file))) {
    throw new FewerbitsError('exists', 'the file is there already', { file, expected: 'a new name, or --force' });
  }
}

/**
 * Writes a file whole or not at all.
 * @param {string} file
 * @param {string} text
 * @param {boolean} [force]
 */
export async function writeText(file, text, force) {
  await refuseTaken(file, force);
  const partial = `${file}.partial`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(partial, text);
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true }).catch(() => {});
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new FewerbitsError('unwritable', 'the file cannot be written', { file, found, cause });
  }
}
