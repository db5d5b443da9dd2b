/**
 * Node's own modules, without an import that a bundler for pages would follow, replace and warn about.
 */

/** True in Node (and not in a page that a bundler gave a `process`). */
export const isNode = typeof globalThis.process?.versions?.node === 'string' && !('document' in globalThis);

/** Whether {@link builtin} works: in Node, also where something made it look like a page. */
export const hasBuiltins = typeof globalThis.process?.getBuiltinModule === 'function';

/**
 * @param {string} name such as `fs/promises`
 * @returns {any} untyped, so that the package's types do not need Node's
 */
export function builtin(name) {
  return globalThis.process.getBuiltinModule(`node:${name}`);
}
