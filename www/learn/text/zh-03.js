import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, code, see, chapter }) => html`
  <p>取整之前先看一看：一层的权重铺得多宽，中心在哪儿，有没有离群值？</p>
  ${figure('histogram')}
  <p>这个网络的各层和多数网络一样，接近一条以零为中心的钟形曲线（虚线）。两个数就能描述它：均值，和标准差 σ。</p>
  ${math('moments')}
  <p>
    ${see('histogram', '', '在 fc1 里')}，均值只有 σ 的百分之一，零正好居中。最远的权重在 5σ
    以外。这么远的权重没有几个，范围的两端却全由它们决定，麻烦就在这里，${chapter(4, '下一章')}再说。把计数切换成${see('histogram', 'log=1', '对数')}，就能看出尾巴有多细。
  </p>
  <p>
    ${see('histogram', 'layer=conv1.weight', 'conv1')} 不一样：288
    个权重匀匀地铺在宽三倍的范围上。没有哪个范围适合所有的层；“权重都在 −1 到 1 之间”之类的经验，不看一眼就别信。
  </p>
  ${code('stats')}
`;
