"""GGUF files run by llama.cpp on a text, against the first of them: a table of sizes, losses and distances.

    python plan_logits.py TEXT FLOAT.gguf PRESET.gguf PRESET-planned.gguf …

Windows of tokens are read from the beginning each. Of every position the logits are compared: the Kullback–Leibler divergence of the
distribution from the float model's, the cosine of the logits less their mean (which no probability depends on), how often the likeliest
token is the same, and the loss on the token that follows.
"""

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "goldens"))
import llama_run  # noqa: E402

WINDOW = 256
WINDOWS = 16


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def run(path, windows):
    """[positions, vocabulary] of all windows."""
    model = llama_run.Model(path)
    try:
        return np.concatenate([model.logits(window)[:-1] for window in windows])
    finally:
        model.close()


def measure(reference, logits, following):
    p, q = log_softmax(reference), log_softmax(logits)
    a, b = (x.astype(np.float64) - x.mean(axis=-1, keepdims=True) for x in (reference, logits))
    cosine = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    return {
        "kl": float((np.exp(p) * (p - q)).sum(-1).mean()),
        "cosine": float(cosine.mean()),
        "same": float((reference.argmax(-1) == logits.argmax(-1)).mean()),
        "loss": float(-q[np.arange(len(following)), following].mean()),
    }


def windows_of(path, text):
    model = llama_run.Model(path)
    tokens = model.tokenize(pathlib.Path(text).read_text(encoding="utf-8"))
    model.close()
    starts = np.linspace(0, len(tokens) - WINDOW, WINDOWS).astype(int)
    return [tokens[start : start + WINDOW] for start in starts]


def compared(text, files):
    """For each file what it is and how far from the first."""
    windows = windows_of(files[0], text)
    following = np.concatenate([window[1:] for window in windows])
    reference = run(files[0], windows)
    rows = []
    for file in files:
        logits = reference if file == files[0] else run(file, windows)
        size = pathlib.Path(file).stat().st_size
        rows.append({"name": pathlib.Path(file).stem, "bytes": size, **measure(reference, logits, following)})
    return rows


def main(text, *files):
    print("| file | bytes | KL divergence, nats | cosine of logits | same likeliest token | loss, nats per token |")
    print("|---|--:|--:|--:|--:|--:|")
    for row in compared(text, files):
        numbers = f"{row['kl']:.5f} | {row['cosine']:.6f} | {row['same']:.4f} | {row['loss']:.4f}"
        print(f"| {row['name']} | {row['bytes']} | {numbers} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
