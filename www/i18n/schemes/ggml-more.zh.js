/** ggml 的其余块格式。 */
export default {
  'scheme.iq4_nl.summary': '每 32 个权重共用一个半精度缩放因子；16 级在零附近更密。',
  'scheme.iq4_xs.summary': '同 iq4_nl，缩放因子为 6 位；每 256 个权重共用它的半精度单位。',
  'scheme.tq1_0.summary': '每 256 个权重成为其最大绝对值的 −1、0 或 1 倍，五个权重存在一个字节里。',
  'scheme.tq2_0.summary': '每 256 个权重成为其最大绝对值的 −1、0 或 1 倍，四个权重存在一个字节里。',
  'scheme.mxfp4.summary': '每 32 个权重共用一个 2 的幂；每个权重是一个 4 位浮点数。',
  'scheme.nvfp4.summary': '每 16 个权重共用一个 8 位浮点缩放因子，四组成为一块；每个权重是一个 4 位浮点数。',
};
