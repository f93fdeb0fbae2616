"""What is equal whichever of several right results an operator gives: signs, phases, orders, choices among equals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def _svd(result: list[Tensor], adjoint: bool) -> list[Tensor]:
    u, s, v = result
    v = v if adjoint else v.mH
    k = s.shape[-1]
    if not (u.numel() and v.numel()):
        return [s]
    return [s, (u[..., :k] * s.unsqueeze(-2)) @ v[..., :k, :], u.mH @ u, v @ v.mH]


def _in_order(values: Tensor) -> Tensor:
    """Return complex values sorted, those that are nearly equal by their imaginary part."""
    keys = values.real.double().round(decimals=3) * 1e6 + values.imag.double()
    return values.gather(-1, keys.argsort(-1))


def _eig(result: list[Tensor]) -> list[Tensor]:
    values, vectors = result
    if not vectors.numel() or (torch.linalg.matrix_rank(vectors) < vectors.shape[-1]).any():
        return [_in_order(values)]
    return [_in_order(values), torch.linalg.solve(vectors, vectors * values.unsqueeze(-2), left=False)]


def _eigh(result: list[Tensor]) -> list[Tensor]:
    values, vectors = result
    return [values, (vectors * values.unsqueeze(-2)) @ vectors.mH, vectors.mH @ vectors]


def _qr(result: list[Tensor]) -> list[Tensor]:
    q, r = result
    return [q @ r, q.mH @ q, r.tril(-1)] if q.numel() else [r.mH @ r, r.tril(-1)]


#: The invariants of an operator's results.
INVARIANTS: dict[str, Callable[[Any], Any]] = {
    "svd": lambda result: _svd(result, adjoint=False),
    "linalg.svd": lambda result: _svd(result, adjoint=True),
    "svd_lowrank": lambda result: _svd(result, adjoint=False),
    "pca_lowrank": lambda result: _svd(result, adjoint=False),
    "linalg.eig": _eig,
    "linalg.eigh": _eigh,
    "linalg.eigvals": _in_order,
    "linalg.qr": _qr,
    "qr": _qr,
}
#: The operators whose indices may point to any of several equal elements of their input.
CHOOSING = frozenset("topk kthvalue median nanmedian mode sort argsort msort".split())
#: How far invariants may differ: products of factors lose more than the factors themselves.
FLOOR = {torch.float32: 2e-4, torch.complex64: 2e-4}


def invariant(name: str, result: Any) -> Any:
    """Return the invariants of a result, or the result itself where it has none or is not finite."""
    if name not in INVARIANTS:
        return result
    parts = result if isinstance(result, Tensor) else list(result)
    if not all(bool(torch.isfinite(each).all()) for each in ([parts] if isinstance(parts, Tensor) else parts)):
        return result
    return INVARIANTS[name](parts)


def floor(name: str, dtype: torch.dtype) -> float:
    """Return the least tolerance of an operator's invariants."""
    return FLOOR.get(dtype, 1e-8) if name in INVARIANTS else 0.0


def same_choice(expected: Any, found: Any, input: Tensor) -> Any:
    """Return ``found`` with PyTorch's indices wherever both point to equal elements of ``input``."""
    if isinstance(expected, Tensor) or not isinstance(expected, (list, tuple)):
        return _same_choice(expected, found, input)
    if not isinstance(found, (list, tuple)) or len(found) != len(expected):
        return found
    return [_same_choice(a, b, input) for a, b in zip(expected, found, strict=True)]


def _same_choice(a: Any, b: Any, input: Tensor) -> Any:
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)) or a.dtype != torch.int64 or a.shape != b.shape:
        return b
    for dim in range(input.dim()):
        for kept in (True, False):
            try:
                left, right = (a, b) if kept else (a.unsqueeze(dim), b.unsqueeze(dim))
                chosen = input.gather(dim, left), input.gather(dim, right)
            except (RuntimeError, IndexError):
                continue
            if bool(((chosen[0] == chosen[1]) | (chosen[0].isnan() & chosen[1].isnan())).all()):
                return a
    return b
