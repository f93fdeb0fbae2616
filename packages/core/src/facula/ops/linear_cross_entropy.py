"""The cross-entropy of a linear layer's scores, a few rows at a time, so that the scores of all never exist at once."""

from __future__ import annotations

from types import ModuleType

from facula.backend import Array
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = ["chunked_losses"]


def _scores(x: Array, matrix: Array, bias: Array | None, rows: slice) -> Array:
    scores = x[rows] @ matrix.T
    if bias is not None:
        scores += bias
    scores -= scores.max(axis=1, keepdims=True)
    return scores


def _chunks(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


@primitive(
    dtype=promote("x", "matrix", "bias"),
    vjp={
        ("x", "matrix", "bias"): lambda g, x, matrix, bias, target, size: _gradients(g, x, matrix, bias, target, size)
    },
)
def _losses(xp, x, matrix, bias, target, *, size):
    """Return the losses (N) of rows (N, in) with classes (N), from a matrix (C, in) and a bias (C)."""
    result = xp.empty(len(x), x.dtype)
    for rows in _chunks(len(x), size):
        scores = _scores(x, matrix, bias, rows)
        hit = scores[xp.arange(len(scores)), target[rows]]
        result[rows] = xp.log(xp.exp(scores, out=scores).sum(axis=1)) - hit
    return result


@primitive(dtype=promote("g", "x", "matrix", "bias"))
def _chunked_gradients(xp, g, x, matrix, bias, target, *, size):
    from_x, from_matrix = xp.empty_like(x), xp.zeros_like(matrix)
    from_bias = xp.zeros(len(matrix), matrix.dtype)
    for rows in _chunks(len(x), size):
        shares = _softmax(xp, _scores(x, matrix, bias, rows))
        shares[xp.arange(len(shares)), target[rows]] -= 1
        shares *= g[rows, None]
        from_x[rows] = shares @ matrix
        from_matrix += shares.T @ x[rows]
        from_bias += shares.sum(axis=0)
    return from_x, from_matrix, from_bias


def _softmax(xp: ModuleType, scores: Array) -> Array:
    xp.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _gradients(
    g: Tensor, x: Tensor, matrix: Tensor, bias: Tensor | None, target: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    if not any(each is not None and each.requires_grad for each in (g, x, matrix, bias)):
        return _chunked_gradients(g, x, matrix, bias, target, size=size)
    # To be differentiated again: all rows at once, in tensor code.
    scores = x @ matrix.t()
    shares = (scores if bias is None else scores + bias).softmax(1)
    hit = shares.new_zeros(shares.shape).scatter(1, target.unsqueeze(1), 1.0)
    shares = (shares - hit) * g.unsqueeze(1)
    return shares @ matrix, shares.t() @ x, None if bias is None else shares.sum(0)


def chunked_losses(x: Tensor, matrix: Tensor, bias: Tensor | None, target: Tensor, size: int) -> Tensor:
    """Return the cross-entropy of each row of ``x @ matrix.T + bias`` with its class, ``size`` rows at a time."""
    return _losses(x, matrix, bias, target, size=size)
