/**
 * Names out of strangers' files, made fit to be read: nothing in them is invisible, turns the text around it, or takes
 * the page over by its length. What is shown is not the name; what is asked for stays the name.
 */
import { t } from '../i18n/index.js';

/** Controls, format characters (bidi overrides, zero-width ones), separators other than the space, lone surrogates. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
/** Letters that are written from right to left. */
const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const ISOLATE = '\u2066';
const POP_ISOLATE = '\u2069';

/** Longer than this a name is cut in its middle: both of its ends say something. */
const LONG = 120;

/**
 * A name as text: hidden characters escaped, an empty name said to be one, and letters written from right to left kept
 * from the text around them.
 * @param {string} name
 */
export function shown(name) {
  if (name === '') return t('name.none');
  const seen = name.replace(HIDDEN, escaped);
  if (seen.trim() === '') return JSON.stringify(seen);
  return RIGHT_TO_LEFT.test(seen) ? ISOLATE + seen + POP_ISOLATE : seen;
}

/** As `shown`, and no longer than a line or two. @param {string} name @param {number} [most] */
export function shownShort(name, most = LONG) {
  const letters = isLong(name, most) ? [...name] : [];
  if (letters.length <= most) return shown(name);
  const tail = Math.floor(most / 3);
  return shown(`${letters.slice(0, most - tail - 1).join('')}…${letters.slice(-tail).join('')}`);
}

/** Whether a name is cut where it is a heading. @param {string} name @param {number} [most] */
export const isLong = (name, most = LONG) => name.length > most;

/** The beginning of a file's name for what is saved of a tensor. @param {string | undefined} name */
export const fileStem = (name) => [...(name || 'tensor')].slice(0, 80).join('');

/** As JSON and programs write it: \u202e. @param {string} letter */
function escaped(letter) {
  const code = /** @type {number} */ (letter.codePointAt(0)).toString(16);
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
}
