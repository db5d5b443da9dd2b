/** The stages of Deep Compression as a table with bars: bytes, ratio, and what a network reads where that is known. */
import { html, nothing } from 'lit';
import { t } from '../i18n/index.js';
import { bytes, count } from '../text/format.js';
import { shownShort } from '../text/names.js';

/** @typedef {{stage: string, size: number, reads?: string, loss?: number}} Row */

/** @param {Row[]} rows the first is the float one */
export function stageBars(rows) {
  const most = Math.max(1, ...rows.map(({ size }) => size));
  const hasReads = rows.some(({ reads }) => reads !== undefined);
  return html`<table class="stages">
    <thead>
      <tr>
        <th>${t('shrink.stage')}</th>
        <td class="bar"></td>
        <th class="n">${t('shrink.stage.bytes')}</th>
        <th class="n">${t('shrink.stage.ratio')}</th>
        ${
          hasReads
            ? html`<th class="n">${t('shrink.stage.reads')}</th>
                <th class="n">${t('shrink.stage.loss')}</th>`
            : nothing
        }
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ({ stage, size, reads, loss }, i) =>
          html`<tr data-stage=${stage}>
            <th scope="row">${t(`shrink.stage.${stage}`)}</th>
            <td class="bar">
              <svg viewBox="0 0 200 12" preserveAspectRatio="none" aria-hidden="true">
                <rect
                  class=${i === 0 ? 'float' : 'quantized'}
                  width=${Math.max(1, (size / most) * 200)}
                  height="12"
                ></rect>
              </svg>
            </td>
            <td class="n num">${count(size)}</td>
            <td class="n num">${(rows[0].size / Math.max(1, size)).toFixed(1)}×</td>
            ${
              hasReads
                ? html`<td class="n num">${reads}</td>
                    <td class="n num">${loss?.toFixed(3)}</td>`
                : nothing
            }
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** @param {import('../lib/shrink/report.js').Report} report */
export function stagesOfReport({ stages, tensors }) {
  if (!stages) return nothing;
  const { float, pruned, shared, coded } = stages;
  const whole = Object.entries({ float, pruned, shared, coded }).map(([stage, size]) => ({ stage, size }));
  const records = tensors.flatMap(({ name, stages: own }) => (own ? [{ name, ...own }] : []));
  return html`<div class="deep">
    ${stageBars(whole)}
    <p class="soft">${t('shrink.deep.plain')}</p>
    <details>
      <summary>${t('shrink.stages.each')}</summary>
      <div class="scroll" tabindex="0" role="group" aria-label=${t('shrink.stages.each')}>
        <table class="stages each">
          <thead>
            <tr>
              <th>${t('shrink.column.name')}</th>
              <th class="n">${t('shrink.stage.kept')}</th>
              <th class="n">${t('shrink.stage.padding')}</th>
              <th class="n">${t('shrink.stage.widths')}</th>
              ${whole.map(({ stage }) => html`<th class="n">${t(`shrink.stage.${stage}`)}</th>`)}
              <th class="n">${t('shrink.stage.ratio')}</th>
            </tr>
          </thead>
          <tbody>
            ${records.map(
              (own) =>
                html`<tr>
                  <th scope="row"><bdi>${shownShort(own.name, 40)}</bdi></th>
                  <td class="n num">${count(own.kept)} / ${count(own.weights)}</td>
                  <td class="n num">${count(own.padding)}</td>
                  <td class="n num">${own.codeBits} + ${own.indexBits}</td>
                  ${/** @type {const} */ (['float', 'pruned', 'shared', 'coded']).map((stage) => html`<td class="n num">${bytes(own[stage])}</td>`)}
                  <td class="n num">${(own.float / own.coded).toFixed(1)}×</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </details>
  </div>`;
}
