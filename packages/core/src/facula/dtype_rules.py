"""Which type a primitive computes in and returns, from the types of its inputs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from facula import dtypes
from facula.dtypes import FLOATING, INTEGRAL, dtype, from_numpy_dtype
from facula.promotion import combine


class Kind(NamedTuple):
    """What a rule may know of an input: its type, whether it has dimensions, whether it is a tensor."""

    dtype: dtype
    dimensioned: bool
    tensor: bool


class Rule:
    """How inputs are promoted before the forward, and what becomes of the result.

    ``names`` restricts the rule to some inputs; the others are handed over as they are. ``minimum`` is the lowest
    category computed in: integers become the default floating-point type under `to_float`, and booleans int64 under
    `to_integer`.
    """

    def __init__(self, minimum: int = 0, names: tuple[str, ...] = (), result: dtype | None = None) -> None:
        self.minimum = minimum
        self.names = names
        self.result = result

    def __call__(self, *names: str) -> "Rule":
        """Return this rule, for the inputs ``names`` only."""
        return Rule(self.minimum, names, self.result)

    def resolve(self, kinds: Sequence[Kind]) -> dtype:
        """Return the type that inputs of these kinds are brought to."""
        tensors = [kind for kind in kinds if kind.tensor]
        if not tensors:
            raise TypeError(f"expected at least one Tensor among the arguments, got {len(kinds)} numbers")
        found = combine(
            [kind.dtype for kind in tensors if kind.dimensioned],
            [kind.dtype for kind in tensors if not kind.dimensioned],
            [kind.dtype for kind in kinds if not kind.tensor],
        )
        if found.category >= self.minimum:
            return found
        return dtypes.get_default_dtype() if self.minimum == FLOATING else dtypes.int64


#: Bring all inputs to their common type.
promote = Rule()
#: The same, and integers to the default floating-point type.
to_float = Rule(minimum=FLOATING)
#: The same, and booleans to int64; for sums (with `promote`'s category rule, int32 stays int32).
to_integer = Rule(minimum=INTEGRAL)
#: Bring all inputs to their common type; the forward itself returns booleans or indices.
keep = None


def computed_in(found: dtype) -> tuple[np.dtype, np.dtype | None]:
    """Return the NumPy type to compute in, and the one to round the result to when that differs.

    float16 and bfloat16 are computed in float32 and rounded once.
    """
    if found.numpy in dtypes.REDUCED:
        return dtypes.float32.numpy, found.numpy
    return found.numpy, None


def kind_of(value: Any, is_tensor: bool) -> Kind:
    """Return what a rule may know of an input."""
    if is_tensor:
        array = value._array
        return Kind(from_numpy_dtype[array.dtype], array.ndim > 0, True)
    return Kind(dtypes.of_scalar(value), False, False)
