"""llama.cpp reads what `effort: 'best'` writes as we do, and computes with it what it should.

Each type's bytes come from tests/peers/best.js. They are decoded by llama.cpp's own library, which must give our values bit for bit. Then
each is multiplied with activations by the dot product that inference uses, in every build of the library that this processor
runs; the sum must be that of the decoded values. The search's q8_0 uses the code -128, which the reference's never does, and some of these
products change signs of bytes, where -128 has no negative: it is safe as long as llama.cpp quantizes activations itself, to
-127 ... 127. Activations as large as that, of both signs, are among those tried.

Ends `N passed, N failed`.
"""

import base64
import ctypes
import json
import pathlib
import subprocess
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/goldens"))
import llamacpp  # noqa: E402

ROW = 1024
# Of the sum of magnitudes: sums in f32, in any order; beside minima stands the sum of a block's activations in half precision.
TOLERANCE, TOLERANCE_WITH_MIN = 2e-6, 2e-3


class CpuTraits(ctypes.Structure):
    _fields_ = [
        ("from_float", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)),
        (
            "vec_dot",
            ctypes.CFUNCTYPE(
                None,
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_size_t,
                ctypes.c_void_p,
                ctypes.c_size_t,
                ctypes.c_void_p,
                ctypes.c_size_t,
                ctypes.c_int,
            ),
        ),
        ("vec_dot_type", ctypes.c_int),
        ("nrows", ctypes.c_int64),
    ]


def builds():
    """Name → CpuTraits by type, for the builds that run here."""
    found = {}
    for path in sorted(llamacpp.LIBRARY.parent.glob("libggml-cpu-*.so")):
        lib = ctypes.CDLL(str(path))
        if lib.ggml_backend_score() == 0:
            continue
        lib.ggml_cpu_init()
        lib.ggml_get_type_traits_cpu.restype = ctypes.POINTER(CpuTraits)
        found[path.stem.removeprefix("libggml-cpu-")] = lambda number, lib=lib: lib.ggml_get_type_traits_cpu(number).contents
    return found


def activations(rng):
    """Rows that weights are multiplied with."""
    yield rng.standard_normal(ROW).astype(np.float32)
    yield rng.choice([-1, 1], ROW).astype(np.float32)
    yield np.ones(ROW, np.float32)
    yield -np.ones(ROW, np.float32)


class Q8_1:
    """The type of activations for weights with a minimum, which the library cannot read: scale, sum, 32 codes."""

    number = 9
    block_len = 32
    block_bytes = 36

    @staticmethod
    def decode(data):
        blocks = data.reshape(-1, 36)
        scales = np.ascontiguousarray(blocks[:, :2]).view(np.float16).astype(np.float32)
        return (scales * blocks[:, 4:].view(np.int8)).reshape(-1)


def products(kind, row, values, traits, by_number, rng):
    """Whether the dot product of one row of bytes with each activation is that of the decoded values."""
    cpu = traits(kind.number)
    other = by_number[cpu.vec_dot_type]
    tolerance = TOLERANCE_WITH_MIN if other is Q8_1 else TOLERANCE
    for x in activations(rng):
        packed = np.zeros(ROW // other.block_len * other.block_bytes, np.uint8)
        traits(other.number).from_float(x.ctypes.data, packed.ctypes.data, ROW)
        read = other.decode(packed).astype(np.float64)
        sum_ = ctypes.c_float()
        cpu.vec_dot(ROW, ctypes.byref(sum_), 0, row.ctypes.data, 0, packed.ctypes.data, 0, 1)
        if abs(sum_.value - values @ read) > tolerance * (np.abs(values) @ np.abs(read)):
            return False
    return True


def main():
    why = llamacpp.unavailable()
    if why:
        print(f"0 passed, 0 failed, 1 skipped: {why}")
        return 0
    types = llamacpp.types()
    by_number = {kind.number: kind for kind in [*types.values(), Q8_1]}
    run = subprocess.run(["node", "tests/peers/best.js"], cwd=ROOT, capture_output=True, text=True, check=True)
    rng = np.random.default_rng(1)
    variants = builds()
    passed = failed = lowest = 0

    def expect(holds, what):
        nonlocal passed, failed
        passed, failed = passed + bool(holds), failed + (not holds)
        if not holds:
            print(f"FAIL {what}")

    for line in run.stdout.splitlines():
        case = json.loads(line)
        kind = types[case["id"]]
        data = np.frombuffer(base64.b64decode(case["bytes"]), np.uint8)
        ours = np.frombuffer(base64.b64decode(case["values"]), np.float32)
        expect((kind.decode(data).view(np.uint32) == ours.view(np.uint32)).all(), f"{kind.name}, {case['input']}: decoded")
        if kind.name == "q8_0":
            lowest += int((data.reshape(-1, 34)[:, 2:].view(np.int8) == -128).sum())
        rows = data.reshape(len(ours) // ROW, -1)
        for name, traits in variants.items():
            good = all(
                products(kind, np.ascontiguousarray(row), values.astype(np.float64), traits, by_number, rng)
                for row, values in zip(rows, ours.reshape(-1, ROW))
            )
            expect(good, f"{kind.name}, {case['input']}: dot product of {name}")
    expect(lowest > 0, "no code of -128 was tried")
    print(f"{', '.join(variants)}; {lowest} codes of -128")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
