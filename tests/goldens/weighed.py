"""What the error of each weight of a small encoder counts: the model run by ONNX Runtime with one weight quantized and all others as they are.

The encoder is one in small: a table of words, two layers of attention and feed-forward with residual connections, layer norms between. Its weights are
random; the branches of the first layer write more into the stream than those of the second, as in trained models layers do not count the same.
A weight is tried in groups of 32 along its rows with codes of 4 bits: scale = max|w| / 7 in f32, codes rounded half to even (DESIGN: affine,
symmetric). What it counts is the relative squared error of the output over that of the weight itself.
"""

import base64

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

WORDS, WIDTH, HEADS, INNER = 64, 32, 4, 64
SHAPE = (4, 12)
GAINS = [1.5, 0.2]
GROUP = 32


def weights(random):
    normal = lambda *shape, gain=1.0: (random.standard_normal(shape) * gain / np.sqrt(shape[0])).astype(np.float32)
    made = {"words": random.standard_normal((WORDS, WIDTH)).astype(np.float32)}
    for layer, gain in enumerate(GAINS):
        at = f"layer{layer}"
        for part in ("query", "key", "value"):
            made[f"{at}.attention.{part}"] = normal(WIDTH, WIDTH)
        made[f"{at}.attention.out"] = normal(WIDTH, WIDTH, gain=gain)
        made[f"{at}.ffn.up"] = normal(WIDTH, INNER)
        made[f"{at}.ffn.down"] = normal(INNER, WIDTH, gain=gain)
    return made


def model(made):
    nodes, more = [], {
        "split": np.array([0, 0, HEADS, WIDTH // HEADS], np.int64), "merge": np.array([0, 0, WIDTH], np.int64),
        "root": np.array(1 / np.sqrt(WIDTH // HEADS), np.float32), "scale": np.ones(WIDTH, np.float32),
    }  # fmt: skip
    names = iter(range(1000))

    def node(op, inputs, output=None, **attributes):
        output = output or f"{op.lower()}{next(names)}"
        nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def heads(x, weight, perm):
        return node("Transpose", [node("Reshape", [node("MatMul", [x, weight]), "split"])], perm=perm)

    norm = lambda x, output=None: node("LayerNormalization", [x, "scale"], output)
    x = node("Gather", ["words", "input_ids"])
    for layer in range(len(GAINS)):
        at, y = f"layer{layer}", norm(x)
        q, k, v = (
            heads(y, f"{at}.attention.{part}", perm)
            for part, perm in [("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])]
        )
        mixed = node("MatMul", [node("Softmax", [node("Mul", [node("MatMul", [q, k]), "root"])], axis=-1), v])
        merged = node("Reshape", [node("Transpose", [mixed], perm=[0, 2, 1, 3]), "merge"])
        x = node("Add", [x, node("MatMul", [merged, f"{at}.attention.out"])])
        inner = node("Relu", [node("MatMul", [norm(x), f"{at}.ffn.up"])])
        x = node("Add", [x, node("MatMul", [inner, f"{at}.ffn.down"])])
    norm(x, "hidden")
    tensors = [numpy_helper.from_array(w, name) for name, w in {**made, **more}.items()]
    graph = helper.make_graph(
        nodes, "encoder", [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "sequence"])],
        [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", "sequence", WIDTH])], tensors,
    )  # fmt: skip
    whole = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(whole)
    return whole


def run(whole, ids):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["hidden"], {"input_ids": ids})[0].astype(np.float64)


def rough(w):
    groups = w.reshape(-1, GROUP)
    scale = (np.abs(groups).max(axis=1, keepdims=True) / np.float32(7)).astype(np.float32)
    return (np.clip(np.rint(groups / scale), -7, 7).astype(np.float32) * scale).reshape(w.shape)


def relative(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(((a - b) ** 2).sum() / (a**2).sum())


def cases():
    random = np.random.default_rng(23)
    made = weights(random)
    ids = random.integers(0, WORDS, SHAPE)
    whole = model(made)
    reference = run(whole, ids)
    text = base64.b64encode(whole.SerializeToString(deterministic=True)).decode()
    found = [{"name": "encoder", "file": text, "ids": ids.ravel().tolist(), "shape": list(SHAPE)}]
    for name, w in made.items():
        tried = rough(w)
        error = relative(w, tried)
        damage = relative(reference, run(model({**made, name: tried}), ids))
        found.append({"name": name, "error": error, "weight": damage / error})
    return found
