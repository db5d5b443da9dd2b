/** What the list of several models sets going: one session, which lives as long as the page. */
import { speakOf } from '../i18n/index.js';
import { actions } from '../views/actions.js';
import { store } from '../store.js';
import { BatchSession } from './batch-session.js';

/** @type {BatchSession | null} */
let session = null;

export function batching() {
  if (!actions.session || !actions.client) throw new Error('the page has not started');
  return (session ??= new BatchSession(store, actions.session, actions.client));
}

/** Several models were dropped or picked. @param {import('../lib/several.js').Found[]} found */
export async function openSeveral(found) {
  await Promise.all([actions.begin(), speakOf('batch')]);
  batching().add(found);
}
