/** What was dropped, as files: folders are walked, three deep at most. */

const DEEP = 3;
const MANY = 2000;

/**
 * @param {DataTransfer} transfer
 * @returns {Promise<import('../lib/files.js').PlacedFile[]>}
 */
export async function filesOf(transfer) {
  // Entries must be taken before the first await: afterwards the transfer is empty.
  const entries = [...transfer.items]
    .filter((item) => item.kind === 'file')
    .map((item) => item.webkitGetAsEntry?.() ?? null);
  const plain = [...transfer.files].map((file) => ({ path: file.name, file }));
  if (!entries.some((entry) => entry?.isDirectory)) return plain;
  /** @type {import('../lib/files.js').PlacedFile[]} */
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, entry.name, found, 0);
  return found;
}

/**
 * @param {FileSystemEntry} entry
 * @param {string} path
 * @param {import('../lib/files.js').PlacedFile[]} found
 * @param {number} depth
 */
async function walk(entry, path, found, depth) {
  if (found.length >= MANY) return;
  if (entry.isFile) {
    /** @type {File} */
    const file = await new Promise((resolve, reject) =>
      /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject),
    );
    found.push({ path, file });
  } else if (depth < DEEP) {
    const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
    for (;;) {
      /** @type {FileSystemEntry[]} */
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) break;
      for (const inner of some) await walk(inner, `${path}/${inner.name}`, found, depth + 1);
    }
  }
}
