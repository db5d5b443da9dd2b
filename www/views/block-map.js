import { speakOf } from '../i18n/index.js';

/** The figure of a packed block and its words come with the first scheme that has blocks. @type {'no' | 'coming' | 'there'} */
let state = 'no';

/**
 * Whether they are there; where they are not, they are fetched.
 * @param {() => void} then what to do when they have come
 */
export function hasBlockMap(then) {
  if (state === 'no') {
    state = 'coming';
    speakOf('schemes')
      .then(() => import('../figures/block-map.js'))
      .then(
        () => {
          state = 'there';
          then();
        },
        // Without a network they may not come: the next weight asks again.
        () => (state = 'no'),
      );
  }
  return state === 'there';
}
