/** The sample network: its weights, float and under a scheme, and how many held-out digits it reads right. */

/** @typedef {import('./worker-answers.js').Engine} Engine */

export class Sample {
  /**
   * @param {Engine} engine
   * @param {any} network
   * @param {{name: string, shape: number[], weights: any}[]} matrices
   */
  constructor(engine, network, matrices) {
    this.engine = engine;
    this.network = network;
    this.matrices = matrices;
    this.float = network.accuracy().accuracy;
  }

  /**
   * @param {Engine} engine
   * @param {any} model the open sample
   * @param {string} heldOutUrl
   * @param {AbortSignal} signal
   */
  static async load(engine, model, heldOutUrl, signal) {
    const network = new engine.DigitsNet();
    /** @type {{name: string, shape: number[], weights: any}[]} */
    const matrices = [];
    for (const { name, shape } of model.tensors) {
      const values = await model.read(name, { signal });
      network.set(name, values);
      if (shape.length > 1) matrices.push({ name, shape: [...shape], weights: new engine.Weights(values, [...shape]) });
    }
    const heldOut = await engine.openModel(heldOutUrl, { signal });
    try {
      network.setHeldOut(await heldOut.readBytes('images', { signal }), await heldOut.readBytes('labels', { signal }));
    } finally {
      await heldOut.close?.();
    }
    return new Sample(engine, network, matrices);
  }

  /** Every matrix under the scheme, the rest float. @param {any} scheme */
  accuracy(scheme) {
    for (const { name, weights } of this.matrices) {
      this.network.set(
        name,
        overRows(scheme, (s) => weights.reconstruct(s)),
      );
    }
    const { correct, total, accuracy } = this.network.accuracy();
    return { float: this.float, quantized: accuracy, correct, total };
  }

  /** To another build of the engine; the network is float and stays where it is. */
  move() {
    for (const matrix of this.matrices) {
      const { weights } = matrix;
      matrix.weights = new this.engine.Weights(weights.values(), weights.shape);
      weights.free();
    }
  }

  free() {
    for (const { weights } of this.matrices) weights.free();
    this.network.free?.();
  }
}

/**
 * What `f` makes of the scheme; where its blocks do not divide a tensor's rows, of blocks that run over them.
 * @template T
 * @param {any} scheme
 * @param {(scheme: any) => T} f
 * @returns {T}
 */
export function overRows(scheme, f) {
  try {
    return f(scheme);
  } catch (/** @type {any} */ error) {
    if (error.code !== 'shape_mismatch' || scheme.flatten) throw error;
    return f({ ...scheme, flatten: true });
  }
}
