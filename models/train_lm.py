"""Trains the sample language model: a tiny llama on the prose of the Rust documentation (models/rust_docs.py).

Writes, under www/public/models/:
    rust-docs.gguf          the weights in F16 (norms in F32) with hyperparameters and tokenizer, as llama.cpp reads them
    rust-docs-heldout.txt   text that training never saw
and their provenance, as models/LM_PROVENANCE.md and again beside them, so that the licence travels with the site.

    python models/train_lm.py --work DIR          trains and writes; DIR keeps the corpus and a checkpoint every 100 steps, and a run goes on
                                                  from the last
    python models/train_lm.py --work DIR --export writes the files from DIR's last checkpoint
    python models/train_lm.py --check             reads what is shipped and prints its loss; trains nothing
    python models/train_lm.py --hf DIR            writes what is shipped as a Hugging Face folder: model.safetensors, config.json, tokenizer.json

The network is Hugging Face's LlamaForCausalLM: RMSNorm, rotary positions over the halves of a head, grouped-query attention, SwiGLU, the output
tied to the embedding. Every row of every matrix is a multiple of 256 long, so that K-quants apply to all of it.

The tokenizer is byte-level BPE with GPT-2's way of splitting, learned from the training text by Hugging Face's `tokenizers`. A page begins with
<|endoftext|>, which is also what precedes a prompt.

The rate rises over 100 steps, stays, and falls to 0 over the second half; so a run may be ended early by setting STEPS before the fall.
"""

import argparse
import hashlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "models"))
import rust_docs  # noqa: E402
from rust_docs import HELD_OUT_ONE_IN  # noqa: E402

OUT = ROOT / "www/public/models"
WEIGHTS, HELDOUT = OUT / "rust-docs.gguf", OUT / "rust-docs-heldout.txt"
PROVENANCE, SHIPPED_PROVENANCE = ROOT / "models/LM_PROVENANCE.md", OUT / "LM_PROVENANCE.md"

VOCABULARY, WIDTH, LAYERS, HEADS, HEADS_KV, INNER = 1024, 256, 4, 4, 2, 512
HEAD = WIDTH // HEADS
CONTEXT = 512  # stated in the file; trained on windows of WINDOW
THETA, EPSILON = 10_000.0, 1e-5
END = "<|endoftext|>"

SEED = 0
WINDOW, BATCH = 256, 8
STEPS = 2100
WARM, FALL = 100, STEPS // 2
PEAK_RATE, WEIGHT_DECAY, CLIP = 3e-3, 0.1, 1.0
SHIPPED_HELDOUT = 96 * 1024  # bytes of held-out text that travel with the site


def shapes():
    """Tensors by Hugging Face's names."""
    found = {"model.embed_tokens.weight": (VOCABULARY, WIDTH)}
    for i in range(LAYERS):
        p = f"model.layers.{i}."
        found |= {
            p + "input_layernorm.weight": (WIDTH,),
            p + "self_attn.q_proj.weight": (HEADS * HEAD, WIDTH),
            p + "self_attn.k_proj.weight": (HEADS_KV * HEAD, WIDTH),
            p + "self_attn.v_proj.weight": (HEADS_KV * HEAD, WIDTH),
            p + "self_attn.o_proj.weight": (WIDTH, HEADS * HEAD),
            p + "post_attention_layernorm.weight": (WIDTH,),
            p + "mlp.gate_proj.weight": (INNER, WIDTH),
            p + "mlp.up_proj.weight": (INNER, WIDTH),
            p + "mlp.down_proj.weight": (WIDTH, INNER),
        }
    return found | {"model.norm.weight": (WIDTH,)}


def initial():
    rng = np.random.default_rng(SEED)

    def one(name, shape):
        if len(shape) == 1:
            return np.ones(shape, np.float32)
        std = 0.02 if "embed" in name else shape[1] ** -0.5
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            std /= (2 * LAYERS) ** 0.5
        return rng.normal(0, std, shape).astype(np.float32)

    return {name: one(name, shape) for name, shape in shapes().items()}


