/** The page's words: one function, two languages, one switch. Only the language in use is loaded. */

/** @type {{[language: string]: () => Promise<{default: {[key: string]: string}}>}} */
const LANGUAGES = { en: () => import('./en.js'), zh: () => import('./zh.js') };
/** Words that are fetched only when they are first said. @type {{[subject: string]: typeof LANGUAGES}} */
const MORE = {
  errors: { en: () => import('./en-errors.js'), zh: () => import('./zh-errors.js') },
  schemes: { en: () => import('./en-schemes.js'), zh: () => import('./zh-schemes.js') },
  shrink: { en: () => import('./en-shrink.js'), zh: () => import('./zh-shrink.js') },
  measure: { en: () => import('./en-measure.js'), zh: () => import('./zh-measure.js') },
  batch: { en: () => import('./en-batch.js'), zh: () => import('./zh-batch.js') },
};
/** The subjects whose words are there. @type {Set<string>} */
const subjects = new Set();

let current = 'en';
/** @type {{[key: string]: string}} */
let texts = {};

/**
 * Makes a language the one that everything is said in from now on.
 * @param {string} language
 */
export async function speak(language) {
  const known = language in LANGUAGES ? language : 'en';
  const more = [...subjects].map((subject) =>
    MORE[subject][known]().catch(() => {
      // They are fetched again when they are needed.
      subjects.delete(subject);
      return { default: {} };
    }),
  );
  const loaded = await Promise.all([LANGUAGES[known](), ...more]);
  current = known;
  texts = Object.assign({}, ...loaded.map((module) => module.default));
}

/**
 * Adds the words for a subject, in the language that is spoken and in those spoken later.
 * @param {'errors' | 'schemes' | 'shrink' | 'measure' | 'batch'} subject
 */
export async function speakOf(subject) {
  const spoken = current;
  const loaded = await MORE[subject][spoken]();
  // Another language has come meanwhile.
  if (spoken !== current) return speakOf(subject);
  subjects.add(subject);
  texts = { ...texts, ...loaded.default };
}

/** Whether they are there. @param {'errors' | 'schemes' | 'shrink' | 'measure' | 'batch'} subject */
export const speaksOf = (subject) => subjects.has(subject);

export const language = () => current;

/**
 * The text under a key, with `{names}` filled in.
 * @param {string} key
 * @param {{[name: string]: string | number}} [values]
 */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * The text under a key for so many: `key.one` for one where there is such a text.
 * @param {string} key
 * @param {number} n
 * @param {{[name: string]: string | number}} [values]
 */
export const tn = (key, n, values = {}) => t(n === 1 && `${key}.one` in texts ? `${key}.one` : key, { n, ...values });

/**
 * The text under a key, or what stands in for it where nobody has written one.
 * @param {string} key
 * @param {string} fallback
 * @param {{[name: string]: string | number}} [values]
 */
export function tOr(key, fallback, values) {
  return key in texts ? t(key, values) : fallback;
}

/** @param {import('../types.js').SchemeInfo} info */
export const schemeTitle = (info) => tOr(`scheme.${info.id}.title`, info.title);
/** @param {import('../types.js').SchemeInfo} info */
export const schemeSummary = (info) =>
  tOr(`scheme.${info.id}.summary`, tOr(`scheme.${info.family}.summary`, info.summary));
/** @param {string} family */
export const familyTitle = (family) => tOr(`family.${family}`, family);
/** @param {import('../types.js').Option} option */
export const optionTitle = (option) => tOr(`option.${option.name}.title`, option.title);
/** @param {import('../types.js').Option} option */
export const optionHelp = (option) => tOr(`option.${option.name}.help`, option.help ?? '');
/** @param {import('../types.js').Option} option @param {{value: string, title: string}} value */
export const valueTitle = (option, value) => tOr(`option.${option.name}.${value.value}`, value.title);
/** "channel 3" in the language of the page. @param {{index: number, label: string}} run */
export function runTitle({ index, label }) {
  const [kind, number] = label.split(' ');
  return label ? `${tOr(`run.${kind}`, kind)}${number ? ` ${number}` : ''}` : `#${index}`;
}
/** @param {import('../types.js').Step} step */
export const stepTitle = (step) => tOr(`step.${step.op}`, step.title || step.op);

/**
 * The language to start with: `?lang=`, then what was chosen before, then the browser's.
 * @param {{search: string, stored: string | null, preferred: readonly string[]}} from
 */
export function firstLanguage({ search, stored, preferred }) {
  const asked = new URLSearchParams(search).get('lang');
  for (const candidate of [asked, stored, ...preferred]) {
    const language = candidate?.toLowerCase().split('-')[0];
    if (language && language in LANGUAGES) return language;
  }
  return 'en';
}
