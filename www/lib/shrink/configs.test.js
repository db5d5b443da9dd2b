import assert from 'node:assert/strict';
import { test } from 'node:test';

import { compressedTensorsConfig, mlxConfig } from './configs.js';

const group = (/** @type {number} */ bits, /** @type {number} */ groupSize, symmetric = false) => ({
  ...{ id: `int${bits}`, granularity: 'group', groupSize, symmetric },
});
/** @param {{[name: string]: any}} schemes */
const planOf = (schemes) => ({
  tensors: Object.entries(schemes).map(([name, scheme]) => ({
    name,
    shape: name.includes('norm') ? [64] : [64, 64],
    scheme,
  })),
});

test('mlx is told what most are, and each module that differs', () => {
  const config = mlxConfig(
    planOf({
      'model.embed_tokens.weight': { id: 'bf16' },
      'model.layers.0.self_attn.q_proj.weight': group(4, 64),
      'model.layers.0.self_attn.v_proj.weight': group(6, 32),
      'model.layers.0.mlp.up_proj.weight': group(4, 64),
      'model.norm.weight': null,
      'lm_head.weight': null,
    }),
  );
  assert.deepEqual(config, {
    ...{ group_size: 64, bits: 4, mode: 'affine' },
    'model.embed_tokens': false,
    'model.layers.0.self_attn.v_proj': { group_size: 32, bits: 6 },
    lm_head: false,
  });
});

test('compressed-tensors is told each way with its modules', () => {
  const config = compressedTensorsConfig(
    planOf({
      'a.q_proj.weight': group(4, 128, true),
      'a.k_proj.weight': { id: 'int8', granularity: 'channel' },
      'b.q_proj.weight': group(4, 128, true),
      'lm_head.weight': null,
      'norm.weight': null,
    }),
  );
  assert.deepEqual(config.ignore, ['lm_head']);
  const weights = { type: 'int', symmetric: true, dynamic: false };
  const none = { input_activations: null, output_activations: null };
  assert.deepEqual(config.config_groups, {
    group_0: {
      targets: ['a.q_proj', 'b.q_proj'],
      weights: { ...weights, num_bits: 4, strategy: 'group', group_size: 128 },
      ...none,
    },
    group_1: { targets: ['a.k_proj'], weights: { ...weights, num_bits: 8, strategy: 'channel' }, ...none },
  });
});

test('what they cannot say is refused by the tensor', () => {
  for (const [of, scheme] of /** @type {const} */ ([
    [mlxConfig, { id: 'q4_k' }],
    [mlxConfig, group(4, 48)],
    [mlxConfig, group(7, 64)],
    [mlxConfig, { id: 'int4', granularity: 'channel' }],
    [compressedTensorsConfig, { id: 'q4_k' }],
    [compressedTensorsConfig, group(3, 128)],
  ])) {
    assert.throws(() => of(planOf({ 'a.weight': scheme })), { code: 'unsupported', tensor: 'a.weight' });
  }
  assert.throws(() => mlxConfig(planOf({ 'a.weight': null })), { code: 'unsupported' });
});
