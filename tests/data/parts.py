"""Makes parts/: weights that are stored in several tensors, and parts/expected.json with the numbers that their own libraries make of them.

    pip install numpy==2.4.6 safetensors==0.8.0 torch==2.15.0 compressed-tensors==0.20.0
    pip install --no-deps autoawq==0.2.9 auto-gptq==0.7.1 && python parts.py

Codes, zero points and order are random, so every bit of the packing counts. Scales are stored as f16 or bf16 and multiplied as f32, in
which each product is rounded once. expected.json: shape, label, and the f32 bits of all elements, row-major, in hexadecimal.
"""

import importlib.util
import json
import pathlib
import shutil
import sys
import types

import torch
from compressed_tensors.compressors import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent / "parts"
shutil.rmtree(HERE, ignore_errors=True)
HERE.mkdir()
torch.manual_seed(5)
expected = {}


def alone(package, path):
    """A module of a package, without the package's own imports."""
    sys.modules.setdefault("transformers", types.ModuleType("transformers"))
    place = pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0]) / path
    spec = importlib.util.spec_from_file_location(place.stem, place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(*shape):
    return torch.randint(-(2**31), 2**31, shape, dtype=torch.int64).to(torch.int32)


def scales(*shape, dtype=torch.float16):
    return (torch.rand(shape) * 0.1 + 0.001).to(dtype)


def note(file, name, label, values):
    bits = values.detach().float().contiguous().view(torch.int32).flatten().tolist()
    hexadecimal = "".join(f"{w & 0xFFFFFFFF:08x}" for w in bits)
    expected.setdefault(file, {})[name] = {"label": label, "shape": list(values.shape), "f32": hexadecimal}


def save(file, tensors):
    save_file({name: t.contiguous() for name, t in tensors.items()}, HERE / file)
    (HERE / file).chmod(0o644)


# AWQ: AutoAWQ's packing_utils.
awq = alone("awq", "utils/packing_utils.py")
tensors = {}
for base, inputs, outputs, group in [("a.", 64, 24, 32), ("b.", 40, 8, 40)]:
    parts = {"qweight": words(inputs, outputs // 8), "qzeros": words(inputs // group, outputs // 8),
             "scales": scales(inputs // group, outputs)}
    tensors |= {base + name: part for name, part in parts.items()}
    values = awq.dequantize_gemm(parts["qweight"], parts["qzeros"], parts["scales"].float(), 4, group)
    note("awq.safetensors", base + "weight", f"INT4 AWQ {'per row' if group == inputs else f'×{group}'}", values.T)
save("awq.safetensors", tensors | {"a.bias": torch.zeros(24), "lonely.qweight": words(8, 1)})

# GPTQ: AutoGPTQ's layer, asked for its weights by a product with the identity.
gptq = alone("auto_gptq", "nn_modules/qlinear/qlinear_cuda.py")
tensors = {}
for bits, inputs, outputs, group, ordered in [(4, 64, 32, 32, False), (4, 64, 32, 16, True), (2, 32, 32, 32, False),
                                              (3, 64, 32, 32, True), (8, 32, 32, 16, False), (4, 96, 32, 64, True)]:
    layer = gptq.QuantLinear(bits, group, inputs, outputs, False)
    groups = -(-inputs // group)
    layer.qweight = words(*layer.qweight.shape)
    # A zero point is stored less one, and the largest code cannot be one more: the libraries differ on it. No code may be it.
    codes = torch.randint(0, 2**bits - 1, (groups, outputs))
    stream = [sum(int(c) << (bits * i) for i, c in enumerate(row)) for row in codes]
    layer.qzeros = torch.tensor([[(s >> (32 * i) & 0xFFFFFFFF) - (1 << 32) * (s >> (32 * i + 31) & 1)
                                  for i in range(outputs * bits // 32)] for s in stream], dtype=torch.int32)
    stored = scales(groups, outputs)
    layer.scales = stored.float()
    if ordered:
        layer.g_idx = torch.arange(inputs, dtype=torch.int32)[torch.randperm(inputs)] // group
    base = f"w{bits}g{group}{'o' if ordered else ''}i{inputs}."
    tensors |= {base + "qweight": layer.qweight, base + "qzeros": layer.qzeros, base + "scales": stored}
    if ordered:
        tensors[base + "g_idx"] = layer.g_idx
    label = f"INT{bits} GPTQ {'per row' if groups == 1 else f'×{group}'}"
    note("gptq.safetensors", base + "weight", label, layer(torch.eye(inputs)).T)
save("gptq.safetensors", tensors)

# compressed-tensors: its own compressors.
tensors = {}


def compressed(base, label, name, kind, shape, scale_shape, dtype=torch.bfloat16, **args):
    args = QuantizationArgs(**args)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    state = {"weight": torch.randn(shape) * 0.5, "weight_scale": scales(*scale_shape, dtype=dtype)}
    if not args.symmetric:
        half = 2 ** (args.num_bits - 1)
        state["weight_zero_point"] = torch.randint(-half, half, scale_shape, dtype=torch.int8)
    compressor = BaseCompressor.get_value_from_registry(kind)
    stored = compressor.compress(state, scheme)
    back = compressor.decompress(stored | {"weight_scale": stored["weight_scale"].float()}, scheme)["weight"]
    tensors.update({base + part: value for part, value in stored.items()})
    note("compressed.safetensors", base + name, label, back)


pack = "pack-quantized"
compressed("g4.", "INT4 compressed-tensors ×32", "weight", pack, (6, 64), (6, 2), num_bits=4, type="int",
           strategy="group", group_size=32, symmetric=True)
compressed("z4.", "INT4 compressed-tensors ×16", "weight", pack, (11, 48), (11, 3), num_bits=4, type="int",
           strategy="group", group_size=16, symmetric=False)
compressed("c4.", "INT4 compressed-tensors per row", "weight", pack, (5, 21), (5, 1), num_bits=4, type="int",
           strategy="channel", symmetric=True)
compressed("c8.", "INT8 compressed-tensors per row", "weight", pack, (6, 20), (6, 1), torch.float32, num_bits=8,
           type="int", strategy="channel", symmetric=False)
compressed("c2.", "INT2 compressed-tensors per row", "weight", pack, (3, 40), (3, 1), num_bits=2, type="int",
           strategy="channel", symmetric=True)
scaled = "weight (dequantized)"
compressed("i8.", "INT8 scaled per row", scaled, "int-quantized", (5, 12), (5, 1), num_bits=8, type="int",
           strategy="channel", symmetric=True)
compressed("i8z.", "INT8 scaled per row", scaled, "int-quantized", (5, 12), (5, 1), num_bits=8, type="int",
           strategy="channel", symmetric=False)
compressed("i8g.", "INT8 scaled ×6", scaled, "int-quantized", (5, 12), (5, 2), num_bits=8, type="int",
           strategy="group", group_size=6, symmetric=True)
compressed("f8.", "FP8 scaled per row", scaled, "float-quantized", (7, 10), (7, 1), torch.float32, num_bits=8,
           type="float", strategy="channel", symmetric=True)
compressed("f8t.", "FP8 scaled per tensor", scaled, "float-quantized", (7, 10), (1,), torch.float32, num_bits=8,
           type="float", strategy="tensor", symmetric=True)
compressed("f8b.", "FP8 scaled ×4×8", scaled, "float-quantized", (8, 16), (2, 2), torch.float32, num_bits=8,
           type="float", strategy="block", block_structure=[4, 8], symmetric=True)
save("compressed.safetensors", tensors)

(HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
