/** Statistics and metrics in words. */
import { t, language } from '../i18n/index.js';
import { bitsPerWeight, count, decibel, number, percent } from './format.js';

/** @param {import('../types.js').Stats} stats */
export function describeStats(stats) {
  const lang = language();
  if (stats.count === 0) return t('say.empty');
  const bad = stats.nan + stats.infinite;
  if (bad === stats.count) return t('say.bad', { nan: count(stats.nan, lang), infinite: count(stats.infinite, lang) });
  const parts = [t('say.range', { n: count(stats.count, lang), min: number(stats.min, 3), max: number(stats.max, 3) })];
  if (stats.min === stats.max && bad === 0) parts.push(t('say.constant'));
  else {
    const off = stats.std > 0 ? Math.abs(stats.mean) / stats.std : 0;
    parts.push(
      t(off < 0.1 ? 'say.centred' : 'say.offcentre', { mean: number(stats.mean, 3), std: number(stats.std, 3) }),
    );
    const reach = stats.std > 0 ? Math.max(stats.max - stats.mean, stats.mean - stats.min) / stats.std : 0;
    const tails =
      stats.kurtosis > 6
        ? 'say.tails.heavy'
        : stats.kurtosis < -0.8
          ? 'say.tails.none'
          : stats.kurtosis > 1
            ? 'say.tails.some'
            : 'say.tails.bell';
    parts.push(t(tails, { reach: reach.toFixed(1) }));
  }
  const zeros = stats.zeros / stats.count;
  if (stats.zeros > 0) parts.push(t('say.zeros', { n: count(stats.zeros, lang), share: percent(zeros) }));
  if (bad > 0) parts.push(t('say.bad', { nan: count(stats.nan, lang), infinite: count(stats.infinite, lang) }));
  return parts.join(lang === 'zh' ? '' : ' ');
}

/**
 * @param {import('../types.js').Evaluation} e
 * @param {import('../types.js').Stats} stats
 */
export function describeMetrics(e, stats) {
  const lang = language();
  const { metrics } = e;
  const parts = [];
  if (metrics.rmse === 0) parts.push(t('say.exact'));
  else {
    parts.push(
      t('say.error', { rmse: number(metrics.rmse, 3), share: stats.std > 0 ? percent(metrics.rmse / stats.std) : '–' }),
    );
    if (Number.isFinite(metrics.sqnrDb)) {
      parts.push(
        t('say.sqnr', { db: decibel(metrics.sqnrDb), bits: (metrics.sqnrDb / 6.0206).toFixed(1).replace('-', '−') }),
      );
    }
    parts.push(t('say.worst', { max: number(metrics.maxAbs, 3) }));
  }
  const gone = metrics.zerosAfter - metrics.zerosBefore;
  if (gone > 0) parts.push(t('say.zeroed', { n: count(gone, lang), share: percent(metrics.zeroed) }));
  if (e.bitsPerWeight > 0) {
    const smaller = e.bitsPerWeight <= 32;
    const ratio = (smaller ? 32 / e.bitsPerWeight : e.bitsPerWeight / 32).toFixed(1);
    parts.push(t(smaller ? 'say.size' : 'say.larger', { bits: bitsPerWeight(e.bitsPerWeight), ratio }));
  }
  return parts.join(lang === 'zh' ? '' : ' ');
}
