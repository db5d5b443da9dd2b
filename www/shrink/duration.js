import { t } from '../i18n/index.js';

/** How long something still takes, about. @param {number} seconds */
export function duration(seconds) {
  if (seconds < 1) return t('shrink.time.now');
  if (seconds < 100) return t('shrink.time.s', { n: Math.ceil(seconds) });
  const minutes = Math.ceil(seconds / 60);
  return minutes < 100 ? t('shrink.time.min', { n: minutes }) : t('shrink.time.h', { n: (minutes / 60).toFixed(1) });
}
