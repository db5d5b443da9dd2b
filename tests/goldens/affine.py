"""Affine quantization: codes and values by ONNX Runtime's kernels (int8, int4), by numpy for the other widths.

Scale and zero point follow Jacob et al. 2018 as ONNX Runtime's quantization tool computes them; the tool itself checks
them here. The numpy formula is checked against the real kernels on every int8 and int4 case, so that it may speak for
the other widths.
"""

import functools

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.quantization.quant_utils import compute_scale_zp

from bits import f32_hex

TINY = np.finfo(np.float32).tiny
MODES = ["narrow", "full", "asymmetric"]  # symmetric narrow range, symmetric full range, asymmetric


def code_range(bits, mode):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return (-high if mode == "narrow" else low), high


def mode_options(mode):
    """A mode as the scheme's options."""
    return {"symmetric": False} if mode == "asymmetric" else {"symmetric": True, "narrowRange": mode == "narrow"}


def parameters(x, bits, mode):
    """(scale f32, zero point) of one run of finite f32 weights, by its minimum and maximum."""
    low, high = code_range(bits, mode)
    if mode == "full":
        # The first of the largest magnitude goes to the lowest code: the scale has the opposite sign.
        extreme = x[np.argmax(np.abs(x))]
        scale = np.float64(extreme) / low
        return (np.float32(1), 0) if abs(scale) < TINY else (np.float32(scale), 0)
    lo = min(np.float64(x.min()), 0.0)
    hi = max(np.float64(x.max()), 0.0)
    if mode == "narrow":
        scale = max(-lo, hi) / high
        return (np.float32(1), 0) if scale < TINY else (np.float32(scale), 0)
    scale = (hi - lo) / (high - low)
    if scale < TINY:
        return np.float32(1), 0
    zero_point = np.clip(np.rint(low - lo / scale), low, high)
    return np.float32(scale), int(zero_point)


def tool_parameters(x, bits, mode):
    """The same by ONNX Runtime's quantization tool."""
    low, high = code_range(bits, mode)
    wide = np.int16  # wide enough for the tool's own arithmetic at any width
    zero_point, scale = compute_scale_zp(
        x.min(), x.max(), np.array(low, wide), np.array(high, wide), symmetric=mode == "narrow"
    )
    return np.float32(scale), int(zero_point)


def quantize(x, scale, zero_point, bits, mode):
    """clamp(rint(x / scale) + zero point) in f32, true division, ties to even."""
    low, high = code_range(bits, mode)
    with np.errstate(over="ignore"):
        steps = np.rint(np.asarray(x, np.float32) / np.float32(scale))
    return np.clip(steps + np.float32(zero_point), low, high).astype(np.int8)


