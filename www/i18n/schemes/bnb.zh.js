/** bitsandbytes。 */
export default {
  'family.bnb': 'bitsandbytes',
  'scheme.nf4.summary': '16 级取在钟形分布的分位点上，再乘以每块的最大绝对值。',
  'scheme.bnb_fp4.summary': 'bitsandbytes 的 16 个浮点级，再乘以每块的最大绝对值。',
  'option.blockSize.title': '块大小',
  'option.blockSize.help': '展平的张量中共用一个最大绝对值的相邻权重个数：32 到 4096 之间的 2 的幂。',
  'option.doubleQuant.title': '双重量化',
  'option.doubleQuant.help': '把各块的最大绝对值也量化为 8 比特：块大小 64 时每个权重约省 0.37 比特。',
};
