"""binary (XNOR-Net), ternary (TWN) and bitnet (b1.58) by numpy from the papers' formulas: means exact, then rounded to f32."""

import math

import numpy as np

from bits import f32_hex


def mean(magnitudes):
    return math.fsum(magnitudes.astype(np.float64)) / len(magnitudes) if len(magnitudes) else 0.0


def binary(x):
    alpha = np.float32(mean(np.abs(x)))
    codes = (x >= 0).astype(np.int8)
    return alpha, codes, np.where(codes == 1, alpha, -alpha)


def ternary(x):
    delta = np.float32(0.7 * mean(np.abs(x)))
    kept = np.abs(x) > delta
    alpha = np.float32(mean(np.abs(x[kept])))
    codes = np.where(kept, np.sign(x), 0).astype(np.int8)
    return alpha, codes, codes * alpha


def bitnet(x):
    scale = np.float32(1) / max(np.float32(mean(np.abs(x))), np.float32(1e-5))
    codes = np.clip(np.rint(x * scale), -1, 1).astype(np.int8)
    return np.float32(1) / scale, codes, codes.astype(np.float32) / scale


def pack(codes, kind):
    """One row's bytes."""
    if kind == "binary":
        return np.packbits(codes.astype(np.uint8), bitorder="little").tobytes()
    trits = np.append(codes + 1, np.zeros(-len(codes) % 5, np.int8)).reshape(-1, 5)
    return (trits @ np.array([1, 3, 9, 27, 81])).astype(np.uint8).tobytes()


def inputs():
    rng = np.random.default_rng(41)
    yield "gaussian", rng.normal(0, 0.1, (7, 53))
    yield "filters", rng.normal(0.01, 0.05, (6, 3, 2, 2)) * np.arange(1, 7)[:, None, None, None]
    yield "heavy tail", rng.standard_t(2, (4, 40)) * 0.05
    yield "zeros of both signs", np.array([[0.0, -0.0, 1.0, -1.0, 0.0], [0.0, -0.0, 0.0, -0.0, -0.0]])
    yield "on the thresholds", np.array([[1, -1, 0.5, -0.5, 0.7, -0.7, 1.5, -1.5, 1.3, -1.3]])
    yield "one-signed and constant", np.array([[0.3] * 12, [-0.2] * 12])
    yield "large and small", np.stack([rng.normal(0, 1e37, 20), rng.normal(0, 1e-30, 20)])


def cases():
    out = []
    for name, x in inputs():
        x = np.asarray(x, np.float32)
        out.append({"name": name, "values": f32_hex(x)})
        rows = x.reshape(len(x), -1)
        for kind, f, per in [
            ("binary", binary, "filter"),
            ("binary", binary, "tensor"),
            ("ternary", ternary, "filter"),
            ("ternary", ternary, "tensor"),
            ("bitnet", bitnet, None),
        ]:
            fitted = [f(row) for row in rows] if per == "filter" else [f(x.ravel())]
            alphas = np.array([a for a, _, _ in fitted], np.float32)
            codes = np.concatenate([c for _, c, _ in fitted]).reshape(rows.shape)
            out.append(
                {
                    "input": name,
                    "scheme": kind,
                    "options": {"per": per} if per else {},
                    "shape": list(x.shape),
                    "scales": f32_hex(alphas),
                    "codes": codes.astype(np.int8).tobytes().hex(),
                    "packed": (alphas.tobytes() + b"".join(pack(row, kind) for row in codes)).hex(),
                    "dequantized": f32_hex(np.concatenate([v for _, _, v in fitted])),
                }
            )
    return out
