/**
 * The page's state: plain data, and the pure updates that change it. Nothing here touches the DOM, the worker or
 * the clock.
 *
 * @typedef {import('./types.js').State} State
 * @typedef {import('./types.js').Scheme} Scheme
 * @typedef {import('./types.js').SchemeInfo} SchemeInfo
 * @typedef {import('./types.js').Option} Option
 * @typedef {import('./types.js').Side} Side
 * @typedef {import('./types.js').Tensor} Tensor
 */

export const DEFAULT_B = Object.freeze({ id: 'int4' });

/** @returns {State} */
export function initialState() {
  return {
    catalogue: [],
    model: null,
    tensor: null,
    sides: { a: null, b: { ...DEFAULT_B } },
    active: 'b',
    view: { log: false, axis: null, matrix: 'values', split: 0.5, region: null },
    selected: null,
    hover: null,
    list: { query: '', sort: 'order', descending: false, dtype: '' },
    opening: null,
    loading: null,
    computing: null,
    problem: null,
    fatal: null,
    data: null,
    result: null,
    pictures: null,
    weight: null,
    sparks: {},
    file: null,
    compared: null,
    requests: [],
    language: 'en',
    theme: 'system',
    offered: null,
    continuous: false,
    dropping: false,
    room: 'explore',
    chapter: 0,
    settings: {},
    shrinkQuery: '',
    shrink: null,
    batch: null,
  };
}

/**
 * A new file is open. A tensor that the URL or the last file named stays chosen when the new file has it.
 * @param {State} state
 * @param {import('./types.js').Model} model
 * @returns {State}
 */
export function modelOpened(state, model) {
  const kept = model.tensors.find((t) => t.name === state.tensor && t.readable === true);
  const tensor = kept ?? firstChoice(model.tensors);
  const same = kept !== undefined && state.model === null;
  return {
    ...state,
    model,
    tensor: tensor?.name ?? null,
    opening: null,
    problem: null,
    offered: model.sample ? state.offered : null,
    sparks: {},
    file: null,
    list: { ...state.list, query: '', dtype: '' },
    data: null,
    result: null,
    pictures: null,
    weight: null,
    selected: same ? state.selected : null,
    hover: null,
    view: same ? state.view : { ...state.view, axis: null, region: null },
  };
}

/**
 * The tensor to show first: the largest of those worth quantizing, so that the figures have something to say.
 * @param {Tensor[]} tensors
 */
function firstChoice(tensors) {
  const readable = tensors.filter((t) => t.readable === true && t.count > 0);
  const matrices = readable.filter((t) => t.shape.length > 1);
  const pool = matrices.length > 0 ? matrices : readable;
  // A first look should be quick: of the tensors up to 4M weights the largest, else the smallest there is.
  const quick = pool.filter((t) => t.count <= 4e6);
  if (quick.length > 0) return quick.reduce((best, t) => (t.count > best.count ? t : best));
  return pool.length > 0 ? pool.reduce((best, t) => (t.count < best.count ? t : best)) : tensors[0];
}

/**
 * @param {State} state
 * @param {string} name
 * @returns {State}
 */
export function chooseTensor(state, name) {
  if (name === state.tensor || !state.model?.tensors.some((t) => t.name === name)) return state;
  return {
    ...state,
    tensor: name,
    continuous: false,
    problem: state.problem?.what === 'open' ? state.problem : null,
    selected: null,
    hover: null,
    weight: null,
    view: { ...state.view, axis: null, region: null },
  };
}

/**
 * Loading a tensor failed or was cancelled: what was shown before is chosen again.
 * @param {State} state
 * @returns {State}
 */
export function tensorRefused(state) {
  return { ...state, loading: null, tensor: state.data?.name ?? null };
}

/**
 * @param {State} state
 * @param {Side} side
 * @param {Scheme | null} scheme
 * @param {boolean} [continuous] true while a control is being dragged
 * @returns {State}
 */
