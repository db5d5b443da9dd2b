"""Makes zips/: npz files as numpy writes them, PyTorch checkpoints as torch writes them, and zips/expected.json with what is inside.

    pip install numpy==2.4.6 torch==2.15.0 && python zips.py

expected.json: as corpus/expected.json; `refused` says why a file is. Made again, only the serialization ids of torch and the dates of members differ.
"""

import collections
import json
import pathlib
import shutil
import zipfile

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent / "zips"
shutil.rmtree(HERE, ignore_errors=True)
HERE.mkdir()
random = np.random.default_rng(9)
torch.manual_seed(9)
expected = {}

NAMES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "complex64": "C64",
}


def of_numpy(array):
    f32 = np.ascontiguousarray(array).astype(np.float32).reshape(-1)
    return {"dtype": NAMES[array.dtype.name], "shape": list(array.shape),
            "f32": "".join(f"{w:08x}" for w in f32.view(np.uint32))}


def of_torch(tensor):
    name = str(tensor.dtype).removeprefix("torch.")
    values = None if tensor.is_complex() else tensor.detach().float().contiguous().numpy()
    shown = None if values is None else of_numpy(values)["f32"]
    return {"dtype": NAMES[name], "shape": list(tensor.shape), "f32": shown}


def weights(*shape):
    return random.standard_normal(shape).astype(np.float32)


# npz
arrays = {
    "layer.weight": weights(7, 5),
    "layer.bias": weights(7),
    "fortran": np.asfortranarray(weights(3, 4)),
    "half": weights(4, 2).astype(np.float16),
    "big": weights(2, 3).astype(">f4"),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "bool": np.array([True, False, True]),
    "i8": np.array([-128, 127], np.int8),
    "名前": weights(2),
    "large": np.tile(weights(50), 200).reshape(100, 100),
}
np.savez(HERE / "stored.npz", **arrays)
np.savez_compressed(HERE / "deflated.npz", **arrays)
np.savez(HERE / "positional.npz", weights(2, 2), weights(3))
for name in ("stored.npz", "deflated.npz", "positional.npz"):
    with np.load(HERE / name) as z:
        expected[name] = {"tensors": {key: of_numpy(z[key]) for key in z.files}}
np.savez(HERE / "mixed.npz", w=weights(2), names=np.array(["a", "bc"]), objects=np.array([1, "x"], dtype=object))
with np.load(HERE / "mixed.npz") as z:
    expected["mixed.npz"] = {"tensors": {"w": of_numpy(z["w"])}, "metadata": {
        "not read: names": "text arrays cannot be read",
        "not read: objects": "Python objects (a pickle) are never read"}}
np.savez(HERE / "objects.npz", objects=np.array([1, "x"], dtype=object))
expected["objects.npz"] = {"refused": "Python objects (a pickle) are never read"}
# zip64 fields throughout, and members that are streamed: sizes after the content.
with zipfile.ZipFile(HERE / "zip64.npz", "w") as z:
    for name in ("a", "b"):
        with z.open(f"{name}.npy", "w", force_zip64=True) as f:
            np.lib.format.write_array(f, arrays["layer.weight"])


class Unseekable:
    def __init__(self, f):
        self.f = f

    def write(self, data):
        return self.f.write(data)

    def flush(self):
        self.f.flush()


with open(HERE / "streamed.npz", "wb") as f, zipfile.ZipFile(Unseekable(f), "w", zipfile.ZIP_DEFLATED) as z:
    z.comment = b"PK\x05\x06 in a comment"
    for name in ("a", "b"):
        with z.open(f"{name}.npy", "w") as member:
            np.lib.format.write_array(member, arrays["layer.weight"])
for name in ("zip64.npz", "streamed.npz"):
    expected[name] = {"tensors": {key: of_numpy(arrays["layer.weight"]) for key in ("a", "b")}}

