/** Which models can be run, told from names: nothing is loaded for it. */

export const DIGITS = Object.freeze(['conv1', 'conv2', 'fc1', 'fc2']);

/**
 * What the engine runs itself: the digits network, or what looks like a llama in one GGUF file with its tokenizer. ONNX models are run by
 * onnxruntime-web.
 * @param {{format: string, tensors: readonly {name: string}[]}} model
 * @returns {'digits' | 'language' | 'onnx' | null}
 */
export function runnable({ format, tensors }) {
  if (format === 'onnx') return 'onnx';
  const names = new Set(tensors.map(({ name }) => name));
  if (format === 'gguf' && names.has('token_embd.weight') && names.has('blk.0.attn_q.weight')) return 'language';
  return DIGITS.every((layer) => names.has(`${layer}.weight`) && names.has(`${layer}.bias`)) && tensors.length === 8
    ? 'digits'
    : null;
}
