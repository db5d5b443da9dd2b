/**
 * What views may set going besides pure updates. The session is there once a room that works on a file was entered; `begin` brings it
 * and what it opens first, `made` is kept when it is there.
 * @type {{session: import('../session.js').Session | null, client: import('../engine/client.js').EngineClient | null,
 *   begin: () => Promise<import('../session.js').Session | null>, made: Promise<void>}}
 */
export const actions = { session: null, client: null, begin: () => Promise.resolve(null), made: Promise.resolve() };
