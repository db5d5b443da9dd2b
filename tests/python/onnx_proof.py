"""Holds ONNX models that are written here against ONNX's checker and ONNX Runtime.

    cargo build --example shrink && python tests/python/onnx_proof.py target/debug/examples/shrink

Models are built, shrunk by the program named, checked and run beside the float model. Ends with `N passed, N failed`.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

SHRINK = pathlib.Path(sys.argv[1]).resolve()
random = np.random.default_rng(14)
passed, failed = 0, []


def case(name, condition, found=""):
    global passed
    if condition:
        passed += 1
    else:
        failed.append(name)
        print(f"FAIL {name}: {found}")


def weights(*shape, dtype=np.float32, scale=1.0):
    fan_in = int(np.prod(shape[1:])) if len(shape) > 2 else shape[0]
    return (random.standard_normal(shape) * scale / np.sqrt(fan_in)).astype(dtype)


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def build(nodes, params, inputs, outputs, opset, ir=None, domains=()):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, [numpy_helper.from_array(v, k) for k, v in params.items()])
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    ir = ir or helper.find_min_ir_version_for([opsets[0]])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir, producer_name="proof")
    helper.set_model_props(model, {"author": "测试"})
    onnx.checker.check_model(model)
    return model


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), name=f"{op}_{outputs.split()[0]}", **attributes)


def mlp(opset, dtype=np.float32, ir=None):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    params = {"w1": weights(64, 256, dtype=dtype), "b1": weights(256, dtype=dtype), "w2": weights(256, 128, dtype=dtype),
              "w3": weights(10, 128, dtype=dtype), "b3": weights(10, dtype=dtype)}  # fmt: skip
    nodes = [node("MatMul", "x w1", "a"), node("Add", "a b1", "b"), node("Relu", "b", "c"), node("MatMul", "c w2", "d"),
             node("Tanh", "d", "e"), node("Gemm", "e w3 b3", "y", transB=1)]  # fmt: skip
    inputs = [value("x", ["n", 64], kind)]
    if ir == 3:
        inputs += [value(k, v.shape, kind) for k, v in params.items()]
    feeds = {"x": random.standard_normal((32, 64)).astype(dtype)}
    return build(nodes, params, inputs, [value("y", ["n", 10], kind)], opset, ir), feeds


def convnet(opset):
    params = {"k1": weights(16, 3, 3, 3), "k2": weights(32, 16, 3, 3), "c2": weights(32), "t": weights(32, 8, 2, 2),
              "w": weights(8 * 32 * 32, 10)}  # fmt: skip
    nodes = [
        node("Conv", "x k1", "a", pads=[1, 1, 1, 1]), node("Relu", "a", "b"),
        node("Conv", "b k2 c2", "c", pads=[1, 1, 1, 1], strides=[2, 2]), node("Relu", "c", "d"),
        node("ConvTranspose", "d t", "e", strides=[2, 2]), node("Flatten", "e", "f"), node("MatMul", "f w", "y"),
    ]  # fmt: skip
    feeds = {"x": random.standard_normal((4, 3, 32, 32)).astype(np.float32)}
    return build(nodes, params, [value("x", ["n", 3, 32, 32])], [value("y", ["n", 10])], opset), feeds


def encoder(opset, dtype=np.float32, tied=False, ir=None):
    """One layer of attention and a feed-forward part over embeddings, then scores of all words."""
    d, v = 64, 501
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    p = {"embed": weights(v, d, dtype=dtype, scale=np.sqrt(v)), "q": weights(d, d, dtype=dtype), "k": weights(d, d, dtype=dtype),
         "v": weights(d, d, dtype=dtype), "o": weights(d, d, dtype=dtype), "up": weights(d, 4 * d, dtype=dtype),
         "down": weights(4 * d, d, dtype=dtype), "g": np.ones(d, dtype), "z": np.zeros(d, dtype), "s": np.array(8, dtype)}  # fmt: skip
    if not tied:
        p["head"] = weights(d, v, dtype=dtype)
    nodes = [
        node("Gather", "embed ids", "x"),
        node("MatMul", "x q", "xq"), node("MatMul", "x k", "xk"), node("MatMul", "x v", "xv"),
        node("Transpose", "xk", "xkt", perm=[0, 2, 1]), node("MatMul", "xq xkt", "a"), node("Div", "a s", "as"),
        node("Softmax", "as", "p", axis=-1), node("MatMul", "p xv", "c"), node("MatMul", "c o", "co"), node("Add", "x co", "h"),
        node("LayerNormalization", "h g z", "n", axis=-1) if opset >= 17 else node("Identity", "h", "n"),
        node("MatMul", "n up", "u"), node("Relu", "u", "r"), node("MatMul", "r down", "f"), node("Add", "n f", "m"),
    ]  # fmt: skip
    nodes += [node("Transpose", "embed", "head", perm=[1, 0])] if tied else []
    nodes += [node("MatMul", "m head", "y")]
    feeds = {"ids": random.integers(0, v, (3, 12))}
    inputs = [value("ids", ["b", "t"], TensorProto.INT64)]
    return build(nodes, p, inputs, [value("y", ["b", "t", v], kind)], opset, ir), feeds


def lstm(opset):
    p = {"w": weights(1, 256, 32, scale=2), "r": weights(1, 256, 64, scale=2), "b": weights(1, 512)}
    nodes = [node("LSTM", "x w r b", "y", hidden_size=64)]
    feeds = {"x": random.standard_normal((7, 2, 32)).astype(np.float32)}
    return build(nodes, p, [value("x", [7, 2, 32])], [value("y", [7, 1, 2, 64])], opset), feeds


def session(source, optimized=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = str(source) if isinstance(source, pathlib.Path) else source.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run(source, feeds, optimized=True):
    return session(source, optimized).run(None, feeds)[0]


def shrink(source, out, request, limit=None):
    command = [SHRINK, source, out, json.dumps({"to": "onnx", **request}), *([str(limit)] if limit else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"error": done.stderr, "code": "crash"}
    return json.loads(done.stdout)


def cosine(a, b):
    a, b = (np.asarray(x, np.float64).reshape(-1) for x in (a, b))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def meaning(made, weight, original):
    """What ONNX Runtime makes of a stored weight: its node run alone."""
    given = {t.name: t for t in made.graph.initializer}
    for n in made.graph.node:
        if weight in n.output and n.op_type in ("DequantizeLinear", "Cast"):
            kind = helper.np_dtype_to_tensor_dtype(original.dtype)
            part = helper.make_graph([n], "part", [], [value(weight, original.shape, kind)], [given[i] for i in n.input])
            feeds = {}
        elif any(i.startswith(f"{weight}_") for i in n.input if i in given) and n.domain == "com.microsoft":
            params = [given[i] for i in n.input if i in given]
            kind = helper.np_dtype_to_tensor_dtype(original.dtype)
            if n.op_type == "MatMulNBits":
                feeds = {n.input[0]: np.eye(original.shape[0], dtype=original.dtype)}
                inputs = [value(n.input[0], list(feeds[n.input[0]].shape), kind)]
            else:
                feeds = {n.input[1]: np.arange(original.shape[0])}
                inputs = [value(n.input[1], [original.shape[0]], TensorProto.INT64)]
            part = helper.make_graph([n], "part", inputs, [value(n.output[0], original.shape, kind)], params)
        else:
            continue
        small = helper.make_model(part, opset_imports=made.opset_import, ir_version=made.ir_version)
        return run(small, feeds, optimized=False)
    return None


def same_but_for_weights(source, made):
    """Nodes in their order, with those for stored weights left out, and everything else."""
    extra = {"DequantizeLinear", "Cast"}
    names = {t.name for t in source.graph.initializer}
    kept = [n for n in made.graph.node if not (n.op_type in extra and n.output[0] in names)]
    if len(kept) != len(source.graph.node):
        return f"{len(kept)} nodes instead of {len(source.graph.node)}"
    for old, new in zip(source.graph.node, kept):
        if new.domain == "com.microsoft" and old.op_type in ("MatMul", "Gather"):
            if (old.name, list(old.output)) != (new.name, list(new.output)):
                return f"node {old.name}"
        elif old != new:
            return f"node {old.name}"
    a, b = onnx.ModelProto(), onnx.ModelProto()
    for proto, of in ((a, source), (b, made)):
        proto.CopyFrom(of)
        for field in ("node", "initializer"):
            proto.graph.ClearField(field)
        proto.ir_version = 0
        for i in reversed(range(len(proto.opset_import))):
            if proto.opset_import[i].domain == "com.microsoft":
                del proto.opset_import[i]
        if source.ir_version < 4:
            proto.graph.ClearField("input")
    return None if a == b else "something besides nodes and initializers"


# Field numbers that ONNX does not have, with bytes to find again.
def unknown(number, text):
    tag = number << 3 | 2
    out = bytearray()
    while tag >= 0x80:
        out.append(tag & 0x7F | 0x80)
        tag >>= 7
    return bytes([*out, tag, len(text)]) + text


INT8, INT4, F16 = ({"scheme": {"id": i}} for i in ("int8", "int4", "f16"))
CONTRIB, QDQ = {"layout": "contrib"}, {"layout": "qdq"}


def blocks(bits, size):
    return {"scheme": {"id": f"int{bits}", "granularity": "group", "groupSize": size}}


folder = pathlib.Path(tempfile.mkdtemp(prefix="onnx-proof-"))
MODELS = {
    "mlp13": mlp(13), "mlp12": mlp(12), "mlp9": mlp(9, ir=3), "mlp10-ir3": mlp(10, ir=3), "mlp21": mlp(21), "conv17": convnet(17),
    "conv21": convnet(21), "encoder17": encoder(17), "encoder21": encoder(21), "encoder21-f16": encoder(21, np.float16),
    "encoder17-f16": encoder(17, np.float16), "tied17": encoder(17, tied=True), "tied21": encoder(21, tied=True), "lstm14": lstm(14),
    "lstm22": lstm(22), "encoder21-ir9": encoder(21, ir=9),
}  # fmt: skip

# Model, request, least cosine, operators that must be in it.
CASES = [
    ("mlp13", INT8, 0.99, {"DequantizeLinear": 3}), ("mlp12", INT8, 0.99, {"DequantizeLinear": 3}),
    ("mlp10-ir3", INT8, 0.99, {"DequantizeLinear": 3}), ("mlp13", INT4, 0.95, {"MatMulNBits": 2, "DequantizeLinear": 1}),
    ("mlp9", INT4, 0.95, {"MatMulNBits": 2}), ("mlp21", INT4, 0.95, {"DequantizeLinear": 3}),
    ("mlp21", {**INT4, **CONTRIB}, 0.95, {"MatMulNBits": 2, "DequantizeLinear": 1}), ("mlp13", F16, 0.9999, {"Cast": 3}),
    ("mlp13", {**blocks(8, 32), **CONTRIB}, 0.99, {"MatMulNBits": 2}), ("mlp21", blocks(8, 32), 0.99, {"DequantizeLinear": 3}),
    ("mlp12", {**blocks(4, 128)}, 0.95, {"MatMulNBits": 2, "DequantizeLinear": 1}),
    ("mlp21", {**blocks(4, 128), **QDQ}, 0.95, {"DequantizeLinear": 3}), ("mlp21", {**blocks(4, 16)}, 0.95, {"DequantizeLinear": 3}),
    ("conv17", INT8, 0.99, {"DequantizeLinear": 3}), ("conv21", INT8, 0.99, {"DequantizeLinear": 3}),
    ("conv21", blocks(4, 16), 0.95, {"DequantizeLinear": 3}), ("conv17", INT4, 0.95, {"DequantizeLinear": 2, "MatMulNBits": 1}),
    ("conv17", F16, 0.9999, {"Cast": 3}),
    ("encoder17", INT8, 0.99, {"DequantizeLinear": 8}), ("encoder17", INT4, 0.95, {"MatMulNBits": 7, "GatherBlockQuantized": 1}),
    ("encoder17", {**blocks(8, 32), **CONTRIB}, 0.99, {"MatMulNBits": 7, "GatherBlockQuantized": 1}),
    ("encoder17", blocks(4, 64), 0.95, {"MatMulNBits": 7, "GatherBlockQuantized": 1}), ("encoder17", F16, 0.9999, {"Cast": 8}),
    ("encoder21", INT8, 0.99, {"DequantizeLinear": 8}), ("encoder21", INT4, 0.95, {"DequantizeLinear": 8}),
    ("encoder21", {**INT4, **CONTRIB}, 0.95, {"MatMulNBits": 7, "GatherBlockQuantized": 1}),
    ("encoder21-ir9", INT4, 0.95, {"DequantizeLinear": 8}),
    ("encoder21-f16", INT8, 0.99, {"DequantizeLinear": 8}), ("encoder21-f16", INT4, 0.95, {"DequantizeLinear": 8}),
    ("encoder21-f16", {**INT4, **CONTRIB}, 0.95, {"MatMulNBits": 7, "GatherBlockQuantized": 1}),
    ("encoder17-f16", INT4, 0.95, {"MatMulNBits": 7, "GatherBlockQuantized": 1}),
    ("encoder17-f16", INT8, 0.99, {"DequantizeLinear": 0}),
    ("tied17", INT8, 0.99, {"DequantizeLinear": 7}), ("tied17", INT4, 0.95, {"DequantizeLinear": 1, "MatMulNBits": 6}),
    ("tied21", INT4, 0.95, {"DequantizeLinear": 7}), ("lstm14", INT8, 0.99, {"DequantizeLinear": 2}),
    ("lstm22", INT4, 0.95, {"DequantizeLinear": 2}),
]  # fmt: skip

for name, (model, _) in MODELS.items():
    onnx.save(model, folder / f"{name}.onnx")

for i, (name, request, least, ops) in enumerate(CASES):
    model, feeds = MODELS[name]
    title = f"{name} {json.dumps(request)}"
    out = folder / f"case{i}"
    plan = shrink(folder / f"{name}.onnx", out, request)
    if "error" in plan:
        case(title, False, plan)
        continue
    path = out / "model"
    try:
        made = onnx.load(path)
        onnx.checker.check_model(made, full_check="com.microsoft" not in {o.domain for o in made.opset_import})
        like = cosine(run(model, feeds), run(path, feeds))
    except Exception as refused:
        case(title, False, refused)
        continue
    plain = cosine(run(model, feeds), run(made, feeds, optimized=False))
    size = path.stat().st_size / (folder / f"{name}.onnx").stat().st_size
    print(f"{title}: cosine {like:.5f} ({plain:.5f} unoptimized), {size:.3f} of the size")
    case(f"{title} is close to float", like > least and plain > least, (like, plain))
    found = {op: sum(n.op_type == op for n in made.graph.node) for op in ops}
    case(f"{title} has the operators", found == ops, found)
    rest = same_but_for_weights(model, made)
    case(f"{title} leaves the rest alone", rest is None, rest)
    want_ir = 10 if any(t.data_type == TensorProto.INT4 for t in made.graph.initializer) else model.ir_version
    case(f"{title} keeps the versions", made.ir_version == max(want_ir, model.ir_version)
         and [o for o in made.opset_import if o.domain == ""] == [o for o in model.opset_import if o.domain == ""])  # fmt: skip
    floats = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for choice in plan["choices"]:
        ours = out / f"{choice['tensor']}.f32"
        if not ours.exists():
            case(f"{title}: {choice['name']} says why it is left", choice.get("left"))
            continue
        theirs = meaning(made, choice["name"], floats[choice["name"]])
        ours = np.fromfile(ours, np.float32).reshape(floats[choice["name"]].shape)
        if theirs.dtype == np.float16:
            ours = ours.astype(np.float16)
        case(f"{title}: {choice['name']} is to ONNX Runtime what it is to us", np.array_equal(ours, theirs), abs(ours - theirs).max())

# Nothing changed: the same bytes. Unknown fields: still there.
model, feeds = MODELS["encoder17"]
strange = onnx.ModelProto()
strange.CopyFrom(model)
notes = [unknown(999, b"of the model"), unknown(998, b"of the graph"), unknown(997, b"of a node"), unknown(996, b"of a matmul"),
         unknown(995, b"of a norm's weights"), unknown(994, b"of an input")]  # fmt: skip
strange.MergeFromString(notes[0])
strange.graph.MergeFromString(notes[1])
strange.graph.node[7].MergeFromString(notes[2])
strange.graph.node[1].MergeFromString(notes[3])
next(t for t in strange.graph.initializer if t.name == "g").MergeFromString(notes[4])
strange.graph.input[0].MergeFromString(notes[5])
data = strange.SerializeToString()
case("unknown fields are in the source", all(note in data for note in notes))
(folder / "strange.onnx").write_bytes(data)
shrink(folder / "strange.onnx", folder / "copied", {})
case("a model without a scheme is copied bit for bit", (folder / "copied" / "model").read_bytes() == data)
for request in (INT8, INT4, F16):
    shrink(folder / "strange.onnx", folder / "strange", request)
    made = (folder / "strange" / "model").read_bytes()
    case(f"{request} keeps unknown fields", all(made.count(note) == 1 for note in notes), [made.count(n) for n in notes])
    case(f"{request} of a strange model runs", cosine(run(model, feeds), run(folder / "strange" / "model", feeds)) > 0.95)

# Data beside the model: written so when the model is too large, and read.
for request in ({}, INT8, INT4, F16):
    shrink(folder / "encoder21.onnx", folder / "whole", request)
    shrink(folder / "encoder21.onnx", folder / "split", request, 40_000)
    feeds = MODELS["encoder21"][1]
    path = folder / "split" / "model.onnx"
    onnx.checker.check_model(str(path))
    same = np.array_equal(run(folder / "whole" / "model", feeds), run(path, feeds))
    case(f"{request} with data beside it gives the same", same)
    offsets = [e.value for t in onnx.load(path, load_external_data=False).graph.initializer for e in t.external_data if e.key == "offset"]
    case(f"{request} has data at whole pages", offsets and all(int(o) % 4096 == 0 for o in offsets), offsets)
too_small = shrink(folder / "encoder21.onnx", folder / "none", INT8, 100)
case("a graph that is too large is refused", too_small.get("code") == "unsupported", too_small)
external = onnx.ModelProto()
external.CopyFrom(MODELS["encoder21"][0])
data = b"\0" * 16
for tensor in external.graph.initializer:
    raw = tensor.raw_data
    set_external_data(tensor, "weights.bin", len(data), len(raw))
    tensor.ClearField("raw_data")
    data += raw
(folder / "weights.bin").write_bytes(data)
(folder / "external.onnx").write_bytes(external.SerializeToString())
for request in ({}, INT8, INT4):
    shrink(folder / "external.onnx", folder / "inside", request)
    shrink(folder / "encoder21.onnx", folder / "whole", request)
    same = np.array_equal(run(folder / "whole" / "model", feeds), run(folder / "inside" / "model", feeds))
    case(f"{request} of a model with data beside it gives the same", same)

# What cannot be is refused, and says what would work.
for name, request, code, words in [
    ("encoder17", {**INT4, **QDQ}, "invalid_argument", "ai.onnx 21 or later, or the layout contrib"),
    ("encoder17", {**blocks(4, 24), **CONTRIB}, "invalid_option", "a power of two from 16"),
    ("encoder17", {"scheme": {"id": "q4_k"}}, "invalid_argument", "int8, int4 or f16"),
    ("encoder17", {"scheme": {"id": "int8", "symmetric": False}}, "invalid_option", "symmetric"),
    ("encoder17", {"preset": "Q4_K_M"}, "invalid_argument", "int8, int4 or f16"),
    ("encoder17", {"layout": "qoperator", **INT8}, "invalid_argument", "qdq or contrib"),
]:
    plan = shrink(folder / f"{name}.onnx", folder / "none", request)
    case(f"{name} {request} is refused", plan.get("code") == code and words in plan["error"], plan)
plan = shrink(folder / "mlp9.onnx", folder / "none", INT8)
case("opset 9 leaves all and says why", "opset 9" in json.dumps(plan.get("notes")), plan)
plan = shrink(folder / "encoder17-f16.onnx", folder / "none", INT8)
case("F16 below opset 19 is left and says why", "F16 weights 19" in json.dumps(plan.get("notes")), plan)

print(f"{passed} passed, {len(failed)} failed")
sys.exit(bool(failed))
