/** A job's report as files: full precision, stable names, no translation. */
import { reportText } from '../lib/shrink/batch.js';
import { cell } from '../text/report.js';

/** @typedef {import('../lib/shrink/report.js').Report} Report */

/**
 * @param {Report} report
 * @param {string} output the name of what was written
 * @param {import('../lib/measure/run-both.js').Measured | null} [measured] both models run on the same inputs
 */
export function reportJson(report, output, measured) {
  return reportText({ output, ...report, ...(measured ? { measured } : {}) });
}

/** @param {Report} report */
export function reportCsv({ tensors }) {
  const names = [
    'name',
    'target',
    'fromDtype',
    'fromBytes',
    'dtype',
    'bytes',
    'count',
    'scheme',
    'sqnrDb',
    'rmse',
    'maxAbs',
  ];
  const rows = tensors.map(({ name, target, from, dtype, byteLength, count, scheme, sqnrDb, rmse, maxAbs }) => [
    ...[name, target, from.dtype, from.byteLength, dtype, byteLength, count, scheme ? JSON.stringify(scheme) : ''],
    ...[sqnrDb ?? '', rmse ?? '', maxAbs ?? ''],
  ]);
  return `${[names, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

/** Between the layers. @param {import('../lib/measure/run-both.js').Layers} layers */
export function layersCsv({ tensors }) {
  const names = ['name', 'op', 'dims', 'count', 'cosine', 'sqnrDb', 'maxAbs', 'fallDb'];
  const rows = tensors.map(({ name, op, dims, count, cosine, sqnrDb, maxAbs, fall }) => [
    ...[name, op, dims.join(' '), count, cosine ?? '', sqnrDb ?? '', maxAbs ?? '', fall],
  ]);
  return `${[names, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}
