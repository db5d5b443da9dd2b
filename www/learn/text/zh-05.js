import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, code, see, paper, chapter }) => html`
  <p>下面这个公式出自一篇流传很广的量化文章，它把浮点数 x 变成量化值 q：</p>
  ${math('printed')}
  <p>
    文章说，min 和 max 是整数范围的两端，即 −128 与
    127。看上去没问题：减、除、乘、取整、移回去。文章还举了例子，例子也算得通：
  </p>
  ${code('printed')}
  <p>现在把一个训练好的网络交给它。</p>
  ${figure('printed')}
  <h2>出了什么事</h2>
  <p>
    fc1 层的 32,768 个权重里，${see('printed', 'shown=1', '有 32,767 个恰好变成 0')}，只有一个大于 0.5 的变成了
    1。现在不管给什么图像，网络的回答都一样，360 个里认对 35 个：十分之一，瞎猜也是这个数。
  </p>
  <h2>找出毛病</h2>
  <p>
    是 −128 到 127 太宽了吗？换成 ${see('printed', 'range=nibble;shown=1', '−8 到 7')}，或者
    ${see('printed', 'range=unit;shown=1', '−1 到 1')}：结果一样。看看图下面那个权重的算式：先除以 (max − min)，又乘以
    (max − min)。这两个是同一个数，正好约掉，剩下的是
  </p>
  ${math('cancels')}
  <p>
    只要 min 是整数就如此。公式里根本没有缩放，它只是四舍五入到整数；而权重都很小，几乎全在 ±0.5
    之内。文章的例子用的数都大于 1，所以没露馅。若取 ${see('printed', 'range=half;shown=1', '−0.5 到 0.5')}，每步仍是
    1，只是从 −0.5 开始，于是每个权重只剩下正负号；说来奇怪，光凭正负号还能认对 120
    个，${chapter(10, '第 10 章')}会再谈到它。
  </p>
  <h2>把它修好</h2>
  <p>
    缺的只是一个想法：这里有两个范围，公式却给了它们同样的名字。x 有自己的范围，从最小的权重到最大的权重；q
    的范围是整数的。把它们分开：
  </p>
  ${math('meant')}
  <p>
    ${see('printed', 'view=meant', '分清两个范围之后')}，分数把 x 放到自己范围里的 0 到 1 之间，再乘出去，铺满 255
    个整数级。网络又活了：每个权重一个字节，360 个认对 359 个。
  </p>
  <p>
    还剩一点瑕疵：0 不在各级之中。它读回来是 0.0001，${see('printed', 'view=meant;bits=4', '4 位时')}是
    0.008。网络里零很常见：补边、剪掉的权重、ReLU（把负数都变成 0）的输出，它们理应保持是零。所以让一个整数
    z，即<em>零点</em>，恰好代表 0，再用 s 表示一步：
  </p>
  ${math('zero')}
  <p>
    ${see('printed', 'view=zero', '这个形式')}就是 ONNX、TensorFlow Lite 和 PyTorch
    用的（${paper('jacob')}），也是后面各章的基础。
  </p>
  ${code('mended')}
  <p class="soft">
    那篇文章引用的两篇名作，作者和题目都写错了，正确的列在下面。它的公式原样保留在本软件包里，与 numpy 逐位相同，名为
    <code>article.quantizeZero</code>。
  </p>
`;
