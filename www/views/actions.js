/**
 * What views may set going besides pure updates: the page puts its session here when it starts.
 * @type {{session: import('../session.js').Session | null, client: import('../engine/client.js').EngineClient | null}}
 */
export const actions = { session: null, client: null };
