"""The digits network's logits on its held-out images, by numpy in f64 from the shipped files."""

import pathlib

import numpy as np
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
    return out
