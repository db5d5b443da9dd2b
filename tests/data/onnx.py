"""Makes corpus/onnx/: small models as the onnx package writes them, and expected.json with what it says is inside.

    python3 -m venv .venv && .venv/bin/pip install -r tests/python/requirements.txt && .venv/bin/python tests/data/onnx.py

Tensors in expected.json: dtype in the safetensors spelling, shape, and the f32 bits of all elements, row-major, in hexadecimal, from
onnx.numpy_helper (`null` for complex numbers). `derived`: shape and f32 bits of what ONNX Runtime computes from a quantized weight.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path = [p for p in sys.path if pathlib.Path(p or ".").resolve() != HERE]  # this file is not the package

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

OUT = HERE / "corpus" / "onnx"
OUT.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(4)
expected = {}

NAMES = {
    TensorProto.FLOAT: "F32", TensorProto.UINT8: "U8", TensorProto.INT8: "I8", TensorProto.UINT16: "U16",
    TensorProto.INT16: "I16", TensorProto.INT32: "I32", TensorProto.INT64: "I64", TensorProto.BOOL: "BOOL",
    TensorProto.FLOAT16: "F16", TensorProto.DOUBLE: "F64", TensorProto.UINT32: "U32", TensorProto.UINT64: "U64",
    TensorProto.COMPLEX64: "C64", TensorProto.BFLOAT16: "BF16", TensorProto.FLOAT8E4M3FN: "F8_E4M3",
    TensorProto.FLOAT8E4M3FNUZ: "F8_E4M3FNUZ", TensorProto.FLOAT8E5M2: "F8_E5M2",
    TensorProto.FLOAT8E5M2FNUZ: "F8_E5M2FNUZ", TensorProto.UINT4: "U4", TensorProto.INT4: "I4",
    TensorProto.FLOAT4E2M1: "F4", TensorProto.FLOAT8E8M0: "F8_E8M0",
}  # fmt: skip


def bits(array):
    f32 = np.ascontiguousarray(np.asarray(array).astype(np.float32)).reshape(-1)
    return "".join(f"{w:08x}" for w in f32.view(np.uint32))


def describe(tensor):
    array = numpy_helper.to_array(tensor, base_dir=str(OUT))
    return {
        "dtype": NAMES[tensor.data_type],
        "shape": list(tensor.dims),
        "f32": None if tensor.data_type == TensorProto.COMPLEX64 else bits(array),
    }


def weights(*shape, dtype=np.float32):
    return random.standard_normal(shape).astype(dtype)


def model(nodes, initializers, inputs, outputs, opset=17, ir=8, domains=(), name="graph", **more):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir, producer_name="corpus", **more)


def save(file, proto, tensors=None, derived=None, check=True):
    if check:
        onnx.checker.check_model(proto)
    (OUT / file).write_bytes(proto.SerializeToString())
    tensors = {t.name: t for t in proto.graph.initializer} if tensors is None else tensors
    tensors = {name: t for name, t in tensors.items() if t.data_type in NAMES}
    expected[file] = {"tensors": {name: describe(t) for name, t in tensors.items()}}
    if derived is not None:
        expected[file]["derived"] = derived


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def array(name, data):
    return numpy_helper.from_array(np.asarray(data), name)


# A perceptron, as most exporters write one.
nodes = [
    helper.make_node("MatMul", ["x", "w1"], ["h0"]),
    helper.make_node("Add", ["h0", "b1"], ["h1"]),
    helper.make_node("Relu", ["h1"], ["h2"]),
    helper.make_node("Gemm", ["h2", "w2", "b2"], ["y"], transB=1),
]
params = [array("w1", weights(8, 6)), array("b1", weights(6)), array("w2", weights(3, 6)), array("b2", weights(3))]
mlp = model(nodes, params, [value("x", ["n", 8])], [value("y", ["n", 3])], doc_string="a perceptron")
helper.set_model_props(mlp, {"author": "测试"})
save("mlp.onnx", mlp)

# Weights that are large enough to be quantized: a table, a factor, a filter.
nodes = [
    helper.make_node("Gather", ["table", "ids"], ["x"]),
    helper.make_node("MatMul", ["x", "factor"], ["h"]),
    helper.make_node("Gemm", ["h", "filter"], ["y"], transB=1),
]
params = [array("table", weights(40, 64)), array("factor", weights(64, 32)), array("filter", weights(48, 32))]
save("weights.onnx", model(nodes, params, [value("ids", ["n"], TensorProto.INT64)], [value("y", ["n", 48])]))

# The perceptron with initializers listed as inputs, as models before IR version 4 must.
old = model(mlp.graph.node, list(mlp.graph.initializer), [value("x", [1, 8]), *(value(p.name, list(p.dims)) for p in mlp.graph.initializer)], [value("y", [1, 3])],
            opset=9, ir=3)  # fmt: skip
save("ir3.onnx", old)

# Every type, as raw bytes and as typed numbers.
values = {
    "FLOAT": [[0.1, -2.5, 3e38], [1e-40, -0.0, float("inf")]], "UINT8": [0, 255, 7], "INT8": [-128, 127, -1],
    "UINT16": [0, 65535], "INT16": [-32768, 32767], "INT32": [-(2**31), 2**31 - 1, 5], "INT64": [-(2**62), 3],
    "BOOL": [True, False, True], "FLOAT16": [1.5, -65504.0, 6e-8], "DOUBLE": [0.1, 1e300], "UINT32": [0, 2**32 - 1],
    "UINT64": [0, 2**63 + 1], "COMPLEX64": [1 + 2j], "BFLOAT16": [1.5, -3e38], "FLOAT8E4M3FN": [1.5, -448.0],
    "FLOAT8E4M3FNUZ": [1.5, -240.0], "FLOAT8E5M2": [1.5, -57344.0], "FLOAT8E5M2FNUZ": [0.25, 2.0],
    "UINT4": [0, 15, 7], "INT4": [-8, 7, -1], "FLOAT4E2M1": [0.5, -6.0, 3.0, 1.0], "FLOAT8E8M0": [1.0, 4.0],
}  # fmt: skip
typed, raw = [], []
for name, data in values.items():
    kind = getattr(TensorProto, name)
    data = np.array(data)
    tensor = helper.make_tensor(name.lower(), kind, data.shape, data.reshape(-1).tolist())
    typed.append(tensor)
    raw.append(numpy_helper.from_array(numpy_helper.to_array(tensor), name.lower()))
texts = helper.make_tensor("texts", TensorProto.STRING, [2], [b"a", b"bc"])
long = helper.make_tensor("long", TensorProto.FLOAT16, [7, 30], weights(210).astype(np.float64).tolist())
floats = helper.make_tensor("floats", TensorProto.FLOAT, [9, 11], weights(99).tolist())
scalar = helper.make_tensor("scalar", TensorProto.FLOAT, [], [0.5])
empty = helper.make_tensor("empty", TensorProto.FLOAT, [0, 3], [])
identity = [helper.make_node("Identity", ["x"], ["y"])]
io = [value("x", [1])], [value("y", [1])]
save("typed.onnx", model(identity, [*typed, texts, long, floats, scalar, empty], *io, opset=23, ir=11), check=False)
save("raw.onnx", model(identity, raw, *io, opset=23, ir=11), check=False)

# Bodies of If, with initializers of their own; constants.
then_w, else_w, const = array("w", weights(2, 2)), array("w", weights(2, 2)), array("", weights(3, 2))
branch = lambda w, op: helper.make_graph([helper.make_node(op, ["x", "w"], ["z"])], "body", [], [value("z", [2, 2])], [w])
nodes = [
    helper.make_node("If", ["c"], ["z1"], name="choose", then_branch=branch(then_w, "Add"), else_branch=branch(else_w, "MatMul")),
    helper.make_node("Constant", [], ["k"], value=const),
    helper.make_node("Constant", [], ["shape"], value=array("", np.array([2, 2]))),
    helper.make_node("MatMul", ["k", "z1"], ["y"]),
]
inner = model(nodes, [array("top", weights(4))], [value("x", [2, 2]), value("c", [], TensorProto.BOOL)], [value("y", [3, 2])])
tensors = {"top": inner.graph.initializer[0], "choose/then_branch/w": then_w, "choose/else_branch/w": else_w, "k": const}
save("inner.onnx", inner, tensors)

# External data, in one file.
external = onnx.ModelProto()
external.CopyFrom(mlp)
data = b"\0" * 16
for tensor in external.graph.initializer:
    raw_data = tensor.raw_data
    set_external_data(tensor, "external.data", len(data), len(raw_data))
    tensor.ClearField("raw_data")
    data += raw_data + b"\0" * 8
(OUT / "external.data").write_bytes(data)
save("external.onnx", external, check=False)
onnx.checker.check_model(str(OUT / "external.onnx"))


# Quantized weights: each is run through ONNX Runtime, which says what it means.
def run(proto, output):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feeds = {i.name: feed for i in session.get_inputs() for feed in [FEEDS[i.name]]}
    return session.run([output], feeds)[0]


FEEDS = {}


def quantized(x, kind):
    low, high = {"INT8": (-128, 127), "UINT8": (0, 255), "INT4": (-8, 7), "UINT4": (0, 15)}[kind]
    return random.integers(low, high + 1, x).tolist()


def dequantize(name, kind, shape, scale, zero=None, **attributes):
    scale = np.asarray(scale, np.float32)
    t = [
        helper.make_tensor(f"{name}_q", getattr(TensorProto, kind), shape, quantized(int(np.prod(shape)), kind)),
        array(f"{name}_scale", scale),
    ]
    if zero:
        t.append(helper.make_tensor(f"{name}_zero", getattr(TensorProto, kind), scale.shape, quantized(scale.size, kind)))
    node = helper.make_node("DequantizeLinear", [x.name for x in t], [name], **attributes)
    return node, t, value(name, shape)


parts = [
    dequantize("tensor8", "INT8", [4, 6], 0.02),
    dequantize("tensor8z", "UINT8", [4, 6], 0.02, zero=True),
    dequantize("rows8", "INT8", [4, 6], np.abs(weights(4)), axis=0),
    dequantize("columns8", "INT8", [4, 6], np.abs(weights(6)), zero=True, axis=1),
    dequantize("last8", "INT8", [2, 4, 3], np.abs(weights(3)), axis=-1),
    dequantize("conv8", "INT8", [4, 2, 3, 3], np.abs(weights(4)), axis=0),
    dequantize("blocks4", "INT4", [4, 64], np.abs(weights(4, 2)), axis=1, block_size=32),
    dequantize("blocks4z", "UINT4", [64, 6], np.abs(weights(4, 6)), zero=True, axis=0, block_size=16),
    dequantize("short4", "INT4", [3, 40], np.abs(weights(3, 3)), axis=1, block_size=16),
    dequantize("odd4", "INT4", [3, 5], np.abs(weights(3)), axis=0),
]
qdq = model([p[0] for p in parts], [t for p in parts for t in p[1]], [], [p[2] for p in parts], opset=21, ir=10)
want = {p[2].name: {"shape": list(p[1][0].dims), "f32": bits(run(qdq, p[2].name))} for p in parts}
save("qdq.onnx", qdq, derived=want)


# com.microsoft: MatMulNBits as ONNX Runtime multiplies a unit matrix by it, GatherBlockQuantized as it gathers every row.
def nbits(name, k, n, bit, block, zero=False):
    blocks = -(-k // block)
    t = [
        array(f"{name}_q", random.integers(0, 256, (n, blocks, block * bit // 8)).astype(np.uint8)),
        array(f"{name}_scales", np.abs(weights(n, blocks))),
    ]
    if zero:
        t.append(array(f"{name}_zero", random.integers(0, 256, (n, -(-blocks * bit // 8))).astype(np.uint8)))
    FEEDS[f"{name}_x"] = np.eye(k, dtype=np.float32)
    node = helper.make_node("MatMulNBits", [f"{name}_x", *(x.name for x in t)], [f"{name}_y"], domain="com.microsoft",
                            name=name, K=k, N=n, bits=bit, block_size=block)  # fmt: skip
    return node, t, value(f"{name}_x", [k, k]), value(f"{name}_y", [k, n])


parts = [
    nbits("fc4", 64, 5, 4, 32),
    nbits("fc4z", 96, 3, 4, 32, zero=True),
    nbits("fc4short", 40, 2, 4, 16),
    nbits("fc8", 32, 4, 8, 16),
]
rows = []
for name, bit, zero in [("embed4", 4, False), ("embed4z", 4, True), ("embed8", 8, False)]:
    t = [
        array(f"{name}_q", random.integers(0, 256, (7, 32 * bit // 8)).astype(np.uint8)),
        array(f"{name}_scales", np.abs(weights(7, 2))),
    ]
    if zero:
        t.append(array(f"{name}_zero", random.integers(0, 256, (7, 1)).astype(np.uint8)))
    FEEDS[f"{name}_i"] = np.arange(7)
    node = helper.make_node("GatherBlockQuantized", [t[0].name, f"{name}_i", *(x.name for x in t[1:])], [f"{name}_y"],
                            domain="com.microsoft", gather_axis=0, quantize_axis=1, block_size=16, bits=bit)  # fmt: skip
    rows.append((node, t, value(f"{name}_i", [7], TensorProto.INT64), value(f"{name}_y", [7, 32])))
for name, kind in [("embeds4", "INT4"), ("embedu4", "UINT4")]:
    t = [helper.make_tensor(f"{name}_q", getattr(TensorProto, kind), [7, 32], quantized(224, kind)), array(f"{name}_scales", np.abs(weights(7, 2)))]
    FEEDS[f"{name}_i"] = np.arange(7)
    node = helper.make_node("GatherBlockQuantized", [t[0].name, f"{name}_i", *(x.name for x in t[1:])], [f"{name}_y"],
                            domain="com.microsoft", gather_axis=0, quantize_axis=1, block_size=16)  # fmt: skip
    rows.append((node, t, value(f"{name}_i", [7], TensorProto.INT64), value(f"{name}_y", [7, 32])))
both = parts + rows
contrib = model([p[0] for p in both], [t for p in both for t in p[1]], [p[2] for p in both], [p[3] for p in both],
                opset=21, ir=10, domains=["com.microsoft"])  # fmt: skip
want = {}
for p in both:
    y = run(contrib, p[3].name)
    want[p[1][0].name.removesuffix("_q")] = {"shape": list(y.shape), "f32": bits(y)}
save("contrib.onnx", contrib, derived=want)

# Vectors with a scale for each element, or for each block of them; a column.
parts = [
    dequantize("bias8", "INT8", [7], np.abs(weights(7)), axis=0),
    dequantize("bias8last", "INT8", [5], np.abs(weights(5)), axis=-1),
    dequantize("bias8z", "UINT8", [6], np.abs(weights(6)), zero=True, axis=0),
    dequantize("bias4", "INT4", [5], np.abs(weights(5)), axis=0),
    dequantize("bias4z", "UINT4", [3], np.abs(weights(3)), zero=True, axis=0),
    dequantize("blocks8", "INT8", [8], np.abs(weights(2)), axis=0, block_size=4),
    dequantize("blocks8z", "UINT8", [10], np.abs(weights(3)), zero=True, axis=-1, block_size=4),
    dequantize("one8", "INT8", [1], np.abs(weights(1)), axis=0),
    dequantize("column8", "INT8", [4, 1], np.abs(weights(4)), zero=True, axis=0),
]
vectors = model([p[0] for p in parts], [t for p in parts for t in p[1]], [], [p[2] for p in parts], opset=21, ir=10)
want = {p[2].name: {"shape": list(p[1][0].dims), "f32": bits(run(vectors, p[2].name))} for p in parts}
save("vectors.onnx", vectors, derived=want)

(OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
for path in sorted(OUT.iterdir()):
    print(f"{path.stat().st_size:7} {path.name}")
