/** A few choices kept between visits. Where storage is refused the page simply forgets. */

/** @param {string} key */
export function recall(key) {
  try {
    return localStorage.getItem(`fewerbits.${key}`);
  } catch {
    return null;
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(`fewerbits.${key}`, value);
  } catch {
    // nothing to do: the choice holds until the page is left
  }
}