# torch
base = torch.randn(6, 8)
shared = torch.arange(24, dtype=torch.float32)
checkpoints = {
    "state_dict.pt": torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).state_dict(),
    "types.pt": {str(t).removeprefix("torch."): torch.randn(3, 2).abs().mul(3).to(t) for t in (
        torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.int16, torch.int32,
        torch.int64, torch.bool, torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2,
        torch.complex64)},
    "views.pt": {
        "base": base, "transposed": base.T, "rows": base[2:4], "columns": base[:, 1:7:2], "one": base[3, 5],
        "column": base[:, 2], "expanded": base[0].expand(4, 8), "scalar_expanded": base[1, 1].expand(3, 2),
        "permuted": shared.view(2, 3, 4).permute(2, 0, 1), "shared": shared.view(4, 6), "half": shared[12:],
        "unfolded": shared.unfold(0, 4, 3), "empty": torch.zeros(0, 3), "tail": base[5:, 7:], "one_row": base[4:5, ::3],
    },
    "nested.pt": {
        "epoch": 3, "lr": 0.1, "name": "x", "big": 2**80, "none": None, "bytes": b"abc",
        "model": collections.OrderedDict(a=torch.ones(2), b=torch.nn.Parameter(torch.zeros(1, 2))),
        "list": [torch.full((2,), 5.0), {"deep": (torch.tensor(1.5), torch.Size([1, 2]))}],
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3), "step": torch.tensor(4.0)}}, "param_groups": [{"lr": 1e-3}]},
        "numpy": np.float64(2.0), "array": np.ones(2), "a.b": torch.ones(1), "a": {"b": torch.zeros(1)},
    },
    "tensor.pt": torch.ones(2, 3),
    "module.pt": torch.nn.Sequential(collections.OrderedDict(fc=torch.nn.Linear(3, 2), bn=torch.nn.BatchNorm1d(2))),
    "many.pt": {f"w{i}": torch.full((3,), float(i)) for i in range(150)},
}


def flat(value, name=""):
    if isinstance(value, torch.nn.Module):
        return flat(value.state_dict(), name)
    if isinstance(value, torch.Tensor):
        return {name or "tensor": of_torch(value)}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    out = {}
    for key, inner in items:
        for path, tensor in flat(inner, f"{name}.{key}" if name else str(key)).items():
            out[f"{path} (2)" if path in out else path] = tensor
    return out


for name, value in checkpoints.items():
    torch.save(value, HERE / name)
    expected[name] = {"tensors": flat(value)}
torch.save(checkpoints["state_dict.pt"], HERE / "protocol4.pt", pickle_protocol=4)
torch.save(checkpoints["state_dict.pt"], HERE / "protocol5.pt", pickle_protocol=5)
for name in ("protocol4.pt", "protocol5.pt"):
    expected[name] = {"tensors": flat(checkpoints["state_dict.pt"])}
for name in ("nested.pt", "module.pt"):
    expected[name]["metadata"] = {"not executed": None}
# The same members, deflated by another zip tool, which knows nothing of alignment.
for source, target in (("views.pt", "deflated.pt"), ("many.pt", "unaligned.pt")):
    with zipfile.ZipFile(HERE / source) as a, zipfile.ZipFile(HERE / target, "w") as b:
        for info in a.infolist():
            kind = zipfile.ZIP_DEFLATED if target == "deflated.pt" else zipfile.ZIP_STORED
            b.writestr(info.filename, a.read(info.filename), kind)
    expected[target] = expected[source]

# A view that claims 10^12 elements of the one that is stored.
torch.save({"huge": torch.ones(1).expand(10**6, 10**6), "w": torch.ones(2)}, HERE / "claims.pt")

# torch that cannot be read, and why.
quantized = torch.quantize_per_tensor(torch.randn(2, 3), 0.1, 0, torch.qint8)
torch.save({"q": quantized}, HERE / "quantized.pt")
expected["quantized.pt"] = {"refused": "tensors of this kind are not read"}
torch.save({"s": torch.eye(3).to_sparse(), "w": torch.ones(2)}, HERE / "sparse.pt")
expected["sparse.pt"] = {"tensors": {"w": of_torch(torch.ones(2))},
                         "metadata": {"not read: s": "tensors of this kind are not read"}}
torch.save({"epoch": 3}, HERE / "none.pt")
expected["none.pt"] = {"refused": "the checkpoint holds no tensor"}
torch.save(torch.ones(2), HERE / "legacy.pt", _use_new_zipfile_serialization=False)
expected["legacy.pt"] = {"refused": "pickles are never executed: save it as safetensors"}

for path in HERE.iterdir():
    path.chmod(0o644)
(HERE / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
