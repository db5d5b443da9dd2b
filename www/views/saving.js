/** What saves figures and metrics: fetched when a hand comes near the buttons that need it. */

/** @typedef {typeof import('./save-figure.js')} Tools */

/** @type {Tools | null} */
let tools = null;

/** At once where they are there: a browser lets a press of the hand save one file, and only while it lasts. */
export const saving = () => tools ?? fetchTools();

/** @returns {Promise<Tools>} */
export async function fetchTools() {
  return (tools ??= await import('./save-figure.js'));
}

/** Without a network they may not come; the press itself will say so. */
export const fetchAhead = () => void fetchTools().catch(() => {});
