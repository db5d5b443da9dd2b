"""A plan for a size against llama-quantize's presets: smaller files, nearer to float when llama.cpp runs them.

The tiny language model under each preset, and plans of smaller files (tests/peers/plan.js), are run by llama.cpp on held-out text; the distance is
the Kullback-Leibler divergence of what they predict from what the float model does (tests/peers/plan_logits.py). No plan has seen this text.
A plan chosen by running is nearer also than the one by measured weights that it went out from.

Ends `N passed, N failed`.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "www/public/models"
sys.path[:0] = [str(ROOT / "tests/goldens"), str(ROOT / "tests/peers")]
import llamacpp  # noqa: E402


def main():
    why = llamacpp.unavailable()
    if why:
        print(f"0 passed, 0 failed, 1 skipped: {why}")
        return 0
    import plan_logits

    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        model = MODELS / "rust-docs.gguf"
        run = subprocess.run(
            ["node", "tests/peers/plan.js", model, folder], cwd=ROOT, capture_output=True, text=True, check=True
        )
        made = [json.loads(line) for line in run.stdout.splitlines()]
        files = [str(model)] + [file for case in made for file in [case["file"]] + [p["file"] for p in case["plans"]]]
        rows = {row["name"]: row for row in plan_logits.compared(MODELS / "rust-docs-heldout.txt", files)}
    print(f"{'preset':8} {'KL, nats':>9}  plans: share of its bytes, and of its divergence")
    for case in made:
        preset = rows[case["preset"]]
        shown = []
        for plan in case["plans"]:
            planned = rows[f"{case['preset']}-{plan['kind']}"]
            least = rows[f"{case['preset']}-measured"] if plan["kind"] == "running" else preset
            holds = planned["bytes"] < preset["bytes"] and planned["kl"] < min(preset["kl"], least["kl"])
            passed, failed = passed + holds, failed + (not holds)
            shares = f"{planned['bytes'] / preset['bytes']:.4f} {planned['kl'] / preset['kl']:.3f}"
            shown.append(f"{plan['kind']} {shares}{'' if holds else ' FAIL'}")
        print(f"{case['preset']:8} {preset['kl']:9.6f}  {'   '.join(shown)}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
