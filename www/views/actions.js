/**
 * What views may set going besides pure updates. The session is there once a room that works on a file was entered; `begin` brings it.
 * @type {{session: import('../session.js').Session | null, client: import('../engine/client.js').EngineClient | null,
 *   begin: () => Promise<import('../session.js').Session | null>}}
 */
export const actions = { session: null, client: null, begin: () => Promise.resolve(null) };
