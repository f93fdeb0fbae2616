"""Matrix products of groups of different sizes."""

from __future__ import annotations

from itertools import pairwise

from facula.dtypes import dtype as DType
from facula.ops.joining import cat, stack
from facula.types import Tensor

__all__ = ["grouped_mm"]


def grouped_mm(
    mat_a: Tensor,
    mat_b: Tensor,
    *,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: DType | None = None,
) -> Tensor:
    """Return the products of groups of ``mat_a`` and ``mat_b``, such as the experts of a mixture.

    Of three dimensions both, it is their batched product. Where one or both have two, ``offs`` holds where each group
    ends: rows of a 2D ``mat_a`` with a 3D ``mat_b``, columns of a 2D ``mat_b`` with a 3D ``mat_a``, or, for two of 2D,
    the dimension that is summed over.
    """
    if mat_a.dim() not in (2, 3) or mat_b.dim() not in (2, 3):
        raise RuntimeError(f"mat_a and mat_b have to be 2 or 3D, got {mat_a.dim()}D and {mat_b.dim()}D")
    if (offs is None) != (mat_a.dim() == mat_b.dim() == 3):
        raise RuntimeError("Have to provide offsets if there is a 2d matrix, or no offset if both matrices are 3d")
    if mat_a.shape[-1] != mat_b.shape[-2]:
        raise RuntimeError(
            f"contraction dimension of mat_a and mat_b must match, got {list(mat_a.shape)} and {list(mat_b.shape)}"
        )
    if mat_a.dtype != mat_b.dtype:
        raise RuntimeError(f"Expected mat_a and mat_b to have one dtype, got {mat_a.dtype} and {mat_b.dtype}")
    if out_dtype is not None and out_dtype != mat_a.dtype:
        raise RuntimeError(f"Grouped gemm output dtype must match `mat_a` dtype {mat_a.dtype}, got {out_dtype}")
    if bias is not None:
        raise RuntimeError("Bias not supported yet")
    if offs is None:
        return mat_a @ mat_b
    spans = list(pairwise([0, *offs.tolist()]))
    if mat_a.dim() == 2 and mat_b.dim() == 2:
        return stack([mat_a[:, start:end] @ mat_b[start:end] for start, end in spans])
    if mat_a.dim() == 2:
        parts = [mat_a[start:end] @ mat_b[group] for group, (start, end) in enumerate(spans)]
        rest = mat_a.new_zeros((mat_a.shape[0] - spans[-1][1], mat_b.shape[-1]))
        return cat([*parts, rest], 0)
    parts = [mat_a[group] @ mat_b[:, start:end] for group, (start, end) in enumerate(spans)]
    rest = mat_a.new_zeros((mat_a.shape[-2], mat_b.shape[-1] - spans[-1][1]))
    return cat([*parts, rest], 1)
