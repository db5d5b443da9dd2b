import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, code, see, paper }) => html`
  <p>
    除了缩短权重，还可以丢掉权重。Deep
    Compression（${paper('deep')}）接连做三件事：把最小的权重<b>剪</b>成零，让其余的<b>共享</b>少数几个值，再用霍夫曼<b>编码</b>，常见的值用短码。
  </p>
  ${figure('stages')}
  <p>
    这里的每个数字都是真实字节的长度，而且解码核对过。零也不是白送的：要有掩码说明它们在哪儿，每个权重一位。${see('stages', 'ratio=0', '不剪枝')}，光靠共享和霍夫曼，矩阵就缩小到
    1/8.5，一点不亏：认对 359 个。${see('stages', '', '剪去一半')}是 1/11.4，认对 339
    个。${see('stages', 'ratio=0.7', '剪到 70\u00a0%')}是 1/15.8，网络就坏了：108 个。
  </p>
  <p>
    论文报告 AlexNet 和 VGG-16 缩小 35 倍和 49
    倍而不损失准确率。话要说明白：那需要每一步之后<em>再训练</em>，而且网络的权重本来就远多于所需。不再训练，像这里一样，这个
    53,002 个权重的网络连一半也剪不起。
  </p>
  ${code('stages')}
`;
