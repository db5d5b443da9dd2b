/** What the jobs of one model and of several share. */

/** Seconds over which a job's speed is taken. */
const WINDOW = 4;

/** Bytes a second over the last few seconds. */
export function speedometer() {
  /** @type {[time: number, read: number][]} */
  const marks = [[performance.now(), 0]];
  return (/** @type {number} */ read) => {
    const now = performance.now();
    marks.push([now, read]);
    while (marks.length > 2 && now - marks[0][0] > WINDOW * 1000) marks.shift();
    const [[then, before]] = marks;
    return now > then ? ((read - before) / (now - then)) * 1000 : 0;
  };
}

/** Asks before the tab is closed. @param {BeforeUnloadEvent} event */
function warn(event) {
  event.preventDefault();
  event.returnValue = '';
}

/**
 * Asks before the tab is closed while something would be lost by it.
 * @param {import('../store.js').Store} store
 * @param {(state: import('../types.js').State) => boolean} isAtStake
 */
export function guard(store, isAtStake) {
  let isOn = false;
  // One for each guard: the same one would be taken away by whichever ends first.
  const ask = (/** @type {BeforeUnloadEvent} */ event) => warn(event);
  store.subscribe((state) => {
    if (isAtStake(state) === isOn) return;
    isOn = !isOn;
    if (isOn) globalThis.addEventListener?.('beforeunload', ask);
    else globalThis.removeEventListener?.('beforeunload', ask);
  });
}

/** A folder to write to, chosen by the person. @returns {Promise<FileSystemDirectoryHandle>} */
export const pickFolder = () => /** @type {any} */ (window).showDirectoryPicker({ mode: 'readwrite' });

/**
 * @param {unknown} error
 * @param {'plan' | 'shrink' | 'weigh'} what
 * @returns {import('../types.js').Problem}
 */
export function problemOf(error, what) {
  const { code = 'unexpected', message, file, tensor, offset, expected, found } = /** @type {any} */ (error);
  return { code, message: message ?? String(error), file, tensor, offset, expected, found, what };
}
