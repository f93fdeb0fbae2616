"""What a sample row is: an op, a few calls of it, and what NumPy says they give.

    Sample("exp", unary(), np.exp, dtypes=NUMBERS, result="float")

    Sample(
        "nn.functional.linear",
        [case(numbers(3, 4), numbers(2, 4), numbers(2)), case(numbers(0, 4), numbers(2, 4))],
        lambda x, weight, bias=0: x @ weight.T + bias,
    )

The first argument is the public name after ``facula.``; the second, the calls: every array in them becomes a tensor, and
float64 arrays are what derivatives are taken by and what is brought to other types. The reference gets the arrays as they
are, and the same options. The rows of a family are the list ``ROWS`` of the file that is named as the family is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from operator import attrgetter
from typing import Any

import facula
import numpy as np

FLOATS = ("float16", "bfloat16", "float32", "float64")
WIDE_FLOATS = ("float32", "float64")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
BOOL = ("bool",)
COMPLEX = ("complex64", "complex128")
SIGNED = FLOATS + INTEGERS[1:]
REAL = FLOATS + INTEGERS
REAL_AND_BOOL = REAL + BOOL
NUMBERS = REAL_AND_BOOL + COMPLEX
ALL = NUMBERS


@dataclass
class Case:
    """One call: its positional and its named arguments."""

    arguments: tuple[Any, ...]
    options: dict[str, Any]


def case(*arguments: Any, **options: Any) -> Case:
    """Return a call with these arguments; single numbers of NumPy's are arrays without dimensions."""
    given = [np.asarray(each) if isinstance(each, np.generic) else each for each in arguments]
    return Case(tuple(given), options)


@dataclass
class Sample:
    """A row: see this module's first lines."""

    name: str
    cases: Sequence[Case]
    #: Takes the arrays and options of a case; returns the expected array, or several.
    reference: Callable[..., Any]
    #: The types that float64 arrays are brought to, for the first case.
    dtypes: Sequence[str] = FLOATS
    #: The result's type: "same" as the inputs', "float" (integers become float32), "sum" (integers become int64), "real"
    #: (complex becomes its part's type), "complex" (the other way round), or a type's name. One for each result when there are several.
    result: str | tuple[str, ...] = "same"
    #: How often it can be differentiated: 0, 1 or 2.
    derivatives: int = 2
    #: The positions of the arrays that derivatives are taken by; all float64 arrays unless told.
    differentiable: Sequence[int] | None = None
    #: How far float64 values may be from the reference, relative to it and absolutely.
    tolerance: float = 1e-10
    #: How much further values of lower precision may be than one rounding.
    slack: float = 1.0
    #: Other public names of the same function.
    aliases: Sequence[str] = ()
    #: Brings results to what the reference gives, where several answers are right (the signs of eigenvectors).
    canonical: Callable[..., Any] | None = None
    #: What derivatives are taken through, applied to the first argument: for ops that see a part of it, as one triangle.
    through: Callable[..., Any] | None = None
    #: Whether numbers are drawn: every call begins with the same seed.
    random: bool = False
    #: Sweeps that do not apply, each with the reason.
    without: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.without = self.without or {}
        unknown = set(self.without) - SWEEPS
        if unknown:
            raise ValueError(f"row {self.name}: sweeps are {sorted(SWEEPS)}, not {sorted(unknown)}")

    def public(self) -> list[Callable[..., Any]]:
        """Return the public function under all its names."""
        return [attrgetter(name)(facula) for name in (self.name, *self.aliases)]

    def function(self) -> Callable[..., Any]:
        """Return the public function, seeded where it draws numbers."""
        return self.seeded(attrgetter(self.name)(facula))

    def seeded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a form of the function that begins with the same seed, where the op draws numbers."""
        if not self.random:
            return function

        @wraps(function)
        def with_seed(*arguments: Any, **options: Any) -> Any:
            facula.manual_seed(0)
            return function(*arguments, **options)

        return with_seed

    def has_derivatives(self) -> bool:
        """Return whether gradients can be asked for."""
        return self.derivatives > 0 and "derivatives" not in self.without

    def __repr__(self) -> str:
        return self.name


#: What ``without`` may name.
SWEEPS = frozenset({"value", "method", "dtype", "strides", "derivatives", "in-place", "out", "kernel", "gpu"})


def same(*names: str, **row: Any) -> list[Sample]:
    """Return one row for each of several functions that differ in nothing that a row says."""
    return [Sample(name, **row) for name in names]


# Arrays.


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Return normally distributed numbers, none within 0.05 of zero."""
    values = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(values + np.where(values < 0, -0.05, 0.05))


def between(low: float, high: float, *shape: int, seed: int = 0) -> np.ndarray:
    """Return numbers evenly distributed in an interval."""
    return np.asarray(np.random.default_rng(seed).uniform(low, high, shape))


def integers(low: int, high: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Return int64 numbers from ``low`` to below ``high``."""
    return np.asarray(np.random.default_rng(seed).integers(low, high, shape))


def booleans(*shape: int, seed: int = 0) -> np.ndarray:
    """Return truth values, half of them true."""
    return np.asarray(np.random.default_rng(seed).random(shape) < 0.5)


def complexes(*shape: int, seed: int = 0) -> np.ndarray:
    """Return complex numbers."""
    return np.asarray(numbers(*shape, seed=seed) + 1j * numbers(*shape, seed=seed + 1000))


def distinct(*shape: int, seed: int = 0) -> np.ndarray:
    """Return numbers of which any two differ by 0.1 or more, in no order: for sorting, maxima and medians."""
    count = int(np.prod(shape))
    return np.random.default_rng(seed).permutation(count).reshape(shape) * 0.1 - 0.05 * count + 0.03


# Calls that many ops share.


def unary(low: float | None = None, high: float | None = None, **options: Any) -> list[Case]:
    """Return calls with one array: a matrix, nothing, a single number; in an interval when one is given."""

    def make(*shape: int) -> np.ndarray:
        return numbers(*shape) if low is None or high is None else between(low, high, *shape)

    return [case(make(3, 4), **options), case(make(0, 3), **options), case(make(), **options)]


def binary(low: float | None = None, high: float | None = None, **options: Any) -> list[Case]:
    """Return calls with two arrays: of equal shape, of shapes that broadcast, nothing, single numbers."""

    def make(*shape: int, seed: int) -> np.ndarray:
        return numbers(*shape, seed=seed) if low is None or high is None else between(low, high, *shape, seed=seed)

    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 3), (1, 3)), ((), ())]
    return [case(make(*x, seed=0), make(*other, seed=1), **options) for x, other in shapes]
