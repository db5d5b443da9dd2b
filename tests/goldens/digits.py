"""The digits network's logits on its held-out images, by numpy in f64 from the shipped files; and in integers.

int8: ONNX Runtime's ConvInteger and MatMulInteger, rescaled between layers by numpy in f32 as src/nn/int8.rs says. XNOR: numpy in f64 over
values of ±1, as src/nn/xnor.rs says.
"""

import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from safetensors.numpy import load_file

import affine
from bits import f32_hex, ints

MODELS = pathlib.Path(__file__).resolve().parents[2] / "www/public/models"


def conv_relu_pool(x, w, b):
    n, _, h, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    y = np.einsum("nchwij,ocij->nohw", windows, w, optimize=True) + b[:, None, None]
    y = np.maximum(y, 0).reshape(n, len(w), h // 2, 2, width // 2, 2)
    return y.max(axis=(3, 5))


def forward(p, images):
    p = {k: v.astype(np.float64) for k, v in p.items()}
    x = images[:, None].astype(np.float64) / 16
    x = conv_relu_pool(x, p["conv1.weight"], p["conv1.bias"])
    x = conv_relu_pool(x, p["conv2.weight"], p["conv2.bias"])
    x = np.maximum(x.reshape(len(x), -1) @ p["fc1.weight"].T + p["fc1.bias"], 0)
    return x @ p["fc2.weight"].T + p["fc2.bias"]


def quantized(p, bits):
    """Weights as `int<bits>` per tensor, symmetric narrow; biases stay float."""
    out = dict(p)
    for name in p:
        if name.endswith("weight"):
            w = p[name].ravel()
            scale, zero_point = affine.parameters(w, bits, "narrow")
            codes = affine.quantize(w, scale, zero_point, bits, "narrow")
            out[name] = affine.dequantize(codes, scale, zero_point).reshape(p[name].shape)
    return out


def run_integer(op, x, w, **attributes):
    """One ConvInteger or MatMulInteger node, u8 by i8."""
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.UINT8, x.shape),
        helper.make_tensor_value_info("w", TensorProto.INT8, w.shape),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.INT32, [None] * x.ndim)
    graph = helper.make_graph([helper.make_node(op, ["x", "w"], ["y"], **attributes)], "g", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x, "w": w})[0]


def pool(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))


def int8(p, images, ranges):
    """The logits, f32. `ranges`: f32, the largest inputs of conv2, fc1, fc2."""
    scales = [1 / 16, *(np.float64(r / np.float32(255)) for r in ranges), 1.0]
    x = images[:, None]
    for layer, name in enumerate(["conv1", "conv2", "fc1", "fc2"]):
        w, b = p[f"{name}.weight"], p[f"{name}.bias"]
        rows = w.reshape(len(w), -1)
        scale = np.abs(rows).max(axis=1) / np.float32(127)
        codes = np.rint(rows / scale[:, None]).astype(np.int8).reshape(w.shape)
        step = scales[layer] * scale.astype(np.float64)
        bias = np.rint(b / step).astype(np.int32)
        multiplier = (step / scales[layer + 1]).astype(np.float32)
        if w.ndim == 4:
            sums = pool(run_integer("ConvInteger", x, codes, pads=[1, 1, 1, 1]) + bias[:, None, None])
            multiplier = multiplier[:, None, None]
        else:
            sums = run_integer("MatMulInteger", x.reshape(len(x), -1), np.ascontiguousarray(codes.T)) + bias
        rescaled = sums.astype(np.float32) * multiplier
        x = np.clip(np.rint(rescaled), 0, 255).astype(np.uint8)
    return rescaled


def hidden(p, images):
    """What goes into conv2, fc1 (as [n, 64, 2, 2]) and fc2."""
    x1 = conv_relu_pool(images[:, None].astype(np.float64) / 16, p["conv1.weight"], p["conv1.bias"])
    x2 = conv_relu_pool(x1, p["conv2.weight"], p["conv2.bias"])
    return x1, x2, np.maximum(x2.reshape(len(x2), -1) @ p["fc1.weight"].T + p["fc1.bias"], 0)


def conv(x, w):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, w, optimize=True)


def xnor(p, images):
    """The logits, f64."""
    p = {k: v.astype(np.float64) for k, v in p.items()}
    sign = lambda v: np.where(v >= 0, 1.0, -1.0)

    def normalized(y, like):
        """With the means and deviations of `like`, channel by channel."""
        axes = (0, 2, 3)[: max(1, y.ndim - 1)]
        moments = lambda v: (v.mean(axis=axes, keepdims=True), v.std(axis=axes, keepdims=True))
        (mean, std), (to_mean, to_std) = moments(y), moments(like)
        gain = np.divide(to_std, std, out=np.ones_like(std), where=std > 0)
        return (y - mean) * gain + to_mean

    x1, x2, _ = hidden(p, images)
    w, b = p["conv2.weight"], p["conv2.bias"][:, None, None]
    x = x1 - x1.mean(axis=(0, 2, 3), keepdims=True)
    k = conv(np.abs(x).mean(axis=1, keepdims=True), np.full((1, 1, 3, 3), 1 / 9))
    alpha = np.abs(w).mean(axis=(1, 2, 3))[:, None, None]
    y = pool(np.maximum(normalized(conv(sign(x), sign(w)) * k * alpha, conv(x1, w) + b), 0))

    w, b = p["fc1.weight"], p["fc1.bias"]
    x = (y - y.mean(axis=(0, 2, 3), keepdims=True)).reshape(len(y), -1)
    k, alpha = np.abs(x).mean(axis=1, keepdims=True), np.abs(w).mean(axis=1)
    float_layer = x2.reshape(len(x2), -1) @ w.T + b
    y = np.maximum(normalized((sign(x) @ sign(w).T) * k * alpha, float_layer), 0)
    return y @ p["fc2.weight"].T + p["fc2.bias"]


def integer_cases(p, held):
    p64 = {k: v.astype(np.float64) for k, v in p.items()}
    ranges = np.array([x.max() for x in hidden(p64, held["images"])], np.float32)
    correct = lambda logits: int((logits.argmax(axis=1) == held["labels"]).sum())
    logits = int8(p, held["images"], ranges)
    yield {
        "name": "int8 arithmetic",
        "ranges": f32_hex(ranges),
        "logits": f32_hex(logits),
        "correct": correct(logits),
    }
    logits = xnor(p, held["images"])
    yield {"name": "xnor arithmetic", "logits": f32_hex(logits), "correct": correct(logits)}


def cases():
    p = load_file(MODELS / "digits.safetensors")
    held = load_file(MODELS / "digits-heldout.safetensors")
    out = []
    for bits in [None, 8, 6, 5, 4, 3, 2]:
        logits = forward(p if bits is None else quantized(p, bits), held["images"])
        guess = logits.argmax(axis=1)
        case = {"name": "float" if bits is None else f"int{bits}", "correct": int((guess == held["labels"]).sum())}
        ordered = np.sort(logits, axis=1)
        margin = (ordered[:, -1] - ordered[:, -2]).min()
        assert margin > 1e-3, f"a near tie, {margin}: f32 and f64 may read it differently"
        if bits is None:
            case |= {"logits": f32_hex(logits), "predicted": ints(guess)}
        out.append(case)
    return out + list(integer_cases(p, held))
