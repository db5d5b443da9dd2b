"""llama.cpp runs a GGUF file, through ctypes: tokens of a text, logits or an embedding of tokens. The library is that of llamacpp.py."""

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
POINTER = ctypes.c_void_p


@functools.cache
def library():
    bins = llamacpp.LIBRARY.parent
    ggml = ctypes.CDLL(str(next(bins.glob("libggml.v*.so"))), mode=ctypes.RTLD_GLOBAL)
    ggml.ggml_backend_load_all_from_path(str(bins).encode())
    lib = ctypes.CDLL(str(next(bins.glob("libllama.v*.so"))))
    lib.llama_log_set(QUIET, None)
    for name in ["llama_model_default_params", "llama_context_default_params"]:
        getattr(lib, name).restype = Opaque
    for name, arguments in [
        ("llama_model_load_from_file", [ctypes.c_char_p, Opaque]),
        ("llama_init_from_model", [POINTER, Opaque]),
        ("llama_model_get_vocab", [POINTER]),
        ("llama_get_logits", [POINTER]),
        ("llama_get_embeddings_seq", [POINTER, ctypes.c_int32]),
        ("llama_free", [POINTER]),
        ("llama_model_free", [POINTER]),
    ]:
        getattr(lib, name).restype, getattr(lib, name).argtypes = POINTER, arguments
    lib.llama_decode.argtypes = lib.llama_encode.argtypes = [POINTER, Batch]
    lib.llama_set_embeddings.argtypes = [POINTER, ctypes.c_bool]
    lib.llama_vocab_n_tokens.argtypes = [POINTER]
    lib.llama_set_n_threads.argtypes = [POINTER, ctypes.c_int32, ctypes.c_int32]
    text = [POINTER, ctypes.c_char_p, ctypes.c_int32, POINTER, ctypes.c_int32, ctypes.c_bool, ctypes.c_bool]
    lib.llama_tokenize.argtypes = text
    return lib


class Model:
    """An open file. Close it."""

    def __init__(self, path):
        self.lib = library()
        self.model = self.lib.llama_model_load_from_file(str(path).encode(), self.lib.llama_model_default_params())
        assert self.model, f"llama.cpp does not load {path}"
        self.vocab = self.lib.llama_model_get_vocab(self.model)
        self.n_vocab = self.lib.llama_vocab_n_tokens(self.vocab)

    def close(self):
        self.lib.llama_model_free(self.model)

    def tokenize(self, text, special=False):
        """Tokens of a text; `special`: with those that the model puts before it."""
        data = text.encode()
        space = (ctypes.c_int32 * (len(data) + 8))()
        at = ctypes.addressof(space)
        count = self.lib.llama_tokenize(self.vocab, data, len(data), at, len(space), special, False)
        assert count >= 0
        return list(space[:count])

    def logits(self, tokens):
        """[tokens, vocabulary], read from the beginning."""
        context = self.context()
        found = self.feed(context, tokens, 0)
        self.lib.llama_free(context)
        return found

    def greedy(self, tokens, count):
        """The likeliest tokens that follow, one after another."""
        context = self.context()
        logits, found = self.feed(context, tokens, 0), []
        for i in range(count):
            found.append(int(logits[-1].argmax()))
            logits = self.feed(context, found[-1:], len(tokens) + i)
        self.lib.llama_free(context)
        return found

    def context(self):
        context = self.lib.llama_init_from_model(self.model, self.lib.llama_context_default_params())
        assert context
        self.lib.llama_set_n_threads(context, 1, 1)  # more of them wait for each other on a busy machine
        return context

    def feed(self, context, tokens, start):
        """Logits after each token, of which the first stands at position `start`."""
        with_batch(tokens, start, lambda batch: self.lib.llama_decode(context, batch))
        n = len(tokens)
        found = (ctypes.c_float * (self.n_vocab * n)).from_address(self.lib.llama_get_logits(context))
        return np.ctypeslib.as_array(found).copy().reshape(n, self.n_vocab)

    def embedding(self, tokens, width):
        """The pooled embedding of an encoder, of length 1."""
        context = self.context()
        self.lib.llama_set_embeddings(context, True)
        with_batch(tokens, 0, lambda batch: self.lib.llama_encode(context, batch))
        found = (ctypes.c_float * width).from_address(self.lib.llama_get_embeddings_seq(context, 0))
        out = np.ctypeslib.as_array(found).copy()
        self.lib.llama_free(context)
        return out / np.linalg.norm(out)


def with_batch(tokens, start, call):
    """Hands over tokens of one sequence, each of which is to give its logits."""
    n = len(tokens)
    arrays = [
        (ctypes.c_int32 * n)(*tokens), (ctypes.c_int32 * n)(*range(start, start + n)), (ctypes.c_int32 * n)(*[1] * n),
        (ctypes.c_int32 * 1)(0), (ctypes.c_int8 * n)(*[1] * n),
    ]  # fmt: skip
    sequences = (POINTER * n)(*[ctypes.addressof(arrays[3])] * n)
    at = ctypes.addressof
    assert call(Batch(n, at(arrays[0]), None, at(arrays[1]), at(arrays[2]), at(sequences), at(arrays[4]))) == 0


def run(path, tokens, texts=(), embeddings=0):
    """Logits of every token, or the embedding of so many numbers; and what each text is as tokens."""
    model = Model(path)
    out = model.embedding(tokens, embeddings) if embeddings else model.logits(tokens)
    said = [model.tokenize(text, special=True) for text in texts]
    model.close()
    return out, said
