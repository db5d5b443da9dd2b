/**
 * The shapes of plain data that the page passes around. No code lives here.
 *
 * @typedef {{id: string, [option: string]: string | number | boolean}} Scheme
 *   a scheme with the options that differ from their defaults
 * @typedef {{
 *   name: string, kind: 'flag' | 'choice' | 'integer' | 'number', title: string, help?: string,
 *   default: string | number | boolean, unit?: string, min?: number, max?: number, step?: number,
 *   suggestions?: number[], values?: {value: string, title: string}[],
 *   when?: {[option: string]: (string | number | boolean)[]}
 * }} Option
 * @typedef {{
 *   id: string, title: string, family: string, bits: number | null, blockSize: number | null, summary: string,
 *   source?: {title: string, url: string}, options: Option[]
 * }} SchemeInfo
 *
 * @typedef {{lo: number, hi: number, counts: Float64Array, below: number, above: number}} Histogram
 * @typedef {{
 *   count: number, min: number, max: number, mean: number, std: number, skewness: number, kurtosis: number,
 *   zeros: number, nan: number, infinite: number, absMax: number,
 *   quantiles: {q: number, value: number}[], quantilesExact: boolean, histogram: Histogram
 * }} Stats
 * @typedef {{
 *   mse: number, rmse: number, mae: number, maxAbs: number, maxAbsIndex: number | null, sqnrDb: number, cosine: number,
 *   zeroed: number, zerosBefore: number, zerosAfter: number
 * }} Metrics
 * @typedef {{
 *   scheme: Scheme, count: number, byteLength: number, bitsPerWeight: number, metrics: Metrics,
 *   histogram: Histogram, reference: Histogram, error: Histogram, runs: number,
 *   run: {index: number, label: string, scale: number, zeroPoint: number, low: number, high: number, count: number} | null,
 *   levels: Float32Array
 * }} Evaluation
 * @typedef {{x: Float32Array, y: Float32Array}} Staircase
 * @typedef {{op: string, title: string, operand?: number | string, value: number | string}} Step
 * @typedef {{
 *   index: number, coordinates: number[], row: number, column: number, value: number, run: {index: number, label: string}, back: number,
 *   error: number, steps: Step[], code?: number | null, bits?: string, floatBits: number, byteOffset?: number, bitOffset?: number,
 *   block?: Block | null
 * }} Trace
 * @typedef {import('./lib/types.js').Block} Block
 *
 * @typedef {{
 *   name: string, dtype: string, shape: number[], byteLength: number, count: number, row: [number, number],
 *   readable: true | string
 * }} Tensor
 * @typedef {{
 *   id: number, name: string, format: string, byteLength: number, tensors: Tensor[], metadata: {[key: string]: string},
 *   sample: boolean, url: string | null
 * }} Model
 *
 * @typedef {'a' | 'b'} Side
 * @typedef {{a: Scheme | null, b: Scheme}} Sides
 * @typedef {{
 *   log: boolean, axis: [number, number] | null, matrix: 'values' | 'error', split: number,
 *   region: [number, number, number, number] | null
 * }} View
 * @typedef {{
 *   code: string, message: string, file?: string, tensor?: string, offset?: number, expected?: string, found?: string,
 *   what: 'open' | 'tensor' | 'scheme' | 'start' | 'plan' | 'shrink' | 'measure' | 'weigh'
 * }} Problem
 * @typedef {{name: string, stats: Stats, matrix: [number, number], epoch: number,
 *   suggestion: {scheme: Scheme, reasons: {code: string, text: string, facts: any}[]} | null}} OpenTensor
 * @typedef {{
 *   a: Evaluation | null, b: Evaluation, stairsA: Staircase | null, stairsB: Staircase, sides: Sides, epoch: number,
 *   axis: [number, number], continuous: boolean, ms: number, sampled: number | null
 * }} Result `sampled`: from how many weights the figures were foretold; null where they are exact
 * @typedef {{
 *   width: number, height: number, region: [number, number, number, number], kind: 'values' | 'error',
 *   float: Float32Array, a: Float32Array | null, b: Float32Array, span: [number, number], sides: Sides, epoch: number
 * }} Pictures
 * @typedef {{
 *   index: number, a: Trace | null, b: Trace, stairsA: Staircase | null, stairsB: Staircase | null, epoch: number
 * }} Weight
 * @typedef {{counts: Float64Array, sampled: boolean} | {failed: true}} Spark
 * @typedef {{
 *   before: number, after: number, bits: number, exact: boolean, tensors: number, count: number,
 *   accuracy: {float: number, quantized: number, correct: number, total: number} | null
 * }} FileResult
 * @typedef {{bits: number, sqnrDb: number, from: number} | {failed: string}} Compared
 *   one scheme on the open tensor: bits per weight, and dB from so many of its weights; or the code of the error
 * @typedef {{key: string, schemes: {[id: string]: Compared}}} Comparison `key` names the tensor
 * @typedef {{done: number, total: number | null, started: number, name: string}} Job
 *
 * `chapter`: of the lesson, 0 for its contents; `settings`: how its figures are set, by name
 * @typedef {{
 *   catalogue: SchemeInfo[], model: Model | null, tensor: string | null, sides: Sides, active: Side, view: View,
 *   selected: number | null, hover: number | null, list: {query: string, sort: string, descending: boolean, dtype: string},
 *   opening: Job | null, loading: Job | null, computing: number | null, problem: Problem | null, fatal: Problem | null,
 *   data: OpenTensor | null, result: Result | null, pictures: Pictures | null, weight: Weight | null,
 *   sparks: {[tensor: string]: Spark}, file: FileResult | null, compared: Comparison | null, requests: {url: string, bytes?: number}[],
 *   language: string, theme: 'system' | 'light' | 'dark', offered: string | null, continuous: boolean, dropping: boolean,
 *   room: 'learn' | 'explore' | 'shrink', chapter: number, settings: {[figure: string]: string}, shrinkQuery: string, shrink: import('./shrink/state.js').Shrink | null,
 *   batch: import('./shrink/batch-state.js').Batch | null
 * }} State
 *
 * @typedef {{loss: number, correct: number, total: number}} RetrainedScore what a network does on the held-out digits
 * @typedef {{stage: string, bytes: number, score: RetrainedScore}} RetrainedRow a stage of Deep Compression: the bytes of the whole file, stored so
 * @typedef {{name: string, ratio: number, bits: number}} RetrainedLayer
 * @typedef {{
 *   rows: RetrainedRow[], plain: {rows: RetrainedRow[], report: import('./lib/shrink/report.js').Report},
 *   report: import('./lib/shrink/report.js').Report, file: Blob, verified: boolean, seconds: number, layers: readonly RetrainedLayer[]
 * }} Retrained
 *   `plain`: the same without any retraining; `file`: the container; `verified`: every weight came back from it bit for bit
 */
export {};
