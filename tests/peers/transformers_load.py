"""transformers loads what `fewerbits shrink --layout compressed-tensors` writes, and runs it as it runs the model that it was made of.

    python -m venv DIR && DIR/bin/pip install -r tests/peers/requirements-torch.txt
    cargo xtask build && DIR/bin/python tests/peers/transformers_load.py

Run by hand, for torch is some gigabytes; the README says when it was. The model is the sample language model as a folder of Hugging Face's. For
every layout: the weights that the library decompresses are, bit for bit, those that our own reader makes of the file, rounded to f16 as it does;
nothing is missing from the file or unexpected in it; the logits of a text lie close to the float folder's. Ends `N passed, N failed`.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "models"))
import train_lm  # noqa: E402

TEXT = "The compiler will check that every reference is valid, and a value is dropped when it goes out of scope."
# Scheme, and the least cosine of logits to those of float.
SCHEMES = [("int4", 0.98), ("int4:groupSize=32", 0.99), ("int8", 0.9999), ("fp8_e4m3", 0.999)]
# Reads every weight of a folder as f32.
READER = """
import { init, openModel } from '%s';
await init();
const model = await openModel(process.argv[1]);
const all = {};
for (const { name, parts, partOf } of model.tensors)
  if (!partOf) all[(parts?.[0] ?? name).replace(/_packed$/, '')] = Buffer.from((await model.read(name)).buffer).toString('base64');
console.log(JSON.stringify(all));
await model.close();
""" % (ROOT / "pkg/lib/index.js").as_uri()
passed = failed = 0


def check(what, holds, why=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print(f"FAILED {what} {why}")


def load(folder, **more):
    model, about = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True, **more)
    odd = {what: names for what, names in about.items() if names and what.endswith("keys")}
    check(f"{folder.name}: keys", not odd, odd)
    return model.eval()


def logits(model, tokens):
    with torch.no_grad():
        return model(tokens).logits[0].float().numpy()


def ours(folder):
    done = subprocess.run(["node", "--input-type=module", "-e", READER, folder], capture_output=True, text=True, check=True)
    return {k: np.frombuffer(base64.b64decode(v), np.float32) for k, v in json.loads(done.stdout).items()}


def one(scheme, least, at, exact, tokens):
    folder = at / scheme.replace(":", "-")
    args = ["--layout", "compressed-tensors", "--scheme", scheme]
    subprocess.run(["node", ROOT / "pkg/lib/cli.js", "shrink", at / "float", "-o", folder, *args], check=True, capture_output=True)
    config = transformers.utils.quantization_config.CompressedTensorsConfig(dequantize=True)
    for what, more in [("as it is", {}), ("decompressed", {"quantization_config": config})]:
        model = load(folder, **more)
        found = logits(model, tokens)
        cosine = (found * exact).sum() / np.linalg.norm(found) / np.linalg.norm(exact)
        same = (found.argmax(-1) == exact.argmax(-1)).mean()
        print(f"{scheme}, {what}: cosine of logits to float {cosine:.6f}, {same:.0%} of the next tokens")
        check(f"{scheme}, {what}: logits", cosine > least, cosine)
    theirs = {name: weight.detach().float().numpy() for name, weight in model.named_parameters()}
    found = ours(folder)
    check(f"{scheme}: names", found.keys() == theirs.keys(), found.keys() ^ theirs.keys())
    # Its products are rounded to the type of the scales, f16 as the model's matrices; ours are f32.
    rounded = {name: weight.astype(np.float16) if theirs[name].ndim == 2 else weight for name, weight in found.items()}
    wrong = [name for name, weight in rounded.items() if not np.array_equal(theirs[name].reshape(-1), weight)]
    check(f"{scheme}: weights", not wrong, wrong[:5])


def main():
    with tempfile.TemporaryDirectory() as at:
        at = pathlib.Path(at)
        train_lm.hugging_face(at / "float")
        tokens = torch.tensor([[0, *transformers.AutoTokenizer.from_pretrained(at / "float").encode(TEXT, add_special_tokens=False)]])
        exact = logits(load(at / "float"), tokens)
        for scheme, least in SCHEMES:
            one(scheme, least, at, exact, tokens)
    print(f"{passed} passed, {failed} failed")
    return failed > 0


sys.exit(main())