def forward(p, ids):
    """Logits [batch, time, VOCABULARY] of ids [batch, time], in f32."""
    import jax
    import jax.numpy as jnp

    batch, length = ids.shape

    def norm(x, w):
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPSILON) * w

    frequency = THETA ** (-jnp.arange(0, HEAD, 2, dtype=jnp.float32) / HEAD)
    angle = jnp.arange(length, dtype=jnp.float32)[:, None] * frequency
    cos, sin = jnp.cos(angle), jnp.sin(angle)

    def rotate(x):  # [batch, heads, time, HEAD]
        a, b = x[..., : HEAD // 2], x[..., HEAD // 2 :]
        return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def heads(x, n):
        return x.reshape(batch, length, n, HEAD).transpose(0, 2, 1, 3)

    causal = jnp.where(jnp.tril(jnp.ones((length, length), bool)), 0.0, -jnp.inf)
    x = p["model.embed_tokens.weight"][ids]
    for i in range(LAYERS):
        w = {k: p[f"model.layers.{i}.{k}.weight"] for k in LAYER}
        h = norm(x, w["input_layernorm"])
        q = rotate(heads(h @ w["self_attn.q_proj"].T, HEADS)).reshape(batch, HEADS_KV, HEADS // HEADS_KV, length, HEAD)
        k = rotate(heads(h @ w["self_attn.k_proj"].T, HEADS_KV))
        v = heads(h @ w["self_attn.v_proj"].T, HEADS_KV)
        score = jnp.einsum("bgqth,bgsh->bgqts", q, k) / HEAD**0.5 + causal
        mixed = jnp.einsum("bgqts,bgsh->bgqth", jax.nn.softmax(score, -1), v)
        mixed = mixed.reshape(batch, HEADS, length, HEAD).transpose(0, 2, 1, 3).reshape(batch, length, HEADS * HEAD)
        x = x + mixed @ w["self_attn.o_proj"].T
        h = norm(x, w["post_attention_layernorm"])
        x = x + (jax.nn.silu(h @ w["mlp.gate_proj"].T) * (h @ w["mlp.up_proj"].T)) @ w["mlp.down_proj"].T
    return norm(x, p["model.norm.weight"]) @ p["model.embed_tokens.weight"].T


LAYER = [
    "input_layernorm",
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "post_attention_layernorm",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
]


def loss(p, ids):
    """Mean loss in nats per token of windows [batch, time + 1]."""
    import jax
    import jax.numpy as jnp

    logits = forward(p, ids[:, :-1])
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), ids[:, 1:, None], -1).mean()


# ---- text and tokens


def corpus(work):
    """(training pages, held-out pages), each [text]; kept in `work`, since reading the documentation takes a minute."""
    kept = work / "corpus.json"
    if not kept.exists():
        pages = rust_docs.pages()
        kept.write_text(json.dumps(pages), encoding="utf-8")
    pages = json.loads(kept.read_text(encoding="utf-8"))
    train = [text for path, text in pages if not rust_docs.held_out(path)]
    held = [text for path, text in pages if rust_docs.held_out(path)]
    return train, held


def tokenizer(work, train):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    kept = work / "tokenizer.json"
    if not kept.exists():
        made = Tokenizer(models.BPE())
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[END],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        made.train_from_iterator(train, trainer)
        made.save(str(kept))
    return Tokenizer.from_file(str(kept))


def stream(tokens, pages):
    """One array of ids: each page preceded by the end-of-text token (number 0)."""
    found = []
    for encoded in tokens.encode_batch(pages):
        found += [0, *encoded.ids]
    return np.array(found, np.int32)


def shipped_heldout(held):
    """The held-out pages in an order that the pages' own hash decides, up to SHIPPED_HELDOUT bytes; pages end in an empty line."""
    chosen, size = [], 0
    for text in sorted(held, key=lambda t: hashlib.sha256(t.encode()).hexdigest()):
        n = len(text.encode()) + 1
        if size + n <= SHIPPED_HELDOUT:
            chosen.append(text + "\n")
            size += n
    return "".join(chosen)


