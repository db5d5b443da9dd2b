"""bitsandbytes' NF4 and FP4. Codes and absmax are those of ONNX Runtime's port of the CUDA kernels (`quantize_matmul_bnb4`, block
sizes up to 256) and of the kernels' printed thresholds in numpy (all block sizes; the two are compared here). The nested absmax is
numpy from the library's definition: `create_dynamic_map`, blocks of 256, offset = mean, nearest entry by f32 midpoints.

What bitsandbytes itself makes of these inputs stands in bnb_library.jsonl (bnb_library.py)."""

from fractions import Fraction

import numpy as np
from onnxruntime.capi._pybind_state import quantize_matmul_bnb4

from bits import f32_hex

NF4 = """-1.0 -0.6961928009986877 -0.5250730514526367 -0.39491748809814453 -0.28444138169288635 -0.18477343022823334
-0.09105003625154495 0.0 0.07958029955625534 0.16093020141124725 0.24611230194568634 0.33791524171829224 0.44070982933044434
0.5626170039176941 0.7229568362236023 1.0"""
NF4_CUTS = """-0.8480964004993439 -0.6106329262256622 -0.4599952697753906 -0.33967943489551544 -0.23460740596055984
-0.13791173323988914 -0.045525018125772476 0.03979014977812767 0.1202552504837513 0.2035212516784668 0.2920137718319893
0.3893125355243683 0.5016634166240692 0.6427869200706482 0.8614784181118011"""


def as_c_reads_it(text):
    """The f32 nearest to a decimal number. By way of f64 it may be another one: some of these lie near the middle of two."""
    near = np.float32(text)
    around = [np.nextafter(near, np.float32(-2)), near, np.nextafter(near, np.float32(2))]
    return min(around, key=lambda f: abs(Fraction(float(f)) - Fraction(text)))


NF4, NF4_CUTS = (np.array([as_c_reads_it(n) for n in text.split()], np.float32) for text in (NF4, NF4_CUTS))
FP4_MAGNITUDES = np.array([0, 5.208333333e-03, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25], np.float32)
FP4 = np.concatenate([FP4_MAGNITUDES, -FP4_MAGNITUDES]) + np.float32(0)
FP4_CUTS = np.array([0.00260417, 0.0859375, 0.20833333, 0.29166667, 0.4166667, 0.583333, 0.8333333], np.float32)
FP4_ORDER = np.array([0, 1, 6, 7, 4, 5, 2, 3])
BLOCK_SIZES = (32, 64, 128, 256, 1024, 4096)


def blocks(x, size):
    return [x[i : i + size] for i in range(0, len(x), size)]


def four_bit(x, kind, size):
    """(absmax, codes)"""
    absmax = np.array([np.abs(b).max() for b in blocks(x, size)], np.float32)
    inverse = np.float32(1) / np.maximum(absmax, np.float32(1e-38))
    t = x * np.repeat(inverse, size)[: len(x)]
    if kind == "nf4":
        return absmax, np.searchsorted(NF4_CUTS, t, side="left").astype(np.uint8)
    magnitude = FP4_ORDER[np.searchsorted(FP4_CUTS, np.abs(t), side="left")]
    return absmax, (magnitude + np.where(t < 0, 8, 0)).astype(np.uint8)


def pack(codes, kind):
    """Two in a byte, the first high; an odd one has the code of a zero beside it."""
    codes = np.append(codes, np.full(len(codes) % 2, 7 if kind == "nf4" else 0, np.uint8))
    return codes[::2] << 4 | codes[1::2]


