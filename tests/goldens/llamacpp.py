"""llama.cpp's own library, called through ctypes: what it writes and reads for each of ggml's types.

The library comes from npm's @node-llama-cpp/linux-x64, an optional dependency of www/package.json, so that it is there after
`npm ci` on Linux x64 and nowhere else. Only libggml-base.so is loaded. All block encoders and decoders are in it, it is compiled for
plain x86-64, without fused multiply-add, and is the same whichever variant of libggml-cpu a machine would choose.
"""

import ctypes
import functools
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "www/node_modules/@node-llama-cpp/linux-x64"
LIBRARY = PACKAGE / "bins/linux-x64/libggml-base.so"
LAST_TYPE = 42  # the traits of the numbers above lie outside the table


def unavailable():
    """Why the library cannot be called here, or None."""
    if not LIBRARY.exists():
        return "npm's @node-llama-cpp/linux-x64 is not installed: it is for Linux x64 with glibc"
    return None


class Traits(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("block_len", ctypes.c_int64),
        ("interleave", ctypes.c_int64),
        ("block_bytes", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
        ("from_float_ref", ctypes.c_void_p),
    ]


class Type:
    """One of ggml's types. `name` is in lower case, as Fewerbits names its schemes."""

    def __init__(self, number, traits, lib):
        self.number = number
        self.name = traits.name.decode().lower()
        self.block_len = traits.block_len
        self.block_bytes = traits.block_bytes
        self.lib = lib
        self.to_float = traits.to_float
        self.can_decode = bool(traits.to_float)
        # Two have no reader in the table, since nobody dequantizes activations; the function is there.
        if self.name == "q8_k":
            self.to_float = lib.dequantize_row_q8_K
            self.to_float.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64]
            self.can_decode = True
        # Types that an importance matrix is for cannot be written without one.
        self.can_encode = self.can_decode and self.name not in ["q8_k", "iq1_m", "iq1_s", "iq2_xxs", "iq2_xs"]

    def encode(self, x):
        """The bytes of `ggml_quantize_chunk` for these f32 weights as one row, without an importance matrix."""
        x = np.ascontiguousarray(x, np.float32)
        assert x.size % self.block_len == 0 and self.can_encode
        out = np.zeros(x.size // self.block_len * self.block_bytes, np.uint8)
        written = self.lib.ggml_quantize_chunk(self.number, x.ctypes.data, out.ctypes.data, 0, 1, x.size, None)
        assert written == out.size, f"{self.name}: {written} bytes, not {out.size}"
        return out

    def decode(self, data):
        """f32 weights from bytes."""
        data = np.ascontiguousarray(data, np.uint8)
        assert data.size % self.block_bytes == 0 and self.can_decode
        out = np.zeros(data.size // self.block_bytes * self.block_len, np.float32)
        self.to_float(data.ctypes.data, out.ctypes.data, out.size)
        return out


@functools.cache
def types():
    """Name → Type, for every type that is read as floats."""
    lib = ctypes.CDLL(str(LIBRARY))
    lib.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, pointer, pointer, integer, integer, integer, pointer]
    found = {}
    for number in range(LAST_TYPE + 1):
        traits = lib.ggml_get_type_traits(number).contents
        if traits.block_bytes > 0:
            made = Type(number, traits, lib)
            if made.can_decode:
                found[made.name] = made
    return found
