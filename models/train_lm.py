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

The rate rises over 100 steps, stays, and falls to 0 over the last third; so a run may be ended early by setting STEPS before the fall.
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
STEPS = 4000
WARM, FALL = 100, STEPS // 3
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
    import rust_docs

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


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--work", type=pathlib.Path)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    pages, held = corpus(args.work)
    tokens = tokenizer(args.work, pages)
    ids, held_ids = stream(tokens, pages), stream(tokens, held)
    n_bytes = sum(len(t.encode()) for t in held)
    print(f"{len(ids)} tokens to train on, {len(held_ids)} held out, {n_bytes / len(held_ids):.3f} bytes a token", flush=True)
    print(f"{sum(int(np.prod(s)) for s in shapes().values())} weights", flush=True)
    train(args.work, ids, held_ids)


if __name__ == "__main__":
    main()
