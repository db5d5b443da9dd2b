import { html } from 'lit';

/** @type {import('../contents.js').Text} */
export default ({ figure, math, see, paper }) => html`
  <p>
    b
    位最少能把误差压到多小？误差相对于权重本身，以分贝计。对于相互独立、呈钟形分布的权重，信息论有答案（${paper('shannon')}）：不管用什么方法，每一位都不会超过
    6.02 dB。
  </p>
  ${math('limit')}
  <p>下面是本页的各种方案，横轴是花费，纵轴是保留下来的。选一个点看看。</p>
  ${figure('limit')}
  <p>
    全都在直线下方。${see('limit', 'at=int4', '普通的 int4')} 差将近 10 dB，因为一个系数要迁就 65,536
    个权重里最远的那个。${see('limit', '', 'Q4_K')} 差 4.2 dB。${see('limit', 'at=kmeans', 'k-means 的 16 个值')}在 4
    位里最接近，差 3.9 dB：20.22 dB 是 16 个值能做到的极限（${paper('lloyd')}）。剩下的路，要靠把许多权重放在一起编码。
  </p>
  <p>
    ${see('limit', 'weights=fc1.weight', '换成训练好的一层')}，图几乎不变：它的权重本来就接近钟形曲线。可要是让它${see('limit', 'weights=sparse', '变稀疏')}，五个里有四个是零，方案之后再加霍夫曼编码，多数点就跑到直线上方了。这并不违反定律：极限是对钟形曲线说的；大半是零的权重本来信息就少，懂得这一点的编码就少花位。稀疏的、重尾的、彼此相关的真实权重，都可能超过每位
    6.02 dB。
  </p>
`;
