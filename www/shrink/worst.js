import { html, nothing } from 'lit';
import { t } from '../i18n/index.js';
import { bytes, count, decibel, number } from '../text/format.js';
import { shownShort } from '../text/names.js';

/** @typedef {import('../lib/shrink/report.js').Report} Report */

/** Tensors that lost most, so many of them. */
const WORST = 5;

/** What a job cost. @param {Report} report */
export const factsOf = ({ outputBytes, seconds, peakMemory }) =>
  t('shrink.done.facts', { bytes: bytes(outputBytes), seconds: number(seconds, 3), memory: bytes(peakMemory) });

/**
 * What was read back, and which tensors paid most.
 * @param {Report} report
 * @param {import('../types.js').State['language']} language
 */
export function worstOf({ tensors }, language) {
  const lost = tensors.filter(({ sqnrDb }) => sqnrDb !== null && Number.isFinite(sqnrDb));
  const exact = tensors.length - lost.length;
  const worst = [...lost].sort((a, b) => Number(a.sqnrDb) - Number(b.sqnrDb)).slice(0, WORST);
  return html`<p class="soft">
      ${t('shrink.verified', { n: count(tensors.length, language), exact: count(exact, language) })}
      ${worst.length > 0 ? t('shrink.worst') : nothing}
    </p>
    <ol>
      ${worst.map(
        ({ name, sqnrDb, dtype }) =>
          html`<li>
            <bdi>${shownShort(name, 48)}</bdi> <span class="soft">${dtype}</span>
            <span class="num">${decibel(Number(sqnrDb))}</span>
          </li>`,
      )}
    </ol>`;
}
