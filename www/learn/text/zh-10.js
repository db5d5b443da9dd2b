import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, see, paper, chapter }) => html`
  <p>
    前面各级都是等距的，其实不必。让一层任意用 16 个值，或 8 个、4
    个，每个权重只记用的是哪一个：这就是<em>码表</em>。这些值放在哪儿好？Deep Compression（${paper('deep')}）用
    k-means：每个值移到选它的那些权重的平均处，直到不再移动（${paper('lloyd')}）。
  </p>
  ${figure('few')}
  <p>
    ${see('few', 'values=k4', '16 个值')}，即 4 位，认对 359 个数字；${see('few', '', '8 个值')}认对 350
    个；${see('few', 'values=k2', '4 个值')}认对 319 个。看看它们的位置：权重多的地方挨得近，尾部离得远。
  </p>
  <h2>三个值，两个值</h2>
  <p>
    ${see('few', 'values=ternary', '三个值')}，−α、0、α（${paper('twn')}），还认得 315
    个。${see('few', 'values=binary', '两个值')}就只剩正负号了。XNOR-Net（${paper('xnor')}）证明，最好的 α
    是绝对值的平均：
  </p>
  ${math('alpha')}
  <p>
    这样在这里认对 127
    个：远高于瞎猜，也远不够用。真正只用正负号的网络，是带着正负号训练出来的；像这里这样事后取整，只能看出丢了多少。
  </p>
  <h2>XNOR 与 popcount</h2>
  <p>
    如果输入也只有正负号，两个符号相乘就是一次 XNOR，64 个乘积求和就是两个字做一次 XNOR，再数一数有几个 1。下面 conv2 和
    fc1 就这样算，并带上 XNOR-Net 对滤波器和位置的系数。每个权重只占八分之一字节。
  </p>
  ${figure('timing')}
  <p>
    它认对 254 个，比处处用二值权重多，因为首尾两层照论文的建议留在
    f32，而且输入先按图像作了归一化。速度是实打实的，准确率则要靠训练找回来。
  </p>
  <p class="soft">16 个摆放得当的值，为什么与系数更讲究的 4 位编码差不多，见${chapter(14, '第 14 章')}。</p>
`;
