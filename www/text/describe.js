/** Statistics and metrics in words. */
import { t, tn, language } from '../i18n/index.js';
import { bitsPerWeight, count, decibel, fixed, number, percent } from './format.js';

/** @param {import('../types.js').Stats} stats */
export function describeStats(stats) {
  const lang = language();
  if (stats.count === 0) return t('say.empty');
  const bad = stats.nan + stats.infinite;
  if (bad === stats.count) return badText(stats, 'say.bad.all');
  const same = stats.min === stats.max;
  const parts = [
    tn(same ? 'say.constant' : 'say.range', stats.count - bad, {
      n: count(stats.count - bad, lang),
      min: number(stats.min, 3),
      max: number(stats.max, 3),
    }),
  ];
  if (!same) {
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
  if (stats.zeros > 0 && !same) {
    parts.push(tn('say.zeros', stats.zeros, { n: count(stats.zeros, lang), share: percent(zeros) }));
  }
  if (bad > 0) parts.push(badText(stats, 'say.bad'));
  return parts.join(lang === 'zh' ? '' : ' ');
}

/**
 * @param {import('../types.js').Evaluation} e
 * @param {import('../types.js').Stats} stats
 */
export function describeMetrics(e, stats) {
  const lang = language();
  if (e.count === 0) return t('say.nothing');
  const { metrics } = e;
  const parts = [];
  if (stats.nan + stats.infinite === stats.count) parts.push(t('say.exact.none'));
  else if (metrics.rmse === 0) parts.push(t('say.exact'));
  else {
    const share = stats.std > 0 ? percent(metrics.rmse / stats.std) : '';
    parts.push(t(share ? 'say.error' : 'say.error.constant', { rmse: number(metrics.rmse, 3), share }));
    if (Number.isFinite(metrics.sqnrDb)) {
      parts.push(t('say.sqnr', { db: decibel(metrics.sqnrDb), bits: fixed(metrics.sqnrDb / 6.0206, 1) }));
    }
    parts.push(t('say.worst', { max: number(metrics.maxAbs, 3) }));
  }
  const gone = metrics.zerosAfter - metrics.zerosBefore;
  if (gone > 0 && metrics.zerosAfter === e.count) parts.push(t('say.zeroed.all'));
  else if (gone > 0) parts.push(tn('say.zeroed', gone, { n: count(gone, lang), share: percent(metrics.zeroed) }));
  if (unitScale(e, stats) === 'small') parts.push(t('say.scale.small'));
  if (e.bitsPerWeight > 0) {
    const smaller = e.bitsPerWeight <= 32;
    const ratio = (smaller ? 32 / e.bitsPerWeight : e.bitsPerWeight / 32).toFixed(1);
    parts.push(t(smaller ? 'say.size' : 'say.larger', { bits: bitsPerWeight(e.bitsPerWeight), ratio }));
  }
  return parts.join(lang === 'zh' ? '' : ' ');
}

/** The least f32 that is not subnormal; the engine uses no smaller scale. */
const LEAST_NORMAL = 2 ** -126;
/** Below this a tensor's scale may be smaller than that: an 8-bit grid divides it by 127. */
const TOO_SMALL = 128 * LEAST_NORMAL;

/**
 * Why a scale is 1 by definition and not by what it has to span: its weights are too small for any scale, or all zero.
 * Null where it comes from the weights. No range over weights below a half needs a step of 1.
 * @param {import('../types.js').Evaluation} e
 * @param {import('../types.js').Stats} stats
 * @returns {'small' | 'zero' | null}
 */
export function unitScale({ run, scheme }, { absMax }) {
  if (run?.scale !== 1 || scheme.range === 'manual' || !(absMax < 0.5)) return null;
  return absMax > 0 && absMax < TOO_SMALL ? 'small' : 'zero';
}

/** @param {import('../types.js').Stats} stats @param {string} key */
function badText({ nan, infinite }, key) {
  const kind = infinite === 0 ? 'nan' : nan === 0 ? 'infinite' : 'both';
  return t(`${key}.${kind}`, { nan: count(nan, language()), infinite: count(infinite, language()) });
}
