/** Bytes of both models together, at most: a runtime in WebAssembly has 4 GB, and for a while needs more than twice what a model has. */
export const MOST_BYTES = 1_500_000_000;
/** The same of a model that is run alone, with its weights held beside the runtime. */
export const MOST_ALONE = MOST_BYTES / 2;
