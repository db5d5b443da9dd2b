"""Float formats of 16 bits and fewer, and their blocks: codes and values by numpy and ml_dtypes.

The formulas for scales are written out here in numpy; every rounding to a narrow float is ml_dtypes' (numpy's for f16).
"""

import zlib

import ml_dtypes
import numpy as np

from bits import f32_hex

DTYPES = {
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
    "fp4_e2m1": ml_dtypes.float4_e2m1fn,
}
WIDTHS = {"f16": 16, "bf16": 16, "fp8_e4m3": 8, "fp8_e5m2": 8, "fp4_e2m1": 4}
LARGEST = {id: np.float32(ml_dtypes.finfo(dtype).max) for id, dtype in DTYPES.items()}


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def unsigned(id):
    return np.uint16 if WIDTHS[id] == 16 else np.uint8


def encode(id, x):
    """Codes of f32 values, overflow as the library has it."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(x, np.float32).astype(DTYPES[id]).view(unsigned(id))


def saturated(id, x):
    """Codes of finite f32 values, overflow to the greatest finite value."""
    return encode(id, np.clip(x, -LARGEST[id], LARGEST[id]))


def decode(id, codes):
    return np.asarray(codes, unsigned(id)).view(DTYPES[id]).astype(np.float32)


def all_values(id):
    values = decode(id, np.arange(1 << WIDTHS[id], dtype=np.uint32).astype(unsigned(id)))
    return np.where(np.isnan(values), np.float32(np.nan), values)


def ties(id):
    """Between each two neighbours the middle and what lies beside it, and the same past the greatest; both signs."""
    values = all_values(id)[: 1 << (WIDTHS[id] - 1)]
    values = values[np.isfinite(values)]
    past = min(2 * float(values[-1]) - float(values[-2]), float(np.finfo(np.float32).max))
    values = np.append(values, np.float32(past))
    middles = (values[:-1].astype(np.float64) + values[1:].astype(np.float64)) / 2
    middles = middles.astype(np.float32)
    up, down = np.nextafter(middles, np.float32(np.inf)), np.nextafter(middles, np.float32(0))
    near = np.stack([down, middles, up], axis=1).ravel()
    near = near[np.isfinite(near)]
    return np.concatenate([near, -near])


def scale_of(peak, largest):
    scale = np.float32(peak) / np.float32(largest)
    if scale < np.finfo(np.float32).tiny:
        return np.float32(1)
    while not np.isfinite(scale * np.float32(largest)):
        scale = np.nextafter(scale, np.float32(0))
    return scale


def pack(codes, width):
    """One row of codes."""
    if width == 4:
        codes = np.append(codes, np.zeros(len(codes) % 2, np.uint8)).reshape(-1, 2)
        return (codes[:, 0] | codes[:, 1] << 4).astype(np.uint8).tobytes()
    return codes.astype("<u2" if width == 16 else np.uint8).tobytes()


def scaled(id, x, grain):
    """Bytes of a matrix with scales: all scales, then the codes row by row."""
    with np.errstate(over="ignore"):
        if grain == "none":
            scales, each = [], np.float32(1)
        elif grain == "tensor":
            scales = [scale_of(np.abs(x).max(), LARGEST[id])]
            each = scales[0]
        else:
            axis = int(grain)
            scales = [scale_of(peak, LARGEST[id]) for peak in np.abs(x).max(axis=1 - axis)]
            each = np.expand_dims(np.array(scales, np.float32), 1 - axis)
        codes = saturated(id, x / each)
        values = decode(id, codes) * each
    data = np.array(scales, "<f4").tobytes() + b"".join(pack(row, WIDTHS[id]) for row in codes)
    return data, values


def microscaling(element, x):
    """OCP MX v1.0, section 6.3: blocks of 32 with an E8M0 scale."""
    id = {"e4m3": "fp8_e4m3", "e5m2": "fp8_e5m2", "e2m1": "fp4_e2m1"}[element]
    top = {"e4m3": 8, "e5m2": 15, "e2m1": 2}[element]
    data, values = b"", []
    for block in x.reshape(-1, 32):
        peak = float(np.abs(block).max())
        exponent = int(np.frexp(peak)[1]) - 1 if peak > 0 else -1000
        shared = max(exponent - top, -127)
        scale = np.float64(2.0) ** shared
        codes = saturated(id, (block.astype(np.float64) / scale).astype(np.float32))
        data += bytes([shared + 127]) + pack(codes, WIDTHS[id])
        values.append((decode(id, codes).astype(np.float64) * scale).astype(np.float32))
    return data, np.concatenate(values)


def nvfp4(x):
    """Blocks of 16: E4M3 scales, not 0, under one f32 scale."""
    f = np.float32
    with np.errstate(over="ignore"):
        tensor = scale_of(np.abs(x).max(), 6 * 448)
        data, values = np.array([tensor], "<f4").tobytes(), []
        for block in x.reshape(-1, 16):
            code = max(int(saturated("fp8_e4m3", np.abs(block).max() / f(6) / tensor)), 1)
            scale = decode("fp8_e4m3", [code])[0] * tensor
            codes = saturated("fp4_e2m1", block / scale)
            data += bytes([code]) + pack(codes, 4)
            values.append(decode("fp4_e2m1", codes) * scale)
    return data, np.concatenate(values)


def inputs():
    """(name, matrix of 6 rows of 64)."""
    random = np.random.default_rng(20)
    x = random.standard_normal((6, 64)).astype(np.float32)
    f = np.float32
    yield "gaussian", x * f(0.02)
    yield "of many sizes", x * np.ldexp(f(1), random.integers(-20, 20, (6, 1))).astype(f)
    yield "outliers", np.where(random.random((6, 64)) < 0.02, x * f(100), x)
    yield "multiples of an eighth", np.round(x * f(8)) / f(8)
    yield "one row zero, and signs of zero", np.where(np.arange(6)[:, None] == 2, f(-0.0), x)
    yield "zeros", np.zeros((6, 64), f)
    yield "tiny", x * f(1e-36)
    yield "subnormal", (x * f(1e-41)).astype(f)
    yield "huge", (x * f(5e37)).astype(f)
    yield "the largest", np.where(np.arange(64) % 9 == 2, f(np.finfo(f).max), np.where(np.arange(64) % 9 == 4, -np.finfo(f).max, x))


def cases():
    made = []
    for id in DTYPES:
        values, near = all_values(id), ties(id)
        codes = encode(id, near)
        saturating = saturated(id, near)
        made.append(
            {
                "format": id,
                "width": WIDTHS[id],
                "values": crc(values.view(np.uint32) & np.where(np.isnan(values), 0x7FC00000, 0xFFFFFFFF).astype(np.uint32)),
                "ties": len(near),
                "codes": crc(codes.astype("<u2")),
                "saturated": crc(saturating.astype("<u2")),
            }
        )
    for name, x in inputs():
        assert x.dtype == np.float32, name
        made.append({"name": name, "shape": list(x.shape), "values": f32_hex(x)})

        def case(scheme, options, result, name=name):
            data, values = result
            made.append({"scheme": scheme, "options": options, "input": name, "bytes": data.hex(), "read": crc(values)})

        for id in DTYPES:
            overflow = {"overflow": "saturate"} if WIDTHS[id] == 16 else {}
            case(id, overflow, scaled(id, x, "none"))
            if WIDTHS[id] < 16:
                case(id, {"scale": "tensor"}, scaled(id, x, "tensor"))
                case(id, {"scale": "channel"}, scaled(id, x, "0"))
                case(id, {"scale": "channel", "axis": 1}, scaled(id, x, "1"))
        case("ocp_mxfp8", {}, microscaling("e4m3", x))
        case("ocp_mxfp8", {"element": "e5m2"}, microscaling("e5m2", x))
        case("ocp_mxfp4", {}, microscaling("e2m1", x))
        case("nv_nvfp4", {}, nvfp4(x))
    return made
