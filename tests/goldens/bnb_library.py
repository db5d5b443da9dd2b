"""bitsandbytes itself: its `quantize_4bit` and `dequantize_4bit` on the processor, called through PyTorch, on the inputs of bnb.py and on trained
weights. PyTorch is large, so this topic is made only where `pip install -r tests/python/requirements-bitsandbytes.txt` was run besides.

The library's code for processors is its own, not that of the CUDA kernels that bnb.py holds. It cuts at the middles of neighbouring levels
as f32 gives them, the kernels at numbers that differ from these in the last bits or so; a weight below zero on a cut goes outwards there, inwards in
the kernels; and its two zeros of FP4 stand the other way round (both read as 0). Weights of half precision do lie on FP4's cuts. `otherCodes` says how many
codes that changes, by bnb.py's numpy with either cuts; here the library's codes are held against that. That its CUDA kernels still have the
cuts that they print is seen in their compiled code (`cuts_of_cuda`)."""

import importlib.util
import pathlib
import zlib

import numpy as np

import bnb
from ggml import sample


def unavailable():
    missing = [name for name in ("torch", "bitsandbytes") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed: tests/python/requirements-bitsandbytes.txt"
    return None


def trained():
    """The first weights of the sample's largest matrix."""
    return sample("fc1.weight")[:8192]


def cuts_of_cuda():
    """Every cut stands in every compiled kernel of the wheel, and no neighbour of it: hundreds of times, never."""
    import bitsandbytes

    code = next(pathlib.Path(bitsandbytes.__file__).parent.glob("libbitsandbytes_cuda128.*")).read_bytes()
    for cut in [*bnb.NF4_CUTS, *bnb.FP4_CUTS]:
        beside = [np.nextafter(cut, np.float32(side)) for side in (-9, 9)]
        assert code.count(cut.tobytes()) > 500, f"{cut} is no cut of the CUDA kernels"
        assert all(code.count(f.tobytes()) < 5 for f in beside), f"a neighbour of {cut} is a cut of the CUDA kernels"


def of_processor(x, absmax, kind, size):
    """Codes as the library's code for processors finds them."""
    levels = bnb.NF4 if kind == "nf4" else bnb.FP4
    order = np.argsort(levels, kind="stable")
    middles = (levels[order][:-1] + levels[order][1:]) / np.float32(2)
    t = x * np.repeat(np.float32(1) / np.maximum(absmax, np.float32(1e-38)), size)[: len(x)]
    return order[np.searchsorted(middles, t, side="left")]


def case(name, x, kind, size, double, dtype):
    import torch
    from bitsandbytes import functional

    weights = torch.from_numpy(x.copy()).to(dtype)
    packed, state = functional.quantize_4bit(weights, blocksize=size, quant_type=kind, compress_statistics=double)
    state.dtype = torch.float32  # what it reads back is not rounded
    values = functional.dequantize_4bit(packed, state).numpy().ravel() + np.float32(0)
    x = weights.float().numpy()
    absmax, codes = bnb.four_bit(x, kind, size)
    theirs = packed.numpy().ravel()
    theirs = np.stack([theirs >> 4, theirs & 15], axis=1).ravel()[: len(x)]
    one_zero = (lambda codes: np.where(codes == 8, 0, codes)) if kind == "fp4" else lambda codes: codes
    expected = one_zero(of_processor(x, absmax, kind, size))
    assert np.array_equal(one_zero(theirs), expected), f"{name} {kind} {size}: the library's codes are not understood"
    out = {
        "input": name,
        "dtype": str(dtype).removeprefix("torch."),
        "scheme": {"nf4": "nf4", "fp4": "bnb_fp4"}[kind],
        "options": {"blockSize": size, "doubleQuant": double},
        "packed": packed.numpy().tobytes().hex(),
        "otherCodes": int((one_zero(codes) != expected).sum()),
        "values": zlib.crc32(values.astype("<f4").tobytes()),
    }
    if not double:
        return out | {"absmax": bnb.f32_hex(state.absmax.numpy())}
    return out | {
        "mean": bnb.f32_hex([state.offset.item()]),
        "absmax": bnb.f32_hex(state.state2.absmax.numpy()),
        "nested": state.absmax.numpy().tobytes().hex(),
    }


def cases():
    import torch

    from bitsandbytes import functional

    cuts_of_cuda()
    out = [{"name": "map", "values": bnb.f32_hex(functional.create_dynamic_map().numpy())}]
    for name, x in [*bnb.inputs(), ("trained", trained())]:
        x = np.asarray(x, np.float32)
        for kind in ("nf4", "fp4"):
            for size in bnb.BLOCK_SIZES if name == "gaussian" else (64,):
                out += [case(name, x, kind, size, double, torch.float32) for double in (False, True)]
            if name in ("gaussian", "trained"):
                out += [case(name, x, kind, 64, False, dtype) for dtype in (torch.bfloat16, torch.float16)]
    return out


def speeds():
    """What the library's code for processors takes on one thread, beside `cargo xtask bench effort`: run this file."""
    import time

    import torch
    from bitsandbytes import functional

    torch.set_num_threads(1)
    weights = torch.randn(1 << 20)
    for kind in ("nf4", "fp4"):
        times = []
        for _ in range(9):
            start = time.perf_counter()
            functional.quantize_4bit(weights, blocksize=64, quant_type=kind)
            times.append(time.perf_counter() - start)
        print(f"{kind}: {weights.numel() * 4e-9 / min(times):.3f} GB/s of f32")


if __name__ == "__main__":
    speeds()
