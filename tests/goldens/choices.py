"""The affine options beyond the default, by numpy from the wording of `src/quant/affine`: rounding half away from zero,
range by percentile, least squared error and KL, refit, mean correction, and zero, nonzero, mixed."""

import numpy as np

import affine
from affine import code_range, dequantize, parameters, quantize
from bits import f32_hex


def grid_of_range(lo, hi, bits, mode):
    """(scale, zero point) of a range. Symmetric full: its end of larger magnitude, the negative one when equal, goes lowest."""
    ends = [lo, hi] if abs(lo) >= abs(hi) else [hi, lo]
    return parameters(np.array(ends, np.float32), bits, mode)


def half_away(x, scale, zero_point, bits, mode):
    low, high = code_range(bits, mode)
    quotient = (np.asarray(x, np.float32) / np.float32(scale)).astype(np.float64)  # so that adding a half is exact
    steps = np.copysign(np.floor(np.abs(quotient) + 0.5), quotient)
    return np.clip(steps + zero_point, low, high).astype(np.int8)


def squared_error(x, scale, zero_point, bits, mode):
    back = dequantize(quantize(x, scale, zero_point, bits, mode), scale, zero_point)
    return float(((x.astype(np.float64) - back) ** 2).sum())


def percentile_grid(x, percent, bits, mode):
    inside = percent / 100
    if mode == "asymmetric":
        tail = (1 - inside) / 2
        lo, hi = np.quantile(x.astype(np.float64), [tail, 1 - tail])
    else:
        hi = np.quantile(np.abs(x).astype(np.float64), inside)
        lo = -hi
    return grid_of_range(np.float32(lo), np.float32(hi), bits, mode)


def least_squares_grid(x, bits, mode):
    """(grid, share, error): r = 2^(−k/4) for k = 0 … 24, until four in a row are no better than the best so far; then the best
    times 2^(±1/12) and 2^(±1/6), where that is at most 1; the larger wins ties."""

    def at(share):
        r = np.float32(share)
        if mode == "full":
            return parameters(np.array([x[np.argmax(np.abs(x))] * r], np.float32), bits, mode)
        return grid_of_range(x.min() * r, x.max() * r, bits, mode)

    def error(share):
        return squared_error(x, *at(share), bits, mode)

    coarse, in_vain = 1.0, 0
    for k in range(1, 25):
        share = 2 ** (-k / 4)
        if error(share) < error(coarse):
            coarse, in_vain = share, 0
        else:
            in_vain += 1
        if in_vain == 4:
            break
    around = [coarse * 2 ** (i / 12) for i in (-2, -1, 0, 1, 2)]
    share = min((s for s in around if s <= 1), key=lambda s: (error(s), -s))
    return at(share), share, error(share)


