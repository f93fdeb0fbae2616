"""What the families of linear algebra share: checks of matrices, transposes, results written into ``out``."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.arguments import need_tensor
from facula.backend import Array, to_numpy
from facula.dtypes import REDUCED
from facula.errors import LinAlgError
from facula.primitive import write_out
from facula.types import Tensor

__all__ = [
    "conjugate_transpose",
    "check_factorized",
    "guarded",
    "identity",
    "need_matrix",
    "not_differentiable",
    "stacked",
    "written",
]


def conjugate_transpose(x: Tensor) -> Tensor:
    """Return the matrices of ``x`` transposed and conjugated."""
    swapped = x.transpose(-2, -1)
    return swapped.conj() if x.is_complex() else swapped


def identity(x: Tensor, length: int | None = None) -> Tensor:
    """Return the identity matrix of the type of ``x``, as large as its last dimension or of ``length``."""
    return x.detach().new_ones((x.shape[-1] if length is None else length,)).diag_embed()


def need_matrix(name: str, x: Tensor, square: bool = False) -> None:
    """Refuse what is no batch of matrices, square ones where asked for, of a type LAPACK has."""
    need_tensor(name, x, "A")
    if x.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if square and x.shape[-1] != x.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices"
        )
    if not x.is_floating_point() and not x.is_complex():
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {x.dtype.name.title()}")
    if x.dtype.numpy in REDUCED:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {x.dtype.name.title()}")


def guarded(function: Callable[..., Any], *arrays: object) -> Any:
    """Call NumPy's linear algebra; what it cannot solve is a LinAlgError of ours."""
    try:
        if function.__module__.startswith("cupy"):
            from cupyx import errstate

            with errstate(linalg="raise"):
                return function(*arrays)
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"linalg: {error}") from None


def not_differentiable(name: str) -> Callable[..., Tensor]:
    """Return a gradient formula that refuses: for results that would pass no gradient without a word."""

    def formula(g: list[Tensor | None]) -> Tensor:
        raise NotImplementedError(f"the derivative for '{name}' is not implemented.")

    return formula


def first_failures(
    x: Array, works: Callable[[np.ndarray], object], leading: Callable[[np.ndarray, int], np.ndarray]
) -> np.ndarray:
    """Return for each matrix 0, or for how many columns, of which it takes the ``leading`` part, it fails to work first.

    Only called once a batch has failed, to say what: it tries matrix after matrix, part after part.
    """
    matrices = to_numpy(stacked(x))
    info = np.zeros(len(matrices), np.int32)
    for at, matrix in enumerate(matrices):
        length = matrix.shape[-1]
        if _fails(works, matrix):
            counts = range(1, length + 1)
            info[at] = next((count for count in counts if _fails(works, leading(matrix, count))), length)
    return info.reshape(x.shape[:-2])


def _fails(works: Callable[[np.ndarray], Any], matrix: np.ndarray) -> bool:
    try:
        return not np.all(np.isfinite(works(matrix)))
    except np.linalg.LinAlgError:
        return True


def check_factorized(info: Tensor, name: str, failure: Callable[[int], str]) -> None:
    """Raise a LinAlgError for the first matrix whose ``info`` is not 0; ``failure`` says what such a number means."""
    codes = info.reshape((-1,)).tolist()
    for at, code in enumerate(codes):
        if code:
            where = f"(Batch element {at}): " if info.dim() else ""
            raise LinAlgError(f"{name}: {where}{failure(code)}")


def stacked(x: np.ndarray) -> np.ndarray:
    """Return a copy of the matrices of an array as one stack (batch, rows, columns)."""
    count = 1
    for length in x.shape[:-2]:
        count *= length
    return x.reshape((count, *x.shape[-2:])).copy()


def written(results: Sequence[Tensor], out: Sequence[Tensor] | None, name: str) -> Sequence[Tensor]:
    """Return the results, each in its tensor of ``out`` where that is given."""
    if out is None:
        return results
    return [write_out(result, each, name) for result, each in zip(results, out, strict=True)]
