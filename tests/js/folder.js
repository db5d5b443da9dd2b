/** A folder as a browser hands it out, in memory. No tests. */

const missing = () => Object.assign(new Error('there is none'), { name: 'NotFoundError' });

export class MemoryFolder {
  kind = 'directory';

  /** @param {string} [name] */
  constructor(name = 'picked') {
    this.name = name;
    /** @type {Map<string, Blob | MemoryFolder>} */
    this.entries = new Map();
    /** Called before each write. @type {(name: string) => void | Promise<void>} */
    this.onWrite = () => {};
  }

  /** Files, those of folders in it with the folder before. @returns {string[]} */
  get names() {
    return [...this.entries]
      .flatMap(([name, entry]) => (entry instanceof MemoryFolder ? entry.names.map((x) => `${name}/${x}`) : [name]))
      .sort();
  }

  /** @param {string} name */
  async removeEntry(name) {
    const entry = this.entries.get(name);
    if (entry instanceof MemoryFolder && entry.entries.size > 0) throw new Error('it is not empty');
    if (!this.entries.delete(name)) throw missing();
  }

  /** @param {string} name @param {{create?: boolean}} [options] */
  async getDirectoryHandle(name, { create = false } = {}) {
    const entry = this.entries.get(name) ?? (create ? new MemoryFolder(name) : undefined);
    if (!(entry instanceof MemoryFolder)) throw missing();
    entry.onWrite = this.onWrite;
    this.entries.set(name, entry);
    return entry;
  }

  /** @param {string} name @param {{create?: boolean}} [options] */
  async getFileHandle(name, { create = false } = {}) {
    if (!this.entries.has(name) && !create) throw missing();
    if (!this.entries.has(name)) this.entries.set(name, new Blob([]));
    return {
      kind: 'file',
      name,
      getFile: async () => {
        const entry = this.entries.get(name);
        if (!(entry instanceof Blob)) throw missing();
        return entry;
      },
      /** Writes to a copy, which takes the file's place when it is closed. */
      createWritable: async () => {
        let bytes = new Uint8Array(0);
        return {
          write: async (/** @type {{position: number, data: Uint8Array}} */ { position, data }) => {
            await this.onWrite(name);
            const grown = new Uint8Array(Math.max(bytes.length, position + data.length));
            grown.set(bytes);
            grown.set(data, position);
            bytes = grown;
          },
          close: async () => void this.entries.set(name, new Blob([bytes])),
          abort: async () => {},
        };
      },
    };
  }
}