def dequantize(codes, scale, zero_point):
    with np.errstate(over="ignore"):
        return (codes.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def pack(rows, bits):
    """Codes as a dense bit stream, least significant bit first, each row padded to a byte."""
    out = b""
    for row in rows:
        unsigned = row.astype(np.uint8)[:, None]
        stream = np.unpackbits(unsigned, axis=1, bitorder="little")[:, :bits].ravel()
        out += np.packbits(stream, bitorder="little").tobytes()
    return out


@functools.cache
def session(bits, rank, axis, block):
    """QuantizeLinear, then DequantizeLinear twice: with its own scale, and with 1 and 0 to read the codes as floats."""
    code = {8: TensorProto.INT8, 4: TensorProto.INT4}[bits]
    attributes = ({} if axis is None else {"axis": axis}) | ({} if block is None else {"block_size": block})
    scales = [] if axis is None else [None] if block is None else [None] * rank
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["zero_i32"], ["zero"], to=code),
            helper.make_node("Cast", ["none_i32"], ["none"], to=code),
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"], **attributes),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"], **attributes),
            helper.make_node("DequantizeLinear", ["q", "one", "none"], ["codes"], **attributes),
        ],
        "affine",
        [
            info("x", TensorProto.FLOAT, [None] * rank),
            info("scale", TensorProto.FLOAT, scales),
            info("zero_i32", TensorProto.INT32, scales),
            info("one", TensorProto.FLOAT, scales),
            info("none_i32", TensorProto.INT32, scales),
        ],
        [info("y", TensorProto.FLOAT, [None] * rank), info("codes", TensorProto.FLOAT, [None] * rank)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def kernels(x, scale, zero_point, bits, axis=None, block=None):
    """(codes, values) by ONNX Runtime."""
    scale, zero_point = np.asarray(scale, np.float32), np.asarray(zero_point, np.int32)
    values, codes = session(bits, x.ndim, axis, block).run(
        ["y", "codes"],
        {
            "x": x,
            "scale": scale,
            "zero_i32": zero_point,
            "one": np.ones_like(scale),
            "none_i32": np.zeros_like(zero_point),
        },
    )
    return codes.astype(np.int8), values


def ties(bits):
    """Odd and even multiples of half a step, with an extreme that makes the narrow scale exactly 2⁻⁵."""
    high = 2 ** (bits - 1) - 1
    return np.concatenate([[high / 32], np.arange(-2 * min(high, 16) - 1, 2 * min(high, 16) + 2) / 64]).clip(
        -high / 32, high / 32
    )


def inputs(bits):
    """Runs of weights by name."""
    rng = np.random.default_rng(22)
    g = rng.normal(0, 0.08, 72)
    yield "gaussian", g
    yield "ties", ties(bits)
    # The range is a whole number of steps of 1/8, so that the asymmetric scale is exact and x/scale really ties.
    span = 2**bits - 1
    low = -(span // 3)
    yield "asymmetric ties", np.concatenate([[low, low + span], rng.integers(2 * low, 2 * (low + span), 40) / 2]) / 8
    yield "symmetric about zero", np.concatenate([[-1, 1], rng.uniform(-1, 1, 20)])
    yield "zeros and −0", [0.0, -0.0, 0.5, -0.5, 0.0, -0.0, 0.25]
    yield "all zero", np.zeros(9)
    yield "−0 only", np.full(3, -0.0)
    yield "constant", np.full(11, 0.3)
    yield "negative constant", np.full(5, -0.7)
    yield "positive", rng.uniform(0.5, 2, 21)
    yield "negative", rng.uniform(-2, -0.5, 21)
    yield "one", [0.123]
    yield "one, negative", [-4.0]
    yield "one, zero", [0.0]
    yield "outlier", np.concatenate([g[:40], [12.5], g[40:60]])
    yield "negative outlier", np.concatenate([g[:40], [-12.5], g[40:60]])
    yield "extremes of one magnitude, + first", [0.1, 0.9, -0.9, 0.2]
    yield "extremes of one magnitude, − first", [0.1, -0.9, 0.9, 0.2]
    yield "tiny", rng.normal(0, 1e-30, 20)
    yield "subnormal weights, normal scale", np.concatenate([[3e-36, -3e-36], rng.integers(-99, 99, 10) * 2.0**-149])
    yield "subnormal", rng.integers(-1000, 1000, 20) * 2.0**-149
    yield "scale about the least normal", float(TINY) * np.array([2 ** (bits - 1) - 1, -1, 1.5, -(2 ** (bits - 1))])
    yield "scale just too small", float(TINY) * (2**bits - 2) * np.array([0.4999, -0.4999, 0.1])
    yield "huge", rng.uniform(-3e38, 3e38, 20)
    yield "huge, positive", rng.uniform(1e38, 3.4e38, 20)
    yield "largest", [np.finfo(np.float32).max, -np.finfo(np.float32).max, 1.0]
    for n in [0, 2, 3, 7, 8, 9, 17]:
        yield f"gaussian, {n}", g[:n]


def matrix_shape(shape):
    """The matrix whose rows groups divide: a vector is one row, a convolution has a row for each filter."""
    return (1, -1) if len(shape) < 2 else (shape[0], -1)


def runs(x, granularity, axis=None, group=None):
    """Index arrays of the runs that share a scale, in the order of their scales. An empty tensor has none."""
    index = np.arange(x.size).reshape(x.shape)
    if not x.size:
        return []
    if granularity == "tensor":
        return [index.ravel()]
    if granularity == "channel":
        return [run.ravel() for run in np.moveaxis(index, axis, 0)]
    rows = index.reshape(matrix_shape(x.shape))
    return [row[i : i + group] for row in rows for i in range(0, len(row), group)]


def case(name, x, bits, mode, granularity="tensor", axis=None, group=None):
    x = np.asarray(x, np.float32)
    flat, parts = x.ravel(), runs(x, granularity, axis, group)
    grids = [parameters(flat[i], bits, mode) for i in parts]
    codes, values = np.zeros(x.size, np.int8), np.zeros(x.size, np.float32)
    for i, (scale, zero_point) in zip(parts, grids):
        codes[i] = quantize(flat[i], scale, zero_point, bits, mode)
        values[i] = dequantize(codes[i], scale, zero_point)
        if mode != "full":
            tool = tool_parameters(flat[i], bits, mode)
            assert tool == (scale, zero_point), f"{name} int{bits} {mode}: tool {tool}, here {scale, zero_point}"

    if bits in (4, 8) and x.size:
        scales, zeros = [s for s, _ in grids], [z for _, z in grids]
        if granularity == "tensor":
            theirs = kernels(x, scales[0], zeros[0], bits)
        elif granularity == "channel":
            theirs = kernels(x, scales, zeros, bits, axis)
        else:
            rows = x.reshape(matrix_shape(x.shape))
            shape = (len(rows), -1)
            theirs = kernels(rows, np.reshape(scales, shape), np.reshape(zeros, shape), bits, 1, group)
        # The kernels know no narrow range; nothing rounds outside it, since the scale is the largest magnitude's.
        assert np.array_equal(theirs[0].ravel(), codes), f"{name} int{bits} {mode}: the kernels' codes differ"
        assert f32_hex(theirs[1]) == f32_hex(values), f"{name} int{bits} {mode}: the kernels' values differ"

    options = mode_options(mode) | {"granularity": granularity}
    options |= {} if axis is None else {"axis": axis}
    options |= {} if group is None else {"groupSize": group}
    return {
        "input": name,
        "scheme": f"int{bits}",
        "options": options,
        "shape": list(x.shape),
        "scales": f32_hex([s for s, _ in grids]),
        "zeroPoints": [z for _, z in grids],
        "codes": codes.tobytes().hex(),
        "dequantized": f32_hex(values),
        "packed": pack(packed_rows(codes, x.shape, group), bits).hex(),
    }


def packed_rows(codes, shape, group):
    """What pads to a byte by itself: the rows of the matrix, or the groups in them."""
    rows = codes.reshape(matrix_shape(shape))
    return rows if group is None else [row[i : i + group] for row in rows for i in range(0, len(row), group)]


def cases():
    out, known = [], {}

    def named(name, x, bits):
        """The input's name, after a case that holds its values; those that hang on the width say so in the name."""
        values = f32_hex(x)
        name = name if known.get(name, values) == values else f"{name}, {bits} bits"
        if name not in known:
            known[name] = values
            out.append({"name": name, "values": values})
        return name

    for bits in range(2, 9):
        for name, x in inputs(bits):
            name = named(name, x, bits)
            out.extend(case(name, x, bits, mode) for mode in MODES)

    rng = np.random.default_rng(23)
    spread = np.array([0.01, 0.1, 1, 10, 0.3])  # so that channels differ
    matrix = rng.normal(0, 1, (5, 7)) * spread[:, None]
    filters = rng.normal(0, 1, (5, 3, 2, 2)) * spread[:, None, None, None]
    filters[1] = 0
    for name, x in [("matrix", matrix), ("filters", filters), ("vector", matrix[0])]:
        named(name, x, None)
    for bits in (2, 3, 4, 8):
        for mode in MODES:
            out += [case("matrix", matrix, bits, mode, "tensor")]
            out += [case("matrix", matrix, bits, mode, "channel", axis=a) for a in range(2)]
            out += [case("filters", filters, bits, mode, "channel", axis=a) for a in range(4)]
            out += [case("matrix", matrix, bits, mode, "group", group=g) for g in (3, 7)]
            out += [case("filters", filters, bits, mode, "group", group=g) for g in (4, 5)]
            out += [case("vector", matrix[0], bits, mode, "group", group=4)]
    return out
