/** 多种方案共用的词。 */
export default {
  'run.block': '块',
  'step.normalize': '× 缩放的倒数',
};
