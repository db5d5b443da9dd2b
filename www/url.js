/**
 * State ⇄ hash. `#/explore?t=conv2.weight&a=float&b=int4;granularity=channel&log=1&w=123`. What was opened is not in it: a
 * file cannot be, and a link must not make anyone's browser send a request that they did not ask for; an address is
 * only offered (`from`). What follows `#/shrink` is read and written by that room (shrink/address.js). `#/learn/5?printed=view=mended` is
 * a chapter and how its figures are set; the bare address is the lesson's contents.
 *
 * @typedef {import('./types.js').State} State
 * @typedef {import('./types.js').Scheme} Scheme
 */
import { initialState, DEFAULT_B } from './state.js';

/** @param {string} text */
const plain = (text) => encodeURIComponent(text).replace(/%2F/g, '/').replace(/%3A/g, ':').replace(/%2C/g, ',');

/** With the signs that separate options left as they are. @param {string} text */
const loose = (text) => plain(text).replace(/%3B/g, ';').replace(/%3D/g, '=');

/** @param {Scheme | null} scheme */
export function schemeText(scheme) {
  if (scheme === null) return 'float';
  const { id, ...options } = scheme;
  return [id, ...Object.entries(options).map(([name, value]) => `${name}=${value}`)].join(';');
}

/**
 * @param {string} text
 * @returns {Scheme | null}
 */
export function parseScheme(text) {
  if (text === 'float') return null;
  const [id, ...rest] = text.split(';');
  /** @type {Scheme} */
  const scheme = { id };
  for (const part of rest) {
    const at = part.indexOf('=');
    if (at < 1) continue;
    scheme[part.slice(0, at)] = parseValue(part.slice(at + 1));
  }
  return scheme;
}

/** @param {string} text */
function parseValue(text) {
  if (text === 'true' || text === 'false') return text === 'true';
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** @param {State} state */
export function toHash(state) {
  if (state.room === 'learn') return learnHash(state);
  if (state.room === 'shrink') return `#/shrink${state.shrinkQuery}`;
  const { view, sides } = state;
  /** @type {[string, string][]} */
  const parts = [];
  if (state.model?.url) parts.push(['from', state.model.url]);
  else if (state.offered) parts.push(['from', state.offered]);
  if (state.tensor !== null) parts.push(['t', state.tensor]);
  parts.push(['a', schemeText(sides.a)], ['b', schemeText(sides.b)]);
  if (view.log) parts.push(['log', '1']);
  if (view.axis) parts.push(['x', view.axis.map((v) => Number(v.toPrecision(6))).join(',')]);
  if (view.matrix !== 'values') parts.push(['m', view.matrix]);
  if (view.split !== 0.5) parts.push(['s', String(Number(view.split.toFixed(3)))]);
  if (view.region) parts.push(['r', view.region.join(',')]);
  if (state.selected !== null) parts.push(['w', String(state.selected)]);
  return `#/explore?${parts.map(([key, value]) => `${key}=${loose(value)}`).join('&')}`;
}

/** @param {Pick<State, 'chapter' | 'settings'>} state */
export function learnHash({ chapter, settings }) {
  const parts = Object.entries(settings).filter(([, text]) => text !== '');
  const query = parts.map(([name, text]) => `${plain(name)}=${loose(text)}`).join('&');
  return `#/learn${chapter > 0 ? `/${chapter}` : ''}${query && '?'}${query}`;
}

/** @param {string} hash @returns {{chapter: number, settings: {[figure: string]: string}} | null} */
function fromLearnHash(hash) {
  const found = /^(?:#?\/?|#\/learn\/?(\d{1,2})?(?:\?(.*))?)$/.exec(hash);
  return found && { chapter: Number(found[1] ?? 0), settings: Object.fromEntries(pairs(found[2] ?? '')) };
}

/** @param {string} query @returns {[string, string][]} */
const pairs = (query) =>
  query
    .split('&')
    .filter(Boolean)
    .map((part) => {
      const at = part.indexOf('=');
      return at < 0 ? [part, ''] : [part.slice(0, at), decode(part.slice(at + 1))];
    });

/**
 * The state with what the hash says put into it; what it does not say is at its default.
 * @param {State} state
 * @param {string} hash
 * @returns {State}
 */
export function fromHash(state, hash) {
  const [, shrinkQuery] = /^#\/shrink(\?.*)?$/.exec(hash) ?? [null, null];
  if (shrinkQuery !== null) return { ...state, room: 'shrink', shrinkQuery: shrinkQuery ?? '' };
  const lesson = fromLearnHash(hash);
  if (lesson) return { ...state, room: 'learn', ...lesson };
  const query = hash.replace(/^#\/?(explore)?\??/, '');
  const values = new Map(pairs(query));
  const fresh = initialState();
  const numbers = (/** @type {string} */ key, /** @type {number} */ n) => {
    const list = (values.get(key) ?? '').split(',').map(Number);
    return values.has(key) && list.length === n && list.every(Number.isFinite) ? list : null;
  };
  const axis = numbers('x', 2);
  const region = numbers('r', 4);
  const split = numbers('s', 1);
  const weight = numbers('w', 1);
  const from = values.get('from');
  return {
    ...state,
    tensor: values.get('t') ?? state.tensor,
    sides: {
      a: values.has('a') ? parseScheme(values.get('a') ?? '') : fresh.sides.a,
      b: (values.has('b') ? parseScheme(values.get('b') ?? '') : null) ?? { ...DEFAULT_B },
    },
    view: {
      log: values.get('log') === '1',
      axis: axis && axis[0] < axis[1] ? [axis[0], axis[1]] : null,
      matrix: values.get('m') === 'error' ? 'error' : 'values',
      split: split ? Math.min(1, Math.max(0, split[0])) : 0.5,
      region: region && region[0] < region[1] && region[2] < region[3] ? /** @type {any} */ (region) : null,
    },
    selected: weight && weight[0] >= 0 ? Math.floor(weight[0]) : null,
    hover: null,
    offered: from && /^(https?:\/\/|hf:)/.test(from) && from !== state.model?.url ? from : state.offered,
    continuous: false,
    room: 'explore',
  };
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
