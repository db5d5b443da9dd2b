/** What runs ONNX models on the command line: onnxruntime-web, where it is installed beside the package, which does not bring it. */
import { FewerbitsError } from '../errors.js';
import { runnable } from '../shrink/runnable.js';

/**
 * @param {import('../model.js').Model} model
 * @returns {Promise<import('../measure/session.js').Runtime | undefined>} undefined of a model that needs none
 * @throws {FewerbitsError} `unsupported` where it is not installed
 */
export async function runtimeFor(model) {
  if (runnable(model) !== 'onnx') return undefined;
  try {
    const ort = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = 'fatal';
    return ort;
  } catch (cause) {
    const facts = {
      file: model.name,
      expected: 'onnxruntime-web beside fewerbits: npm install onnxruntime-web',
      found: String(/** @type {any} */ (cause)?.message ?? cause).split('\n')[0],
      cause,
    };
    throw new FewerbitsError('unsupported', 'there is nothing here that runs ONNX models', facts);
  }
}
