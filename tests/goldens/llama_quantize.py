"""llama.cpp's `llama_model_quantize` on small models: the type it gives each tensor under every preset, and a CRC of the bytes.

The models have the names and the counts of real ones; their tensors are small, since quantizing reads the keys and the names and never
builds the network. They are written by PyPI's gguf and quantized by the library of npm's @node-llama-cpp/linux-x64.
"""

import ctypes
import functools
import math
import pathlib
import tempfile
import zlib

import gguf
import numpy as np

import llamacpp
from ggml import normals
from llamacpp import unavailable  # noqa: F401, generate.py asks

# `enum llama_ftype` by the names of llama-quantize.
PRESETS = {
    "F16": 1, "BF16": 32, "Q8_0": 7, "Q4_0": 2, "Q4_1": 3, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q2_K_S": 21, "Q3_K_S": 11,
    "Q3_K_M": 12, "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25,
    "IQ4_XS": 30, "TQ1_0": 36, "TQ2_0": 37, "MXFP4_MOE": 38,
}  # fmt: skip


class Params(ctypes.Structure):
    """`llama_model_quantize_params`."""

    _fields_ = [
        ("nthread", ctypes.c_int32),
        ("ftype", ctypes.c_int),
        ("output_tensor_type", ctypes.c_int),
        ("token_embedding_type", ctypes.c_int),
        ("allow_requantize", ctypes.c_bool),
        ("quantize_output_tensor", ctypes.c_bool),
        ("only_copy", ctypes.c_bool),
        ("pure", ctypes.c_bool),
        ("keep_split", ctypes.c_bool),
        ("dry_run", ctypes.c_bool),
        ("imatrix", ctypes.c_void_p),
        ("kv_overrides", ctypes.c_void_p),
        ("tt_overrides", ctypes.c_void_p),
        ("prune_layers", ctypes.c_void_p),
        ("max_buf_size", ctypes.c_size_t),
    ]


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
QUIET = LOG(lambda level, text, data: None)


@functools.cache
def library():
    bins = llamacpp.LIBRARY.parent
    lib = ctypes.CDLL(str(next(bins.glob("libllama.v*.so"))))
    lib.llama_model_quantize_default_params.restype = Params
    lib.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Params)]
    lib.llama_model_quantize.restype = ctypes.c_uint32
    lib.llama_log_set.argtypes = [LOG, ctypes.c_void_p]
    lib.llama_log_set(QUIET, None)
    return lib


def quantize(source, target, file_type):
    """Whether the library agrees to."""
    params = library().llama_model_quantize_default_params()
    params.nthread, params.ftype = 1, file_type
    return library().llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) == 0


def decoder(layers, width=256, ff=256, output=True, norms=True, biases=False):
    """Tensors of a llama or qwen2: (name, dims outermost first). Two rows each, since one is a vector to ggml."""
    tensors = [("token_embd.weight", [3, width]), ("output_norm.weight", [width])]
    if output:
        tensors.append(("output.weight", [3, width]))
    for i in range(layers):
        for part, row in [("attn_q", width), ("attn_k", width), ("attn_v", width), ("attn_output", width),
                          ("ffn_gate", width), ("ffn_up", width), ("ffn_down", ff)]:  # fmt: skip
            tensors.append((f"blk.{i}.{part}.weight", [2, row]))
            if biases and part in ["attn_q", "attn_k", "attn_v"]:
                tensors.append((f"blk.{i}.{part}.bias", [2]))
        if norms:
            tensors.append((f"blk.{i}.attn_norm.weight", [width]))
    return tensors


def experts(layers, count):
    tensors = [("token_embd.weight", [3, 256]), ("output.weight", [3, 256])]
    for i in range(layers):
        tensors += [(f"blk.{i}.{part}.weight", [2, 256]) for part in ["attn_q", "attn_k", "attn_v", "attn_output"]]
        tensors += [(f"blk.{i}.ffn_{part}_exps.weight", [count, 2, 256]) for part in ["gate", "up", "down"]]
        tensors.append((f"blk.{i}.ffn_gate_inp.weight", [count, 256]))
    return tensors


def encoder(layers, width):
    tensors = [("token_embd.weight", [3, width]), ("position_embd.weight", [4, width]), ("token_types.weight", [2, width])]
    tensors += [("token_embd_norm.weight", [width]), ("token_embd_norm.bias", [width])]
    for i in range(layers):
        for part in ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"]:
            tensors += [(f"blk.{i}.{part}.weight", [2, width]), (f"blk.{i}.{part}.bias", [2])]
        tensors.append((f"blk.{i}.layer_output_norm.weight", [width]))
    return tensors


