"""The article's three listings, as it prints them, run by numpy 2."""

import warnings

import numpy as np

from bits import f32_hex

assert int(np.__version__.split(".")[0]) >= 2, "numpy 1 promotes scalars by another rule"


# The listings are the article's own text.
# fmt: off
def quantize_zero(float_values, min_value, max_value):
    quantized_values = np.zeros_like(float_values)
    non_zero_count = 0
    for i, value in enumerate(float_values):
        if value != 0:
            quantized_values[i] = round((value - min_value) / (max_value - min_value) * (max_value - min_value)) + min_value
            non_zero_count += 1
    return quantized_values, non_zero_count


def quantize_non_zero(float_values, min_value, max_value):
    quantized_values = np.copy(float_values)
    for i, value in enumerate(float_values):
        if value != 0:
            quantized_values[i] = round((value - min_value) / (max_value - min_value) * (max_value - min_value)) + min_value
    return quantized_values


def quantize_mixed(float_values, min_value, max_value, zero_ratio=0.5):
    quantized_values = np.copy(float_values)
    zero_count = int(len(float_values) * zero_ratio)  # noqa: F841
    for i, value in enumerate(float_values):
        if value == 0:
            quantized_values[i] = 0
        else:
            quantized_values[i] = round((value - min_value) / (max_value - min_value) * (max_value - min_value)) + min_value
    return quantized_values
# fmt: on


RANGES = [
    (-128, 127),
    (0, 255),
    (-8, 7),
    (0, 1),
    (0.0, 1.0),
    (-0.5, 0.5),
    (0.1, 0.7),
    (-1, 2),
    (127, -128),
    (-(2**60), 2**60),
    (0, 2**24 + 1),
    (-(2**53), 3),
    (0, 2**127),
    (0, 2**130),
    (0.0, 1e300),
    (-1e-300, 1.0),
]
NO_RANGES = [(0, 0), (5, 5), (0.5, 0.5), (-128, -128)]


def inputs():
    rng = np.random.default_rng(21)
    yield "the article's example", [1.2, 2.3, 3.4, 4.5, 5.6]
    yield "negatives", [-1.2, -2.3, -3.4, -4.5, -5.6, -0.4, -0.6]
    yield "zeros and −0", [0.0, -0.0, 1.0, -1.0, 0.0, -0.0, 0.25, -0.25]
    yield "ties", np.arange(-12, 13) / 2
    yield "near ties", np.nextafter(np.arange(-8, 9) / 2, np.float32(100), dtype=np.float32)
    yield "trained weights", rng.normal(0, 0.1, 40)
    yield "wide", rng.normal(0, 100, 40)
    yield "large", [1e10, -1e10, 1e30, -1e30, 3e38, -3e38, 16777217.0, 33554434.0, 2.0**53, 2.0**60, 2.0**61]
    yield "small", [1e-3, -1e-10, 1e-38, 1e-40, -1e-45, 2.0**-149]
    yield "empty", []
    yield "one zero", [0.0]


def run(name, values, low, high):
    """What each listing gives: values, a count, or the name of the exception."""
    values = np.asarray(values, dtype=np.float32)
    case = {"name": name, "values": f32_hex(values), "min": low, "max": high}
    for key, call in [("zero", quantize_zero), ("nonzero", quantize_non_zero), ("mixed", quantize_mixed)]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = call(values, low, high)
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            case[key] = {"error": type(error).__name__}
            continue
        case[key] = {"values": f32_hex(result[0]), "count": result[1]} if key == "zero" else {"values": f32_hex(result)}
    return case


def cases():
    example, count = quantize_zero(np.array([1.2, 2.3, 3.4, 4.5, 5.6], dtype=np.float32), -128, 127)
    assert example.tolist() == [1, 2, 3, 4, 6] and count == 5

    # min and max are whole numbers where the listing was given a Python int: JSON keeps 0 and 0.0 apart.
    out = [run(name, values, *r) for name, values in inputs() for r in RANGES]
    for r in NO_RANGES:
        out += [run("no range", [1.2, 0.0], *r), run("no range, the value at min", [r[0] or 1.0], *r)]
        out += [run("no range, zeros only", [0.0, -0.0], *r)]
    for value in [np.nan, np.inf, -np.inf]:
        out.append(run(f"{value}", [1.2, value, 0.0], -128, 127))
    return out
