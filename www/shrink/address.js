/**
 * The Shrink room's part of the address: `#/shrink?to=gguf&size=20000000&rule=*.bias>keep`. Rules and tensors chosen by hand are in it only
 * while they are few: a recipe holds them all.
 */
import { parseScheme, schemeText } from '../url.js';
import { ROLES, isUsual, isWeight } from './state.js';

/** @typedef {import('./state.js').Choice} Choice */

/** Letters of rules, at most. */
const SHORT = 400;

/** @param {string} text */
const plain = (text) => encodeURIComponent(text).replace(/%(2F|3A|2C|2A|3B|3D)/g, decodeURIComponent);

/** @param {Choice} choice */
export function toQuery({ to, preset, scheme, layout, rules, tensors, targetBytes, roles, effort, ...run }) {
  /** @type {[string, string][]} */
  const parts = [['to', to]];
  if (targetBytes !== null) parts.push(['size', String(targetBytes)]);
  else if (preset !== null) parts.push(['preset', preset]);
  else if (scheme !== null) parts.push(['scheme', schemeText(scheme)]);
  if (layout !== null) parts.push(['layout', layout]);
  if (effort !== null) parts.push(['effort', effort]);
  if (run.isWeighed) parts.push(['weights', 'run']);
  if (run.isChosen && targetBytes !== null) parts.push(['choose', 'run']);
  const texts = rules
    .filter(({ match, scheme: own, keep }) => match !== '' && (own || keep))
    .map(({ match, scheme: own }) => `${match}>${own ? schemeText(/** @type {any} */ (own)) : 'keep'}`);
  if (texts.join().length <= SHORT)
    parts.push(...texts.map((text) => /** @type {[string, string]} */ (['rule', text])));
  parts.push(...Object.entries(roles).map(([role, x]) => /** @type {[string, string]} */ (['weight', `${role}>${x}`])));
  const hand = Object.entries(tensors).map(
    ([name, wish]) => `${name}>${wish === 'keep' ? wish : schemeText(/** @type {any} */ (wish))}`,
  );
  if (hand.join().length <= SHORT) {
    parts.push(...hand.map((text) => /** @type {[string, string]} */ (['tensor', text])));
  }
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
  /** @type {import('./state.js').Choice['tensors']} */
  const tensors = {};
  for (const text of values.getAll('tensor')) {
    const at = text.lastIndexOf('>');
    const own = text.slice(at + 1) === 'keep' ? 'keep' : parseScheme(text.slice(at + 1));
    if (at > 0 && (own === 'keep' || own?.id)) {
      Object.defineProperty(tensors, text.slice(0, at), {
        value: own,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }
  /** @type {[string, number][]} */
  const weights = values.getAll('weight').map((text) => [text.split('>')[0], Number(text.split('>')[1])]);
  const size = values.get('size');
  const targetBytes = size !== null && /^\d{1,15}$/.test(size) ? Number(size) : null;
  return {
    targetBytes,
    roles: Object.fromEntries(weights.filter(([role, x]) => ROLES.includes(role) && isWeight(x) && !isUsual(role, x))),
    decided: null,
    effort: values.get('effort') === 'best' ? 'best' : null,
    isWeighed: values.get('weights') === 'run',
    isChosen: targetBytes !== null && values.get('choose') === 'run',
    to: values.get('to') ?? '',
    preset: values.get('preset'),
    scheme: scheme ? parseScheme(scheme) : null,
    layout: values.get('layout'),
    rules,
    tensors,
  };
}
