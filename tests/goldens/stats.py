"""Statistics by numpy in f64 over f32 values."""

import math

import numpy as np

from bits import f32_hex

QUANTILES = [0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0]


def inputs():
    rng = np.random.default_rng(20)
    g = rng.normal(0, 0.1, 1000)
    yield "gaussian", g
    yield "mean is 10⁴ times std", 1e4 * 0.1 + g
    yield "mean is −10⁴ times std", -1e4 * 0.1 + g
    yield "heavy tail", rng.standard_t(2, 1000) * 0.05
    yield "one outlier", np.concatenate([g[:500], [100.0], g[500:]])
    yield "constant", np.full(67, 0.1)
    yield "all zero", np.zeros(33)
    yield "zeros and −0", np.concatenate([[0.0, -0.0], g[:50], [-0.0, 0.0, 0.0], -np.abs(g[50:90])])
    yield "−0 only", np.full(9, -0.0)
    yield "one", [0.3]
    yield "two", [-1.0, 3.0]
    yield "one-signed", np.abs(g[:301]) + 0.5
    yield "subnormal", rng.integers(-1000, 1000, 101) * 2.0**-149
    yield "huge", rng.uniform(-3e38, 3e38, 130)
    yield "integers", rng.integers(-8, 8, 500)
    for n in [3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65]:
        yield f"gaussian, {n}", g[:n]


def moments(x):
    """Mean, population std, skewness, excess kurtosis: two passes; skewness and kurtosis null for a constant."""
    mean = x.mean()
    d = x - mean
    m2 = np.mean(d * d)
    spread = x.max() > x.min()
    if not spread:
        return {"mean": float(x[0]), "std": 0.0, "skewness": None, "kurtosis": None}
    z = d / math.sqrt(m2)  # so that huge and subnormal values stay in range
    out = {"mean": mean, "std": x.std(ddof=0), "skewness": np.mean(z**3), "kurtosis": np.mean(z**4) - 3}
    # The sums once more without rounding: numpy's must be good enough to be a reference.
    exact = math.fsum(x) / len(x)
    exact_m2 = math.fsum((v - exact) ** 2 for v in x) / len(x)
    assert math.isclose(out["mean"], exact, rel_tol=1e-12, abs_tol=1e-15 * float(np.abs(x).max()))
    assert math.isclose(out["std"], math.sqrt(exact_m2), rel_tol=1e-12)
    return {k: float(v) for k, v in out.items()}


def histogram(x, bins, lo, hi):
    """numpy.histogram: equal bins, the last one closed; `below` and `above` count what it leaves out."""
    counts, _ = np.histogram(x, bins=bins, range=(lo, hi))
    below, above = int((x < lo).sum()), int((x > hi).sum())
    assert counts.sum() + below + above == len(x)
    return {"lo": float(lo), "hi": float(hi), "counts": counts.tolist(), "below": below, "above": above}


def cases():
    out = []
    for name, values in inputs():
        values = np.asarray(values, dtype=np.float32)
        x = values.astype(np.float64)
        case = {"name": name, "values": f32_hex(values), "count": len(x)}
        case |= {"min": f32_hex([values.min()]), "max": f32_hex([values.max()])}
        case |= moments(x)
        case["zeros"] = int((x == 0).sum())
        case["quantiles"] = [{"q": q, "value": float(np.quantile(x, q, method="linear"))} for q in QUANTILES]
        # Edges that f64 holds exactly, so that which bin a value is in does not hang on how an edge is rounded.
        if np.abs(x).max() < 1e6 and np.abs(x).max() > 1e-30:
            case["histograms"] = [histogram(x, 8, -1, 1), histogram(x, 16, -0.25, 0.25), histogram(x, 64, -8, 8)]
        out.append(case)
    return out
