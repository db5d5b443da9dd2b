/**
 * Why a tensor of a plan for a size is as it is, and what a plan does to the answers. No code lives here.
 *
 * @typedef {import('../types.js').Scheme} Scheme
 * @typedef {'embedding' | 'attention' | 'feedForward' | 'output' | 'other'} Role
 *
 * @typedef {{scheme: Scheme | null, dtype: string, bytes: number, error: number, perByte: number}} Neighbour another way for a tensor:
 *   `bytes` more (or fewer, below 0), what its error would be, and the cost that each byte saves (or adds)
 *
 * @typedef {object} Near
 * @property {Role} role
 * @property {number} weight of the role
 * @property {number} error the tensor's relative squared error
 * @property {number} deviation of it, by sampling
 * @property {number} price cost that a byte saves where the budget ends: what saves less for a byte is not bought
 * @property {boolean} isFree false where a rule or a hand decided
 * @property {boolean} byRunning the model was run under several recipes of the size, and this is the one that moved its answers least
 * @property {Neighbour | null} up
 * @property {Neighbour | null} down
 *
 * @typedef {object} ByRunning how a plan was chosen by running
 * @property {'cosine' | 'divergence'} measure how far answers moved: what the cosine of all logits lacks of 1 (the digits network), or the mean
 *   Kullback–Leibler divergence in nats (a language model)
 * @property {number} answers on which it was chosen
 * @property {number} runs of the model
 * @property {number} moved how far the answers moved under this plan, on what it was chosen by
 * @property {number} byCost the same under the plan by cost, from which the search went out
 *
 * @typedef {object} Damage
 * @property {'digits' | 'language'} kind
 * @property {number} answers that were compared: images, or positions of the text
 * @property {number} divergence Kullback–Leibler, of what is held likely from what the float model holds likely: nats for each answer, the mean
 * @property {number} same answers of which the likeliest is still the same
 * @property {{before: number, after: number} | null} loss nats for each answer, where the right one is known
 * @property {{before: number, after: number} | null} right of images with labels: how many are read rightly
 */
export {};
