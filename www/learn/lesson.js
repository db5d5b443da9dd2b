/**
 * What the lesson's figures work with: the engine and where the sample network lies. The page, or the script for other people's pages, puts
 * them here.
 * @type {{engine: {call: (type: string, payload?: any, options?: any) => Promise<any>} | null, models: string}}
 */
export const lesson = { engine: null, models: '' };

/**
 * A question to the engine about the sample network.
 * @param {string} type
 * @param {{[name: string]: any}} [payload]
 * @param {{onProgress?: (progress: any) => void, signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export function ask(type, payload = {}, options) {
  if (!lesson.engine) return Promise.reject(new Error('no engine was given'));
  return lesson.engine.call(`lesson-${type}`, { ...payload, models: lesson.models }, options);
}
