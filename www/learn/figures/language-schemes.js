/** What the figure of the language model offers: three ways to share scales, six widths. Pure. */

export const KINDS = /** @type {const} */ (['tensor', 'group', 'k']);
export const BITS = /** @type {const} */ ([8, 6, 5, 4, 3, 2]);

/** The text that the model goes on with when nobody has written another. */
export const PROMPT = 'If the vector is empty,';

/** llama.cpp's blocks of that many bits. @type {{[bits: number]: string}} */
const BLOCKS = { 8: 'q8_0', 6: 'q6_k', 5: 'q5_k', 4: 'q4_k', 3: 'q3_k', 2: 'q2_k' };

/** @param {string} kind @param {number} bits */
export function schemeOf(kind, bits) {
  if (kind === 'k') return { id: BLOCKS[bits] };
  return { id: `int${bits}`, ...(kind === 'group' && { granularity: 'group', groupSize: 32 }) };
}

/** @param {string} kind @param {number} bits */
export const keyOf = (kind, bits) => `${kind} ${bits}`;

/** Between how many equally likely tokens one would be as unsure. @param {number} nats per token */
export const perplexity = (nats) => Math.exp(nats);
