"""What a sparse tensor looks like, as PyTorch prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facula import dtypes
from facula.ops import conversion
from facula.printing import _append, _Writer

if TYPE_CHECKING:
    from facula.sparse.tensor import SparseTensor

_INDENT = len("tensor(")


def _part(name: str, array: np.ndarray) -> str:
    """Return one part, such as ``values=tensor([1., 2.])``."""
    prefix = f"{name}=tensor("
    if array.size == 0:
        return f"{prefix}[], size={tuple(array.shape)})"
    shown = array.astype(np.float32) if array.dtype.kind == "V" else array
    return prefix + _Writer(shown, _INDENT + len(prefix)).text + ")"


def sparse_string(tensor: SparseTensor) -> str:
    """Return the text of a sparse tensor: its indices and values, size, number of elements and layout."""
    pattern = tensor._pattern
    if pattern.compressed is None:
        parts = [_part("indices", pattern.indices)]
    else:
        names = ("crow", "col") if pattern.layout is conversion.sparse_csr else ("ccol", "row")
        plain = pattern.indices[1 if pattern.layout is conversion.sparse_csr else 0]
        parts = [_part(f"{names[0]}_indices", pattern.compressed), _part(f"{names[1]}_indices", plain)]
    parts.append(_part("values", tensor._stored._array))
    suffixes = [f"size={tuple(pattern.shape)}", f"nnz={pattern.count}"]
    usual = {dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_, dtypes.get_default_dtype().to_complex()}
    if tensor.dtype not in usual:
        suffixes.append(f"dtype={tensor.dtype}")
    suffixes.append(f"layout={tensor.layout}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    text = "tensor(" + (",\n" + " " * _INDENT).join(parts)
    return _append(text, suffixes, _INDENT, pattern.compressed is None)
