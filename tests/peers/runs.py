"""llama.cpp runs what `fewerbits shrink` makes of model folders, and quantizes a file to the same bytes as `fewerbits shrink` does.

The folders of tests/data/hugging_face/ (Llama, Mistral, Qwen2, BERT) become f16 GGUF files: the logits of each, or its embedding, are those of
the file that PyPI's gguf wrote of the same folder. A Llama with rows for K-quants, of random weights and in two shards, is held against a numpy
model; its Q4_K_M, Q8_0 and Q4_0, made of the folder and made of its f16 GGUF, have the tensors that `llama_model_quantize` writes, byte for
byte, and run to the same logits. Ends `N passed, N failed`.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Not before the packages: tests/data has an onnx.py.
sys.path += [str(ROOT / "tests/goldens"), str(ROOT / "tests/data")]
import hugging_face  # noqa: E402
import llama_quantize  # noqa: E402
import llama_run  # noqa: E402
import llamacpp  # noqa: E402
import wide  # noqa: E402

CLI = ROOT / "pkg/lib/cli.js"
DATA = ROOT / "tests/data/hugging_face"
TOKENS = [5, 17, 200, 33, 17, 8, 290, 41]
passed, failed = 0, []


def check(what, holds, why=""):
    global passed
    if holds:
        passed += 1
    else:
        failed.append(what)
        print(f"FAILED {what} {why}")


def shrink(source, target, *args):
    """What the command reports."""
    done = subprocess.run(
        ["node", CLI, "shrink", source, "-o", target, "--json", *args], capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise RuntimeError(f"shrink {source} {args}: {done.stderr}")
    return json.loads(done.stdout)["outputs"][0]


def tensors(path):
    """Type, shape and bytes by name."""
    reader = gguf.GGUFReader(path)
    return {t.name: (t.tensor_type.name, t.shape.tolist(), bytes(t.data.tobytes())) for t in reader.tensors}


def apart(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def folders(at):
    for name in ["llama", "mistral", "qwen2", "bert"]:
        folder = at / name
        wide.stage(name, folder)
        config = json.loads((folder / "config.json").read_text())
        width = config["hidden_size"] if name == "bert" else 0
        wanted, said = llama_run.run(DATA / name / "expected.gguf", TOKENS, hugging_face.TEXTS, width)
        report = shrink(folder, at / f"{name}.gguf", "--scheme", "f16")
        check(f"{name}: said to run", [note["code"] for note in report["notes"]].count("runs") == 1, report["notes"])
        found, texts = llama_run.run(at / f"{name}.gguf", TOKENS, hugging_face.TEXTS, width)
        error = apart(found, wanted)
        print(f"{name}: logits of f16 within {error:.1e} of those of gguf-py's f32")
        check(f"{name}: logits", error < 5e-3, error)
        check(f"{name}: tokens", texts == said)
        if not width:
            check(f"{name}: next tokens", (found.argmax(-1) == wanted.argmax(-1)).all())


def quantized(at):
    folder = at / "wide"
    config, weights = wide.make(folder)
    shrink(folder, at / "wide-f16.gguf", "--scheme", "f16")
    reference = hugging_face.decoder(weights, config, TOKENS)
    exact, _ = llama_run.run(at / "wide-f16.gguf", TOKENS)
    error = apart(exact, reference)
    print(f"wide: logits of f16 within {error:.1e} of the numpy model's")
    check("wide: logits", error < 5e-3, error)
    check("wide: next tokens", (exact.argmax(-1) == reference.argmax(-1)).all())
    for preset in ["Q4_K_M", "Q8_0", "Q4_0"]:
        theirs, ours, direct = (at / f"{preset}-{i}.gguf" for i in ["theirs", "ours", "direct"])
        assert llama_quantize.quantize(at / "wide-f16.gguf", theirs, llama_quantize.PRESETS[preset])
        shrink(at / "wide-f16.gguf", ours, "--preset", preset)
        shrink(folder, direct, "--preset", preset)
        wanted = tensors(theirs)
        kinds = sorted({kind for kind, _, _ in wanted.values()})
        for what, path in [("of the GGUF file", ours), ("of the folder", direct)]:
            found = tensors(path)
            check(f"{preset} {what}: names", found.keys() == wanted.keys())
            wrong = [name for name in wanted if found.get(name) != wanted[name]]
            check(f"{preset} {what}: bytes", not wrong, wrong[:5])
        a, b = (llama_run.run(path, TOKENS)[0] for path in [theirs, direct])
        cosine = (b * exact).sum() / np.linalg.norm(b) / np.linalg.norm(exact)
        print(f"{preset}: {len(wanted)} tensors of {', '.join(kinds)} are llama.cpp's; cosine of logits to f16 {cosine:.6f}")
        check(f"{preset}: runs as llama.cpp's own", np.array_equal(a, b))
        check(f"{preset}: close to f16", cosine > {"Q4_K_M": 0.98, "Q8_0": 0.9995, "Q4_0": 0.95}[preset], cosine)


def main():
    why = llamacpp.unavailable()
    if why:
        print(why)
        print("0 passed, 0 failed, 1 skipped")
        return 0
    with tempfile.TemporaryDirectory() as at:
        folders(pathlib.Path(at))
        quantized(pathlib.Path(at))
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


sys.exit(main())
