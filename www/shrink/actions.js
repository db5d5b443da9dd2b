/** What the room's views set going besides pure updates: one session, which lives as long as the page. */
import { actions } from '../views/actions.js';
import { store } from '../store.js';
import { ShrinkSession } from './session.js';

/** @type {ShrinkSession | null} */
let session = null;

export function shrinking() {
  if (!actions.session || !actions.client) throw new Error('the page has not started');
  return (session ??= new ShrinkSession(store, actions.session, actions.client));
}

/** @param {Event} event of a field */
export const valueOf = (event) => /** @type {HTMLSelectElement | HTMLInputElement} */ (event.target).value;
