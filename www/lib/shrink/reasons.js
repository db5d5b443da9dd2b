/**
 * Why a tensor of a plan for a size is as it is. No code lives here.
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
 * @property {Neighbour | null} up
 * @property {Neighbour | null} down
 */
export {};
