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
  'scheme.deep.title': '深度压缩',
  'scheme.deep.summary': '小的权重变为零，不再存储；其余的共享少数几个值；位置和编码再用霍夫曼编码，只占很少的位。',
  'option.indexBits.title': '间隔的位数',
  'option.indexBits.help':
    '每个存下的权重之前有几个零，用这么多位来数；零太多时，补存一个零。自动：怎样最短就怎样存，也包括给每个权重都存编码。',
  'option.indexBits.auto': '自动',
  'option.indexBits.3': '3',
  'option.indexBits.4': '4',
  'option.indexBits.5': '5',
  'option.indexBits.6': '6',
  'option.indexBits.7': '7',
  'option.indexBits.8': '8',
};
