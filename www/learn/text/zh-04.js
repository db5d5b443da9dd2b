import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, code, see, paper, chapter }) => html`
  <p>b 位有 2<sup>b</sup> 级。要把这些级等距地铺在某个取值范围上，相邻两级相差一步（${paper('jacob')}）：</p>
  ${math('step')}
  <p>
    范围宽，谁也不丢，但每一步很粗；范围窄，步子细，但范围外的一律截断，挪到最近的一端。拖动两个把手，或用 Tab
    选中后按方向键。被截断的部分画了斜线。
  </p>
  ${figure('range')}
  <p>最先想到的是从最小到最大，可这等于把一切交给两个权重决定。更好的规则有：</p>
  <ul>
    <li>${see('range', 'rule=percentile', '百分位')}：截去最外面的权重，这里是千分之一；</li>
    <li>${see('range', 'rule=mse', '误差最小')}：试许多个范围，取平方误差最小的；</li>
    <li>${see('range', 'rule=kl', 'KL')}：取直方图与原来最接近的那个，用 KL 散度来量。</li>
  </ul>
  <p>误差用 <em>SQNR</em> 表示，即权重的功率与误差的功率之比，以分贝计：越大越好，多 6 dB 就是误差减半。</p>
  <p>
    3 位时，${see('range', '', '最小–最大')}认对 360 个数字中的 341 个，SQNR 为 8.3
    dB；${see('range', 'rule=mse', '误差最小')}截去上百个权重，却多出 4.9 dB，认对 351 个。到了
    ${see('range', 'bits=8', '8 位')}，级数够用，几种规则不相上下：位数少的时候，选范围才要紧。
  </p>
  <p>
    权重误差小，不等于认对的数字多。${see('range', 'bits=2;rule=kl', '2 位时')} KL 的误差更大，却认对 323
    个，而${see('range', 'bits=2;rule=mse', '误差最小')}只认对 236
    个。归根到底要由网络说了算：${chapter(12, '第 12 章')}就这么做。
  </p>
  ${code('range')}
`;
