/**
 * The Shrink room's part of the address: `#/shrink?to=safetensors&scheme=f16&rule=*.bias>keep`. Tensors chosen by hand are not in it, and rules
 * only while they are few: a recipe holds them all.
 */
import { parseScheme, schemeText } from '../url.js';

/** @typedef {import('./state.js').Choice} Choice */

/** Letters of rules, at most. */
const SHORT = 400;

/** @param {string} text */
const plain = (text) => encodeURIComponent(text).replace(/%(2F|3A|2C|2A|3B|3D)/g, decodeURIComponent);

/** @param {Choice} choice */
export function toQuery({ to, preset, scheme, layout, rules }) {
  /** @type {[string, string][]} */
  const parts = [['to', to]];
  if (preset !== null) parts.push(['preset', preset]);
  if (scheme !== null) parts.push(['scheme', schemeText(scheme)]);
  if (layout !== null) parts.push(['layout', layout]);
  const texts = rules
    .filter(({ match, scheme: own, keep }) => match !== '' && (own || keep))
    .map(({ match, scheme: own }) => `${match}>${own ? schemeText(/** @type {any} */ (own)) : 'keep'}`);
  if (texts.join().length <= SHORT)
    parts.push(...texts.map((text) => /** @type {[string, string]} */ (['rule', text])));
  return `?${parts.map(([key, value]) => `${key}=${plain(value)}`).join('&')}`;
}

/**
 * @param {string} query
 * @returns {Choice}
 */
export function fromQuery(query) {
  const values = new URLSearchParams(query.replace(/\+/g, '%2B'));
  const scheme = values.get('scheme');
  /** @type {import('../lib/shrink/recipe.js').Rule[]} */
  const rules = [];
  for (const text of values.getAll('rule')) {
    const at = text.lastIndexOf('>');
    const [match, what] = [text.slice(0, at), text.slice(at + 1)];
    const own = what === 'keep' ? null : parseScheme(what);
    if (at > 0 && what === 'keep') rules.push({ match, keep: true });
    else if (at > 0 && own?.id) rules.push({ match, scheme: own });
  }
  return {
    to: values.get('to') ?? '',
    preset: values.get('preset'),
    scheme: scheme ? parseScheme(scheme) : null,
    layout: values.get('layout'),
    rules,
    tensors: {},
  };
}
