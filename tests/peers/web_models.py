"""Makes what tests/peers/web.test.js has engines run in a browser: small models, shrunk by the command `fewerbits`, and what they should give.

    python web_models.py OUT

expected.json: `gguf`, files with the prompt to run and llama.cpp's own answer: the tokens that follow, with the logarithms of the probabilities before
each, or an embedding. The files are the sample language model as it is, shrunk, and made of its folder as a hub has it, and a BERT made of one. `onnx`,
a float model, its quantized ones, and the least cosine to it.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/goldens"), str(ROOT / "tests/data"), str(ROOT / "models")]
import llama_run  # noqa: E402
import llamacpp  # noqa: E402
import train_lm  # noqa: E402
import wide  # noqa: E402

SAMPLE = ROOT / "www/public/models/rust-docs.gguf"
PROMPT = "The compiler will"
FOLLOWING = 12


def shrink(source, target, *args):
    subprocess.run(["node", ROOT / "pkg/lib/cli.js", "shrink", source, "-o", target, "--force", *args], check=True, capture_output=True)


def block(opset):
    """Embeddings, a layer of attention's shape, an inner layer, the words again: what the schemes are for."""
    # The same weights whatever the operator set, so that its ways to store them can be compared.
    random = np.random.default_rng(8)
    width, inner, words = 64, 128, 200
    weight = lambda *shape: (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
    params = {
        "embeddings": random.standard_normal((words, width)).astype(np.float32),
        "wq": weight(width, width),
        "wk": weight(width, width),
        "up": weight(width, inner),
        "down": weight(inner, width),
        "bias": weight(inner),
        "out": weight(width, words),
        "root": np.array(1 / np.sqrt(width), np.float32),
    }
    node = lambda op, inputs, output, **more: helper.make_node(op, inputs.split(), [output], name=output, **more)
    nodes = [
        node("Gather", "embeddings ids", "x"), node("MatMul", "x wq", "q"), node("MatMul", "x wk", "k"),
        node("Transpose", "k", "kt", perm=[0, 2, 1]), node("MatMul", "q kt", "raw"), node("Mul", "raw root", "scores"),
        node("Softmax", "scores", "p", axis=-1),
        node("MatMul", "p x", "mixed"), node("MatMul", "mixed up", "u"), node("Add", "u bias", "ub"), node("Tanh", "ub", "t"),
        node("MatMul", "t down", "d"), node("Add", "d x", "sum"), node("MatMul", "sum out", "y"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "block", [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 16, words])],
        [numpy_helper.from_array(v, k) for k, v in params.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 21 else 10)
    onnx.checker.check_model(model, full_check=True)
    return model


def native(path, prompt, embeds):
    """What llama.cpp's own library makes of a prompt."""
    model = llama_run.Model(path)
    tokens = model.tokenize(prompt, special=True)
    if embeds:
        found = {"embedding": model.embedding(tokens, 32).tolist()}
    else:
        following = model.greedy(tokens, FOLLOWING)
        last = model.logits(tokens + following)[len(tokens) - 1 : -1].astype(np.float64)
        last -= last.max(-1, keepdims=True)
        found = {"following": following, "logprobs": (last - np.log(np.exp(last).sum(-1, keepdims=True))).tolist()}
    model.close()
    return found


def main(out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    expected = {"gguf": [], "onnx": [], "skipped": llamacpp.unavailable()}
    train_lm.hugging_face(out / "sample")
    wide.stage("bert", out / "bert")
    shutil.copy(SAMPLE, out / "float.gguf")
    for name, source, args in [
        ("float", None, []),
        ("q8_0", SAMPLE, ["--preset", "Q8_0"]),
        ("q4_k_m", SAMPLE, ["--preset", "Q4_K_M"]),
        ("q4_0", SAMPLE, ["--preset", "Q4_0"]),
        ("folder-q8_0", out / "sample", ["--preset", "Q8_0"]),
        ("bert-f16", out / "bert", ["--scheme", "f16"]),
    ]:
        file = f"{name}.gguf"
        if source:
            shrink(source, out / file, *args)
        if not expected["skipped"]:
            expected["gguf"].append({"file": file, "prompt": PROMPT} | native(out / file, PROMPT, embeds=name.startswith("bert")))
    for opset in [17, 21]:
        name = f"block{opset}"
        onnx.save(block(opset), out / f"{name}.onnx")
        made = []
        # int4 in blocks of 32 leaves about 1 % of noise in power in each of six products on the way; int8 a hundredth of that.
        for scheme, more, least in [
            ("int8", [], 0.999), ("int4", [], 0.95), ("int4", ["--layout", "contrib"], 0.95), ("f16", [], 0.99999),
        ]:  # fmt: skip
            file = "-".join([name, scheme, *more[1:]]) + ".onnx"
            shrink(out / f"{name}.onnx", out / file, "--scheme", scheme, *more)
            made.append({"file": file, "least": least})
        expected["onnx"].append({"file": f"{name}.onnx", "ids": np.random.default_rng(9).integers(0, 200, 16).tolist(), "made": made})
    (out / "expected.json").write_text(json.dumps(expected))
    (out / "index.html").write_text('<!doctype html><html lang="en"><head><title>engines</title></head><body></body></html>\n')


main(pathlib.Path(sys.argv[1]))