export function setScheme(state, side, scheme, continuous = false) {
  const tidied = scheme === null ? null : tidy(state.catalogue, scheme);
  const next = tidied && state.data ? inRows(state.catalogue, tidied, state.data.matrix[1]) : tidied;
  if (side === 'b' && next === null) return state;
  if (JSON.stringify(next) === JSON.stringify(state.sides[side])) return state;
  const problem = state.problem?.what === 'scheme' ? null : state.problem;
  return { ...state, sides: { ...state.sides, [side]: next }, active: side, continuous, problem };
}

/**
 * @param {State} state
 * @param {Side} side
 * @param {string} name
 * @param {string | number | boolean} value
 * @param {boolean} [continuous]
 */
export function setOption(state, side, name, value, continuous = false) {
  const scheme = state.sides[side];
  if (scheme === null) return state;
  const by = name === 'range' && value === 'manual' ? startingRange(state, side) : {};
  return setScheme(state, side, { ...scheme, ...by, [name]: value }, continuous);
}

/**
 * A range set by hand starts where the levels lie now.
 * @param {State} state
 * @param {Side} side
 * @returns {{[option: string]: number}}
 */
function startingRange(state, side) {
  const run = state.result?.[side]?.run;
  return run ? { rangeLow: run.low, rangeHigh: run.high } : {};
}

/**
 * Another scheme, keeping those options that it knows too.
 * @param {State} state
 * @param {Side} side
 * @param {string} id
 * @param {boolean} [continuous]
 */
export function setSchemeId(state, side, id, continuous = false) {
  return setScheme(state, side, { ...(state.sides[side] ?? state.sides.b), id }, continuous);
}

/**
 * The clip handles moved: the range becomes manual. Zero is always in it.
 * @param {State} state
 * @param {Side} side
 * @param {[number, number]} range
 * @param {boolean} continuous
 * @returns {State}
 */
export function setRange(state, side, [low, high], continuous) {
  const scheme = state.sides[side];
  if (scheme === null || !hasRange(state.catalogue, scheme)) return state;
  const range = { rangeLow: Math.min(low, 0), rangeHigh: Math.max(high, 0) };
  return setScheme(state, side, { ...scheme, range: 'manual', ...range }, continuous);
}

/**
 * Where the ends of the range stand: as set by hand, or where the outermost levels of the shown run lie.
 * @param {State} state
 * @param {Side} side
 * @returns {{low: number, high: number} | null}
 */
export function rangeOf(state, side) {
  const scheme = state.sides[side];
  const run = state.result?.[side]?.run;
  if (scheme?.range === 'manual' && typeof scheme.rangeLow === 'number' && typeof scheme.rangeHigh === 'number') {
    return { low: scheme.rangeLow, high: scheme.rangeHigh };
  }
  return run && Number.isFinite(run.low) && Number.isFinite(run.high) ? { low: run.low, high: run.high } : null;
}

/**
 * Whether a side's scheme has its range mirrored about zero.
 * @param {State} state
 * @param {Side} side
 */
export function isSymmetric(state, side) {
  const scheme = state.sides[side];
  return (
    optionValue(
      state.catalogue.find((s) => s.id === scheme?.id),
      scheme,
      'symmetric',
    ) === true
  );
}

/**
 * Whether a scheme has a range that a person may set by hand.
 * @param {SchemeInfo[]} catalogue
 * @param {Scheme | null} scheme
 */
export function hasRange(catalogue, scheme) {
  const options = catalogue.find((s) => s.id === scheme?.id)?.options ?? [];
  const range = options.find((o) => o.name === 'range');
  return (
    (range?.values ?? []).some((v) => v.value === 'manual') &&
    ['rangeLow', 'rangeHigh'].every((name) => options.some((o) => o.name === name))
  );
}

/** Side A gets what side B has, to go on from there. @param {State} state @returns {State} */
export function copySide(state) {
  return { ...setScheme(state, 'a', state.sides.b), active: 'b' };
}