def dynamic_map():
    """PyTorch's `linspace` multiplies and adds with one rounding on every x86-64 with AVX2; in f64 both are exact."""
    f = np.float32
    data = [f(0), f(1)]
    for i in range(7):
        parts = 2**i
        step = f(0.9) / f(parts)
        near = [f(np.float64(f(0.1)) + np.float64(step) * k) for k in range((parts + 1) // 2)]
        edges = near + [f(1 - np.float64(step) * (parts - k)) for k in range(len(near), parts + 1)]
        means = [f(10.0 ** (i - 6)) * ((a + b) / f(2)) for a, b in zip(edges, edges[1:])]
        data += means + [-m for m in means]
    return np.array(sorted(data), np.float32)


def nested(absmax):
    """(mean, absmax of 256, codes, what they give back)"""
    mean = np.float32(absmax.astype(np.float64).mean())
    table = dynamic_map()
    middles = (table[:-1] + table[1:]) / np.float32(2)
    centred = absmax - mean
    outer = np.array([np.abs(b).max() for b in blocks(centred, 256)], np.float32)
    spread = np.repeat(outer, 256)[: len(absmax)]
    inverse = np.float32(1) / np.maximum(spread, np.float32(1e-38))
    codes = np.searchsorted(middles, centred * inverse, side="left").astype(np.uint8)
    return mean, outer, codes, table[codes] * spread + mean


def inputs():
    rng = np.random.default_rng(31)
    yield "gaussian", rng.normal(0, 0.1, 64 * 40)
    yield "a rest", rng.normal(0, 0.02, 1021)
    yield "outliers", np.where(rng.random(1024) < 0.01, 100, 1) * rng.normal(0, 0.05, 1024)
    yield "blocks of zeros", np.concatenate([np.zeros(64), rng.normal(0, 1, 64), np.zeros(128), [-0.0, 1e-3]])
    yield "constant and one-signed", np.concatenate([np.full(64, -0.3), np.abs(rng.normal(0, 1, 192))])
    # Whatever is a threshold, and its neighbours, in blocks whose absmax is 1.
    cuts = np.concatenate([NF4_CUTS, FP4_CUTS, -FP4_CUTS])
    near = np.concatenate([cuts, np.nextafter(cuts, np.float32(2)), np.nextafter(cuts, np.float32(-2))])
    near = np.concatenate([[1.0, *chunk] for chunk in np.array_split(near, len(near) // 31 + 1)])
    yield "thresholds", near
    yield "large and small", np.concatenate([rng.normal(0, 1e37, 64), rng.normal(0, 1e-30, 64)])


def case(name, x, kind, size, double):
    absmax, codes = four_bit(x, kind, size)
    packed = pack(codes, kind)
    if size <= 256:
        theirs, their_absmax = np.zeros(len(packed), np.uint8), np.zeros(len(absmax), np.float32)
        quantize_matmul_bnb4(theirs, x.reshape(1, -1).copy(), their_absmax, size, int(kind == "nf4"), 1, len(x))
        assert np.array_equal(their_absmax, absmax), f"{name} {kind} {size}: ONNX Runtime's absmax differ"
        assert np.array_equal(theirs, packed), f"{name} {kind} {size}: ONNX Runtime's codes differ"
    scales, side = absmax, absmax.tobytes()
    if double:
        mean, outer, bytes_, scales = nested(absmax)
        side = mean.tobytes() + outer.tobytes() + bytes_.tobytes()
    values = (NF4 if kind == "nf4" else FP4)[codes] * np.repeat(scales, size)[: len(x)]
    return {
        "input": name,
        "scheme": {"nf4": "nf4", "fp4": "bnb_fp4"}[kind],
        "options": {"blockSize": size, "doubleQuant": double},
        "codes": codes.tobytes().hex(),
        "scales": f32_hex(scales),
        "packed": (side + packed.tobytes()).hex(),
        "dequantized": f32_hex(values),
    }


def cases():
    out = []
    for name, x in inputs():
        x = np.asarray(x, np.float32)
        out.append({"name": name, "values": f32_hex(x)})
        for kind in ("nf4", "fp4"):
            sizes = BLOCK_SIZES if name == "gaussian" else (32, 64)
            out += [case(name, x, kind, size, size == 32) for size in sizes]
    rng = np.random.default_rng(32)
    x = (rng.normal(0, 1, (300, 32)) * rng.lognormal(-3, 0.5, (300, 1))).astype(np.float32).ravel()
    out.append({"name": "spread blocks", "values": f32_hex(x)})
    out.append(case("spread blocks", x, "nf4", 32, True))
    return out
