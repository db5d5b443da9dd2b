/**
 * Remembers, under a few names, what was made from what: the same object comes back as long as it is made from the
 * same things, so that what depends on it needs no second look.
 */
export class Keeper {
  constructor() {
    /** @type {Map<string, {from: unknown[], made: any}>} */
    this.kept = new Map();
  }

  /**
   * @template T
   * @param {string} name
   * @param {unknown[]} from
   * @param {() => T} make
   * @returns {T}
   */
  keep(name, from, make) {
    const last = this.kept.get(name);
    if (last && last.from.length === from.length && last.from.every((x, i) => Object.is(x, from[i]))) return last.made;
    const made = make();
    this.kept.set(name, { from, made });
    return made;
  }
}
