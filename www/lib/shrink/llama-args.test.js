import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { llamaArgs, llamaCommand } from './llama-args.js';

/** @param {string} target @param {string} dtype @param {number} [byteLength] */
const matrix = (target, dtype, byteLength = 100) => ({
  target,
  dtype,
  byteLength,
  shape: [32, 32],
  from: { dtype: 'F32' },
  left: null,
});

/** What llama-quantize does with the arguments: lower case, then a search. @param {string[]} args @param {string} name */
function typeOf(args, name) {
  const rules = args
    .filter((_, i) => args[i - 1] === '--tensor-type')
    .map((arg) => {
      const at = arg.indexOf('=');
      return { pattern: new RegExp(arg.slice(0, at).toLowerCase()), type: arg.slice(at + 1) };
    });
  const found = rules.filter(({ pattern }) => pattern.test(name));
  assert.ok(found.length <= 1, `${name} is matched by ${found.length} patterns`);
  return found[0]?.type ?? args.at(-1)?.toLowerCase();
}

test('every tensor is given the type that was planned, and no other', () => {
  const tensors = [
    matrix('token_embd.weight', 'Q6_K'),
    matrix('blk.0.attn_q.weight', 'Q4_K', 1000),
    matrix('blk.1.attn_q.weight', 'Q5_K', 1000),
    matrix('blk.10.attn_q.weight', 'Q4_K', 1000),
    matrix('blk.11.attn_q.weight', 'Q5_K', 1000),
    matrix('blk.0.attn_q.weight.extra', 'Q8_0'),
    matrix('blk.0.ffn_down.weight', 'F16'),
    { ...matrix('output_norm.weight', 'F32'), shape: [32] },
  ];
  const args = llamaArgs({ to: 'gguf', tensors });
  assert.equal(args.at(-1), 'Q4_K');
  for (const { target, dtype, shape } of tensors) {
    if (shape.length > 1) assert.equal(typeOf(args, target), dtype.toLowerCase(), target);
  }
  assert.ok(!args.join(' ').includes('output_norm'), 'a vector is never quantized');
});

test('blocks of one type share a pattern', () => {
  const tensors = ['0', '1', '2'].map((n) => matrix(`blk.${n}.ffn_up.weight`, 'Q5_K'));
  const args = llamaArgs({ to: 'gguf', preset: 'Q4_K_M', tensors });
  assert.deepEqual(args, ['--tensor-type', '^blk\\.(0|1|2)\\.ffn_up\\.weight$=q5_k', 'Q4_K_M']);
});

test('capitals and equals signs survive what llama-quantize does to a pattern', () => {
  const tensors = [matrix('Odd=Name[0].weight', 'Q8_0'), matrix('big.weight', 'Q4_0', 9000)];
  const args = llamaArgs({ to: 'gguf', tensors });
  assert.equal(typeOf(args, 'Odd=Name[0].weight'), 'q8_0');
  assert.equal(typeOf(args, 'big.weight'), 'q4_0');
});

test('a preset comes with every tensor, so that other rules of another version change nothing', () => {
  const args = llamaArgs({ to: 'gguf', preset: 'Q4_K_M', tensors: [matrix('output.weight', 'Q6_K')] });
  assert.deepEqual(args, ['--tensor-type', '^output\\.weight$=q6_k', 'Q4_K_M']);
});

test('a line for the shell is read by a shell as the same arguments', () => {
  const tensors = [matrix("it's $HOME `x`.weight", 'Q8_0'), matrix('a.weight', 'Q4_0', 9000)];
  const plan = { to: 'gguf', tensors };
  const line = llamaCommand(plan, { from: 'in f16.gguf', to: 'out.gguf' });
  const words = execFileSync('sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' })
    .trimEnd()
    .split('\n');
  const args = llamaArgs(plan);
  assert.deepEqual(words, ['llama-quantize', ...args.slice(0, -1), 'in f16.gguf', 'out.gguf', 'Q4_0']);
});

test('a plan of another format is refused', () => {
  assert.throws(() => llamaArgs({ to: 'onnx', tensors: [] }), { code: 'invalid_argument' });
});
