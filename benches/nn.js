/**
 * The sample network in f32, in int8 and on signs (XNOR), layer by layer: time for one image, with SIMD128 and without, in one run.
 *
 * Rounds go through all candidates in turn; a time is the median of its rounds. Every layer works on the same 360 images.
 */

const IMAGES = 360;
const ROUNDS = 31;
const ARITHMETICS = ['float', 'int8', 'xnor'];
const LAYERS = ['conv1', 'conv2', 'fc1', 'fc2'];

/**
 * @param {{simd: any, scalar: any, log?: (line: string) => void}} given
 * @returns {Promise<{markdown: string}>}
 */
export async function run({ simd, scalar, log = () => {} }) {
  const nets = { simd: new simd.NetworkBench(IMAGES), scalar: new scalar.NetworkBench(IMAGES) };
  const candidates = [];
  for (const [build, net] of Object.entries(nets)) {
    for (const [a] of ARITHMETICS.entries()) {
      // XNOR-Net leaves the first and the last layer in f32.
      for (const [l] of LAYERS.entries()) candidates.push({ build, a, l, work: () => net.layer(a, l), times: [] });
    }
  }
  // Calls of one layer are grouped until the clock can tell them; the first one, unmeasured, lets the engine compile its best code.
  for (const candidate of candidates) {
    candidate.work();
    const start = performance.now();
    candidate.work();
    candidate.calls = Math.max(1, Math.ceil(2 / Math.max(0.02, performance.now() - start)));
  }
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 10 === 0) log(`network, round ${round + 1} of ${ROUNDS}`);
    for (const { work, times, calls } of candidates) {
      const start = performance.now();
      for (let call = 0; call < calls; call++) work();
      times.push((performance.now() - start) / calls);
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
  nets.simd.free();
  nets.scalar.free();

  /** Microseconds for an image. */
  const time = (/** @type {string} */ build, /** @type {number} */ a, /** @type {number} */ l) => {
    const { times } = candidates.find((c) => c.build === build && c.a === a && c.l === l);
    return (times.toSorted((x, y) => x - y)[times.length >> 1] / IMAGES) * 1000;
  };
  const total = (/** @type {string} */ build, /** @type {number} */ a) =>
    LAYERS.reduce((sum, _, l) => sum + time(build, a, l), 0);
  const row = (/** @type {string} */ title, /** @type {(build: string, a: number) => number} */ of) => {
    const [float, int8, xnor] = ARITHMETICS.map((_, a) => of('simd', a));
    const cells = [float, int8, xnor].map((t) => t.toPrecision(3));
    const ratios = [float / int8, float / xnor, ...ARITHMETICS.map((_, a) => of('scalar', a) / of('simd', a))];
    return `| ${[title, ...cells, ...ratios.map((r) => `${r.toPrecision(3)}×`)].join(' | ')} |`;
  };
  const lines = [
    `The sample network, µs for one image: medians of ${ROUNDS} rounds over ${IMAGES} images. On signs, conv1 and fc2 stay in f32.`,
    '',
    '| layer | float | int8 | xnor | int8 is faster than float | xnor is faster than float | SIMD faster than scalar: float | int8 | xnor |',
    '|---|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...LAYERS.map((title, l) => row(title, (build, a) => time(build, a, l))),
    row('all', total),
  ];
  return { markdown: lines.join('\n') };
}