def windows(ids, count):
    """The first windows of ids, one after another, [count, WINDOW + 1]."""
    return np.stack([ids[i * WINDOW : i * WINDOW + WINDOW + 1] for i in range(count)])


# ---- training


def rate(step):
    return PEAK_RATE * min(1.0, (step + 1) / WARM, (STEPS - step) / FALL)


def train(work, ids, held_ids):
    import jax
    import jax.numpy as jnp

    @jax.jit
    def update(p, m, v, t, lr, batch):
        value, g = jax.value_and_grad(loss)(p, batch)
        size = jnp.sqrt(sum(jnp.sum(x * x) for x in g.values()))
        g = {k: x * jnp.minimum(1.0, CLIP / size) for k, x in g.items()}
        m = {k: 0.9 * m[k] + 0.1 * g[k] for k in g}
        v = {k: 0.95 * v[k] + 0.05 * g[k] * g[k] for k in g}

        def one(k):
            move = m[k] / (1 - 0.9**t) / (jnp.sqrt(v[k] / (1 - 0.95**t)) + 1e-8)
            return p[k] - lr * (move + (WEIGHT_DECAY * p[k] if p[k].ndim == 2 else 0.0))

        return {k: one(k) for k in p}, m, v, value

    measure = jax.jit(loss)
    test = windows(held_ids, 32)
    checkpoint = work / "checkpoint.npz"
    if checkpoint.exists():
        kept = np.load(checkpoint)
        step = int(kept["step"])
        p, m, v = ({k: kept[f"{part}/{k}"] for k in shapes()} for part in "pmv")
    else:
        step, p = 0, initial()
        m, v = ({k: np.zeros_like(w) for k, w in p.items()} for _ in "mv")
    started, since, total = time.time(), step, []
    while step < STEPS:
        at = np.random.default_rng([SEED, step]).integers(0, len(ids) - WINDOW, BATCH)
        batch = np.stack([ids[i : i + WINDOW + 1] for i in at])
        p, m, v, value = update(p, m, v, np.float32(step + 1), np.float32(rate(step)), batch)
        total.append(float(value))
        step += 1
        if step % 100 == 0 or step == STEPS:
            per = (time.time() - started) / (step - since)
            print(f"{step}: loss {np.mean(total):.4f}, held out {float(measure(p, test)):.4f}, {per:.3f} s a step", flush=True)
            total = []
            parts = {f"{part}/{k}": np.asarray(w) for part, d in zip("pmv", (p, m, v)) for k, w in d.items()}
            np.savez(work / "next.npz", step=step, **parts)
            os.replace(work / "next.npz", checkpoint)


# ---- what is shipped


NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    stem = name.removesuffix(".weight")
    if stem.startswith("model.layers."):
        _, _, layer, part = stem.split(".", 3)
        return f"blk.{layer}.{NAMES[part]}.weight"
    return NAMES[stem] + ".weight"


