"""Distances between all pairs of rows."""

import numpy as np

from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["pdist"]


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norms of the differences of all pairs of rows of (N, M), row 0's first: N * (N - 1) / 2 of them.

    >>> facula.pdist(facula.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]]))
    tensor([5.0000, 1.0000, 4.2426])
    """
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if not input.is_floating_point():
        raise RuntimeError("pdist only supports floating-point dtypes")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    first, second = (wrap(each).to(device=input.device) for each in np.triu_indices(input.shape[0], 1))
    return (input.index_select(0, first) - input.index_select(0, second)).norm(p, 1)