/** @param {State} state @returns {State} */
export function swapSides(state) {
  const { a, b } = state.sides;
  if (a === null) return state;
  return { ...state, sides: { a: b, b: a }, continuous: false };
}

/**
 * @param {State} state
 * @param {Partial<import('./types.js').View>} view
 * @returns {State}
 */
export function setView(state, view) {
  return { ...state, view: { ...state.view, ...view }, continuous: true };
}

/**
 * @param {State} state
 * @param {number | null} index
 * @returns {State}
 */
export function select(state, index) {
  return state.selected === index ? state : { ...state, selected: index, hover: null };
}

/**
 * @param {State} state
 * @param {number | null} index
 * @returns {State}
 */
export function point(state, index) {
  return state.hover === index ? state : { ...state, hover: index };
}

/**
 * @param {State} state
 * @param {Partial<State['list']>} list
 * @returns {State}
 */
export function setList(state, list) {
  return { ...state, list: { ...state.list, ...list } };
}

/**
 * The catalogue has come: schemes that a URL asked for are held against it.
 * @param {State} state
 * @param {SchemeInfo[]} catalogue
 * @returns {State}
 */
export function setCatalogue(state, catalogue) {
  const { a, b } = state.sides;
  const sides = {
    a: a && tidy(catalogue, a),
    b: tidy(catalogue, b) ?? { id: catalogue[0]?.id ?? DEFAULT_B.id },
  };
  return { ...state, catalogue, sides };
}

/**
 * The resolved value of one option.
 * @param {SchemeInfo | undefined} info
 * @param {Scheme | null} scheme
 * @param {string} name
 */
export function optionValue(info, scheme, name) {
  return scheme?.[name] ?? info?.options.find((o) => o.name === name)?.default;
}

/**
 * Whether an option has a say, given the others.
 * @param {SchemeInfo} info
 * @param {Scheme} scheme
 * @param {Option} option
 */
export function applies(info, scheme, option) {
  return Object.entries(option.when ?? {}).every(([other, allowed]) =>
    /** @type {unknown[]} */ (allowed).includes(optionValue(info, scheme, other)),
  );
}

/**
 * A scheme without options that it does not know, that stand at their default or that have no say, and with numbers
 * inside their limits. Null for an unknown scheme. Without a catalogue nothing is known yet and nothing is changed.
 * @param {SchemeInfo[]} catalogue
 * @param {Scheme} scheme
 * @returns {Scheme | null}
 */
export function tidy(catalogue, scheme) {
  if (catalogue.length === 0) return scheme;
  const info = catalogue.find((s) => s.id === scheme.id);
  if (!info) return null;
  /** @type {Scheme} */
  const known = { id: scheme.id };
  for (const option of info.options) {
    const value = admit(option, scheme[option.name]);
    if (value !== undefined && value !== option.default) known[option.name] = value;
  }
  /** @type {Scheme} */
  const result = { id: scheme.id };
  for (const option of info.options) {
    if (option.name in known && applies(info, known, option)) result[option.name] = known[option.name];
  }
  return result;
}

/**
 * @param {Option} option
 * @param {unknown} value
 * @returns {string | number | boolean | undefined}
 */
function admit(option, value) {
  if (option.kind === 'flag') return typeof value === 'boolean' ? value : undefined;
  if (option.kind === 'choice') {
    return option.values?.some((v) => v.value === value) ? /** @type {string} */ (value) : undefined;
  }
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  const number = option.kind === 'integer' ? Math.round(value) : value;
  return Math.min(option.max ?? Infinity, Math.max(option.min ?? -Infinity, number));
}

/**
 * The tensors that the list shows, in its order.
 * @param {Tensor[]} tensors
 * @param {State['list']} list
 */
