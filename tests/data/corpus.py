"""Makes corpus/: small files as people's tools write them, and corpus/expected.json with what those tools say is inside.

    pip install numpy==2.4.6 ml_dtypes==0.6.0 safetensors==0.8.0 jax==0.10.2 flax==0.12.8 && python corpus.py

Tensors in expected.json: dtype in the safetensors spelling, shape, and the f32 bits of all elements, row-major, in
hexadecimal (`null` for complex numbers). Made again, only numpy.safetensors differs: its writer orders metadata anew.
"""

import json
import pathlib
import shutil

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import safetensors.flax
import safetensors.numpy

HERE = pathlib.Path(__file__).parent / "corpus"
shutil.rmtree(HERE, ignore_errors=True)
(HERE / "sharded").mkdir(parents=True)
random = np.random.default_rng(8)
expected = {}

NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0", "complex64": "C64",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ",
}


def describe(array):
    array = np.asarray(array)
    values = None
    if array.dtype.kind != "c":
        f32 = np.ascontiguousarray(array).astype(np.float32).reshape(-1)
        values = "".join(f"{w:08x}" for w in f32.view(np.uint32))
    return {"dtype": NAMES[array.dtype.name], "shape": list(np.shape(array)), "f32": values}


def note(path, tensors, **more):
    expected[path] = {"tensors": {name: describe(t) for name, t in tensors.items()}, **more}


def weights(*shape):
    return random.standard_normal(shape).astype(np.float32)


# safetensors, as its own numpy module writes it.
tensors = {
    "conv.weight": weights(4, 2, 3, 3),
    "conv.bias": weights(4),
    "half": weights(3, 5).astype(np.float16),
    "double": weights(2, 3).astype(np.float64),
    "scalar": np.array(0.1, np.float32),
    "empty": np.zeros((0, 7), np.float32),
    "mask": np.array([True, False, True]),
    "complex": np.array([1 + 2j], np.complex64),
    "名前 \"quoted\" \n": weights(2),
}
for dtype in (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.uint64, np.int64):
    info = np.iinfo(dtype)
    tensors[np.dtype(dtype).name] = np.array([info.min, info.max, 1, info.max // 3], dtype)
metadata = {"format": "np", "author": "测试", "quote": "\"\\"}
safetensors.numpy.save_file(tensors, HERE / "numpy.safetensors", metadata)
note("numpy.safetensors", tensors, metadata=metadata)

# The same module with arrays of ml_dtypes.
tensors = {}
for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fnuz,
              ml_dtypes.float8_e5m2fnuz, ml_dtypes.float8_e8m0fnu):
    tensors[np.dtype(dtype).name] = np.abs(weights(3, 4)).astype(dtype)
for name in list(tensors):
    try:
        safetensors.numpy.save({name: tensors[name]})
    except Exception as refused:  # a dtype that this release of safetensors cannot write
        print("left out:", name, refused)
        del tensors[name]
safetensors.numpy.save_file(tensors, HERE / "ml_dtypes.safetensors")
note("ml_dtypes.safetensors", tensors, metadata={})

# JAX arrays through safetensors.flax.
key = jax.random.key(0)
tensors = {
    "dense/kernel": jax.random.normal(key, (5, 8)),
    "dense/bias": jnp.zeros(8),
    "embed": jax.random.normal(key, (3, 4), jnp.bfloat16),
    "step": jnp.int32(7),
}
safetensors.flax.save_file(tensors, HERE / "flax.safetensors")
note("flax.safetensors", tensors, metadata={})

# A model in two files.
parts = [{"a.weight": weights(2, 3), "a.bias": weights(2)}, {"b.weight": weights(3, 2).astype(np.float16)}]
index = {"metadata": {"total_size": sum(t.nbytes for p in parts for t in p.values())}, "weight_map": {}}
for i, part in enumerate(parts):
    file = f"model-{i + 1:05}-of-00002.safetensors"
    safetensors.numpy.save_file(part, HERE / "sharded" / file, {"format": "np"})
    index["weight_map"].update(dict.fromkeys(part, file))
(HERE / "sharded/model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")
note("sharded", parts[0] | parts[1], metadata={"format": "np"})

# npy, as numpy writes it.
arrays = {
    "c": weights(3, 4),
    "fortran": np.asfortranarray(weights(3, 4)),
    "fortran4": np.asfortranarray(weights(2, 3, 4, 5)),
    "vector": weights(5),
    "scalar": np.array(2.5),
    "empty": np.zeros((3, 0), np.float32),
    "half": weights(4).astype(np.float16),
    "big": weights(2, 3).astype(">f4"),
    "big_fortran": np.asfortranarray(weights(2, 3).astype(">f8")),
    "bool": np.array([True, False]),
    "i8": np.array([-(2**62), 5]),
    "u2": np.array([1, 65535], np.uint16),
    "bfloat16": weights(2, 2).astype(ml_dtypes.bfloat16),
}
for name, array in arrays.items():
    np.save(HERE / f"{name}.npy", array)
    note(f"{name}.npy", {name: array})
for version in ((2, 0), (3, 0)):
    name = f"version{version[0]}"
    with open(HERE / f"{name}.npy", "wb") as f:
        np.lib.format.write_array(f, arrays["c"], version)
    note(f"{name}.npy", {name: arrays["c"]})

# npy that cannot be read, and why.
for name, array, why in [
    ("object", np.array([1, "x"], dtype=object), "Python objects (a pickle) are never read"),
    ("structured", np.zeros(2, [("x", "<f4"), ("y", "<i4")]), "structured arrays cannot be read"),
    ("complex", np.zeros(2, np.complex64), "complex numbers cannot be read"),
    ("text", np.array(["a", "bc"]), "text arrays cannot be read"),
    ("float8", np.zeros(2, ml_dtypes.float8_e4m3fn), "one-byte floats in npy do not say which kind they are"),
]:
    np.save(HERE / f"{name}.npy", array)
    expected[f"{name}.npy"] = {"refused": why}

for path in HERE.rglob("*.safetensors"):
    path.chmod(0o644)
(HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
