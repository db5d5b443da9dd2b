/** Errors in words, with the words and what chooses them fetched when the first error is to be told. */
import { speakOf, speaksOf, t } from '../i18n/index.js';

/** @typedef {{what: string, where: string[], remedy: string, detail: string}} Told */

/** @type {typeof import('./problems.js').explain | null} */
let explain = null;
/** The problem for which the words did not come, as without a network: then the engine's own have to do.
 * @type {import('../types.js').Problem | null} */
let unworded = null;

async function fetchWords() {
  const [problems] = await Promise.all([import('./problems.js'), speakOf('errors')]);
  explain = problems.explain;
}

/**
 * @param {import('../types.js').Problem} problem
 * @param {() => void} again called when there is more to tell
 * @returns {Told | null} null while the words are on their way
 */
export function tell(problem, again) {
  if (explain && speaksOf('errors')) return explain(problem);
  if (unworded === problem) {
    return { what: t(`error.at.${problem.what}`), where: [], remedy: t('remedy.anew'), detail: problem.message };
  }
  fetchWords()
    .catch(() => (unworded = problem))
    .then(again);
  return null;
}
