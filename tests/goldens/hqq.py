"""HQQ by numpy from the published algorithm (the solver's steps in f32, powers by numpy), each group keeping the best of the zeros that
it meets. The tests compare errors and values, not bits: the engine's powers are approximations."""

import numpy as np

from bits import f32_hex

F = np.float32


def objective(e):
    return float((np.abs(e.astype(np.float64)) ** 0.7).sum())


def solve(x, bits):
    high = F(2**bits - 1)
    spread = float(x.max()) - float(x.min())
    factor = F(float(high) / spread) if spread else F(1)
    zero = -x.min() * factor
    scale = F(1) / factor
    best = None
    beta = F(10)
    for step in range(21):
        q = np.clip(np.rint(x * factor + zero), 0, high)
        e = x - (q - zero) * scale
        found = objective(e)
        if step == 0:
            first = found
        if best is None or found < best[0]:
            best = found, zero, q
        with np.errstate(divide="ignore"):
            stays = np.sign(e) * np.maximum(np.abs(e) - F(1) / beta * np.abs(e) ** F(-0.3), 0)
        zero = F((q - (x - stays) * factor).astype(np.float64).mean())
        beta *= F(1.01)
    found, zero, q = best
    return scale, (q - zero) * scale, first, found


def inputs():
    rng = np.random.default_rng(61)
    yield "gaussian", rng.normal(0, 0.05, (4, 128))
    yield "heavy tail", rng.standard_t(2, (4, 128)) * 0.3
    yield "lopsided", rng.gamma(2, 1, (3, 100))
    yield "constant", np.full((1, 64), 0.3)


def cases():
    out = []
    for name, x in inputs():
        x = np.asarray(x, F)
        out.append({"name": name, "values": f32_hex(x)})
        for bits in (1, 2, 3, 4, 5, 6, 8):
            groups = [row[i : i + 64] for row in x for i in range(0, len(row), 64)]
            solved = [solve(group, bits) for group in groups]
            out.append(
                {
                    "input": name,
                    "scheme": "hqq",
                    "options": {"bits": bits, "groupSize": 64},
                    "shape": list(x.shape),
                    "scales": f32_hex([s for s, _, _, _ in solved]),
                    "dequantized": f32_hex(np.concatenate([v for _, v, _, _ in solved])),
                    "start": sum(first for _, _, first, _ in solved),
                    "objective": sum(found for _, _, _, found in solved),
                }
            )
    return out
