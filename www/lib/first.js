/**
 * The bindings of a smaller build, for a page that shall draw soon: {@link import('./engine.js').init} takes them, and takes the whole
 * engine's place later. Not part of the npm package.
 * @module
 */
export { default } from './wasm/first/fewerbits.js';
export * from './wasm/first/fewerbits.js';
