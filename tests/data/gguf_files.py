"""Makes gguf/: small files as PyPI's gguf writes them, and gguf/expected.json with what it says is inside.

    pip install -r tests/python/requirements.txt && python tests/data/gguf_files.py

Tensors in expected.json: dtype, shape (outermost first), offset in the file, and a CRC-32 of the f32 values, little-endian, every NaN made
0x7FC00000; null where gguf cannot dequantize. Keys: name and value as metadata shows them. Made again, nothing differs.
"""

import json
import pathlib
import re
import shutil
import zlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

HERE = pathlib.Path(__file__).resolve().parent / "gguf"
PLAIN = {
    Type.F32: np.float32, Type.F16: np.float16, Type.F64: np.float64,
    Type.I8: np.int8, Type.I16: np.int16, Type.I32: np.int32, Type.I64: np.int64,
}
NOT_IN_FILES = [Type.Q8_1]
random = np.random.default_rng(8)
expected = {}


def crc(values):
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).copy()
    bits[np.isnan(values)] = 0x7FC00000
    return zlib.crc32(bits.tobytes())


def values_of(tensor):
    if tensor.tensor_type in PLAIN:
        return np.asarray(tensor.data).astype(np.float32)
    try:
        return gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    except NotImplementedError:
        return None


def shown(field):
    value = field.contents()
    if isinstance(value, list) and len(value) > 8:
        kind = field.types[1].name
        names = {"STRING": "strings", "BOOL": "truth values", "FLOAT32": "floats", "FLOAT64": "floats"}
        return f"[{len(value)} {names.get(kind, 'integers')}]"
    if isinstance(value, list):
        return "[" + ", ".join(one(item, quoted=True) for item in value) + "]"
    return one(value)


def one(value, quoted=False):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"' if quoted else value
    return str(value)


def note(name):
    """What the reader of the package finds in the file."""
    reader = gguf.GGUFReader(HERE / name)
    tensors = {}
    for tensor in reader.tensors:
        values = values_of(tensor)
        tensors[tensor.name] = {
            "dtype": tensor.tensor_type.name,
            "shape": [int(n) for n in reversed(tensor.shape)],
            "start": int(tensor.data_offset),
            "crc": None if values is None else crc(values),
        }
    keys = {key: shown(field) for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    expected[name] = {"tensors": tensors, "keys": keys}


def write(name, arch, fill, **options):
    writer = gguf.GGUFWriter(HERE / name, arch, **options)
    fill(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def every_type(writer):
    for kind in Type:
        if kind in NOT_IN_FILES:
            continue
        name = f"{kind.name.lower()}.weight"
        if kind in PLAIN:
            array = (random.standard_normal((2, 3)) * 100).astype(PLAIN[kind])
            writer.add_tensor(name, array)
            continue
        weights = random.standard_normal((3, 512)).astype(np.float32)
        try:
            data = gguf.quants.quantize(weights, kind)
        except NotImplementedError:
            # Any bytes are blocks. A byte below 0x60 at the top of an f16 keeps it finite.
            block, size = gguf.GGML_QUANT_SIZES[kind]
            data = random.integers(0, 0x60, (3, 512 // block * size), np.uint8)
        writer.add_tensor(name, data, raw_dtype=kind)


def every_key(writer):
    writer.add_uint8("a.u8", 255)
    writer.add_int8("a.i8", -128)
    writer.add_uint16("a.u16", 65535)
    writer.add_int16("a.i16", -32768)
    writer.add_uint32("a.u32", 2**32 - 1)
    writer.add_int32("a.i32", -(2**31))
    writer.add_uint64("a.u64", 2**64 - 1)
    writer.add_int64("a.i64", -(2**63))
    writer.add_float32("a.f32", 0.5)
    writer.add_float64("a.f64", 0.1)
    writer.add_bool("a.bool", True)
    writer.add_string("a.text", "über 模型 \U0001f999")
    writer.add_array("b.texts", ["a", "名前"])
    writer.add_array("b.ints", [1, -2, 3])
    writer.add_array("b.floats", [0.5, -0.25])
    writer.add_array("b.bools", [True, False])
    writer.add_array("b.many", [f"token{i}" for i in range(300)])
    writer.add_array("b.scores", [float(i) for i in range(2000)])
    writer.add_array("b.layers", list(range(40)))
    writer.add_tensor("w", random.standard_normal((5, 7)).astype(np.float32))
    writer.add_tensor("scalar", np.array([2.5], np.float32))
    writer.add_tensor("four", random.standard_normal((2, 3, 4, 5)).astype(np.float16))


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    write("types.gguf", "types", every_type)
    note("types.gguf")
    write("keys.gguf", "keys", every_key)
    note("keys.gguf")

    def aligned(writer):
        writer.add_custom_alignment(256)
        writer.add_tensor("a", random.standard_normal(3).astype(np.float32))
        writer.add_tensor("b", random.standard_normal((2, 5)).astype(np.float32))

    write("aligned.gguf", "aligned", aligned)
    note("aligned.gguf")
    write("empty.gguf", "empty", lambda writer: writer.add_description("no tensors"))
    note("empty.gguf")

    # Version 2 has the layout of version 3.
    data = bytearray((HERE / "aligned.gguf").read_bytes())
    data[4:8] = (2).to_bytes(4, "little")
    (HERE / "version2.gguf").write_bytes(data)
    note("version2.gguf")

    write("big_endian.gguf", "big", aligned, endianess=gguf.GGUFEndian.BIG)
    expected["big_endian.gguf"] = {"refused": "big-endian GGUF files cannot be read"}
    (HERE / "expected.json").write_text(text(expected))


def text(expected):
    """JSON with one tensor or key on a line."""
    plain = json.dumps(expected, indent=1, ensure_ascii=False)
    return re.sub(r"\n    +\S?.*?(?=\n {0,3}\S)", lambda m: re.sub(r"\n *", " ", m[0]), plain, flags=re.S) + "\n"


main()
