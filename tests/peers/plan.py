"""A plan for a size against llama-quantize's presets: smaller files, nearer to float when llama.cpp runs them.

The tiny language model under each preset, and the plan of at most 98 % of that file (tests/peers/plan.js), are run by llama.cpp on held-out text;
the distance is the Kullback-Leibler divergence of what they predict from what the float model does (tests/peers/plan_logits.py).

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
        files = [str(model)] + [case[key] for case in made for key in ("file", "planned")]
        rows = {row["name"]: row for row in plan_logits.compared(MODELS / "rust-docs-heldout.txt", files)}
    for case in made:
        preset, planned = rows[case["preset"]], rows[f"{case['preset']}-planned"]
        holds = planned["bytes"] < preset["bytes"] and planned["kl"] < preset["kl"]
        passed, failed = passed + holds, failed + (not holds)
        if not holds:
            print(f"FAIL {case['preset']}: {preset} against {planned}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
