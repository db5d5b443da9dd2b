import { EngineClient } from './engine/client.js';
import { store } from './store.js';
import { firstLanguage, speak, t } from './i18n/index.js';
import { fromHash, toHash } from './url.js';
import { actions } from './views/actions.js';
import { lesson } from './learn/lesson.js';
import { keepForLater } from './offline/register.js';
import { recall, remember } from './memory.js';
import './views/page.js';

const stored = recall('theme');
const theme = stored === 'light' || stored === 'dark' ? stored : 'system';
const language = firstLanguage({
  search: location.search,
  stored: recall('language'),
  preferred: navigator.languages ?? [],
});
store.update((s) => fromHash({ ...s, language, theme }, location.hash));

const client = new EngineClient(
  () => new Worker(new URL('./engine/worker.js', import.meta.url), { type: 'module', name: 'fewerbits engine' }),
);
actions.client = client;
lesson.engine = client;
lesson.models = new URL('models/', document.baseURI).href;

/** What Explore and Shrink work on: its code and the sample come when one of them is entered. @type {Promise<import('./session.js').Session> | null} */
let beginning = null;
actions.begin = () => {
  beginning ??= begin().catch((error) => {
    beginning = null;
    throw error;
  });
  return beginning;
};

/** Says that the session is there. @type {() => void} */
let made = () => {};
actions.made = new Promise((resolve) => (made = () => resolve(undefined)));

async function begin() {
  const { Session } = await import('./session.js');
  const session = new Session(store, client);
  actions.session = session;
  made();
  await session.start();
  return session;
}

/** A room that lacks its session gets it. Where its code does not come the room says so, and it is asked for when it is entered again. */
function enter() {
  if (store.state.room !== 'learn' && !actions.session) actions.begin().catch(() => {});
}

/**
 * Language and theme belong to the whole document. Writing even the same `lang` again would make the browser restyle every
 * element, so only what differs is written.
 * @param {import('./types.js').State} state
 */
function dress(state) {
  const root = document.documentElement;
  const language = state.language === 'zh' ? 'zh-CN' : 'en';
  if (root.lang !== language) root.lang = language;
  if (root.dataset.theme !== state.theme) root.dataset.theme = state.theme;
  const title = t('title');
  if (document.title !== title) document.title = title;
}

let last = store.state;
let written = false;
let lastPush = -Infinity;
let lastWrite = -Infinity;
let timer = 0;
/** The state that the address shall show next. @type {import('./types.js').State | null} */
let pending = null;

/** The state goes into the address: a step of its own for a choice, none for a drag. */
function writeHash() {
  const state = pending;
  pending = null;
  clearTimeout(timer);
  if (!state || (state.room !== 'learn' && !state.model) || (state.room === 'explore' && state.tensor === null)) return;
  const hash = toHash(state);
  // A room that was entered by its bare name says what it shows: no step of its own.
  const bare = ['#/shrink', '#/explore', ''].includes(location.hash);
  const choice = written && !bare && historyKey(hash) !== historyKey(location.hash);
  written = true;
  if (hash === location.hash) return;
  lastWrite = performance.now();
  if (choice && performance.now() - lastPush > 600) {
    lastPush = performance.now();
    history.pushState(null, '', hash);
  } else {
    history.replaceState(null, '', hash);
  }
}

/** The part of the address worth a step back: the room; tensor and schemes; what is written. @param {string} hash */
function historyKey(hash) {
  const [room, query] = hash.split('?');
  const values = new URLSearchParams(query);
  return [room, ...['t', 'a', 'b', 'to', 'preset', 'scheme'].map((key) => values.get(key))].join('&');
}

/** @param {import('./types.js').State} state */
function schedule(state) {
  const turn =
    pending && (pending.tensor !== state.tensor || pending.sides !== state.sides || pending.room !== state.room);
  // WebKit allows a hundred changes of the address in ten seconds.
  if (turn && !state.continuous && performance.now() - lastWrite > 250) writeHash();
  pending = state;
  clearTimeout(timer);
  timer = window.setTimeout(writeHash, 120);
}

store.subscribe((state) => {
  if (state.language !== last.language) remember('language', state.language);
  if (state.theme !== last.theme) remember('theme', state.theme);
  if (state.room !== last.room) enter();
  last = state;
  dress(state);
  schedule(state);
});

window.addEventListener('popstate', () => (pending = null));
window.addEventListener('hashchange', () => {
  pending = null;
  store.update((s) => settle(fromHash(s, location.hash)));
});

/**
 * An address may name a tensor or a weight that the open file does not have.
 * @param {import('./types.js').State} state
 */
function settle(state) {
  if (!state.model || state.room === 'learn') return state;
  const found = state.model.tensors.find((x) => x.name === state.tensor);
  const tensor = found?.name ?? state.data?.name ?? null;
  const selected = found && state.selected !== null && state.selected < found.count ? state.selected : null;
  return { ...state, tensor, selected };
}

await speak(language);
dress(store.state);
document.body.prepend(document.createElement('fb-page'));
enter();
keepForLater();
