/**
 * What each format that is read can be written as, and what there is to choose then: a row per target.
 */

/**
 * @typedef {object} Target
 * @property {'gguf' | 'onnx' | 'safetensors' | 'npz' | 'deep'} to
 * @property {string} title
 * @property {string} extension of its files
 * @property {string[]} presets named sets of rules; the first is the default, where there are any
 * @property {boolean} [isByScheme] the default is a scheme though there are presets
 * @property {SchemeGroup[]} schemes what a tensor can become, in groups; the first of all is the default where there are no presets
 * @property {string[]} layouts ways to store quantized tensors; the first is the default, where there are any; `auto` leaves it to the plan
 *
 * @typedef {object} SchemeGroup
 * @property {string} kind `cast`: nothing but a type; `block`: packed; `study`: what a scheme makes of the weights, stored as float
 * @property {string[] | '*'} ids `*`: every scheme that no other group of the target has
 * @property {string} [layout] the only one that they are for; a layout with groups of its own has no others
 */

/** llama-quantize's own, by what is asked for most. */
const PRESETS = [
  'Q4_K_M',
  'Q5_K_M',
  'Q6_K',
  'Q8_0',
  'Q4_K_S',
  'Q5_K_S',
  'Q3_K_L',
  'Q3_K_M',
  'Q3_K_S',
  'Q2_K',
  'Q2_K_S',
];
const MORE_PRESETS = ['Q5_1', 'Q5_0', 'Q4_1', 'Q4_0', 'IQ4_NL', 'IQ4_XS', 'TQ2_0', 'TQ1_0', 'MXFP4_MOE', 'F16', 'BF16'];
/** Types of GGUF. */
const OLDER = ['q5_1', 'q5_0', 'q4_1', 'q4_0'];
const OTHERS = ['iq4_nl', 'iq4_xs', 'tq2_0', 'tq1_0', 'mxfp4', 'nvfp4'];

/** GGUF of a model that is GGUF; of others, whose architecture may be unknown, presets may be refused: there a scheme is the default. */
const GGUF = {
  to: /** @type {const} */ ('gguf'),
  title: 'GGUF',
  extension: 'gguf',
  presets: [...PRESETS, ...MORE_PRESETS],
  schemes: [
    { kind: 'block', ids: ['q8_0', 'q6_k', 'q5_k', 'q4_k', 'q3_k', 'q2_k', ...OLDER, ...OTHERS] },
    { kind: 'cast', ids: ['f16', 'bf16'] },
  ],
  layouts: [],
};

/** @type {(Target & {from: string[]})[]} */
const TARGETS = [
  {
    from: ['safetensors', 'npy', 'npz', 'torch', 'deep'],
    to: 'safetensors',
    title: 'safetensors',
    extension: 'safetensors',
    presets: [],
    schemes: [
      { kind: 'cast', ids: ['f16', 'bf16', 'fp8_e4m3', 'fp8_e5m2'] },
      { kind: 'study', ids: '*' },
      { kind: 'block', ids: ['int4', 'int8', 'fp8_e4m3'], layout: 'compressed-tensors' },
    ],
    layouts: ['plain', 'compressed-tensors'],
  },
  { from: ['gguf'], ...GGUF },
  {
    from: ['gguf'],
    to: 'safetensors',
    title: 'safetensors',
    extension: 'safetensors',
    presets: [],
    schemes: [
      { kind: 'cast', ids: ['f16', 'bf16'] },
      { kind: 'study', ids: '*' },
    ],
    layouts: [],
  },
  { from: ['safetensors', 'npy', 'npz', 'torch'], ...GGUF, isByScheme: true },
  {
    from: ['onnx'],
    to: 'onnx',
    title: 'ONNX',
    extension: 'onnx',
    presets: [],
    schemes: [
      { kind: 'block', ids: ['int8', 'int4'] },
      { kind: 'cast', ids: ['f16'] },
    ],
    layouts: ['auto', 'qdq', 'contrib'],
  },
  {
    from: ['safetensors', 'gguf', 'onnx', 'npy', 'npz', 'torch', 'deep'],
    to: 'deep',
    title: 'Deep Compression',
    extension: 'fbdc',
    presets: [],
    schemes: [
      { kind: 'block', ids: ['deep'] },
      { kind: 'cast', ids: ['f16', 'bf16'] },
    ],
    layouts: [],
  },
  {
    from: ['safetensors', 'gguf', 'onnx', 'npy', 'npz', 'torch', 'deep'],
    to: 'npz',
    title: 'npz',
    extension: 'npz',
    presets: [],
    schemes: [
      { kind: 'cast', ids: ['f16'] },
      { kind: 'study', ids: '*' },
    ],
    layouts: [],
  },
];

/**
 * The formats that a model of this format can be written as; the first is the default.
 * @param {string} format
 * @returns {Target[]}
 */
export function targetsOf(format) {
  return TARGETS.filter(({ from }) => from.includes(format));
}

/**
 * The groups that a layout has.
 * @param {Target} target
 * @param {string | null} [layout]
 * @returns {SchemeGroup[]}
 */
export function groupsOf({ schemes }, layout) {
  const own = schemes.filter((group) => group.layout !== undefined && group.layout === layout);
  return own.length > 0 ? own : schemes.filter((group) => group.layout === undefined);
}

/**
 * The schemes of a target that the engine knows, group by group.
 * @template {{id: string}} Entry
 * @param {Target} target
 * @param {readonly Entry[]} catalogue
 * @param {string | null} [layout]
 * @returns {{kind: string, schemes: Entry[]}[]}
 */
export function schemesOf(target, catalogue, layout) {
  const schemes = groupsOf(target, layout);
  const named = new Set(schemes.flatMap(({ ids }) => (ids === '*' ? [] : ids)));
  return schemes.map(({ kind, ids }) => ({
    kind,
    schemes:
      ids === '*'
        ? catalogue.filter(({ id }) => !named.has(id))
        : ids.flatMap((id) => catalogue.find((entry) => entry.id === id) ?? []),
  }));
}
