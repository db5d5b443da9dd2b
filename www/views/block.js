import { html } from 'lit';
import { language, t, tOr } from '../i18n/index.js';
import { count } from '../text/format.js';
import '../figures/block-map.js';

/**
 * The packed block that a weight is read from.
 * @param {import('../types.js').Side} side
 * @param {import('../types.js').Block} block
 * @param {import('../keep.js').Keeper} keeper
 */
export function showBlock(side, block, keeper) {
  const { offset, weights, bytes, parts } = block;
  const facts = { bytes: count(bytes.length), weights: count(weights), at: count(offset) };
  const words = keeper.keep(`block ${side}`, [language(), JSON.stringify([facts, parts])], () => ({
    title: t('block.title', facts),
    bytes: t('block.bytes'),
    byte: t('block.byte'),
    of: t('block.of'),
    of1: t('block.of1'),
    reads: t('block.reads'),
    own: t('block.own'),
    shared: t('block.shared'),
    names: parts.map(({ name }) => tOr(`part.${name}`, name)),
  }));
  return html`<fb-block-map
    data-side=${side}
    kind=${side === 'a' ? 'quantized-a' : 'quantized'}
    .block=${block}
    .words=${words}
  ></fb-block-map>`;
}
