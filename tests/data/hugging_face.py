"""Makes hugging_face/: small model folders as Hugging Face's tools lay them out, and for each the GGUF file that llama.cpp runs as meant.

    pip install -r tests/python/requirements.txt tokenizers==0.23.3 && python tests/data/hugging_face.py

The GGUF file is written key by key with PyPI's gguf, not by a converter. Before it is kept, llama.cpp (npm's @node-llama-cpp/linux-x64)
loads it; its logits must be those of the numpy model below, which works on Hugging Face's tensors, and its tokens those of `tokenizers`.
Made again, nothing differs.
"""

import json
import math
import pathlib
import shutil
import sys
import zlib

import gguf
import numpy as np
import safetensors.numpy

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "goldens"))
import llama_run  # noqa: E402

ROOT = HERE / "hugging_face"
random = np.random.default_rng(21)
TEXTS = ["Hello world", " the theme, 12345!", "naïve Übergröße\n\n  tabs\t", "don't"]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def weights(*shape):
    return (random.standard_normal(shape) * 0.2).astype(np.float32)


# The models, on Hugging Face's names.


def rms(x, w, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w


def layer_norm(x, w, b, eps):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w + b


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attend(q, k, v, causal):
    """[heads, tokens, width] each."""
    scores = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
    if causal:
        scores = np.where(np.tri(q.shape[1], dtype=bool), scores, -np.inf)
    return (softmax(scores) @ v).swapaxes(0, 1).reshape(q.shape[1], -1)


def llama3(frequencies, scaling):
    out = []
    for f in frequencies:
        wave, factor, old = 2 * math.pi / f, scaling["factor"], scaling["original_max_position_embeddings"]
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        smooth = np.clip((old / wave - low) / (high - low), 0, 1)
        out.append(f * ((1 - smooth) / factor + smooth))
    return np.array(out)


def decoder(tensors, config, tokens):
    t = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
    heads, kv = config["num_attention_heads"], config["num_key_value_heads"]
    width = config["hidden_size"] // heads
    frequencies = config["rope_theta"] ** (-np.arange(0, width, 2) / width)
    if config.get("rope_scaling"):
        frequencies = llama3(frequencies, config["rope_scaling"])
    angles = np.outer(np.arange(len(tokens)), frequencies)
    cos, sin = np.tile(np.cos(angles), 2), np.tile(np.sin(angles), 2)

    def rotate(x):
        half = np.concatenate([-x[..., width // 2 :], x[..., : width // 2]], -1)
        return x * cos + half * sin

    x = t["model.embed_tokens.weight"][tokens]
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."

        def linear(name, x):
            return x @ t[p + name + ".weight"].T + t.get(p + name + ".bias", 0)

        h = rms(x, t[p + "input_layernorm.weight"], config["rms_norm_eps"])
        split = lambda y, n: y.reshape(len(tokens), n, width).swapaxes(0, 1)
        q = rotate(split(linear("self_attn.q_proj", h), heads))
        k = rotate(split(linear("self_attn.k_proj", h), kv)).repeat(heads // kv, 0)
        v = split(linear("self_attn.v_proj", h), kv).repeat(heads // kv, 0)
        x = x + linear("self_attn.o_proj", attend(q, k, v, True))
        h = rms(x, t[p + "post_attention_layernorm.weight"], config["rms_norm_eps"])
        gate = linear("mlp.gate_proj", h)
        x = x + linear("mlp.down_proj", gate / (1 + np.exp(-gate)) * linear("mlp.up_proj", h))
    x = rms(x, t["model.norm.weight"], config["rms_norm_eps"])
    return x @ t.get("lm_head.weight", t["model.embed_tokens.weight"]).T


def encoder(tensors, config, tokens):
    t = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
    heads, eps = config["num_attention_heads"], config["layer_norm_eps"]
    e = "embeddings."
    x = t[e + "word_embeddings.weight"][tokens] + t[e + "position_embeddings.weight"][: len(tokens)]
    x = x + t[e + "token_type_embeddings.weight"][0]
    x = layer_norm(x, t[e + "LayerNorm.weight"], t[e + "LayerNorm.bias"], eps)
    for i in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        linear = lambda name, x, p=p: x @ t[p + name + ".weight"].T + t[p + name + ".bias"]
        split = lambda y: y.reshape(len(tokens), heads, -1).swapaxes(0, 1)
        q, k, v = (split(linear(f"attention.self.{n}", x)) for n in ["query", "key", "value"])
        norm = lambda name, x, p=p: layer_norm(x, t[p + name + ".weight"], t[p + name + ".bias"], eps)
        x = norm("attention.output.LayerNorm", x + linear("attention.output.dense", attend(q, k, v, False)))
        h = linear("intermediate.dense", x)
        h = 0.5 * h * (1 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
        x = norm("output.LayerNorm", x + linear("output.dense", h))
    x = x.mean(0)
    return x / np.linalg.norm(x)


# Tokenizers.

VOCABULARY = 320


def alphabet():
    import tokenizers

    return sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())


def added(tokens):
    return [
        {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for text, i in tokens.items()
    ]


def template(first, id):
    special = {"SpecialToken": {"id": first, "type_id": 0}}
    return {
        "type": "TemplateProcessing", "single": [special, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [special],
        "special_tokens": {first: {"id": first, "ids": [id], "tokens": [first]}},
    }  # fmt: skip


def byte_level(expression, ignore_merges, special, post):
    letters = alphabet()
    merges = ["t h", "th e", "Ġ the", "l l", "e l", "H el", "Ġ w", "o r", "1 2", "12 3", "Ã ¼"]
    vocab = {token: i for i, token in enumerate(letters + [merge.replace(" ", "") for merge in merges])}
    return {
        "version": "1.0", "added_tokens": added(special), "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": post, "decoder": None,
        "model": {"type": "BPE", "unk_token": None, "ignore_merges": ignore_merges, "vocab": vocab, "merges": merges},
    }  # fmt: skip


def sentencepiece():
    vocab = {"<unk>": 0, "<s>": 1, "</s>": 2}
    vocab |= {f"<0x{i:02X}>": 3 + i for i in range(256)}
    merges = [["▁", "t"], ["h", "e"], ["▁t", "he"], ["l", "l"], ["o", "r"], ["▁", "w"]]
    for token in ["".join(merge) for merge in merges] + list("▁Hthelowrdmnaïv,!12345ber"):
        vocab.setdefault(token, len(vocab))
    return {
        "version": "1.0", "added_tokens": added({"<unk>": 0, "<s>": 1, "</s>": 2}),
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": None, "post_processor": template("<s>", 1), "decoder": None,
        "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": vocab, "merges": merges},
    }  # fmt: skip


def wordpiece():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "the", "##me", ",", "!", "123", "##45", "don", "'", "t",
             "naive", "uber", "##große", "##große", "ta", "##bs", "ubergroße"]  # fmt: skip
    vocab = {word: i for i, word in enumerate(dict.fromkeys(words))}
    special = {word: vocab[word] for word in words[:5]}
    return {
        "version": "1.0", "added_tokens": added(special),
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", vocab["[SEP]"]], "cls": ["[CLS]", vocab["[CLS]"]]},
        "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab},
    }  # fmt: skip


# Folders.


def decoder_tensors(config, bias):
    width, inner = config["hidden_size"], config["intermediate_size"]
    kv = width // config["num_attention_heads"] * config["num_key_value_heads"]
    t = {"model.embed_tokens.weight": weights(VOCABULARY, width)}
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        t[p + "input_layernorm.weight"] = 1 + weights(width)
        t[p + "post_attention_layernorm.weight"] = 1 + weights(width)
        for name, rows, columns in [("q_proj", width, width), ("k_proj", kv, width), ("v_proj", kv, width), ("o_proj", width, width)]:
            t[f"{p}self_attn.{name}.weight"] = weights(rows, columns)
            if bias and name != "o_proj":
                t[f"{p}self_attn.{name}.bias"] = weights(rows)
        for name, rows, columns in [("gate_proj", inner, width), ("up_proj", inner, width), ("down_proj", width, inner)]:
            t[f"{p}mlp.{name}.weight"] = weights(rows, columns)
    t["model.norm.weight"] = 1 + weights(width)
    if not config.get("tie_word_embeddings"):
        t["lm_head.weight"] = weights(VOCABULARY, width)
    return t


def encoder_tensors(config):
    width, inner = config["hidden_size"], config["intermediate_size"]
    e = "embeddings."
    t = {
        e + "word_embeddings.weight": weights(VOCABULARY, width),
        e + "position_embeddings.weight": weights(config["max_position_embeddings"], width),
        e + "token_type_embeddings.weight": weights(2, width),
    }
    norms = [e + "LayerNorm"]
    for i in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        for name, rows, columns in [
            ("attention.self.query", width, width), ("attention.self.key", width, width), ("attention.self.value", width, width),
            ("attention.output.dense", width, width), ("intermediate.dense", inner, width), ("output.dense", width, inner),
        ]:  # fmt: skip
            t[f"{p}{name}.weight"], t[f"{p}{name}.bias"] = weights(rows, columns), weights(rows)
        norms += [p + "attention.output.LayerNorm", p + "output.LayerNorm"]
    for norm in norms:
        t[norm + ".weight"], t[norm + ".bias"] = 1 + weights(width), weights(width)
    t["pooler.dense.weight"], t["pooler.dense.bias"] = weights(width, width), weights(width)
    return t


NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm", "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}  # fmt: skip


def new_name(name):
    for prefix in ["model.layers.", "encoder.layer."]:
        if name.startswith(prefix):
            layer, rest = name[len(prefix) :].split(".", 1)
            base, kind = rest.rsplit(".", 1)
            return f"blk.{layer}.{NAMES[base]}.{kind}"
    base, kind = name.rsplit(".", 1)
    return f"{NAMES[base]}.{kind}"


def interleave(rows, heads):
    """The halves of each head's rows, one from each in turn."""
    width = rows.shape[0] // heads
    order = [h * width + half * (width // 2) + i for h in range(heads) for i in range(width // 2) for half in range(2)]
    return rows[order]


def vocabulary(tokenizer, spaced):
    """Tokens and their types (`llama_token_type`), by id."""
    tokens, kinds = [f"[PAD{i}]" for i in range(VOCABULARY)], [5] * VOCABULARY
    model = tokenizer["model"]
    for token, i in model["vocab"].items():
        tokens[i] = token
        kinds[i] = 6 if model.get("byte_fallback") and token.startswith("<0x") else 1
    for token in tokenizer["added_tokens"]:
        tokens[token["id"]], kinds[token["id"]] = token["content"], 3
    if model.get("byte_fallback"):
        kinds[model["vocab"][model["unk_token"]]] = 2
    if spaced:
        tokens = [t if k == 3 else t[2:] if t.startswith("##") else "▁" + t for t, k in zip(tokens, kinds)]
    return tokens, kinds


def folder(name, arch, config, tensors, tokenizer, settings, keys, tokenizer_keys, heads=None, made=(), pooling=None):
    at = ROOT / name
    at.mkdir(parents=True)
    dump = lambda file, value: (at / file).write_text(json.dumps(value, ensure_ascii=False) + "\n")
    dump("config.json", config)
    dump("tokenizer.json", tokenizer)
    dump("tokenizer_config.json", settings)
    if pooling:
        dump("pooling.json", pooling)
    safetensors.numpy.save_file(tensors, at / "model.safetensors")
    (at / "model.safetensors").chmod(0o644)

    writer = gguf.GGUFWriter(at / "expected.gguf", arch)
    writer.add_type("model")
    value = gguf.GGUFValueType
    common = [
        ("block_count", "num_hidden_layers"), ("context_length", "max_position_embeddings"), ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"), ("attention.head_count", "num_attention_heads"),
    ]  # fmt: skip
    for key, field in common:
        writer.add_uint32(f"{arch}.{key}", config[field])
    writer.add_uint32(f"{arch}.attention.head_count_kv", config.get("num_key_value_heads", config["num_attention_heads"]))
    for key, kind, given in keys:
        writer.add_key_value(key if "." in key and key.startswith("tokenizer") else f"{arch}.{key}", given, value[kind])
    writer.add_uint32(f"{arch}.vocab_size", config["vocab_size"])
    for key, given in tokenizer_keys:
        if isinstance(given, list):
            writer.add_array(key, given)
        else:
            kind = {bool: value.BOOL, int: value.UINT32, str: value.STRING}[type(given)]
            writer.add_key_value(key, given, kind)
    writer.add_uint32("general.quantization_version", 2)
    writer.add_uint32("general.file_type", 0)
    # In the order of the file that they come from.
    stored = safetensors.numpy.load_file(at / "model.safetensors")
    header = (at / "model.safetensors").read_bytes()
    length = int.from_bytes(header[:8], "little")
    offsets = {k: v["data_offsets"] for k, v in json.loads(header[8 : 8 + length]).items() if k != "__metadata__"}
    for source in sorted(stored, key=lambda k: (*offsets[k], k)):
        if source.startswith("pooler."):
            continue
        data = stored[source]
        if heads and source.endswith(("q_proj.weight", "q_proj.bias")):
            data = interleave(data, heads[0])
        if heads and source.endswith(("k_proj.weight", "k_proj.bias")):
            data = interleave(data, heads[1])
        kept = data.ndim > 1 and new_name(source) not in ["position_embd.weight", "token_types.weight"]
        writer.add_tensor(new_name(source), data if kept else data.astype(np.float32))
    for made_name, data in made:
        writer.add_tensor(made_name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    # It runs as meant, and says what it is given as `tokenizers` does.
    tokens = [5, 17, 200, 33, 17, 8, 290, 41]
    if arch == "bert":
        wanted = encoder(tensors, config, tokens)
        found, texts = llama_run.run(at / "expected.gguf", tokens, TEXTS, embeddings=config["hidden_size"])
    else:
        wanted = decoder(tensors, config, tokens)
        found, texts = llama_run.run(at / "expected.gguf", tokens, TEXTS)
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert error < 2e-3, f"{name}: {error}"
    import tokenizers

    reference = tokenizers.Tokenizer.from_str(json.dumps(tokenizer))
    for text, ours in zip(TEXTS, texts):
        theirs = reference.encode(text).ids
        assert ours == theirs, f"{name}: {text!r} is {ours}, not {theirs}"
    print(f"{name}: logits within {error:.1e} of the largest; {len(TEXTS)} texts are the same tokens")


def main():
    shutil.rmtree(ROOT, ignore_errors=True)
    base = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
    }  # fmt: skip
    rope = [("attention.layer_norm_rms_epsilon", "FLOAT32", 1e-5), ("rope.dimension_count", "UINT32", 8)]

    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **base, "rope_theta": 500.0, "rope_scaling": scaling}
    special = {"<|begin_of_text|>": 300, "<|end_of_text|>": 301}
    tokenizer = byte_level(LLAMA3, True, special, template("<|begin_of_text|>", 300))
    tokens, kinds = vocabulary(tokenizer, False)
    f32 = np.float32
    frequencies = f32(1) / f32(500) ** (np.arange(0, 8, 2, dtype=f32) / f32(8))
    waves = f32(2 * np.pi) / frequencies
    smooth = (f32(32) / waves - f32(1)) / (f32(4) - f32(1))
    between = f32(1) / ((f32(1) - smooth) / f32(8) + smooth)
    factors = np.where(waves < 8, f32(1), np.where(waves > 32, f32(8), between)).astype(f32)
    folder(
        "llama", "llama", config, decoder_tensors(config, False), tokenizer,
        {"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|end_of_text|>"}, "chat_template": "{{ messages }}"},
        [*rope, ("rope.freq_base", "FLOAT32", 500.0)],
        [("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "llama-bpe"), ("tokenizer.ggml.tokens", tokens),
         ("tokenizer.ggml.token_type", kinds), ("tokenizer.ggml.merges", tokenizer["model"]["merges"]),
         ("tokenizer.ggml.bos_token_id", 300), ("tokenizer.ggml.eos_token_id", 301), ("tokenizer.ggml.add_bos_token", True),
         ("tokenizer.chat_template", "{{ messages }}")],
        heads=(4, 2), made=[("rope_freqs.weight", factors)],
    )  # fmt: skip

    config = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", **base, "head_dim": 8, "sliding_window": None}
    tokenizer = sentencepiece()
    tokens, kinds = vocabulary(tokenizer, False)
    merges = ["".join(merge) for merge in tokenizer["model"]["merges"]]
    scores = [
        -float(merges.index(t)) if t in merges else -float(len(merges) + i) if k == 1 else 0.0
        for i, (t, k) in enumerate(zip(tokens, kinds))
    ]
    folder(
        "mistral", "llama", config, decoder_tensors(config, False), tokenizer,
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": False},
        [*rope, ("attention.key_length", "UINT32", 8), ("attention.value_length", "UINT32", 8), ("rope.freq_base", "FLOAT32", 10000.0)],
        [("tokenizer.ggml.model", "llama"), ("tokenizer.ggml.pre", "default"), ("tokenizer.ggml.scores", scores),
         ("tokenizer.ggml.add_space_prefix", True), ("tokenizer.ggml.tokens", tokens), ("tokenizer.ggml.token_type", kinds),
         ("tokenizer.ggml.bos_token_id", 1), ("tokenizer.ggml.eos_token_id", 2), ("tokenizer.ggml.unknown_token_id", 0),
         ("tokenizer.ggml.add_bos_token", True), ("tokenizer.ggml.add_eos_token", False)],
        heads=(4, 2),
    )  # fmt: skip

    config = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", **base, "tie_word_embeddings": True, "use_sliding_window": False}
    special = {"<|endoftext|>": 300, "<|im_end|>": 302}
    tokenizer = byte_level(QWEN2, False, special, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False})
    tokens, kinds = vocabulary(tokenizer, False)
    tensors = decoder_tensors(config, True)
    folder(
        "qwen2", "qwen2", config, {k: v.astype(np.float16) for k, v in tensors.items()}, tokenizer,
        {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "add_bos_token": False},
        [*rope, ("rope.freq_base", "FLOAT32", 10000.0)],
        [("tokenizer.ggml.model", "gpt2"), ("tokenizer.ggml.pre", "qwen2"), ("tokenizer.ggml.tokens", tokens),
         ("tokenizer.ggml.token_type", kinds), ("tokenizer.ggml.merges", tokenizer["model"]["merges"]),
         ("tokenizer.ggml.eos_token_id", 302), ("tokenizer.ggml.padding_token_id", 300), ("tokenizer.ggml.add_bos_token", False)],
    )  # fmt: skip

    config = {
        "architectures": ["BertModel"], "model_type": "bert", "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 64, "layer_norm_eps": 1e-12, "type_vocab_size": 2,
        "hidden_act": "gelu", "position_embedding_type": "absolute",
    }  # fmt: skip
    tokenizer = wordpiece()
    tokens, kinds = vocabulary(tokenizer, True)
    folder(
        "bert", "bert", config, encoder_tensors(config), tokenizer,
        {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": "[MASK]"},
        [("attention.layer_norm_epsilon", "FLOAT32", 1e-12), ("attention.causal", "BOOL", False), ("pooling_type", "UINT32", 1),
         ("tokenizer.ggml.token_type_count", "UINT32", 2)],
        [("tokenizer.ggml.model", "bert"), ("tokenizer.ggml.normalizer.lowercase", True),
         ("tokenizer.ggml.normalizer.strip_accents", True), ("tokenizer.ggml.tokens", tokens), ("tokenizer.ggml.token_type", kinds),
         ("tokenizer.ggml.bos_token_id", 2), ("tokenizer.ggml.unknown_token_id", 1), ("tokenizer.ggml.seperator_token_id", 3),
         ("tokenizer.ggml.padding_token_id", 0), ("tokenizer.ggml.cls_token_id", 2), ("tokenizer.ggml.mask_token_id", 4)],
        pooling={"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False},
    )  # fmt: skip


if __name__ == "__main__":
    main()