def kl_clip(x, bits):
    """(clip, divergences by length): Migacz's calibration on magnitudes as the engine words it."""
    half = 2 ** (bits - 1)
    bins = max(min(2048, 16 * half), 4 * half)
    top = float(np.abs(x).max())
    counts, _ = np.histogram(np.abs(x).astype(np.float64), bins=bins, range=(0, top))
    step = max(1, -(-(bins - half) // 127))
    found = {}
    for length in range(bins, half - 1, -step):
        inside = counts[:length].astype(np.float64)
        p = inside.copy()
        p[-1] += counts[length:].sum()
        group = np.arange(length) * half // length
        mass = np.bincount(group, inside, half)
        filled = np.bincount(group, inside > 0, half)
        q = np.where(inside > 0, mass[group] / np.maximum(filled[group], 1), 0)
        p, q = p / p.sum(), q / q.sum()
        some = p > 0
        found[length] = float((p[some] * np.log(p[some] / np.maximum(q[some], 1e-6))).sum())
    length = min(found, key=lambda i: (found[i], -i))
    return np.float32(top * length / bins), found


def refit(x, codes, scale, zero_point):
    """The least-squares scale for these codes, if it is better."""
    k = codes.astype(np.float64) - zero_point
    x = x.astype(np.float64)
    if not (k * k).sum():
        return scale
    fitted = np.float32((x * k).sum() / (k * k).sum())

    def error(s):
        return ((x - np.float64(s) * k) ** 2).sum()

    return fitted if abs(fitted) >= affine.TINY and error(fitted) < error(scale) else scale


def keep_non_zero(x, codes, scale, zero_point, bits, mode):
    """A weight that fell on the zero point moves one code towards its own sign; the other way where the grid ends there."""
    low, high = code_range(bits, mode)
    out = codes.copy()
    for i in np.flatnonzero((codes == zero_point) & (x != 0)):
        up = (x[i] > 0) == (scale > 0)
        if up and zero_point + 1 > high or not up and zero_point - 1 < low:
            up = not up
        out[i] += 1 if up else -1
    return out


def mixed(x, zero_ratio, float_ratio):
    """(becomes zero, stays float): exact shares; ties go by index, the first stay float, the last become zero."""
    n = len(x)
    order = np.lexsort((-np.arange(n), np.abs(x)))  # ascending magnitude; of equal ones the last first
    kept = int(float_ratio * n)
    zeroed = min(int(zero_ratio * n), n - kept)
    return np.sort(order[:zeroed]), np.sort(order[n - kept :])


def inputs():
    rng = np.random.default_rng(24)
    yield "gaussian", rng.normal(0, 0.1, 300)
    yield "shifted", rng.normal(0.15, 0.1, 101)
    yield "heavy tail", rng.standard_t(2, 150) * 0.05
    yield "outlier", np.concatenate([rng.normal(0, 0.1, 100), [5.0]])
    yield "ties", np.concatenate([[7], rng.integers(-14, 15, 60) / 2])


def one(name, scheme, options, scale, zero_point, codes, values=None, **more):
    if values is not None:
        more["dequantized"] = f32_hex(values)
    return {
        "scheme": scheme,
        "options": options,
        "input": name,
        "scales": f32_hex([scale]),
        "zeroPoints": [int(zero_point)],
        "codes": codes.tobytes().hex(),
    } | more


def choices(name, x, bits, mode):
    """Every option on one input."""
    scheme, base, plain = f"int{bits}", affine.mode_options(mode), parameters(x, bits, mode)
    plain_codes = quantize(x, *plain, bits, mode)

    def with_range(options, grid, **more):
        return one(name, scheme, base | options, *grid, quantize(x, *grid, bits, mode), **more)

    yield one(name, scheme, base | {"rounding": "away"}, *plain, half_away(x, *plain, bits, mode))

    for percent in (99.9, 99, 90) if bits == 4 else (99,):
        yield with_range({"range": "percentile", "percentile": percent}, percentile_grid(x, percent, bits, mode))

    grid, share, error = least_squares_grid(x, bits, mode)
    yield with_range({"range": "mse"}, grid, share=share, squaredError=error)

    clip, found = kl_clip(x, bits)
    best, second = sorted(found.values())[:2]
    grid = grid_of_range(max(x.min(), -clip), min(x.max(), clip), bits, mode)
    yield with_range({"range": "kl"}, grid, clip=f32_hex([clip]), margin=second - best)

    grid = refit(x, plain_codes, *plain), plain[1]
    error = float(((x.astype(np.float64) - dequantize(plain_codes, *grid)) ** 2).sum())
    yield one(name, scheme, base | {"refit": True}, *grid, plain_codes, squaredError=error)

    back = dequantize(plain_codes, *plain)
    offset = np.float32((x.astype(np.float64) - back).mean())
    options = base | {"correction": "mean"}
    yield one(name, scheme, options, *plain, plain_codes, back + offset, offset=f32_hex([offset]))

    base = {"bits": bits} | base
    yield one(name, "zero", base, *plain, plain_codes)
    yield one(name, "nonzero", base, *plain, keep_non_zero(x, plain_codes, *plain, bits, mode))
    for zero_ratio, float_ratio in [(0.5, 0.01), (0.2, 0.1), (1, 0)] if bits == 4 else [(0.5, 0.05)]:
        zeroed, kept = mixed(x, zero_ratio, float_ratio)
        grid = parameters(np.delete(x, kept), bits, mode)
        codes = quantize(x, *grid, bits, mode)
        codes[zeroed] = codes[kept] = grid[1]
        values = dequantize(codes, *grid)
        values[kept] = x[kept]
        yield one(name, "mixed", base | {"zeroRatio": zero_ratio, "floatRatio": float_ratio}, *grid, codes, values)


def cases():
    out = []
    for name, x in inputs():
        x = np.asarray(x, np.float32)
        out.append({"name": name, "values": f32_hex(x)})
        out += [case for bits in (2, 4, 8) for mode in affine.MODES for case in choices(name, x, bits, mode)]
    return out
