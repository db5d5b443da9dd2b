/** 半二次量化。 */
export default {
  'family.optimized': '优化',
  'scheme.hqq.summary': '每组一个整数网格，移动它的零点，直到偏得远的权重很少。',
};
