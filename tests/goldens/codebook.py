"""kmeans: Lloyd's iteration by numpy until no code changes, from the same starts. Where scikit-learn is installed (it is none of the
tests' requirements) its KMeans is held against it here: the goldens were made with 1.9.1."""

import numpy as np

from bits import f32_hex

try:
    from sklearn.cluster import KMeans
except ImportError:
    KMeans = None


def lloyd(x, start):
    levels = np.sort(start.astype(np.float64))
    codes = None
    while True:
        now = np.searchsorted((levels[:-1] + levels[1:]) / 2, x, side="left")
        if codes is not None and np.array_equal(now, codes):
            return levels, now
        codes = now
        for i in range(len(levels)):
            if (codes == i).any():
                levels[i] = x[codes == i].mean()


def inputs():
    rng = np.random.default_rng(51)
    yield "gaussian", rng.normal(0, 0.1, 1500)
    yield "uniform", rng.random(1000)
    yield "two heaps", np.concatenate([rng.normal(-1, 0.1, 300), rng.normal(0.5, 0.2, 700)])
    yield "laplacian", rng.laplace(0, 0.05, 1200)


def starts(x, bits, init):
    if init == "linear":
        return np.linspace(x.min(), x.max(), 2**bits)
    order = np.sort(x)
    return order[((np.arange(2**bits) + 0.5) / 2**bits * len(x)).astype(int)]


def cases():
    out = []
    for name, x in inputs():
        x = np.asarray(x, np.float32)
        out.append({"name": name, "values": f32_hex(x)})
        x = x.astype(np.float64)
        for bits in range(1, 7):
            for init in ("linear", "density"):
                start = starts(x, bits, init)
                levels, codes = lloyd(x, start)
                full = len(np.unique(codes)) == 2**bits
                if KMeans and full:
                    theirs = KMeans(2**bits, init=start[:, None], n_init=1, tol=0, max_iter=10000).fit(x[:, None])
                    ours = ((x - levels[codes]) ** 2).sum()
                    # Where a level is empty on the way theirs jumps.
                    assert theirs.inertia_ <= ours * (1 + 1e-9), f"{name} {bits} {init}: {theirs.inertia_} {ours}"
                    same = np.allclose(np.sort(theirs.cluster_centers_.ravel()), levels, atol=1e-9)
                    assert same or theirs.inertia_ < ours, f"{name} {bits} {init}: other levels"
                out.append(
                    {
                        "input": name,
                        "scheme": "kmeans",
                        "options": {"bits": bits, "init": init},
                        "codebook": f32_hex(levels),
                        "squaredError": float(((x - levels[codes]) ** 2).sum()),
                    }
                )
    return out
