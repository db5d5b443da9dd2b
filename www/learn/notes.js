/** What the reader has measured in the chapters, kept while this tab is open: the last chapter shows it. */

/** @typedef {{key: string, figure: string, what: string, bits: number, correct: number, total: number}} Note */

const MOST = 60;
const PLACE = 'fewerbits.notes';
/** @type {Map<string, Note> | null} */
let kept = null;

/** @returns {Map<string, Note>} */
function all() {
  if (kept) return kept;
  try {
    const list = JSON.parse(sessionStorage.getItem(PLACE) ?? '[]');
    kept = new Map(list.filter(isNote).map((/** @type {Note} */ one) => [one.key, one]));
  } catch {
    kept = new Map();
  }
  return kept;
}

/** @param {any} one */
const isNote = (one) =>
  typeof one?.key === 'string' &&
  typeof one.figure === 'string' &&
  typeof one.what === 'string' &&
  [one.bits, one.correct, one.total].every(Number.isFinite);

/** @param {Note} one */
export function note(one) {
  const map = all();
  map.delete(one.key);
  map.set(one.key, one);
  if (map.size > MOST) map.delete(/** @type {string} */ (map.keys().next().value));
  try {
    sessionStorage.setItem(PLACE, JSON.stringify([...map.values()]));
  } catch {
    // Where storage is refused they last as long as the page.
  }
}

/** The latest last. @returns {Note[]} */
export const notes = () => [...all().values()];
