/** Errors in words: what happened, to which file and tensor, and what to do. */
import { t, tOr, language } from '../i18n/index.js';
import { count } from './format.js';

/**
 * @param {import('../types.js').Problem} problem
 * @returns {{what: string, where: string[], remedy: string, detail: string}}
 */
export function explain(problem) {
  const { code, message, file, tensor, offset, expected, found } = problem;
  const facts = { file: file ?? '', tensor: tensor ?? '', expected: expected ?? '', found: found ?? '' };
  const what = tOr(`error.${code}`, t(`error.at.${problem.what}`), facts);
  const where = [
    file && t('error.file', { file }),
    tensor && t('error.tensor', { tensor }),
    offset !== undefined &&
      t(code === 'non_finite' ? 'error.index' : 'error.offset', { offset: count(offset, language()) }),
    expected && t('error.expected', { expected }),
    found && t('error.found', { found }),
  ].filter((x) => typeof x === 'string' && x !== '');
  const remedy = tOr(`remedy.${code}`, t('remedy.other'), facts);
  return { what, where: /** @type {string[]} */ (where), remedy, detail: message };
}
