"""Forward mode: dual tensors carry a tangent, and what is computed of them has the product with the Jacobian.

A tangent is found by two backward passes when it is asked for (Townsend 2017, "A new trick for calculating Jacobian vector
products"), so it is exact for every operation that can be differentiated twice. What is computed inside ``no_grad`` has none.
"""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, NamedTuple

import facula
from facula import Tensor

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent; the tangent is None for a tensor that is not dual."""

    primal: Tensor
    tangent: Tensor | None


class _Level(threading.local):
    """The dual tensors made in this thread, each with its tangent; None outside of a level."""

    duals: list[tuple[Tensor, Tensor]] | None = None


_level = _Level()


def enter_dual_level() -> int:
    """Return the number of the level that is entered, 0. RuntimeError inside of another one."""
    if _level.duals is not None:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    _level.duals = []
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """Leave the level; its dual tensors have no tangents any more."""
    if _level.duals is None:
        raise RuntimeError("Trying to exit a forward AD level but no level is entered")
    if level not in (None, 0):
        raise RuntimeError(f"Trying to exit a forward AD level that was not the last one that was created: {level}")
    _level.duals = None


class dual_level:
    """Context in which tensors carry tangents.

    >>> from facula.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(facula.tensor(3.0), facula.tensor(1.0))
    ...     forward_ad.unpack_dual(x * x).tangent
    tensor(6.)
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """Return a tensor with the values of ``tensor`` that carries ``tangent``, of its shape and type.

    ValueError for a type without derivatives, RuntimeError outside of a level and for another shape or type.
    """
    if _level.duals is None:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    for name, each in (("primal", tensor), ("tangent", tangent)):
        if not (each.is_floating_point() or each.is_complex()):
            raise ValueError(f"Expected {name} to be floating point or complex, but got: {each.dtype}")
    if tensor.shape != tangent.shape or tensor.dtype != tangent.dtype:
        raise RuntimeError(
            f"Expected a tangent of the size and type of the primal, {list(tensor.shape)} and {tensor.dtype}, but got "
            f"{list(tangent.shape)} and {tangent.dtype}"
        )
    with facula.enable_grad():
        dual = tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
    _level.duals.append((dual, tangent))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """Return a tensor and its tangent, which is None where it depends on no dual tensor, and outside of a level.

    Both can be differentiated further where they depend on other tensors that require gradients.
    """
    if not _level.duals or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    duals = [dual for dual, _ in _level.duals]
    with facula.enable_grad():
        vector = facula.zeros_like(tensor).requires_grad_()
        options: dict[str, Any] = {"retain_graph": True, "create_graph": True, "allow_unused": True}
        gradients = facula.autograd.grad(tensor, duals, vector, **options)
        if all(each is None for each in gradients):
            return UnpackedDualTensor(tensor, None)
        # The gradients are linear in the vector: the derivative in it is the product that is wanted.
        moved = [
            (each, tangent)
            for each, (_, tangent) in zip(gradients, _level.duals, strict=True)
            if each is not None and each.requires_grad
        ]
        keep = _depends_on_others(tensor, duals) or any(tangent.requires_grad for _, tangent in _level.duals)
        tangent = facula.zeros_like(tensor)
        if moved:
            (found,) = facula.autograd.grad(
                [each for each, _ in moved], vector, [each for _, each in moved], create_graph=keep, allow_unused=True
            )
            tangent = tangent if found is None else found
    return UnpackedDualTensor(tensor if keep else tensor.detach(), tangent if keep else tangent.detach())


def _depends_on_others(tensor: Tensor, duals: list[Tensor]) -> bool:
    """Return whether gradients of a tensor reach a leaf that is no dual tensor made of values alone."""
    made = {id(dual) for dual in duals if dual.is_leaf}
    if tensor.is_leaf:
        return id(tensor) not in made
    waiting, seen = [tensor.grad_fn], set()
    while waiting:
        node: Any = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if hasattr(node, "variable") and id(node.variable) not in made:
            return True
        waiting += [before for before, _ in node.next_functions]
    return False
