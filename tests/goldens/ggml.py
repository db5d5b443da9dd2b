"""ggml's block formats: bytes and values of llama.cpp's own library, for every type, on the inputs below."""

import base64
import json
import struct
import zlib

import numpy as np

import llamacpp
from llamacpp import unavailable  # noqa: F401, generate.py asks

SMALL = 512  # weights of an input whose bytes stand in the file
# Formats that Fewerbits only reads. Their encoders search for long and abort on extreme weights: they get ordinary ones.
ONLY_READ = ["iq2_s", "iq3_s", "iq3_xxs"]
ORDINARY = ["gaussian", "trained", "outliers"]
CHUNK = 4096  # weights per checksum of a large input
RANDOM_BLOCKS = 96
FLT_MAX = np.finfo(np.float32).max

# Where the C code converts a float that is out of the integer's range: undefined behaviour, its own builds disagree.
INVERSE_OVERFLOWS = ["q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_0", "tq1_0", "tq2_0", "mxfp4"]
UNDEFINED = {
    "subnormal": INVERSE_OVERFLOWS,
    "a least subnormal": INVERSE_OVERFLOWS,
    "the largest": ["q4_1", "q5_1"],
    "huge": ["q4_1", "q5_1"],
}


def b64(array):
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def crc(array):
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def crc_values(x):
    """Of f32 values, all NaN made one: what bits a NaN has is nobody's promise."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).copy()
    bits[np.isnan(x)] = 0x7FC00000
    return crc(bits)


def mix(h):
    """lowbias32, as tests/ggml_support/mod.rs has it."""
    h = np.asarray(h, np.uint32).copy()
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))


def normals(seed, count):
    """Nearly normal, of variance 1, by integers alone until one rounding: twelve uniform numbers of 24 bits, added."""
    index = np.arange(12 * count, dtype=np.uint32)
    uniform = mix(index + mix(seed)) >> np.uint32(8)
    total = uniform.reshape(count, 12).sum(axis=1, dtype=np.int64) - 6 * 2**24
    return total.astype(np.int32).astype(np.float32) * np.float32(2.0**-24)


def generated(kind, seed, count):
    """The large inputs. Each step is one correctly rounded f32 operation or exact."""
    x = normals(seed, count)
    group = mix(np.arange(count, dtype=np.uint32) // np.uint32(16) + np.uint32(seed * 7919))
    if kind == "normal":
        return x * np.float32(0.02)
    if kind == "heavy":
        return x * x * x
    if kind == "bf16":
        return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    if kind == "coarse":  # multiples of 1/8: ties everywhere
        return np.floor(x * np.float32(8) + np.float32(0.5)) * np.float32(0.125)
    if kind == "wild":  # every sixteen weights another size, some all zero, some of one sign
        size = np.ldexp(np.float32(1), (group % np.uint32(29)).astype(np.int32) - 20).astype(np.float32)
        x = np.where(group // np.uint32(32) % np.uint32(5) == 0, np.abs(x), x)
        x = np.where(group // np.uint32(256) % np.uint32(5) == 0, -np.abs(x), x)
        return np.where(group // np.uint32(2048) % np.uint32(11) == 0, np.float32(0), x * size)
    raise ValueError(kind)


GENERATED = [("normal", 1, 1 << 16), ("heavy", 2, 1 << 15), ("bf16", 3, 1 << 15), ("coarse", 4, 1 << 15)]
GENERATED += [("wild", 5, 1 << 16)]


def sample(name):
    """An f32 tensor of the shipped network."""
    raw = (llamacpp.ROOT / "www/public/models/digits.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    start, end = json.loads(raw[8 : 8 + length])[name]["data_offsets"]
    return np.frombuffer(raw[8 + length + start : 8 + length + end], "<f4")


def small_inputs():
    """(name, 512 weights)."""
    n = SMALL
    f = np.float32
    x = normals(11, n)
    index = np.arange(n)
    every = lambda values: np.resize(np.array(values, f), n)
    yield "gaussian", x * f(0.02)
    yield "gaussian of variance 1", normals(12, n)
    yield "trained", sample("fc1.weight")[1000 : 1000 + n].copy()
    yield "f16", x.astype(np.float16).astype(f)
    yield "bf16", (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(f)
    yield "outliers", np.where(index % 37 == 5, x * f(100), x)
    yield "zeros", np.zeros(n, f)
    yield "minus zeros", np.full(n, -0.0, f)
    yield "some blocks zero", np.where(index // 32 % 3 == 1, f(0), x)
    yield "one super-block zero", np.where(index < 256, f(0), x)
    yield "one not zero in a block", np.where(index % 32 == index // 32 * 7 % 32, x, f(0))
    yield "minus zero between", np.where(index % 2 == 0, f(-0.0), x)
    yield "constant", np.full(n, 0.3, f)
    yield "constant, negative", np.full(n, -7, f)
    yield "constant in each block", np.repeat(normals(13, n // 32), 32)
    yield "positive", np.abs(x)
    yield "negative", -np.abs(x)
    yield "positive, far from zero", np.abs(x) + f(10)
    yield "negative, far from zero", -np.abs(x) - f(10)
    yield "ties of 8 bits", every([127, 0.5, 1.5, -0.5, -1.5, 2.5, -2.5, 126.5, -126.5, 0.49999997, -0.49999997])
    yield "ties of 4 bits", every([-8, 0.5, 1.5, -0.5, -1.5, 2.5, -2.5, 6.5, 7.5, -7.5, 8, 3.5, -3.5])
    yield "ties of 5 bits", every([16, 0.5, 1.5, -0.5, -15.5, 15.5, 14.5, -2.5, -16, 7.5, 3.5])
    yield "plus and minus the same", every([0.25, -0.25, 0.1, -0.1, 0.25, 0, -0.25])
    yield "minus and plus the same", every([-0.25, 0.25, 0.1, -0.1, 0.2, 0, -0.2])
    yield "whole numbers", every(np.arange(-20, 21))
    yield "two values", np.where(mix(np.arange(n)) % 2 == 0, f(0.7), f(-0.2))
    yield "three values", every([-0.013, 0, 0.013])
    yield "scales of f16 subnormal", x * f(1e-5)
    yield "scales below f16", x * f(1e-9)
    yield "near 1e-15", x * f(2e-15)
    yield "below 1e-15", x * f(1e-17)
    yield "tiny", x * f(1e-36)
    yield "subnormal", x * f(1e-41)
    yield "a least subnormal", np.where(index % 5 == 0, f(1e-45), f(0))
    yield "scales above f16", x * f(1e8)
    yield "large", x * f(1e19)
    yield "huge", np.where(index % 7 == 3, x * f(6e37), x)
    yield "the largest", np.where(index % 9 == 2, f(FLT_MAX), np.where(index % 9 == 6, f(-FLT_MAX), x))
    yield "growing", np.ldexp(x, index // 16 - 16).astype(f)


def cases():
    with np.errstate(all="ignore"):
        return list(_cases())


def _cases():
    types = llamacpp.types()
    for name, x in small_inputs():
        assert x.dtype == np.float32 and x.size == SMALL, name
        yield {"name": name, "weights": b64(x)}
        for kind in types.values():
            if not kind.can_encode or (kind.name in ONLY_READ and name not in ORDINARY):
                continue
            data = kind.encode(x)
            case = {"type": kind.name, "input": name, "bytes": b64(data), "values": crc_values(kind.decode(data))}
            if kind.name in UNDEFINED.get(name, []):
                case["undefined"] = True
            yield case
    large = []
    for kind, seed, count in GENERATED:
        large.append(({"generated": kind, "seed": seed, "count": count}, generated(kind, seed, count)))
    for name in ["fc1.weight", "conv2.weight"]:
        large.append(({"tensor": name}, sample(name)))
    for place, x in large:
        name = f"large: {place.get('generated') or place['tensor']}"
        x = x[: x.size // CHUNK * CHUNK]
        yield {"name": name, **place, "crc": crc(x)}
        for kind in types.values():
            if not kind.can_encode or kind.name in ONLY_READ:
                continue
            data = kind.encode(x).reshape(x.size // CHUNK, -1)
            checks = [crc(part) for part in data]
            values = [crc_values(kind.decode(part)) for part in data]
            yield {"type": kind.name, "input": name, "chunks": checks, "values": values}
    for kind in types.values():
        # Any bytes can be read; scales of all sizes, infinite and NaN are among them.
        size = RANDOM_BLOCKS * kind.block_bytes
        data = (mix(np.arange(size, dtype=np.uint32) + mix(99)) >> np.uint32(24)).astype(np.uint8)
        values = kind.decode(data).reshape(RANDOM_BLOCKS, -1)
        case = {"type": kind.name, "random": 99, "blockLen": kind.block_len, "blockBytes": kind.block_bytes}
        yield {**case, "values": [crc_values(block) for block in values]}
