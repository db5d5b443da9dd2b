import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, code, see, paper }) => html`
  <p>
    语言模型流传时所用的格式，就是把粒度写进字节。固定个数的权重组成一<em>块</em>，块里有系数，也许还有最小值，以及紧紧排在一起的编码。用鼠标指一个权重，就能看它走过的路：浮点、系数、编码、文件里的位，再读回来。
  </p>
  ${figure('blocks')}
  <ul>
    <li>
      ${see('blocks', '', 'Q4_0')}：32 个权重，一个半精度系数，32 个 4 位编码。共 18 字节，每个权重 4.5
      位。两个编码合用一个字节：前 16 个权重占低半，其余占高半。
    </li>
    <li>
      ${see('blocks', 'scheme=q4_k', 'Q4_K')}：256 个权重，分成 8 组，每组 32 个。各组的系数和最小值自己也量化成 6
      位。同样是每个权重 4.5 位，在这里要好 1.7 dB。
    </li>
    <li>${see('blocks', 'scheme=q6_k', 'Q6_K')}：6 位编码，拆成低 4 位和高 2 位，分开存放。</li>
    <li>
      ${see('blocks', 'scheme=nf4', 'NF4')}（${paper('qlora')}）：16
      级并不等距，而是按钟形曲线，让每一级分到一样多的权重。
    </li>
    <li>
      ${see('blocks', 'scheme=mxfp4', 'MXFP4')}（${paper('mx')}）：微型浮点数，系数是 2 的幂，只占一个字节。每个权重
      4.25 位。
    </li>
  </ul>
  <p>
    不论用哪一种，这个网络在 360 个数字里都认对 358 或 359 个。这里的字节与 llama.cpp 写出的完全相同，NF4 与
    bitsandbytes 相同：在“缩小”页里，同样的代码写出的 GGUF 文件，llama.cpp 就能载入。
  </p>
  ${code('blocks')}
`;
