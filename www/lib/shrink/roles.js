/**
 * What an error counts by the tensor's part in the model. Measured on the sample language model, where the damage of a matrix is its relative
 * squared error times a number of its own (`measureWeights`): against the mean of attention's matrices those of the feed-forward layers count
 * 2.7, and the output 45. Presets of llama-quantize favour the same ones.
 */
export const ROLES = Object.freeze({ embedding: 1, attention: 1, feedForward: 2, output: 32, other: 1 });
