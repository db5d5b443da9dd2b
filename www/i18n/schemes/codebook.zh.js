/** 码本。 */
export default {
  'family.codebook': '码本',
  'scheme.kmeans.title': 'k-means 码本',
  'scheme.kmeans.summary': '一张级表，各级落在权重所在之处，每一级是离它最近的那些权重的平均。',
  'option.init.title': '起点',
  'option.init.help': '各级最初的位置：从最小到最大均匀排列，每级的权重一样多，或随机取一些权重。',
  'option.init.linear': '线性',
  'option.init.density': '密度',
  'option.init.random': '随机',
};
