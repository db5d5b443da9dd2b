/**
 * A plan as the configuration of other quantizers, where they can say it: mlx and compressed-tensors know codes of a few bits with a scale for
 * each group, channel or tensor, and nothing of ggml's blocks. They round by rules of their own; what is handed over is which tensor gets how
 * many bits in which groups.
 *
 * Defined by mlx-lm's `quantization` in config.json (`mlx_lm.utils.quantize_model`, a path or false for each module) and by compressed-tensors'
 * `QuantizationConfig` (`config_groups` with `targets`, `ignore`).
 */
import { FewerbitsError } from '../errors.js';

/**
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {{name: string, shape: number[], scheme: Scheme | null}} Planned of a plan's tensor what is needed here
 */

const MLX_BITS = new Set([2, 3, 4, 5, 6, 8]);
const MLX_GROUPS = new Set([32, 64, 128]);
const PACKED_BITS = new Set([4, 8]);
const FLOATS = new Set(['f32', 'f16', 'bf16']);

/**
 * `quantization` for an mlx model's config.json: what most weights are, and each module that differs.
 * @param {{tensors: Planned[]}} plan
 * @returns {{group_size: number, bits: number, mode: 'affine', [module: string]: any}}
 * @throws {FewerbitsError} `unsupported` with the first tensor that mlx cannot have so
 */
export function mlxConfig({ tensors }) {
  const modules = matrices(tensors).map(({ name, scheme }) => {
    const codes = codesOf(scheme);
    if (codes === null) return { module: moduleOf(name), says: /** @type {const} */ (false) };
    const { bits, granularity, groupSize } = codes;
    if (!MLX_BITS.has(bits) || granularity !== 'group' || !MLX_GROUPS.has(groupSize)) {
      throw cannot('mlx', name, scheme, 'int2 to int6 or int8 in groups of 32, 64 or 128, or a float');
    }
    return { module: moduleOf(name), says: { group_size: groupSize, bits } };
  });
  const quantized = modules.flatMap(({ says }) => (says === false ? [] : [JSON.stringify(says)]));
  if (quantized.length === 0) throw cannot('mlx', undefined, null, 'a tensor that is quantized');
  const most = mostOf(quantized);
  const others = modules.filter(({ says }) => JSON.stringify(says) !== most);
  return {
    ...JSON.parse(most),
    mode: 'affine',
    ...Object.fromEntries(others.map(({ module, says }) => [module, says])),
  };
}

/**
 * `quantization_config` for a model of compressed-tensors: a group for each way, and what is left alone.
 * @param {{tensors: Planned[]}} plan
 * @throws {FewerbitsError} `unsupported` with the first tensor that it cannot have so
 */
export function compressedTensorsConfig({ tensors }) {
  /** @type {Map<string, string[]>} */
  const groups = new Map();
  /** @type {string[]} */
  const ignore = [];
  for (const { name, scheme } of matrices(tensors)) {
    const codes = codesOf(scheme);
    if (codes === null) {
      ignore.push(moduleOf(name));
      continue;
    }
    const { bits, granularity, groupSize, symmetric } = codes;
    if (!PACKED_BITS.has(bits)) throw cannot('compressed-tensors', name, scheme, 'int4, int8 or a float');
    const key = JSON.stringify({
      ...{ num_bits: bits, type: 'int', symmetric, strategy: granularity },
      ...(granularity === 'group' ? { group_size: groupSize } : {}),
      dynamic: false,
    });
    groups.set(key, [...(groups.get(key) ?? []), moduleOf(name)]);
  }
  if (groups.size === 0) throw cannot('compressed-tensors', undefined, null, 'a tensor that is quantized');
  return {
    quant_method: 'compressed-tensors',
    format: 'pack-quantized',
    quantization_status: 'compressed',
    ignore,
    config_groups: Object.fromEntries(
      [...groups].map(([weights, targets], i) => [
        `group_${i}`,
        { targets, weights: JSON.parse(weights), input_activations: null, output_activations: null },
      ]),
    ),
  };
}

/** Modules have a matrix each; all else is left alone there anyway. @param {Planned[]} tensors */
const matrices = (tensors) => tensors.filter(({ name, shape }) => shape.length === 2 && name.endsWith('.weight'));

/** @param {string} name */
const moduleOf = (name) => name.replace(/\.weight$/, '');

/**
 * What a scheme is in their terms; null of floats.
 * @param {Scheme | null} scheme
 * @returns {{bits: number, granularity: string, groupSize: number, symmetric: boolean} | null}
 */
function codesOf(scheme) {
  if (scheme === null || FLOATS.has(scheme.id)) return null;
  const [, bits = ''] = /^int([2-8])$/.exec(scheme.id) ?? [];
  const { granularity = 'tensor', groupSize = 32, symmetric = true } = /** @type {any} */ (scheme);
  // Bits of 0 are what neither has.
  return { bits: Number(bits), granularity, groupSize, symmetric };
}

/** @param {string[]} texts */
function mostOf(texts) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0][0];
}

/**
 * @param {string} whose
 * @param {string | undefined} tensor
 * @param {Scheme | null} scheme
 * @param {string} expected
 */
function cannot(whose, tensor, scheme, expected) {
  const found = scheme === null ? 'none' : JSON.stringify(scheme);
  return new FewerbitsError('unsupported', `${whose} has no such weights`, { tensor, expected, found });
}
