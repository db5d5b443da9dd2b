/**
 * The one kind of error.
 * @module
 */

/**
 * An error with a stable `code` and the facts behind it. Errors from WebAssembly have the same properties.
 */
export class FewerbitsError extends Error {
  /**
   * @param {string} code stable, for programs
   * @param {string} message for people
   * @param {{file?: string, tensor?: string, offset?: number, expected?: string, found?: string, cause?: unknown}} [facts]
   */
  constructor(code, message, { cause, ...facts } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'FewerbitsError';
    this.code = code;
    /** @type {string | undefined} */
    this.file = facts.file;
    /** @type {string | undefined} */
    this.tensor = facts.tensor;
    /** @type {number | undefined} */
    this.offset = facts.offset;
    /** @type {string | undefined} */
    this.expected = facts.expected;
    /** @type {string | undefined} */
    this.found = facts.found;
  }
}
