/** English: the comparison of schemes and the packed blocks. Fetched with them. */
export default {
  'block.title': 'Its block: {weights} weights in {bytes} bytes, from byte {at} of the packed tensor',
  'block.bytes': 'Bytes of the block',
  'block.byte': 'byte {n} of the packed tensor · {i} of the block · {hex} = {bits} · {part}',
  'block.of': 'bytes {from}–{to}',
  'block.of1': 'byte {from}',
  'block.reads': '→ {bits}',
  'block.own': 'bits of this weight alone',
  'block.shared': 'bits it shares',

  'figure.schemes': 'Schemes: bits against dB',
  'figure.schemes.text': '{n} schemes on {name} by bits per weight and SQNR. {sides}',
  'figure.schemes.short': 'schemes',
  'schemes.x': 'bits per weight',
  'schemes.line': '6.02 dB per bit',
  'schemes.list': 'Schemes; arrow keys move, Enter chooses',
  'schemes.numbers': '{bits} bits, {db}',
  'schemes.exact': 'no error',
  'schemes.progress': '{n} of {all}',
  'schemes.sampled': '≈, each from {n} or more of {all} weights; A and B are measured on all.',
  'schemes.limit':
    'Dashed: 6.02 dB per bit, a limit for independent Gaussian weights only; sparse or heavy-tailed weights may lie above it. Filled: nothing else keeps as much in as few bits.',
  'schemes.hint': 'Choose a point to set side {side} to it.',
  'schemes.failed': 'Not drawn, since this tensor cannot have them: {names}.',
};