def fused(layers):
    """attn_qkv, as falcon and gpt2 have it."""
    tensors = [("token_embd.weight", [3, 256]), ("output.weight", [3, 256])]
    for i in range(layers):
        tensors += [(f"blk.{i}.{part}.weight", [2, 256]) for part in ["attn_qkv", "attn_output", "ffn_up", "ffn_down"]]
    return tensors


def odd():
    """Names and shapes at the edges of the rules."""
    return decoder(3) + [
        ("blk.0.ffn_up_shexp.weight", [2, 512]),
        ("blk.1.time_mix_w1.weight", [2, 256]),
        ("blk.2.ssm_conv1d.weight", [4, 256]),
        ("blk.2.extra.bias", [2, 256]),
        ("one_row.weight", [1, 256]),
        ("three.weight", [2, 3, 256]),
        ("three_of_one.weight", [2, 1, 256]),
        ("tall.weight", [64, 4]),
        ("embed", [2, 256]),
        ("embeds", [2, 256]),
        ("blk.10.attn_v.weight", [2, 256]),
        ("v.position_embd.weight", [2, 256]),
    ]


# name: (architecture, layers, heads, heads of keys and values, experts, tensors, stored as)
MODELS = {
    "llama": ("llama", 12, 8, 2, 0, decoder(12), "F32"),
    "llama, tied, f16": ("llama", 16, 8, 8, 0, decoder(16, output=False), "F16"),
    "llama, bf16": ("llama", 9, 8, 4, 0, decoder(9), "BF16"),
    "llama of 80 layers": ("llama", 80, 8, 1, 0, decoder(80, norms=False)[:3] + [
        (f"blk.{i}.{part}.weight", [2, 256]) for i in range(80) for part in ["attn_v", "ffn_down"]], "F32"),
    "llama of 8 experts": ("llama", 8, 8, 2, 8, experts(8, 8), "F32"),
    "llama of 4 experts": ("llama", 9, 8, 8, 4, experts(9, 4), "F32"),
    "qwen2, rows of 384": ("qwen2", 12, 6, 2, 0, decoder(12, 384, 416, biases=True), "F32"),
    "qwen2, rows of 80": ("qwen2", 3, 4, 2, 0, decoder(3, 80, 336, output=False, biases=True), "F32"),
    "bert": ("bert", 12, 4, 4, 0, encoder(12, 384), "F32"),
    "falcon": ("falcon", 32, 4, 1, 0, fused(32), "F32"),
    "gpt2": ("gpt2", 12, 4, 4, 0, fused(12), "F32"),
    "odd names": ("llama", 3, 4, 4, 0, odd(), "F32"),
}  # fmt: skip


def weights(seed, dims):
    """As tests/plan_llama.rs makes them."""
    return normals(seed, math.prod(dims)).reshape(dims) * np.float32(0.02)


def write(path, model):
    architecture, layers, heads, heads_kv, n_experts, tensors, stored = model
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(layers)
    writer.add_context_length(64)
    writer.add_embedding_length(256)
    writer.add_feed_forward_length(256)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads_kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_layer_norm_eps(1e-5)
    writer.add_vocab_size(3)
    if architecture == "bert":
        writer.add_causal_attention(False)
    if n_experts:
        writer.add_expert_count(n_experts)
        writer.add_expert_used_count(2)
    kind = gguf.GGMLQuantizationType[stored]
    for seed, (name, dims) in enumerate(tensors):
        values = weights(seed, dims)
        if stored == "F32" or len(dims) == 1:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def cases():
    made = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "source.gguf"), pathlib.Path(folder, "target.gguf")
        for name, model in MODELS.items():
            architecture, layers, heads, heads_kv, n_experts, tensors, stored = model
            write(source, model)
            made.append({
                "model": name, "architecture": architecture, "layers": layers, "heads": heads, "headsKv": heads_kv,
                "experts": n_experts, "stored": stored, "tensors": [[name, dims] for name, dims in tensors],
            })  # fmt: skip
            for preset, file_type in PRESETS.items():
                if not quantize(source, target, file_type):
                    made.append({"input": name, "preset": preset, "refused": True})
                    continue
                reader = gguf.GGUFReader(target)
                found = {t.name: t for t in reader.tensors}
                assert reader.fields["general.file_type"].contents() == file_type
                assert len(found) == len(tensors)
                made.append({
                    "input": name,
                    "preset": preset,
                    "fileType": file_type,
                    "types": " ".join(found[name].tensor_type.name for name, _ in tensors),
                    "crc": [zlib.crc32(np.ascontiguousarray(found[name].data).tobytes()) for name, _ in tensors],
                })
    return made
