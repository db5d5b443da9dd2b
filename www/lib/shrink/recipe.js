/**
 * Recipes: what every tensor of a model shall become, as JSON that can be read, changed and used on another machine.
 */
import { record, text, wrong } from '../check.js';
import { FewerbitsError } from '../errors.js';

/**
 * @typedef {import('../types.js').Scheme} Scheme
 *
 * @typedef {object} Recipe
 * @property {1} [version]
 * @property {'gguf' | 'onnx' | 'safetensors' | 'npz' | 'deep'} [to]
 * @property {string} [preset]
 * @property {Scheme} [scheme] for all tensors that nothing else is said of
 * @property {string} [layout]
 * @property {'reference' | 'best'} [effort] of schemes that say nothing of it themselves
 * @property {Record<string, Scheme | 'keep'>} [tensors] by name
 * @property {Rule[]} [rules]
 * @property {Aim} [aim]
 *
 * @typedef {object} Rule
 * @property {string} match the tensor's name; `*` stands for any run of characters, `?` for one
 * @property {Scheme} [scheme] what it becomes
 * @property {boolean} [keep] it stays as it is
 * @property {string[]} [exclude] schemes, by id, that it does not become when a size is aimed at
 *
 * @typedef {object} Aim how a recipe was found; it is a note, and does not change what the recipe does
 * @property {number} [targetBytes]
 * @property {number} [targetBits]
 * @property {number} outputBytes
 * @property {Record<string, number>} roles what errors weighed
 * @property {Record<string, number>} [weights] the same of single tensors
 * @property {import('./reasons.js').ByRunning} [byRunning] the model was run to choose it
 * @property {number} leastDb
 * @property {string[]} decided tensors that a rule or a hand decided
 */

const SHAPES = '{match, scheme}, {match, keep: true} or {match, exclude: […]}';

/**
 * What single tensors shall become: the recipe's rules first, then its tensors, then the rules given.
 * @param {readonly {name: string}[]} tensors
 * @param {Recipe} recipe
 * @param {Rule[]} rules
 * @returns {Record<string, Scheme | 'keep'>}
 */
export function wishesOf(tensors, recipe, rules) {
  if (recipe.version !== undefined && recipe.version !== 1) {
    const facts = { expected: 'version 1', found: String(recipe.version) };
    throw new FewerbitsError('unsupported', 'the recipe was made by a later version', facts);
  }
  /** @type {Record<string, Scheme | 'keep'>} */
  const wishes = Object.create(null);
  const apply = (/** @type {Rule[]} */ list) => {
    if (!Array.isArray(list)) throw wrong('the rules', `an array of ${SHAPES}`, list);
    for (const rule of list) {
      const { match, scheme, keep, exclude } = record(rule, 'a rule', SHAPES);
      const pattern = globOf(text(match, "a rule's match"));
      if (exclude !== undefined && !(Array.isArray(exclude) && exclude.every((id) => typeof id === 'string')))
        throw wrong("a rule's exclude", 'an array of ids of schemes', exclude);
      if (!scheme && !keep && !exclude) throw wrong('a rule', SHAPES, rule);
      if (!scheme && !keep) continue;
      for (const { name } of tensors)
        if (pattern.test(name)) wishes[name] = keep ? 'keep' : /** @type {Scheme} */ (scheme);
    }
  };
  apply(recipe.rules ?? []);
  const names = new Set(tensors.map(({ name }) => name));
  for (const [name, wish] of Object.entries(record(recipe.tensors ?? {}, "the recipe's tensors"))) {
    // A recipe for a whole model serves each of its shards.
    if (names.has(name)) wishes[name] = wish;
  }
  apply(rules);
  return wishes;
}

/**
 * What a rule's pattern matches. No regular expression: of names and patterns from elsewhere those can take for ever.
 * @param {string} pattern
 * @returns {{test(name: string): boolean}}
 */
export function globOf(pattern) {
  const signs = Array.from(pattern);
  return { test: (name) => matches(signs, Array.from(name)) };
}

/**
 * Goes on as long as characters are the same; where they are not, the last asterisk takes one more. Those before it need not be asked again:
 * the last has all that they could leave to it.
 * @param {string[]} signs of the pattern
 * @param {string[]} name
 */
function matches(signs, name) {
  let [at, star, taken] = [0, -1, 0];
  for (let i = 0; i < name.length;) {
    if (signs[at] === '*') {
      star = at++;
      taken = i;
    } else if (signs[at] === '?' || signs[at] === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++taken;
    } else {
      return false;
    }
  }
  while (signs[at] === '*') at++;
  return at === signs.length;
}