export function listed(tensors, list) {
  const words = list.query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = tensors.filter((t) => {
    if (list.dtype && t.dtype !== list.dtype) return false;
    if (words.length === 0) return true;
    const text = `${t.name} ${t.dtype} ${t.shape.join('×')} ${t.shape.join('x')}`.toLowerCase();
    // Numbers are shown in groups of three digits: a shape is found as it is written there too.
    return words.every((w) => text.includes(w) || text.includes(w.replace(/(\d),(?=\d{3})/g, '$1')));
  });
  /** @type {{[key: string]: (a: Tensor, b: Tensor) => number}} */
  const orders = {
    name: (a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }),
    size: (a, b) => a.byteLength - b.byteLength,
    count: (a, b) => a.count - b.count,
    dtype: (a, b) => a.dtype.localeCompare(b.dtype),
  };
  const order = orders[list.sort];
  if (order) found.sort(order);
  if (list.descending) found.reverse();
  return found;
}

/** The engine's axes are f32. */
const F32_MAX = 3.4028234663852886e38;

/**
 * The horizontal axis of the main figure when nobody has zoomed: symmetric about zero where the weights are nearly so.
 * @param {import('./types.js').Stats} stats
 * @returns {[number, number]}
 */
export function naturalAxis(stats) {
  const { min, max } = stats;
  if (!Number.isFinite(min) || !Number.isFinite(max)) return [-1, 1];
  if (min < 0 && max > 0 && Math.max(-min, max) < 3 * Math.min(-min, max)) {
    const end = Math.min(Math.max(-min, max) * 1.06, F32_MAX);
    return [-end, end];
  }
  const width = max - min || Math.abs(max) || 1;
  return [Math.max(min - 0.06 * width, -F32_MAX), Math.min(max + 0.06 * width, F32_MAX)];
}

/** @param {State} state @returns {[number, number]} */
export function axisOf(state) {
  return state.view.axis ?? (state.data ? naturalAxis(state.data.stats) : [-1, 1]);
}

/**
 * The rows and columns that the matrix shows; an address may ask for some that this tensor does not have.
 * @param {State} state
 * @returns {[number, number, number, number]}
 */
export function regionOf(state) {
  const [rows, columns] = state.data?.matrix ?? [1, 1];
  const [r0, r1, c0, c1] = state.view.region ?? [0, rows, 0, columns];
  const fits = r0 >= 0 && c0 >= 0 && r1 <= rows && c1 <= columns && [r0, r1, c0, c1].every(Number.isInteger);
  return fits ? [r0, r1, c0, c1] : [0, rows, 0, columns];
}

/**
 * A scheme as rows of this length can have it: blocks that do not divide them run on from row to row.
 * @param {SchemeInfo[]} catalogue
 * @param {Scheme} scheme
 * @param {number} columns
 * @returns {Scheme}
 */
export function inRows(catalogue, scheme, columns) {
  const info = catalogue.find((s) => s.id === scheme.id);
  const whole = !info?.blockSize || columns % info.blockSize === 0;
  if (whole || scheme.flatten === true || !info.options.some(({ name }) => name === 'flatten')) return scheme;
  return { ...scheme, flatten: true };
}

/**
 * The schemes as the next tensor can have them: a channel axis that it lacks becomes its last one, and blocks that do not divide
 * its rows run over them. What the tensor before needed is taken back.
 * @param {State} state
 * @param {readonly number[]} shape
 * @param {number} columns weights of a row
 * @returns {import('./types.js').Sides}
 */
export function sidesFor({ sides, catalogue, data }, shape, columns) {
  const last = Math.max(0, shape.length - 1);
  const fit = (/** @type {Scheme} */ scheme) => {
    const { flatten, ...rest } = scheme;
    const wasNeeded = data && inRows(catalogue, rest, data.matrix[1]) !== rest;
    const free = flatten === undefined || wasNeeded ? rest : scheme;
    const there = Number(scheme.axis) > last ? { ...free, axis: last } : free;
    const fitted = inRows(catalogue, there, columns);
    return JSON.stringify(fitted) === JSON.stringify(scheme) ? scheme : fitted;
  };
  const [a, b] = [sides.a && fit(sides.a), fit(sides.b)];
  return a === sides.a && b === sides.b ? sides : { a, b };
}
