/**
 * The shapes of what goes in and comes out.
 * @module
 */

/**
 * Which weights become zero first: a share of the smallest, those below a threshold, or all but the largest N of each M. Stands for the
 * options `prune: 'ratio', pruneRatio` and so on.
 *
 * @typedef {{ratio: number} | {threshold: number} | {nm: [number, number]}} Prune
 */

/**
 * A scheme and its options; those left out have their defaults.
 *
 * @typedef {{id: string, [option: string]: string | number | boolean | undefined | Prune}} Scheme
 */

/**
 * @typedef {object} OptionSpec one thing to choose
 * @property {string} name its name in a {@link Scheme}
 * @property {'flag' | 'choice' | 'integer' | 'number'} kind
 * @property {string} title for people
 * @property {string} help what it changes, a sentence
 * @property {boolean | string | number} default
 * @property {number} [min] inclusive
 * @property {number} [max] inclusive
 * @property {number} [step]
 * @property {string} [unit]
 * @property {number[]} [suggestions] usual values
 * @property {{value: string, title: string}[]} [values] what a choice takes
 * @property {Record<string, (string | number | boolean)[]>} [when] it matters only when the named option has one of these values
 */

/**
 * @typedef {object} SchemeEntry
 * @property {string} id
 * @property {string} title
 * @property {string} family
 * @property {number | null} bits width of a code; `null` where an option decides
 * @property {number | null} blockSize weights per block where the scheme fixes it
 * @property {string} summary what it does, a sentence
 * @property {{title: string, url: string}} source where its definition comes from
 * @property {OptionSpec[]} options
 */

/**
 * @typedef {object} Histogram equal bins over `[lo, hi]`; the last holds `hi` too. Bins are found in f32: a value within one rounding of an
 *   inner edge may be counted on either side of it
 * @property {number} lo
 * @property {number} hi
 * @property {Float64Array} counts
 * @property {number} below values below `lo`
 * @property {number} above values above `hi`
 */

/**
 * @typedef {object} StatsOptions
 * @property {number} [bins] of the histogram, 256 by default, 0 for none
 * @property {[number, number]} [range] of the histogram; from least to greatest by default
 * @property {number[]} [quantiles] at most 1,024, from 0 to 1
 * @property {number} [axis] also gives the ranges of the channels along it
 */

/**
 * @typedef {object} Stats
 * @property {number} count
 * @property {number} min
 * @property {number} max
 * @property {number} absMax
 * @property {number} mean
 * @property {number} std
 * @property {number} skewness
 * @property {number} kurtosis
 * @property {number} zeros
 * @property {number} nan
 * @property {number} infinite
 * @property {{q: number, value: number}[]} quantiles
 * @property {boolean} quantilesExact
 * @property {Histogram} [histogram]
 * @property {{axis: number, min: Float32Array, max: Float32Array}} [channels]
 */

/**
 * Sums in f64; in `evaluate` of 262144 weights and more those of errors are taken in f32 for runs of 64, which leaves them good to one in ten
 * million.
 *
 * @typedef {object} Metrics
 * @property {number} count
 * @property {number} mse
 * @property {number} rmse
 * @property {number} mae
 * @property {number} maxAbs
 * @property {number | null} maxAbsIndex the first weight with that error
 * @property {number} sqnrDb in dB
 * @property {number} cosine
 * @property {number} zeroed share of all weights, 0…1
 * @property {number} zerosBefore
 * @property {number} zerosAfter
 */

/**
 * @typedef {object} EvaluateOptions
 * @property {number} [bins] of both histograms, 256 by default
 * @property {[number, number]} [range] of both histograms; by default all weights and levels fit
 * @property {number} [errorBins] 128 by default
 * @property {number} [errorRange] half-width of the error histogram; one step of the shown run by default
 * @property {number} [at] the element whose run and levels are shown, 0 by default
 */

/**
 * @typedef {object} RunInfo weights that share a scale
 * @property {number} index
 * @property {string} label such as "group 17"
 * @property {number} count
 * @property {number} scale
 * @property {number} zeroPoint
 * @property {number} low lowest level
 * @property {number} high highest level
 */

/**
 * @typedef {object} Evaluation
 * @property {Scheme} scheme with every option
 * @property {number} count
 * @property {number} byteLength of the packed tensor
 * @property {number} bitsPerWeight everything counted
 * @property {Metrics} metrics
 * @property {Histogram} reference of the weights
 * @property {Histogram} histogram of what they become, over the same bins
 * @property {Histogram} error of `weight − result`
 * @property {number} runs how many share a scale
 * @property {RunInfo | null} run the one at `at`; `null` of no weights
 * @property {Float32Array} levels all that the element at `at` could become, ascending
 */

/**
 * @typedef {object} Trace
 * @property {number} index
 * @property {number[]} coordinates one per dimension
 * @property {number} row
 * @property {number} column
 * @property {number} value
 * @property {number} floatBits the weight's 32 bits
 * @property {RunInfo} run
 * @property {{op: string, title: string, operand?: number, value: number}[]} steps
 * @property {number | null} code the integer stored
 * @property {string} bits the stored bits, highest first
 * @property {number} byteOffset byte of the packed tensor in which the code begins
 * @property {number} bitOffset bit of that byte, 0 for the lowest
 * @property {number} back what is read back
 * @property {number} error `value − back`
 * @property {Block | null} block what the weight is read from, of schemes with blocks
 */

/**
 * @typedef {object} Block a packed block, and what its bytes mean
 * @property {number} offset its first byte in the packed tensor
 * @property {number} weights how many it holds
 * @property {Uint8Array} bytes
 * @property {{name: string, bytes: number}[]} parts the stretches they form, in order: `scale`, `min`, `scales`, `codes`, `high bits`
 * @property {{part: number, bit: number, bits: number}[]} fields the bits that the weight is read from, those of its code last; `bit`
 *   counts from the lowest of the block's first byte
 */

/**
 * @typedef {object} ImageOptions
 * @property {'values' | 'error'} [kind]
 * @property {[number, number]} [rows] first row and end, may be fractional; all by default
 * @property {[number, number]} [columns]
 * @property {number} [width] pixels, 256 by default
 * @property {number} [height]
 */

/**
 * @typedef {object} Suggestion
 * @property {Scheme} scheme
 * @property {{code: string, text: string, facts: number[]}[]} reasons
 */

export {};
