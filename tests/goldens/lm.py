"""The language model on a few prompts: tokens and the likeliest continuation by llama.cpp, which loads the shipped GGUF; logits and loss by numpy in
f64 from the same weights."""

import pathlib

import gguf
import numpy as np

import llama_run
import llamacpp
from bits import f32_hex

MODELS = pathlib.Path(__file__).resolve().parents[2] / "www/public/models"
FILE = MODELS / "rust-docs.gguf"
PROMPTS = ["", "Ownership is", "The compiler will", "This function returns", "In Rust, a trait is"]
CONTINUED = 32
TEXTS = [
    "Hello  world's 12abc!?\n\n x",
    "a \t\nb   ",
    "naïve Übergröße 你好\u3000½'S e\u0301 ⓐ ⅷ\u00a0x",
    "don't we'll I'm they've he'd you're it's 'tis",
    "fn main() { let x: Vec<u8> = vec![1, 2, 3]; println!(\"{x:?}\"); }\r\n\r\n\tend",
    "🦀 Ferris <|endoftext|>",
]


def unavailable():
    return llamacpp.unavailable()


def forward(t, fields, tokens):
    """Logits [tokens, vocabulary] in f64; rows as GGUF orders them, so that neighbouring pairs turn."""
    number = lambda key: fields[key].parts[-1][0]
    layers, heads = int(number("llama.block_count")), int(number("llama.attention.head_count"))
    heads_kv = int(number("llama.attention.head_count_kv"))
    epsilon = float(number("llama.attention.layer_norm_rms_epsilon"))
    width = t["token_embd.weight"].shape[1]
    head = width // heads
    n = len(tokens)
    angles = np.outer(np.arange(n), float(number("llama.rope.freq_base")) ** (-np.arange(0, head, 2) / head))
    turn = np.exp(1j * angles)

    def rms(x, w):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * w

    def split(x, count, rotated):
        x = x.reshape(n, count, head).swapaxes(0, 1)
        if rotated:
            z = (x[..., ::2] + 1j * x[..., 1::2]) * turn
            x = np.stack([z.real, z.imag], -1).reshape(x.shape)
        return x if count == heads else x.repeat(heads // heads_kv, 0)

    x = t["token_embd.weight"][tokens]
    for i in range(layers):
        w = {k.split(".")[2]: v for k, v in t.items() if k.startswith(f"blk.{i}.")}
        h = rms(x, w["attn_norm"])
        q, k = split(h @ w["attn_q"].T, heads, True), split(h @ w["attn_k"].T, heads_kv, True)
        v = split(h @ w["attn_v"].T, heads_kv, False)
        score = np.where(np.tri(n, dtype=bool), q @ k.swapaxes(1, 2) / np.sqrt(head), -np.inf)
        p = np.exp(score - score.max(-1, keepdims=True))
        mixed = ((p / p.sum(-1, keepdims=True)) @ v).swapaxes(0, 1).reshape(n, width)
        x = x + mixed @ w["attn_output"].T
        h = rms(x, w["ffn_norm"])
        gate = h @ w["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
    return rms(x, t["output_norm.weight"]) @ t["token_embd.weight"].T


def cases():
    reader = gguf.GGUFReader(FILE)
    tensors = {tensor.name: np.array(tensor.data, np.float64) for tensor in reader.tensors}
    model = llama_run.Model(FILE)
    found = [{"name": "text", "text": text, "tokens": model.tokenize(text)} for text in TEXTS]
    for prompt in PROMPTS:
        tokens = model.tokenize(prompt, special=True)
        logits = forward(tensors, reader.fields, tokens)[-1]
        found.append(
            {
                "name": "prompt",
                "text": prompt,
                "tokens": tokens,
                "logits": f32_hex(logits.astype(np.float32)),
                "greedy": model.greedy(tokens, CONTINUED),
            }
        )
    text = (MODELS / "rust-docs-heldout.txt").read_text(encoding="utf-8")
    ids = model.tokenize(text)
    nats = 0.0
    for i in range(0, 4 * 256, 256):
        window = [0, *ids[i : i + 256]]
        logits = forward(tensors, reader.fields, window[:-1])
        top = logits.max(-1)
        nats += float((top + np.log(np.exp(logits - top[:, None]).sum(-1)) - logits[np.arange(256), window[1:]]).sum())
    found.append({"name": "heldout", "tokens": ids[: 4 * 256], "window": 256, "nats": nats})
    model.close()
    return found
