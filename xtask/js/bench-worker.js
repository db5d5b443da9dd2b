/** Loads both builds of the crate and runs the benchmark with them. */
onmessage = async ({ data: { simd, scalar, filter } }) => {
  const load = async (url) => {
    const glue = await import(url);
    await glue.default();
    return glue;
  };
  try {
    const { run } = await import('/benches/bench.js');
    const log = (line) => postMessage({ line: String(line) });
    postMessage({ done: await run({ simd: await load(simd), scalar: await load(scalar), log, filter }) });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
};
