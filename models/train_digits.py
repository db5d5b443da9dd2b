"""Trains the sample network: handwritten digits, 8×8 pixels, two convolutions and two dense layers.

Writes, under www/public/models/:
    digits.safetensors          the weights, F32, with their provenance in the file's metadata
    digits-heldout.safetensors  images U8 [360, 8, 8] (0…16) and labels U8 [360] that training never saw
    digits-training.safetensors the images and labels that it saw, U8 [1437, 8, 8] and U8 [1437], for training in the page
and their provenance, as models/PROVENANCE.md and again beside them, so that the licence travels with the site.

    python models/train_digits.py           trains and writes
    python models/train_digits.py --data    writes the images alone
    python models/train_digits.py --check   reads what is shipped and prints its accuracy; trains nothing

The network, for x = image / 16 of shape [1, 8, 8]:
    conv1 [32, 1, 3, 3] pad 1, ReLU, 2×2 max pool   -> [32, 4, 4]
    conv2 [64, 32, 3, 3] pad 1, ReLU, 2×2 max pool  -> [64, 2, 2], flattened to 256 in that order
    fc1   [128, 256], ReLU                          -> [128]
    fc2   [10, 128]                                 -> logits
A dense layer computes W·x + b, a convolution is a cross-correlation: both as in PyTorch.

Training runs a fixed number of epochs and keeps the last weights: the held-out images choose nothing.
"""

import argparse
import hashlib
import json
import pathlib
import platform

import numpy as np
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "www/public/models"
PROVENANCE, SHIPPED_PROVENANCE = ROOT / "models/PROVENANCE.md", OUT / "PROVENANCE.md"
WEIGHTS, HELDOUT = OUT / "digits.safetensors", OUT / "digits-heldout.safetensors"
TRAINING = OUT / "digits-training.safetensors"

SEED = 0
HELD_OUT = 360
EPOCHS = 80
BATCH = 64
PEAK_RATE = 2e-3
WEIGHT_DECAY = 0.02  # decoupled (AdamW), on weights only
NOISE = 0.05  # of the pixel range, on training images
TOLERANCE = 0.01  # of accuracy: what another machine or another jaxlib may differ by

SHAPES = {
    "conv1.weight": (32, 1, 3, 3),
    "conv1.bias": (32,),
    "conv2.weight": (64, 32, 3, 3),
    "conv2.bias": (64,),
    "fc1.weight": (128, 256),
    "fc1.bias": (128,),
    "fc2.weight": (10, 128),
    "fc2.bias": (10,),
}


def data():
    """Training and held-out images (U8, 0…16) and labels, the same split on every machine."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = digits.images.astype(np.uint8)
    labels = digits.target.astype(np.uint8)
    assert images.shape == (1797, 8, 8) and images.max() == 16
    return train_test_split(images, labels, test_size=HELD_OUT, stratify=labels, random_state=SEED)


def initial(rng):
    """He's normal initialisation; zero biases."""
    params = {}
    for name, shape in SHAPES.items():
        fan_in = int(np.prod(shape[1:]))
        params[name] = (
            np.zeros(shape, np.float32)
            if name.endswith("bias")
            else rng.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
        )
    return params


