"""Makes decode.json: what numpy and ml_dtypes say every stored code is worth as f32.

    pip install numpy==2.4.6 ml_dtypes==0.6.0 && python decode.py

Small types: the f32 bits of all codes in hexadecimal. f16 and bf16: FNV-1a 64 over the f32 bits (little-endian bytes)
of all 65,536 codes. f64 and the integers: chosen and seeded random elements, stored bytes and f32 bits.
Every NaN stands as 7fc00000: payloads and signs of NaN are not promised.
"""

import json
import pathlib

import ml_dtypes
import numpy as np


def bits(values):
    f32 = values.astype(np.float32)
    return np.where(np.isnan(f32), np.uint32(0x7FC00000), f32.view(np.uint32))


def hexadecimal(words):
    return "".join(f"{w:08x}" for w in words)


def fnv1a(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


SMALL = {
    "F8_E4M3": (ml_dtypes.float8_e4m3fn, 256),
    "F8_E5M2": (ml_dtypes.float8_e5m2, 256),
    "F8_E4M3FNUZ": (ml_dtypes.float8_e4m3fnuz, 256),
    "F8_E5M2FNUZ": (ml_dtypes.float8_e5m2fnuz, 256),
    "F8_E8M0": (ml_dtypes.float8_e8m0fnu, 256),
    "F6_E2M3": (ml_dtypes.float6_e2m3fn, 64),
    "F6_E3M2": (ml_dtypes.float6_e3m2fn, 64),
    "F4": (ml_dtypes.float4_e2m1fn, 16),
}
out = {"codes": {}, "fnv1a": {}, "elements": {}}
for name, (dtype, n) in SMALL.items():
    out["codes"][name] = hexadecimal(bits(np.arange(n, dtype=np.uint8).view(dtype)))
every = np.arange(65536, dtype=np.uint16)
for name, dtype in {"F16": np.float16, "BF16": ml_dtypes.bfloat16}.items():
    out["fnv1a"][name] = fnv1a(bits(every.view(dtype)).astype("<u4").tobytes())

random = np.random.default_rng(20240607)
with np.errstate(over="ignore"):
    f64 = np.concatenate([
        np.array([0.0, -0.0, 1.0, 0.1, np.inf, -np.inf, np.nan, 1e39, -1e39, 1e-46, 1.4e-45, 3.4028235677973366e38,
                  3.4028235677973362e38, 1 + 2.0**-24, 1 + 3 * 2.0**-24, 5e-324]),
        random.standard_normal(48) * 10.0 ** random.integers(-46, 40, 48),
    ])
    stored = {"F64": f64}
    for name, dtype in {"U16": np.uint16, "I16": np.int16, "U32": np.uint32, "I32": np.int32, "U64": np.uint64,
                        "I64": np.int64, "U8": np.uint8, "I8": np.int8}.items():
        info = np.iinfo(dtype)
        edges = [info.min, info.max, info.max - 1, 0, 1, info.max // 2]
        ties = [n for n in (2**24 + 1, 2**24 + 3, 2**53 + 1, 2**62 + 2**38, 2**62 + 2**38 + 1) if n <= info.max]
        stored[name] = np.array(edges + ties, dtype=dtype)
        stored[name] = np.concatenate([stored[name], random.integers(info.min, info.max, 32, dtype=dtype)])
    for name, values in stored.items():
        out["elements"][name] = {
            "stored": values.astype(values.dtype.newbyteorder("<")).tobytes().hex(),
            "f32": hexadecimal(bits(values)),
        }

path = pathlib.Path(__file__).with_name("decode.json")
path.write_text(json.dumps(out, indent=1) + "\n")
