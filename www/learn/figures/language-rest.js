/**
 * What the engine says of the language model, written by benches/lesson-lm.mjs and held by language-rest.test.js: the figure shows it before the
 * model is loaded. `perToken` is in nats, on the held-out text's first `TOKENS`.
 * @typedef {{byteLength: number, bits: number, perToken: number, text: string, ended: boolean}} Side
 */

export const TOKENS = 2048;
export const VOCABULARY = 1024;
/** @type {Side} */
export const FLOAT = {
  byteLength: 5252096,
  bits: 16.0141,
  perToken: 3.00999,
  text: ' then the result is returned.\n',
  ended: true,
};
/** @type {{[key: string]: Side}} */
export const SMALL = {
  'tensor 8': {
    byteLength: 2630772,
    bits: 8.0214,
    perToken: 3.01073,
    text: ' then the result is returned.\n',
    ended: true,
  },
  'tensor 6': {
    byteLength: 1975412,
    bits: 6.0232,
    perToken: 3.02761,
    text: ' then the result is returned.\n',
    ended: true,
  },
  'tensor 5': {
    byteLength: 1647732,
    bits: 5.0241,
    perToken: 3.04498,
    text: ' then the elements of the slice.\nThis struct is created by the slice of the slice.\nThis struct is',
    ended: false,
  },
  'tensor 4': {
    byteLength: 1320052,
    bits: 4.0249,
    perToken: 3.22932,
    text: ' then the result would return None.\nThe returned iterator will return None if the closure returns an iterator over',
    ended: false,
  },
  'tensor 3': {
    byteLength: 992372,
    bits: 3.0258,
    perToken: 6.25432,
    text: ' returns tr N valuesy referencecelele over self.yy()ess iterates about self.yise()',
    ended: false,
  },
  'tensor 2': { byteLength: 664692, bits: 2.0267, perToken: 6.93147, text: '', ended: true },
  'group 8': {
    byteLength: 2958336,
    bits: 9.0202,
    perToken: 3.01065,
    text: ' then the result is returned.\n',
    ended: true,
  },
  'group 6': {
    byteLength: 2302976,
    bits: 7.022,
    perToken: 3.01031,
    text: ' then the result is returned.\n',
    ended: true,
  },
  'group 5': {
    byteLength: 1975296,
    bits: 6.0228,
    perToken: 3.01171,
    text: ' then the result is returned.\n',
    ended: true,
  },
  'group 4': {
    byteLength: 1647616,
    bits: 5.0237,
    perToken: 3.02792,
    text: ' then the result is returned.\n',
    ended: true,
  },
  'group 3': {
    byteLength: 1319936,
    bits: 4.0246,
    perToken: 3.09792,
    text: ' then the resulting value is undefined behavior.\nThis function will return None if the result is undef',
    ended: false,
  },
  'group 2': {
    byteLength: 992256,
    bits: 3.0255,
    perToken: 4.63398,
    text: ' the pattern in the case.\nIn the case, the method does noth to the sendedlect method',
    ended: false,
  },
  'k 8': { byteLength: 2794496, bits: 8.5206, perToken: 3.01065, text: ' then the result is returned.\n', ended: true },
  'k 6': { byteLength: 2159616, bits: 6.5848, perToken: 3.0086, text: ' then the result is returned.\n', ended: true },
  'k 5': { byteLength: 1811456, bits: 5.5233, perToken: 3.01243, text: ' then the result is returned.\n', ended: true },
  'k 4': {
    byteLength: 1483776,
    bits: 4.5241,
    perToken: 3.01841,
    text: ' then the resulting value is not a length of the value.\n',
    ended: true,
  },
  'k 3': {
    byteLength: 1135616,
    bits: 3.4626,
    perToken: 3.04919,
    text: ' the resulting value is returned.\n',
    ended: true,
  },
  'k 2': {
    byteLength: 869376,
    bits: 2.6508,
    perToken: 3.17647,
    text: ' then the elements of the slice.\n',
    ended: true,
  },
};
