/** Which models the engine runs itself, told from names: nothing is loaded for it. */

export const DIGITS = Object.freeze(['conv1', 'conv2', 'fc1', 'fc2']);

/**
 * The digits network, or what looks like a llama in one GGUF file with its tokenizer.
 * @param {{format: string, tensors: readonly {name: string}[]}} model
 * @returns {'digits' | 'language' | null}
 */
export function runnable({ format, tensors }) {
  const names = new Set(tensors.map(({ name }) => name));
  if (format === 'gguf' && names.has('token_embd.weight') && names.has('blk.0.attn_q.weight')) return 'language';
  return DIGITS.every((layer) => names.has(`${layer}.weight`) && names.has(`${layer}.bias`)) && tensors.length === 8
    ? 'digits'
    : null;
}
