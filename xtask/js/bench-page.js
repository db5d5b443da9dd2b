/** Starts the benchmark's worker and keeps what it says where the launcher reads it. */
const bench = { lines: [], done: null, error: null };
window.bench = bench;
const worker = new Worker('bench-worker.js', { type: 'module' });
worker.onmessage = ({ data }) => {
  if (data.line !== undefined) bench.lines.push(data.line);
  if (data.done) bench.done = data.done;
  if (data.error) bench.error = data.error;
};
worker.onerror = (event) => (bench.error ??= event.message || 'the worker did not start');
worker.postMessage(Object.fromEntries(new URLSearchParams(location.search)));
