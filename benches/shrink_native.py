"""llama.cpp's own `llama_model_quantize`, timed: `python shrink_native.py IN OUT THREADS FTYPE` prints milliseconds, or why it cannot.

FTYPE is a name of llama.h's `llama_ftype`. The library comes from npm's @node-llama-cpp/linux-x64, as for tests/goldens/llamacpp.py.
"""

import ctypes
import json
import pathlib
import sys
import time

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "www/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
FTYPES = {"Q4_0": 2, "Q8_0": 7, "Q4_K_M": 15, "Q6_K": 18}


class Params(ctypes.Structure):
    """llama_model_quantize_params: what is set here, and room for the rest."""

    _fields_ = [("nthread", ctypes.c_int32), ("ftype", ctypes.c_int32), ("rest", ctypes.c_uint8 * 248)]


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


def main():
    source, target, threads, ftype = sys.argv[1:]
    found = sorted(PACKAGE.glob("libllama.*so"))
    if not found:
        print(json.dumps("npm's @node-llama-cpp/linux-x64 is not installed: it is for Linux x64 with glibc"))
        return
    ctypes.CDLL(str(PACKAGE / "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
    lib = ctypes.CDLL(str(found[0]))
    quiet = LOG(lambda level, text, data: None)
    lib.llama_log_set(quiet, None)
    lib.llama_model_quantize_default_params.restype = Params
    lib.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Params)]
    lib.llama_model_quantize.restype = ctypes.c_uint32
    params = lib.llama_model_quantize_default_params()
    params.nthread, params.ftype = int(threads), FTYPES[ftype]
    start = time.perf_counter()
    failed = lib.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params))
    milliseconds = 1e3 * (time.perf_counter() - start)
    print(json.dumps("llama_model_quantize failed" if failed else milliseconds))


if __name__ == "__main__":
    main()
