/** Numbers as people read them: sensible digits, real minus signs, units. Pure; the language only changes grouping. */

const MINUS = '\u2212';
/** Between a number and its unit: no line is broken there. */
const GAP = '\u00a0';
const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** A whole number as an exponent. @param {number} n */
export const raised = (n) =>
  String(n)
    .replace('-', '⁻')
    .replace(/\d/g, (d) => SUPERSCRIPTS[Number(d)]);

/**
 * A value with so many significant digits: 0.0731, −3.2×10⁻⁹, 0.
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 4) {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '∞';
  if (value === -Infinity) return `${MINUS}∞`;
  if (value === 0) return Object.is(value, -0) ? `${MINUS}0` : '0';
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) {
    const places = Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    return value.toFixed(Math.min(places, 12)).replace('-', MINUS);
  }
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e');
  return `${mantissa.replace('-', MINUS)}×10${raised(Number(exponent))}`;
}

/**
 * A label for a tick: just the digits that the step needs.
 * @param {number} value
 * @param {number} step
 */
export function tick(value, step) {
  if (Math.abs(value) < step * 1e-9) return '0';
  if (Math.abs(value) >= 1e5 || step < 1e-4) {
    const [mantissa, exponent] = value.toExponential(Math.max(0, digitsFor(value, step))).split('e');
    return `${mantissa.replace('-', MINUS)}×10${raised(Number(exponent))}`;
  }
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9))).replace('-', MINUS);
}

/** @param {number} value @param {number} step */
const digitsFor = (value, step) => Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(step) + 1e-9);

/** By locale. To make one takes longer than everything that a frame writes with it. @type {Map<string, Intl.NumberFormat>} */
const grouped = new Map();

/** @param {number} value @param {string} [language] */
export function count(value, language = 'en') {
  const locale = language === 'zh' ? 'zh-CN' : 'en-US';
  const format = grouped.get(locale) ?? new Intl.NumberFormat(locale);
  grouped.set(locale, format);
  return format.format(Math.round(value));
}

/** Counts short enough for a narrow column: 4,608, 1.2M. @param {number} value */
export function shortCount(value) {
  if (value < 1e5) return count(value);
  if (value < 1e6) return `${(value / 1e3).toFixed(0)}k`;
  if (value < 1e9) return `${trim(value / 1e6)}M`;
  return `${trim(value / 1e9)}G`;
}

/** Decimal units, as disks and networks count. @param {number} value */
export function bytes(value) {
  if (value < 1000) return `${Math.round(value)}${GAP}B`;
  if (value < 1e6) return `${trim(value / 1e3)}${GAP}kB`;
  if (value < 1e9) return `${trim(value / 1e6)}${GAP}MB`;
  return `${trim(value / 1e9)}${GAP}GB`;
}

/** @param {number} value */
const trim = (value) => {
  if (Number.isInteger(value)) return String(value);
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
};

/** A share of one as per cent. @param {number} share @param {number} [digits] */
export function percent(share, digits = 1) {
  if (share === 0) return `0${GAP}%`;
  if (!Number.isFinite(share)) return number(share);
  const value = share * 100;
  const least = 10 ** -digits;
  if (value < least) return `<${least}${GAP}%`;
  if (value < 100 && value > 100 - least / 2) return `>${(100 - least).toFixed(digits)}${GAP}%`;
  return `${value.toFixed(digits)}${GAP}%`;
}

/** @param {number} value */
export function decibel(value) {
  return Number.isFinite(value) ? `${value.toFixed(2).replace('-', MINUS)}${GAP}dB` : `${number(value)}${GAP}dB`;
}

/** @param {number} value */
export function bitsPerWeight(value) {
  return value.toFixed(2);
}

/**
 * @param {readonly number[]} shape
 * @param {string} [language]
 * @param {string} [times]
 */
export function shapeText(shape, language = 'en', times = ' × ') {
  return shape.length === 0 ? 'scalar' : shape.map((n) => count(n, language)).join(times);
}

/** Text that writes numbers as programs do, such as the engine's sentences, with minus signs and powers of ten. @param {string} text */
export const withMinus = (text) =>
  text
    .replace(/(?<=\d)e([+−-]?\d+)\b/g, (_, exponent) => `×10${raised(Number(exponent.replace(MINUS, '-')))}`)
    .replace(/(?<![\w.-])-(?=[\d.∞])/g, MINUS);

/** A number with so many digits after the point. @param {number} value @param {number} digits */
export const fixed = (value, digits) => value.toFixed(digits).replace('-', MINUS);