def forward(p, x):
    """Logits of images `x` [n, 8, 8] in 0…1."""
    import jax
    from jax import lax

    def conv_pool(x, w, b):
        y = lax.conv(x, w, (1, 1), "SAME") + b[:, None, None]
        return lax.reduce_window(jax.nn.relu(y), -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    x = conv_pool(x[:, None], p["conv1.weight"], p["conv1.bias"])
    x = conv_pool(x, p["conv2.weight"], p["conv2.bias"])
    x = x.reshape(len(x), -1)
    x = jax.nn.relu(x @ p["fc1.weight"].T + p["fc1.bias"])
    return x @ p["fc2.weight"].T + p["fc2.bias"]


def augment(rng, images):
    """Shifts each image by up to one pixel each way, scales its ink a little, adds noise; then 0…1."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    dy, dx = rng.integers(0, 3, (2, len(images)))
    shifted = np.stack([im[y : y + 8, x : x + 8] for im, y, x in zip(padded, dy, dx)]) / np.float32(16)
    ink = rng.uniform(0.85, 1.15, (len(images), 1, 1))
    return (shifted * ink + rng.normal(0, NOISE, shifted.shape)).clip(0, 1).astype(np.float32)


def train(images, labels):
    import jax
    import jax.numpy as jnp

    def loss(p, x, y):
        return -jax.nn.log_softmax(forward(p, x))[jnp.arange(len(y)), y].mean()

    @jax.jit
    def step(p, m, v, t, rate, x, y):
        value, g = jax.value_and_grad(loss)(p, x, y)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)

        def update(name, p, m, v):
            decay = WEIGHT_DECAY if name.endswith("weight") else 0.0
            return p - rate * (m / (1 - 0.9**t) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8) + decay * p)

        return {k: update(k, p[k], m[k], v[k]) for k in p}, m, v, value

    rng = np.random.default_rng(SEED)
    p = initial(rng)
    m = {k: np.zeros_like(w) for k, w in p.items()}
    v = {k: np.zeros_like(w) for k, w in p.items()}
    per_epoch = len(images) // BATCH
    steps = EPOCHS * per_epoch
    t = 0
    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        x_all, total = augment(rng, images), 0.0
        for i in range(per_epoch):
            t += 1
            batch = order[i * BATCH : (i + 1) * BATCH]
            rate = PEAK_RATE * min(1.0, t / 100) * 0.5 * (1 + np.cos(np.pi * t / steps))
            p, m, v, value = step(p, m, v, np.float32(t), np.float32(rate), x_all[batch], labels[batch])
            total += float(value)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {total / per_epoch:.4f}", flush=True)
    return {k: np.asarray(p[k]) for k in SHAPES}


def accuracy(p, images, labels):
    guess = np.argmax(np.asarray(forward(p, images.astype(np.float32) / 16)), axis=1)
    return int((guess == labels).sum())


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def provenance(correct, train_correct, n_train, versions):
    return f"""# The sample network

A small convolutional network that reads handwritten digits, 360 images that it was not trained on, and those that it was.

| file | what | sha256 |
|---|---|---|
| `www/public/models/{WEIGHTS.name}` | the weights, F32, {sum(int(np.prod(s)) for s in SHAPES.values()):,} parameters | `{sha256(WEIGHTS)}` |
| `www/public/models/{HELDOUT.name}` | `images` U8 [{HELD_OUT}, 8, 8] with values 0…16, `labels` U8 [{HELD_OUT}] | `{sha256(HELDOUT)}` |
| `www/public/models/{TRAINING.name}` | `images` U8 [{n_train}, 8, 8] and `labels` U8 [{n_train}]: what it was trained on, for training in the page | `{sha256(TRAINING)}` |

**Data.** *Optical Recognition of Handwritten Digits*, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998,
doi:10.24432/C50P49, licensed CC BY 4.0. The 1,797 images of its test set as scikit-learn bundles them
(`sklearn.datasets.load_digits`): 8×8 pixels, each the count of ink in a 4×4 cell, 0…16. Both files of images are part of
that data, unchanged, under the same licence. {HELD_OUT} images, stratified by label, were held out (`train_test_split`, seed
{SEED}); the other {n_train:,} were trained on. The split is by image, so a held-out image's writer also wrote training
images: the accuracy here is for known hands.

**Network.** Input image/16, [1, 8, 8]; conv1 [32, 1, 3, 3] pad 1, ReLU, 2×2 max pool; conv2 [64, 32, 3, 3] pad 1, ReLU, 2×2 max
pool; flattened [64, 2, 2] → 256; fc1 [128, 256], ReLU; fc2 [10, 128]. Layouts as in PyTorch.

**Training.** `python models/train_digits.py`, with `models/requirements.txt`: AdamW, {EPOCHS} epochs of batches of {BATCH}, peak
rate {PEAK_RATE}, cosine decay, weight decay {WEIGHT_DECAY}; shifts by up to a pixel, ink scaled by 0.85…1.15, noise of
{NOISE}. The last weights are kept; the held-out images choose nothing. Seed {SEED}. Trained with {versions}.
The weights are the project's own, under the project's licence.

**Accuracy.** {correct} of {HELD_OUT} held-out images ({100 * correct / HELD_OUT:.2f} %), {train_correct:,} of {n_train:,} training images.

**Again.** The same machine and versions give the same files, byte for byte. Another processor or another jaxlib adds in
another order, so its weights differ; its held-out accuracy is to be within {100 * TOLERANCE:.0f} percentage point of the above.
`python models/train_digits.py --check` measures what is shipped, in a second, and fails on a difference from this page.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", action="store_true", help="write the images; train nothing")
    parser.add_argument("--check", action="store_true", help="measure what is shipped; train nothing")
    args = parser.parse_args()

    train_images, test_images, train_labels, test_labels = data()

    if args.check:
        p, held, seen = load_file(WEIGHTS), load_file(HELDOUT), load_file(TRAINING)
        text = PROVENANCE.read_text(encoding="utf-8")
        correct = accuracy(p, held["images"], held["labels"])
        checks = {
            "weights have their shapes": {k: w.shape for k, w in p.items()} == SHAPES,
            "held-out images are this split's": np.array_equal(held["images"], test_images),
            "held-out labels are this split's": np.array_equal(held["labels"], test_labels),
            "training images and labels are this split's": np.array_equal(seen["images"], train_images)
            and np.array_equal(seen["labels"], train_labels),
            "PROVENANCE.md has the files' sha256": all(sha256(f) in text for f in (WEIGHTS, HELDOUT, TRAINING)),
            f"PROVENANCE.md has the accuracy, {correct}": f"{correct} of {HELD_OUT} held-out" in text,
            "the shipped PROVENANCE.md is the same": SHIPPED_PROVENANCE.read_text(encoding="utf-8") == text,
            "at least 97 %": correct >= 0.97 * HELD_OUT,
        }
        for name, good in checks.items():
            print("ok  " if good else "FAIL", name)
        failed = sum(not good for good in checks.values())
        print(f"{len(checks) - failed} passed, {failed} failed")
        raise SystemExit(failed > 0)

    licence = (
        "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI, doi:10.24432/C50P49, "
        "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"
    )
    OUT.mkdir(parents=True, exist_ok=True)
    for path, images, labels in [(HELDOUT, test_images, test_labels), (TRAINING, train_images, train_labels)]:
        save({"images": images, "labels": labels}, path, {"data": licence, "split": f"seed {SEED}"})
    if args.data:
        return

    p = train(train_images, train_labels)
    train_correct = accuracy(p, train_images, train_labels)
    correct = accuracy(p, test_images, test_labels)
    print(f"held out {correct} of {HELD_OUT}, training {train_correct} of {len(train_labels)}")
    for name, w in p.items():
        z = (w - w.mean()) / (w.std() or 1)
        print(f"{name:13} std {w.std():.4f} absmax {np.abs(w).max():.4f} excess kurtosis {(z**4).mean() - 3:+.2f}")

    import jax

    versions = f"Python {platform.python_version()}, jax {jax.__version__}, numpy {np.__version__}"
    metadata = {
        "format": "pt",
        "title": "Handwritten digits, 8×8",
        "architecture": "conv1 3×3 pad 1, ReLU, max pool 2; conv2 3×3 pad 1, ReLU, max pool 2; fc1, ReLU; fc2",
        "input": "image / 16, [1, 8, 8]",
        "data": licence,
        "trained_by": "models/train_digits.py",
        "held_out_accuracy": f"{correct}/{HELD_OUT}",
    }
    save(p, WEIGHTS, metadata)
    for path in (PROVENANCE, SHIPPED_PROVENANCE):
        path.write_text(provenance(correct, train_correct, len(train_labels), versions), encoding="utf-8")


def save(tensors, path, metadata):
    """A safetensors file that is the same bytes every time: the library writes metadata in hash order."""
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, path)
    raw = path.read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header = {"__metadata__": metadata, **json.loads(raw[8 : 8 + n])}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.chmod(0o644)  # the library makes it private
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + n :])


if __name__ == "__main__":
    main()
