/** How a figure is set, as text for addresses and attributes: `bits=3;range=-0.4,0.4`. Pure. */

/** @typedef {string | number | boolean} Value */
/** @typedef {{[name: string]: Value}} Setting */

/**
 * What a text says, put into the defaults: names that a figure does not have and values of another kind are left out.
 * @template {Setting} T
 * @param {string} text
 * @param {T} defaults
 * @returns {T}
 */
export function readSetting(text, defaults) {
  /** @type {Setting} */
  const found = { ...defaults };
  for (const part of text.split(';')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at);
    if (at < 1 || !Object.hasOwn(defaults, name)) continue;
    const given = part.slice(at + 1);
    const kind = typeof defaults[name];
    if (kind === 'string') found[name] = decoded(given);
    else if (kind === 'boolean') found[name] = given === '1';
    else if (given !== '' && Number.isFinite(Number(given))) found[name] = Number(given);
  }
  return /** @type {T} */ (found);
}

/**
 * What differs from the defaults.
 * @param {Setting} setting
 * @param {Setting} defaults
 */
export function writeSetting(setting, defaults) {
  return Object.keys(defaults)
    .filter((name) => setting[name] !== defaults[name])
    .map((name) => `${name}=${shown(setting[name])}`)
    .join(';');
}

/** @param {Value} value */
function shown(value) {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return typeof value === 'number' ? String(Number(value.toPrecision(6))) : value.replace(/[%;]/g, encodeURIComponent);
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * A whole number within limits.
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
export const within = (value, least, most) => Math.min(most, Math.max(least, Math.round(value)));
