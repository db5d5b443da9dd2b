/** 误差最小的搜索。 */
export default {
  'option.weighting.title': '误差的计法',
  'option.weighting.help': '搜索要减小的量：误差的平方，或误差平方再乘以权重自身的平方，使大的权重还原得更准。',
  'option.weighting.none': '所有权重相同',
  'option.weighting.squares': '按权重的平方',
};
