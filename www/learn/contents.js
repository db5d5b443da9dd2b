/** The chapters that exist: what they are called, the question each answers, and where their text and figures are. */

/**
 * @typedef {{en: [string, string], zh: [string, string]}} Names title and question in both languages
 * @typedef {(tools: import('./room.js').Tools) => unknown} Text
 * @typedef {{
 *   figures: {[name: string]: string}, math?: {[name: string]: unknown}, code?: {[name: string]: string},
 *   papers?: string[]
 * }} Parts `figures`: the element of each; `papers`: keys of papers.js
 * @typedef {{n: number, names: Names, text: {en: () => Promise<{default: Text}>, zh: () => Promise<{default: Text}>},
 *   parts: () => Promise<Parts>}} Chapter
 */

/** @type {Chapter[]} */
export const CHAPTERS = [
  {
    n: 1,
    names: {
      en: ['A weight', 'What is stored when a network is stored?'],
      zh: ['一个权重', '存下一个网络，存的到底是什么？'],
    },
    text: { en: () => import('./text/en-01.js'), zh: () => import('./text/zh-01.js') },
    parts: () => import('./chapters/01.js'),
  },
  {
    n: 2,
    names: {
      en: ['Why fewer bits', 'What is there to gain?'],
      zh: ['为什么要减位', '能省下什么？'],
    },
    text: { en: () => import('./text/en-02.js'), zh: () => import('./text/zh-02.js') },
    parts: () => import('./chapters/02.js'),
  },
  {
    n: 3,
    names: {
      en: ['Look first', 'How are a layer’s weights spread?'],
      zh: ['先看分布', '一层的权重长什么样？'],
    },
    text: { en: () => import('./text/en-03.js'), zh: () => import('./text/zh-03.js') },
    parts: () => import('./chapters/03.js'),
  },
  {
    n: 4,
    names: {
      en: ['The range', 'Which values get a level, and which are cut off?'],
      zh: ['选范围', '哪些值分得到一级，哪些被截掉？'],
    },
    text: { en: () => import('./text/en-04.js'), zh: () => import('./text/zh-04.js') },
    parts: () => import('./chapters/04.js'),
  },
  {
    n: 5,
    names: {
      en: ['A formula that fails', 'Why does a printed formula turn this network to chance?'],
      zh: ['一个出错的公式', '照印出来的公式算，网络为什么只会瞎猜？'],
    },
    text: { en: () => import('./text/en-05.js'), zh: () => import('./text/zh-05.js') },
    parts: () => import('./chapters/05.js'),
  },
  {
    n: 6,
    names: {
      en: ['Zero, non-zero, mixed', 'What may become zero, and what must not?'],
      zh: ['全零、非全零、混合', '哪些权重可以变成零，哪些不可以？'],
    },
    text: { en: () => import('./text/en-06.js'), zh: () => import('./text/zh-06.js') },
    parts: () => import('./chapters/06.js'),
  },
  {
    n: 7,
    names: {
      en: ['Adjust', 'What can be mended after rounding?'],
      zh: ['再调一调', '取整之后还能补救多少？'],
    },
    text: { en: () => import('./text/en-07.js'), zh: () => import('./text/zh-07.js') },
    parts: () => import('./chapters/07.js'),
  },
  {
    n: 8,
    names: {
      en: ['Grain', 'How many weights should share a scale?'],
      zh: ['粒度', '多少个权重合用一个缩放系数？'],
    },
    text: { en: () => import('./text/en-08.js'), zh: () => import('./text/zh-08.js') },
    parts: () => import('./chapters/08.js'),
  },
  {
    n: 9,
    names: {
      en: ['Blocks', 'Where in the file does a weight live?'],
      zh: ['分块', '一个权重在文件里住在哪儿？'],
    },
    text: { en: () => import('./text/en-09.js'), zh: () => import('./text/zh-09.js') },
    parts: () => import('./chapters/09.js'),
  },
  {
    n: 10,
    names: {
      en: ['Few values', 'What if a layer may hold only two numbers?'],
      zh: ['只留几个值', '一层只许用两个数，会怎样？'],
    },
    text: { en: () => import('./text/en-10.js'), zh: () => import('./text/zh-10.js') },
    parts: () => import('./chapters/10.js'),
  },
  {
    n: 11,
    names: {
      en: ['Fewer weights', 'How far do pruning, sharing and Huffman go?'],
      zh: ['更少的权重', '剪枝、共享、霍夫曼编码能走多远？'],
    },
    text: { en: () => import('./text/en-11.js'), zh: () => import('./text/zh-11.js') },
    parts: () => import('./chapters/11.js'),
  },
  {
    n: 12,
    names: {
      en: ['Not all layers alike', 'Which layer pays?'],
      zh: ['各层不同命', '代价由哪一层来付？'],
    },
    text: { en: () => import('./text/en-12.js'), zh: () => import('./text/zh-12.js') },
    parts: () => import('./chapters/12.js'),
  },
  {
    n: 13,
    names: {
      en: ['Training with rounding', 'Can a network learn to live with two bits?'],
      zh: ['带着取整训练', '网络能学会靠两位过日子吗？'],
    },
    text: { en: () => import('./text/en-13.js'), zh: () => import('./text/zh-13.js') },
    parts: () => import('./chapters/13.js'),
  },
  {
    n: 14,
    names: {
      en: ['How good can it get?', 'Is there a limit, and can it be beaten?'],
      zh: ['最好能有多好', '有没有极限，能不能超过它？'],
    },
    text: { en: () => import('./text/en-14.js'), zh: () => import('./text/zh-14.js') },
    parts: () => import('./chapters/14.js'),
  },
  {
    n: 15,
    names: {
      en: ['Nothing leaves', 'Where did all this run?'],
      zh: ['数据不出门', '这一切是在哪儿算的？'],
    },
    text: { en: () => import('./text/en-15.js'), zh: () => import('./text/zh-15.js') },
    parts: () => import('./chapters/15.js'),
  },
  {
    n: 16,
    names: {
      en: ['Does it hurt?', 'What did your own measurements say?'],
      zh: ['量化伤不伤', '你自己的测量怎么说？'],
    },
    text: { en: () => import('./text/en-16.js'), zh: () => import('./text/zh-16.js') },
    parts: () => import('./chapters/16.js'),
  },
];

/** The first page: what the lesson is, and ten digits. @type {Omit<Chapter, 'names'>} */
export const FRONT = {
  n: 0,
  text: { en: () => import('./text/en-00.js'), zh: () => import('./text/zh-00.js') },
  parts: () => import('./chapters/00.js'),
};

/** @param {number} n */
export const chapterOf = (n) => CHAPTERS.find((chapter) => chapter.n === n) ?? null;
