import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, code, see, paper }) => html`
  <p>
    The formats in which language models are passed around are grains written into bytes. A fixed number of weights form
    a <em>block</em>; the block holds its scale, perhaps a minimum, and the codes, packed tightly. Point at a weight to
    see its way: float, scale, code, bits in the file, and back.
  </p>
  ${figure('blocks')}
  <ul>
    <li>
      ${see('blocks', '', 'Q4_0')}: 32 weights, a half-precision scale, 32 codes of 4 bits. 18 bytes, 4.5 bits per
      weight. Two codes share a byte: the first 16 weights in the low halves, the others in the high ones.
    </li>
    <li>
      ${see('blocks', 'scheme=q4_k', 'Q4_K')}: 256 weights in eight groups of 32. The groups’ scales and minimums are
      themselves quantized to 6 bits. Again 4.5 bits per weight, and 1.7 dB better here.
    </li>
    <li>
      ${see('blocks', 'scheme=q6_k', 'Q6_K')}: 6-bit codes, split into four low bits and two high bits that are stored
      apart.
    </li>
    <li>
      ${see('blocks', 'scheme=nf4', 'NF4')} (${paper('qlora')}): sixteen levels that are not evenly spaced but stand
      where a bell curve has equally many weights.
    </li>
    <li>
      ${see('blocks', 'scheme=mxfp4', 'MXFP4')} (${paper('mx')}): tiny floats, with a power of two for a scale, in a
      single byte. 4.25 bits per weight.
    </li>
  </ul>
  <p>
    With any of them this network reads 358 or 359 of its 360 digits. The bytes are llama.cpp’s own, and NF4’s those of
    bitsandbytes: in the room Shrink the same code writes GGUF files that llama.cpp loads.
  </p>
  ${code('blocks')}
`;
