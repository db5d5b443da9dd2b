/** The papers that the lesson names, cited as they are. */

/** @type {{[key: string]: {short: string, text: string, url: string, note?: {en: string, zh: string}}}} */
export const PAPERS = {
  deep: {
    short: 'Han 2016',
    text: 'S. Han, H. Mao, W. J. Dally: Deep Compression: Compressing Deep Neural Networks with Pruning, Trained Quantization and Huffman Coding. ICLR 2016.',
    url: 'https://arxiv.org/abs/1510.00149',
  },
  xnor: {
    short: 'Rastegari 2016',
    text: 'M. Rastegari, V. Ordonez, J. Redmon, A. Farhadi: XNOR-Net: ImageNet Classification Using Binary Convolutional Neural Networks. ECCV 2016.',
    url: 'https://arxiv.org/abs/1603.05279',
  },
  jacob: {
    short: 'Jacob 2018',
    text: 'B. Jacob et al.: Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference. CVPR 2018.',
    url: 'https://arxiv.org/abs/1712.05877',
  },
  horowitz: {
    short: 'Horowitz 2014',
    text: 'M. Horowitz: Computing’s Energy Problem (and what we can do about it). ISSCC 2014.',
    url: 'https://doi.org/10.1109/ISSCC.2014.6757323',
  },
  qlora: {
    short: 'Dettmers 2023',
    text: 'T. Dettmers, A. Pagnoni, A. Holtzman, L. Zettlemoyer: QLoRA: Efficient Finetuning of Quantized LLMs. NeurIPS 2023.',
    url: 'https://arxiv.org/abs/2305.14314',
  },
  mx: {
    short: 'OCP MX 2023',
    text: 'Open Compute Project: OCP Microscaling Formats (MX) Specification, version 1.0, 2023.',
    url: 'https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf',
  },
  nagel: {
    short: 'Nagel 2019',
    text: 'M. Nagel, M. van Baalen, T. Blankevoort, M. Welling: Data-Free Quantization Through Weight Equalization and Bias Correction. ICCV 2019.',
    url: 'https://arxiv.org/abs/1906.04721',
  },
  twn: {
    short: 'Li 2016',
    text: 'F. Li, B. Liu, X. Wang, B. Zhang, J. Yan: Ternary Weight Networks. 2016.',
    url: 'https://arxiv.org/abs/1605.04711',
  },
  ste: {
    short: 'Bengio 2013',
    text: 'Y. Bengio, N. Léonard, A. Courville: Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation. 2013.',
    url: 'https://arxiv.org/abs/1308.3432',
  },
  distil: {
    short: 'Hinton 2015',
    text: 'G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in a Neural Network. 2015.',
    url: 'https://arxiv.org/abs/1503.02531',
  },
  lloyd: {
    short: 'Max 1960',
    text: 'J. Max: Quantizing for Minimum Distortion. IRE Transactions on Information Theory, 1960.',
    url: 'https://doi.org/10.1109/TIT.1960.1057548',
  },
  shannon: {
    short: 'Shannon 1959',
    text: 'C. E. Shannon: Coding Theorems for a Discrete Source with a Fidelity Criterion. IRE National Convention Record, 1959.',
    url: 'https://doi.org/10.1109/9780470544242.ch21',
  },
  rust: {
    short: 'Rust 2026',
    text: 'The Rust Project and the authors of its books: documentation of Rust 1.95.0. MIT or Apache-2.0, 2026.',
    url: 'https://doc.rust-lang.org/1.95.0/',
  },
  digits: {
    short: 'Alpaydin 1998',
    text: 'E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits. UCI Machine Learning Repository, 1998.',
    url: 'https://doi.org/10.24432/C50P49',
  },
};
