"""How numbers stand in the golden files: floats as the hex digits of their bits, so that none is lost."""

import numpy as np


def f32_hex(values):
    """8 hex digits per value, most significant first, no separator."""
    return np.ascontiguousarray(values, dtype=np.float32).ravel().astype(">f4").tobytes().hex()


def ints(values):
    return [int(v) for v in np.asarray(values).ravel()]
