/** The metrics as files: full precision, stable names, no translation. */

/** @typedef {import('../types.js').State} State */

/** @param {State} state */
function rows(state) {
  const { model, data, result } = state;
  if (!data || !result) return [];
  const tensor = model?.tensors.find((t) => t.name === data.name);
  return [result.a, result.b].flatMap((e, i) => {
    if (!e) return [];
    const { id, ...options } = e.scheme;
    return [
      {
        side: i === 0 ? 'A' : 'B',
        file: model?.name ?? '',
        tensor: data.name,
        dtype: tensor?.dtype ?? '',
        shape: (tensor?.shape ?? []).join('x'),
        count: e.count,
        scheme: id,
        options: JSON.stringify(options),
        byteLength: e.byteLength,
        bitsPerWeight: e.bitsPerWeight,
        ...e.metrics,
      },
    ];
  });
}

/** @param {State} state */
export function metricsCsv(state) {
  const table = rows(state);
  if (table.length === 0) return '';
  const names = /** @type {(keyof typeof table[0])[]} */ (Object.keys(table[0]));
  return `${[names, ...table.map((row) => names.map((name) => row[name]))].map((line) => line.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** @param {unknown} value */
export function cell(value) {
  const text = String(value);
  // A name from a stranger's file must not become a formula in a spreadsheet.
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}

/** @param {State} state */
export function metricsJson(state) {
  const { model, data, result } = state;
  const side = (/** @type {import('../types.js').Evaluation | null} */ e) =>
    e && {
      scheme: e.scheme,
      count: e.count,
      byteLength: e.byteLength,
      bitsPerWeight: e.bitsPerWeight,
      metrics: e.metrics,
    };
  const stats = data && { ...data.stats, histogram: undefined, channels: undefined };
  const tensor = model?.tensors.find((t) => t.name === data?.name);
  const report = {
    file: model?.name,
    tensor: tensor && { name: tensor.name, dtype: tensor.dtype, shape: tensor.shape, byteLength: tensor.byteLength },
    stats,
    a: side(result?.a ?? null),
    b: side(result?.b ?? null),
  };
  // JSON has no infinities: an exact result has an SQNR of "Infinity".
  const spell = (/** @type {string} */ _key, /** @type {unknown} */ value) =>
    typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
  return `${JSON.stringify(report, spell, 2)}\n`;
}
