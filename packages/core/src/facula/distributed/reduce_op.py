"""How values of several processes become one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ReduceOp(Enum):
    """How values of several processes are combined; AVG is their sum divided by the number of processes."""

    SUM = "sum"
    AVG = "avg"
    PRODUCT = "product"
    MIN = "min"
    MAX = "max"
    BAND = "band"
    BOR = "bor"
    BXOR = "bxor"
    PREMUL_SUM = "premul_sum"


@dataclass(frozen=True)
class PremultipliedSum:
    """The sum of values each multiplied by ``factor`` first."""

    factor: float


Reduction = ReduceOp | PremultipliedSum


def _make_nccl_premul_sum(factor: float) -> PremultipliedSum:
    """Return the reduction that multiplies by ``factor``, a number or a tensor of one element, and then sums."""
    return PremultipliedSum(float(factor))


def check_reduction(op: object, kind: str) -> None:
    """Refuse what is no reduction, or none for arrays of this NumPy kind."""
    if op is ReduceOp.PREMUL_SUM:
        raise ValueError("ReduceOp.PREMUL_SUM needs a factor: make it with _make_nccl_premul_sum(factor)")
    if not isinstance(op, (ReduceOp, PremultipliedSum)):
        raise TypeError(f"expected a ReduceOp, got {op!r}")
    bitwise = op in (ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR)
    if kind in "biu":
        if op is ReduceOp.AVG or isinstance(op, PremultipliedSum):
            raise ValueError(f"{op} is for floating-point and complex tensors, got integers")
    elif bitwise:
        raise ValueError(f"{op} is for integers and booleans, got a floating-point tensor")
    if kind == "c" and op in (ReduceOp.MIN, ReduceOp.MAX):
        raise ValueError(f"{op} has no meaning for complex numbers")
