/** 二值与三值。 */
export default {
  'family.binary': '二值与三值',
  'scheme.bitnet.summary': '−1、0 或 1 乘以整个张量的平均绝对值，取最近的一个。',
  'scheme.ternary.summary': '小的权重变为 0，其余变为正负 α，α 是其余权重绝对值的平均。',
  'scheme.binary.summary': '只保留每个权重的符号，以及每个滤波器的平均绝对值。',
  'option.per.title': '缩放因子',
  'option.per.help': '多少个权重共用一个缩放因子：一个滤波器（矩阵的一行，即一个输出的全部权重），或整个张量。',
  'option.per.filter': '滤波器',
  'option.per.tensor': '张量',
};
