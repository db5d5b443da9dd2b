"""llama.cpp as a whole, called through ctypes: loads a GGUF file, runs tokens through it, and says what texts are as tokens."""

import ctypes
import functools
import sys

import numpy as np

import llamacpp


class Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32)] + [(n, ctypes.c_void_p) for n in "token embd pos n_seq seq logits".split()]


class Opaque(ctypes.Structure):
    """A structure of parameters that is only handed on: more than large enough, and the only argument in memory."""

    _fields_ = [("bytes", ctypes.c_uint8 * 1024)]


LOG = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
QUIET = LOG(lambda level, text, data: level >= 4 and print(text.decode(), end="", file=sys.stderr))


@functools.cache
def library():
    bins = llamacpp.LIBRARY.parent
    ggml = ctypes.CDLL(str(next(bins.glob("libggml.v*.so"))), mode=ctypes.RTLD_GLOBAL)
    ggml.ggml_backend_load_all_from_path(str(bins).encode())
    lib = ctypes.CDLL(str(next(bins.glob("libllama.v*.so"))))
    lib.llama_log_set(QUIET, None)
    for name in ["llama_model_default_params", "llama_context_default_params"]:
        getattr(lib, name).restype = Opaque
    pointer = ctypes.c_void_p
    for name, arguments in [
        ("llama_model_load_from_file", [ctypes.c_char_p, Opaque]),
        ("llama_init_from_model", [pointer, Opaque]),
        ("llama_model_get_vocab", [pointer]),
        ("llama_get_logits", [pointer]),
        ("llama_get_embeddings_seq", [pointer, ctypes.c_int32]),
        ("llama_free", [pointer]),
        ("llama_model_free", [pointer]),
    ]:
        getattr(lib, name).restype, getattr(lib, name).argtypes = pointer, arguments
    lib.llama_vocab_n_tokens.argtypes = [pointer]
    lib.llama_set_embeddings.argtypes = [pointer, ctypes.c_bool]
    lib.llama_decode.argtypes = lib.llama_encode.argtypes = [pointer, Batch]
    lib.llama_tokenize.argtypes = [
        pointer, ctypes.c_char_p, ctypes.c_int32, pointer, ctypes.c_int32, ctypes.c_bool, ctypes.c_bool,
    ]  # fmt: skip
    return lib


def run(path, tokens, texts=(), embeddings=0):
    """Logits of every token, or the pooled embedding of so many numbers, of length 1; and what each text is as tokens."""
    lib = library()
    model = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
    assert model, f"llama.cpp does not load {path}"
    context = lib.llama_init_from_model(model, lib.llama_context_default_params())
    assert context
    n = len(tokens)
    arrays = [
        (ctypes.c_int32 * n)(*tokens), (ctypes.c_int32 * n)(*range(n)), (ctypes.c_int32 * n)(*[1] * n),
        (ctypes.c_int32 * 1)(0), (ctypes.c_int8 * n)(*[1] * n),
    ]  # fmt: skip
    sequences = (ctypes.c_void_p * n)(*[ctypes.addressof(arrays[3])] * n)
    at = ctypes.addressof
    batch = Batch(n, at(arrays[0]), None, at(arrays[1]), at(arrays[2]), at(sequences), at(arrays[4]))
    if embeddings:
        lib.llama_set_embeddings(context, True)
        assert lib.llama_encode(context, batch) == 0
        found = lib.llama_get_embeddings_seq(context, 0)
        out = np.ctypeslib.as_array((ctypes.c_float * embeddings).from_address(found)).copy()
        out /= np.linalg.norm(out)
    else:
        assert lib.llama_decode(context, batch) == 0
        count = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
        logits = (ctypes.c_float * (count * n)).from_address(lib.llama_get_logits(context))
        out = np.ctypeslib.as_array(logits).copy().reshape(n, count)
    vocab = lib.llama_model_get_vocab(model)

    def tokenize(text):
        space = (ctypes.c_int32 * 256)()
        data = text.encode()
        count = lib.llama_tokenize(vocab, data, len(data), at(space), 256, True, True)
        assert count >= 0
        return list(space[:count])

    said = [tokenize(text) for text in texts]
    lib.llama_free(context)
    lib.llama_model_free(model)
    return out, said
