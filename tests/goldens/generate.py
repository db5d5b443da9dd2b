"""Writes the goldens: what implementations that are not ours compute. README.md here says which and in what form.

python tests/goldens/generate.py            writes tests/goldens/*.jsonl
python tests/goldens/generate.py --check    makes them in memory and compares them with the committed files
"""

import argparse
import importlib
import json
import math
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
# Each is a module here with cases() -> [dict]; its file is <topic>.jsonl.
TOPICS = ["affine", "article", "binary", "bnb", "bnb_library", "choices", "codebook", "deep", "digits", "float", "ggml", "hqq", "llama_quantize", "lm", "measured", "stats", "weighed"]
TOLERANCE = 1e-12  # relative, for JSON's float numbers in --check: sums in another order on another processor


def dump(cases):
    """One case on a line, so that a difference shows as one line."""
    return "".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) + "\n" for case in cases)


def load(text):
    return [json.loads(line) for line in text.splitlines()]


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


# numpy's powers and the order of BLAS's sums are the processor's: these are the same where they are close. f32 words in hexadecimal.
VARIES = {("hqq", "dequantized"), ("hqq", "objective"), ("digits", "logits"), ("lm", "logits"), ("lm", "nats")}
VARIES |= {("measured", "cosine"), ("measured", "sqnrDb"), ("measured", "maxAbs"), ("weighed", "weight")}


def close(a, b):
    if not (isinstance(a, str) and isinstance(b, str) and len(a) == len(b) and len(a) % 8 == 0):
        return same(a, b) or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-3))
    x, y = (struct.unpack(f">{len(t) // 8}f", bytes.fromhex(t)) for t in (a, b))
    most = max(map(abs, y), default=0.0)
    errors = [abs(u - v) for u, v in zip(x, y)]
    # An activation on the edge of two codes may take the other one: few values then move by a step.
    moved = sum(error > 1e-3 * most for error in errors)
    return all(error <= 3e-2 * most for error in errors) and moved <= len(errors) // 100


def same_field(topic, name, a, b):
    return close(a, b) if (topic, name) in VARIES else same(a, b)


def same_case(topic, a, b):
    return a.keys() == b.keys() and all(same_field(topic, k, a[k], b[k]) for k in a)


def compare(topic, cases):
    """(passed, failed) of the topic's cases against its committed file."""
    made = load(dump(cases))
    path = HERE / f"{topic}.jsonl"
    if not path.exists():
        print(f"FAIL {topic}: {path.name} is missing")
        return 0, len(made)
    kept = load(path.read_text(encoding="utf-8"))
    differ = [i for i, (a, b) in enumerate(zip(made, kept)) if not same_case(topic, a, b)]
    for i in differ[:3]:
        fields = [k for k in made[i] | kept[i] if not same_field(topic, k, made[i].get(k), kept[i].get(k))]
        print(
            f"FAIL {topic} case {i} ({made[i].get('name') or made[i].get('input')}): {', '.join(fields)} differ from {path.name}"
        )
    if len(made) != len(kept):
        print(f"FAIL {topic}: {len(made)} cases made, {len(kept)} in {path.name}")
    failed = len(differ) + abs(len(made) - len(kept))
    passed = min(len(made), len(kept)) - len(differ)
    print(f"{topic}: {passed} of {len(made)} cases are as in {path.name}")
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed files; write nothing")
    parser.add_argument("topics", nargs="*", default=TOPICS, metavar="topic", help=", ".join(TOPICS))
    args = parser.parse_args()
    passed = failed = 0
    for topic in args.topics:
        module = importlib.import_module(topic)
        missing = module.unavailable() if hasattr(module, "unavailable") else None
        if missing:
            print(f"{topic}: skipped: {missing}")
            continue
        cases = module.cases()
        if args.check:
            p, f = compare(topic, cases)
            passed, failed = passed + p, failed + f
        else:
            text = dump(cases)
            (HERE / f"{topic}.jsonl").write_text(text, encoding="utf-8")
            print(f"{topic}: {len(cases)} cases, {len(text.encode()):,} bytes")
    if args.check:
        print(f"{passed} passed, {failed} failed")
        sys.exit(failed > 0)


if __name__ == "__main__":
    main()
