/**
 * What the kernels cost, beside what they cannot be faster than and what others would do: SIMD128 against the same crate built without
 * it, against plain JavaScript loops, and against the memory limit, on 16M weights in one run.
 *
 * Rounds go through all candidates in turn, so that a slow moment of the machine meets each of them; a candidate's time is its median.
 * Rates are GB/s of f32 weights.
 */

import { run as network } from './nn.js';

const ROWS = 4096;
const WEIGHTS = ROWS * 4096;
const GIGABYTES = (WEIGHTS * 4) / 1e9;
const ROUNDS = 11;
const SLOW_ROUNDS = 3;

/** @type {[id: string, title: string, anchor: string | null][]} */
const KERNELS = [
  ['copy', 'copy f32 → f32 (memory limit)', null],
  ['convert', 'bare convert and store f32 → i8 (memory limit)', null],
  ['extent', 'min, max, largest magnitude', null],
  ['encode', 'int8, scale given', 'convert'],
  ['rangeAndEncode', 'int8, min–max and encode', 'convert'],
  ['stochastic', 'int8, stochastic rounding', 'convert'],
  ['reconstruct', 'int8, quantize and dequantize', 'copy'],
  ['int4Groups', 'int4 in groups of 32, packed', 'convert'],
  ['moments', 'mean and central moments', 'copy'],
  ['compare', 'all error metrics', 'copy'],
  ['histogram', 'histogram, 512 bins', 'copy'],
  ['evaluate', 'fused evaluation, int4', 'copy'],
  ['evaluateGroups', 'fused evaluation, int4 in groups of 32', 'copy'],
  ['decodeF16', 'decode f16', 'copy'],
  ['decodeBf16', 'decode bf16', 'copy'],
];

/**
 * @param {object} options
 * @param {any} options.simd
 * @param {any} options.scalar
 * @param {(line: string) => void} [options.log]
 * @param {string} [options.filter]
 * @returns {Promise<{markdown: string}>}
 */
export async function run({ simd, scalar, log = () => {}, filter = '' }) {
  if (!simd.hasSimd() || scalar.hasSimd()) throw new Error('these are not a SIMD and a scalar build');
  if (filter === 'nn') return network({ simd, scalar, log });
  const sample = gaussians(1 << 16);
  const vector = new simd.Bench(sample, ROWS);
  const plain = new scalar.Bench(sample, ROWS);
  const x = Float32Array.from({ length: WEIGHTS }, (_, i) => sample[i & 0xffff]);
  const codes = new Int8Array(WEIGHTS);
  const wanted = (/** @type {string} */ id) => ['copy', 'convert'].includes(id) || id.includes(filter);

  const candidates = new Map();
  for (const [id] of KERNELS) {
    if (!wanted(id)) continue;
    candidates.set(`simd ${id}`, { work: () => vector[id](), rounds: ROUNDS, times: [] });
    candidates.set(`scalar ${id}`, { work: () => plain[id](), rounds: SLOW_ROUNDS, times: [] });
  }
  if (wanted('rangeAndEncode')) {
    candidates.set('js plain', { work: () => javascript(x, codes, halfEven), rounds: SLOW_ROUNDS, times: [] });
    candidates.set('js trick', { work: () => javascript(x, codes, halfEvenByAdding), rounds: SLOW_ROUNDS, times: [] });
  }
  // Once unmeasured: the engine compiles its best code meanwhile.
  for (const { work } of candidates.values()) work();
  for (let round = 0; round < ROUNDS; round++) {
    log(`round ${round + 1} of ${ROUNDS}`);
    for (const candidate of candidates.values()) {
      if (round >= candidate.rounds) continue;
      const start = performance.now();
      candidate.work();
      candidate.times.push(performance.now() - start);
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
  vector.free();
  plain.free();

  const median = (/** @type {string} */ id) => {
    const times = candidates.get(id).times.toSorted((/** @type {number} */ a, /** @type {number} */ b) => a - b);
    return times[times.length >> 1];
  };
  const rate = (/** @type {string} */ id) => ((GIGABYTES / median(id)) * 1000).toPrecision(3);
  const times = (/** @type {number} */ n) => `${n.toPrecision(3)}×`;
  const rows = KERNELS.filter(([id]) => candidates.has(`simd ${id}`)).map(([id, title, anchor]) => {
    const simdTime = median(`simd ${id}`);
    return [
      title,
      simdTime.toPrecision(3),
      rate(`simd ${id}`),
      times(median(`scalar ${id}`) / simdTime),
      anchor ? `${times(simdTime / median(`simd ${anchor}`))} ${anchor}` : '',
    ];
  });
  const lines = [
    `${WEIGHTS / 2 ** 20}M weights, medians of ${ROUNDS} rounds (scalar and JavaScript: ${SLOW_ROUNDS}).`,
    '',
    '| kernel | ms | GB/s | faster than scalar wasm | time against the limit |',
    '|---|--:|--:|--:|--:|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ];
  if (candidates.has('js plain')) {
    const ours = median('simd rangeAndEncode');
    lines.push(
      '',
      '| min–max and int8 in JavaScript | ms | GB/s | our speed is |',
      '|---|--:|--:|--:|',
      `| plain loop: fround division, half-even by remainder, clamp | ${median('js plain').toPrecision(3)} | ${rate('js plain')} | ${times(median('js plain') / ours)} |`,
      `| the fastest trick: half-even by adding 1.5·2⁵² | ${median('js trick').toPrecision(3)} | ${rate('js trick')} | ${times(median('js trick') / ours)} |`,
    );
  }
  return { markdown: lines.join('\n') };
}

/** @param {number} n */
function gaussians(n) {
  let state = 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length: n },
    () => 0.1 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/**
 * The same work as `rangeAndEncode`.
 *
 * @param {Float32Array} x
 * @param {Int8Array} codes
 * @param {(t: number) => number} round
 */
function javascript(x, codes, round) {
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    const magnitude = Math.abs(x[i]);
    if (magnitude > most) most = magnitude;
  }
  const scale = Math.fround(most / 127);
  for (let i = 0; i < x.length; i++) {
    const q = round(Math.fround(x[i] / scale));
    codes[i] = q < -127 ? -127 : q > 127 ? 127 : q;
  }
}

/** @param {number} t */
function halfEven(t) {
  const floor = Math.floor(t);
  const rest = t - floor;
  if (rest < 0.5) return floor;
  if (rest > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** @param {number} t */
function halfEvenByAdding(t) {
  return t + 6755399441055744 - 6755399441055744;
}