def reordered(name, w, back=False):
    """GGUF's rotation acts on neighbouring rows, Hugging Face's on the halves of a head."""
    for part, heads in [("q_proj", HEADS), ("k_proj", HEADS_KV)]:
        if part in name:
            halves = (HEAD // 2, 2) if back else (2, HEAD // 2)
            return w.reshape(heads, *halves, WIDTH).swapaxes(1, 2).reshape(w.shape)
    return w


def write_gguf(p, tokens):
    import gguf

    state = json.loads(tokens.to_str())
    vocabulary = sorted(state["model"]["vocab"].items(), key=lambda item: item[1])
    writer = gguf.GGUFWriter(WEIGHTS, "llama")
    writer.add_name("rust-docs")
    writer.add_description("A tiny llama trained on the prose of the Rust documentation, by models/train_lm.py")
    writer.add_license("MIT OR Apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS_KV)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(THETA)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocabulary])
    control = gguf.TokenType.CONTROL
    writer.add_token_types([control if token == END else gguf.TokenType.NORMAL for token, _ in vocabulary])
    writer.add_token_merges([" ".join(pair) for pair in state["model"]["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(True)
    for name in shapes():
        w = reordered(name, p[name])
        writer.add_tensor(gguf_name(name), w.astype(np.float16 if w.ndim == 2 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def shipped():
    """The weights of the shipped file by Hugging Face's names, in f32, and its tokenizer's tokens and merges."""
    import gguf

    reader = gguf.GGUFReader(WEIGHTS)
    found = {t.name: np.array(t.data, np.float32) for t in reader.tensors}
    texts = lambda key: [bytes(reader.fields[key].parts[i]).decode() for i in reader.fields[key].data]
    weights = {name: reordered(name, found[gguf_name(name)], back=True) for name in shapes()}
    return weights, texts("tokenizer.ggml.tokens"), texts("tokenizer.ggml.merges")


def shipped_tokenizer(vocabulary, merges):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    pairs = [tuple(merge.split(" ")) for merge in merges]
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(vocabulary)}, pairs))
    made.add_special_tokens([AddedToken(END, special=True)])
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def measured():
    """(nats, tokens, bytes) of the shipped weights on the shipped text: windows of WINDOW tokens, each after <|endoftext|>."""
    import jax

    p, vocabulary, merges = shipped()
    text = HELDOUT.read_text(encoding="utf-8")
    ids = shipped_tokenizer(vocabulary, merges).encode(text).ids
    full = [[0, *ids[i : i + WINDOW]] for i in range(0, len(ids), WINDOW)]
    step = jax.jit(loss)
    nats = sum(float(step(p, np.array([window]))) * (len(window) - 1) for window in full)
    return nats, len(ids), len(text.encode())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def result(nats, n_tokens, n_bytes):
    return f"{nats / n_tokens:.4f} nats per token, {nats / n_bytes:.4f} per byte"


def provenance(work, pages, n_train, figures, versions):
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    corpus = hashlib.sha256((work / "corpus.json").read_bytes()).hexdigest()
    n_weights = sum(int(np.prod(s)) for s in shapes().values())
    return f"""# The sample language model

A tiny llama that has read the Rust documentation and continues it, and text of that documentation which it has not read.

| file | what | sha256 |
|---|---|---|
| `www/public/models/{WEIGHTS.name}` | {n_weights:,} weights in F16 (norms in F32), hyperparameters and tokenizer: GGUF as llama.cpp reads it | `{sha256(WEIGHTS)}` |
| `www/public/models/{HELDOUT.name}` | {HELDOUT.stat().st_size:,} bytes of held-out text, a page after another with an empty line between | `{sha256(HELDOUT)}` |

**Text.** The prose of the documentation that rustup installs with {rustc} (`$(rustc --print sysroot)/share/doc/rust/html`): the books and
the standard library's pages, licensed MIT OR Apache-2.0, © the Rust Project contributors and the authors of the books. What is taken and
what is left out stands in `models/rust_docs.py`: {len(pages)} pages to train on, {n_train:,} tokens. A page is held out when the SHA-256 of its path is
divisible by {HELD_OUT_ONE_IN}; a paragraph that stands on several pages is kept on the first alone. SHA-256 of the extracted text: `{corpus}`.
The held-out file is part of that text, under the same licence.

**Network.** LlamaForCausalLM: vocabulary {VOCABULARY}, width {WIDTH}, {LAYERS} layers, {HEADS} heads with {HEADS_KV} of keys and values, feed-forward
{INNER}, SwiGLU, RMS norm (epsilon {EPSILON}), rotary base {THETA:g}, the output tied to the embedding. Tokenizer: byte-level BPE, cut as GPT-2 does,
learned from the training text.

**Training.** `python models/train_lm.py --work DIR`, with `models/requirements-lm.txt`: AdamW (0.9, 0.95), {STEPS:,} steps of {BATCH} windows of {WINDOW}
tokens, rate {PEAK_RATE} after {WARM} steps, falling to 0 from step {STEPS - FALL:,} on, weight decay {WEIGHT_DECAY} on matrices, gradients clipped at norm {CLIP:g}. f32 on one
thread; the last weights are kept, rounded to F16; the held-out text chooses nothing. Seed {SEED}. Trained with {versions}.
The weights are the project's own, under the project's licence.

**Loss.** On the shipped held-out text, windows of {WINDOW} tokens each after `{END}`: {result(*figures)}.

**Again.** The same documentation gives the same text, tokenizer and batches on every machine; the weights agree as far as another processor or
another jaxlib sums in the same order. `python models/train_lm.py --check` measures what is shipped, in a minute, and fails on a difference from this page.
"""


def export(work, pages, held, tokens, n_train):
    import jax
    import tokenizers

    kept = np.load(work / "checkpoint.npz")
    print(f"step {int(kept['step'])} of {STEPS}", flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    write_gguf({k: kept[f"p/{k}"] for k in shapes()}, tokens)
    HELDOUT.write_text(shipped_heldout(held), encoding="utf-8")
    figures = measured()
    print(result(*figures))
    versions = f"Python {platform.python_version()}, jax {jax.__version__}, numpy {np.__version__}, tokenizers {tokenizers.__version__}"
    for path in (PROVENANCE, SHIPPED_PROVENANCE):
        path.write_text(provenance(work, pages, n_train, figures, versions), encoding="utf-8")


def check():
    text = PROVENANCE.read_text(encoding="utf-8")
    figures = measured()
    print(result(*figures))
    checks = {
        "LM_PROVENANCE.md has the files' sha256": sha256(WEIGHTS) in text and sha256(HELDOUT) in text,
        "LM_PROVENANCE.md has the loss": f"{figures[0] / figures[1]:.3f}" in text,
        "the shipped LM_PROVENANCE.md is the same": SHIPPED_PROVENANCE.read_text(encoding="utf-8") == text,
    }
    for name, good in checks.items():
        print("ok  " if good else "FAIL", name)
    failed = sum(not good for good in checks.values())
    print(f"{len(checks) - failed} passed, {failed} failed")
    raise SystemExit(failed > 0)


def tokenizer_file(vocabulary, merges):
    """What `shipped_tokenizer(vocabulary, merges)` saves, written without the library."""
    end = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None}
    model |= {"fuse_unk": False, "byte_fallback": False, "ignore_merges": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [{"id": 0, "content": END, **end}], "normalizer": None,
        "pre_tokenizer": level, "post_processor": None, "decoder": level | {"add_prefix_space": True},
        "model": model | {"vocab": {token: i for i, token in enumerate(vocabulary)}, "merges": [merge.split(" ") for merge in merges]},
    }  # fmt: skip


def hugging_face(folder):
    from safetensors.numpy import save_file

    p, vocabulary, merges = shipped()
    folder.mkdir(parents=True, exist_ok=True)
    half = {k: np.ascontiguousarray(w.astype(np.float16 if w.ndim == 2 else np.float32)) for k, w in p.items()}
    save_file(half, folder / "model.safetensors", {"format": "pt"})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_file(vocabulary, merges)) + "\n", encoding="utf-8")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS_KV,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": EPSILON,
        "rope_theta": THETA,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "torch_dtype": "float16",
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    said = {"bos_token": END, "eos_token": END, "tokenizer_class": "GPT2TokenizerFast", "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path, help="where the corpus and the checkpoint are kept")
    parser.add_argument("--export", action="store_true", help="write the last checkpoint; train nothing")
    parser.add_argument("--check", action="store_true", help="measure what is shipped; train nothing")
    parser.add_argument("--hf", type=pathlib.Path, help="write what is shipped as a Hugging Face folder")
    args = parser.parse_args()
    if args.check:
        return check()
    if args.hf:
        return hugging_face(args.hf)
    if not args.work:
        parser.error("--work is needed to train")
    args.work.mkdir(parents=True, exist_ok=True)
    pages, held = corpus(args.work)
    tokens = tokenizer(args.work, pages)
    ids = stream(tokens, pages)
    if not args.export:
        print(f"{len(ids)} tokens, {sum(int(np.prod(s)) for s in shapes().values())} weights", flush=True)
        train(args.work, ids, stream(tokens, held))
    export(args.work, pages, held, tokens, len(ids))


if __name__ == "__main__":
    main()
