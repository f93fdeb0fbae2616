"""Rows of the bits of numbers."""

import numpy as np

from samples.sample import WIDE_FLOATS, Sample, case, integers, numbers, unary


def hash_tensor(x: np.ndarray, dim: int | None = None, keepdim: bool = False) -> np.ndarray:
    """Return the exclusive or of the numbers' bits, as numbers of 64 bits."""
    bits = x.view(np.uint64) if x.dtype.kind == "f" else x.astype(np.int64).view(np.uint64)
    return np.bitwise_xor.reduce(bits, axis=dim, keepdims=keepdim)


ROWS = [
    Sample("frexp", [*unary(), case(np.array([7.0, -0.75]))], np.frexp, WIDE_FLOATS, ("same", "int32")),
    Sample(
        "hash_tensor",
        [case(numbers(3, 4)), case(numbers(3, 4), 1), case(integers(-9, 9, 3, 4), 0, keepdim=True)],
        hash_tensor,
        (),
        derivatives=0,
    ),
]
