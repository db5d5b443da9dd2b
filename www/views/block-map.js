import { speakOf } from '../i18n/index.js';

/** @type {typeof import('./block.js').showBlock | null} */
let showBlock = null;
let coming = false;

/**
 * What shows a packed block: it and its words are fetched with the first scheme that has blocks. Null until they are there.
 * @param {() => void} then what to do when they have come
 */
export function blockView(then) {
  if (!showBlock && !coming) {
    coming = true;
    fetchView(then).catch(() => {
      // Without a network it may not come: the next weight asks again.
      coming = false;
    });
  }
  return showBlock;
}

/** @param {() => void} then */
async function fetchView(then) {
  await speakOf('schemes');
  ({ showBlock } = await import('./block.js'));
  then();
}
