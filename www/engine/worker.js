/**
 * The engine's thread: the only place on the page that touches the wasm. It holds one open file and one open tensor;
 * summaries cross to the page, weights do not. Answers are copied, not handed over: some are kept for later, and all are small.
 *
 * The first figures are drawn by a smaller build. The whole engine follows while nobody waits, and takes over what is open.
 */
import {
  DigitsNet,
  Weights,
  evaluationCost,
  init,
  openModel,
  packedLength,
  packedLengthIsExact,
  requests,
  schemes,
  stats,
} from '../lib/core.js';
import * as first from '../lib/first.js';
import { answersWith } from './worker-answers.js';

/** @type {Map<number, AbortController>} */
const running = new Map();
/** Requests that the page has been told of. */
let told = '';
/** Looks for new requests while something is under way. */
let watch = 0;

/** Milliseconds after the first figures before the whole engine is asked for. */
const PAUSE = 300;

/** What answers for the Shrink room: fetched with its first question. @type {import('./worker-shrink.js').Shrinking | null} */
let shrinking = null;
/** What answers the lesson's figures. @type {import('./worker-lesson.js').Lesson | null} */
let teaching = null;
/** By name, so that what the page does not use is not fetched. */
const engine = { DigitsNet, Weights, evaluationCost, openModel, packedLength, packedLengthIsExact, schemes, stats };
const answers = answersWith(engine, (model) => (shrinking ? shrinking.release(model) : model.close?.()));
const started = init({ bindings: /** @type {any} */ (first) });
started.catch(() => {});
/** The whole engine: not asked for yet, on its way, there, in use. @type {'no' | 'coming' | 'there' | 'used'} */
let whole = 'no';

self.addEventListener('message', async (/** @type {MessageEvent} */ event) => {
  const { id, type, ...payload } = event.data;
  if (type === 'abort') return running.get(id)?.abort();
  const controller = new AbortController();
  running.set(id, controller);
  watch ||= self.setInterval(tellRequests, 250);
  try {
    await started;
    const answer = await answerTo(type);
    if (!answer) throw Object.assign(new Error(`no answer to ${type}`), { code: 'invalid_argument' });
    // At the start for a link, later for a worker that took a dead one's place; the first build reads no other format than the sample's.
    if (lacks(payload, type) || (type === 'open' && !payload.sample && whole !== 'used')) await useWhole();
    const tell = (/** @type {any} */ progress) => self.postMessage({ id, progress });
    const done = await answer(payload, { signal: controller.signal, onProgress: throttled(tell), tell });
    if (type === 'show' && whole === 'no') {
      whole = 'coming';
      self.setTimeout(fetchWhole, PAUSE);
    }
    self.postMessage({ id, done });
  } catch (error) {
    self.postMessage({ id, error: facts(/** @type {any} */ (error)) });
  } finally {
    running.delete(id);
    if (running.size === 0) {
      self.clearInterval(watch);
      watch = 0;
      if (whole === 'there') await useWhole();
    }
    tellRequests();
  }
});

/** @param {string} type */
async function answerTo(type) {
  if (type.startsWith('shrink-')) return (await shrinkingAnswers())[type];
  if (!type.startsWith('lesson-')) return answers[type];
  const { Lesson } = await import('./worker-lesson.js');
  const lesson = (teaching ??= new Lesson());
  return (/** @type {any} */ payload, /** @type {any} */ tools) => lesson.answer(type, payload, tools);
}

async function shrinkingAnswers() {
  const { Shrinking } = await import('./worker-shrink.js');
  shrinking ??= new Shrinking(answers.held);
  return shrinking.answers;
}

/**
 * Whether a request names schemes or options that need the whole engine.
 * @param {{wanted?: any[], whole?: boolean, sides?: {a: any, b: any}, scheme?: any, schemes?: any[]}} payload
 * @param {string} type
 */
function lacks({ wanted = [], whole: all, sides, scheme, schemes: several = [] }, type) {
  if (whole === 'used') return false;
  if (all || type.startsWith('shrink-')) return true;
  const named = [...wanted, ...several, sides?.a, sides?.b, scheme].filter(Boolean);
  if (named.length === 0) return false;
  const known = new Map(schemes().map(({ id, options }) => [id, new Set(options.map(({ name }) => name))]));
  return !named.every(
    // The first build knows the search's options and does not search.
    ({ id, ...options }) =>
      known.has(id) && options.effort !== 'best' && Object.keys(options).every((o) => known.get(id)?.has(o)),
  );
}

/** Loads the whole engine beside the one in use. Without it the page goes on with what it has, and tries again later. */
async function fetchWhole() {
  try {
    const bindings = await import('../lib/wasm/fewerbits.js');
    await bindings.default();
    whole = 'there';
    if (running.size === 0) await useWhole();
  } catch {
    whole = 'no';
  }
}

/** Puts the whole engine in the place of the first: only between requests, for tensors being read stay where they are. */
async function useWhole() {
  try {
    await init();
  } catch {
    whole = 'no';
    return;
  }
  whole = 'used';
  answers.move();
  teaching?.move();
  self.postMessage({ notice: 'schemes', detail: schemes() });
}

/** @param {any} error */
function facts(error) {
  const trapped = typeof WebAssembly !== 'undefined' && error instanceof WebAssembly.RuntimeError;
  if (trapped) return { code: 'worker_died', message: error.message, fatal: true };
  const aborted = error?.name === 'AbortError';
  const { code, file, tensor, offset, expected, found } = error ?? {};
  const result = { code: code ?? (aborted ? 'aborted' : 'unexpected'), message: String(error?.message ?? error) };
  return { ...result, ...strip({ file, tensor, offset, expected, found }) };
}

/** @param {{[key: string]: any}} values */
function strip(values) {
  return Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => [key, typeof value === 'bigint' ? Number(value) : value]),
  );
}

/**
 * At most some twenty messages a second.
 * @param {(progress: any) => void} tell
 */
function throttled(tell) {
  let last = 0;
  return (/** @type {any} */ progress) => {
    const now = performance.now();
    if (now - last < 50) return;
    last = now;
    tell(progress);
  };
}

/** Tells the page what left it, without the requests for its own sample. */
function tellRequests() {
  const list = requests.list
    .filter(({ url }) => new URL(url).origin !== self.location.origin)
    .map(({ url, bytes }) => ({ url, bytes }));
  const text = JSON.stringify(list);
  if (text === told || (told === '' && list.length === 0)) return;
  told = text;
  self.postMessage({ notice: 'requests', detail: list });
}
