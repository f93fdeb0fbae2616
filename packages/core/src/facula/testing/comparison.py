"""``assert_close``: two values of any nesting are the same within tolerances that follow from their types."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import facula
from facula import Tensor
from facula.dtypes import dtype as DType

__all__ = ["assert_allclose", "assert_close"]

#: The relative and the absolute tolerance of each type; those of other types are 0.
TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}
NUMBERS = (bool, int, float, complex, np.number, np.bool_)
#: The type that a Python number is compared as.
NUMBER_TYPES = {bool: facula.int64, int: facula.int64, float: facula.float64, complex: facula.complex128}

#: What replaces the message of a failure: a text, or a function of the message.
Message = str | Callable[[str], str] | None


@dataclass
class Settings:
    """What was asked of one comparison."""

    allow_subclasses: bool
    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_layout: bool
    check_stride: bool

    def tolerances(self, *types: DType) -> tuple[float, float]:
        """Return the tolerances given, or the widest of these types."""
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        each = [TOLERANCES.get(kind.name, (0.0, 0.0)) for kind in types]
        return max(rtol for rtol, _ in each), max(atol for _, atol in each)


class _Difference(Exception):
    """The first difference that was found, with the place in the nesting."""


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: Message = None,
) -> None:
    """Return nothing where ``|actual - expected| <= atol + rtol * |expected|`` for all elements; else raise AssertionError.

    Both are tensors, NumPy arrays, numbers, None, or sequences and mappings of these. ``rtol`` and ``atol`` are given
    together or follow from the types. ValueError when one is given alone, TypeError for values that cannot be compared.

    >>> facula.testing.assert_close(facula.tensor([1.0]), facula.tensor([1.0 + 1e-6]))
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            f"rtol and atol must both be specified or both be unspecified, but got rtol={rtol}, atol={atol}"
        )
    settings = Settings(allow_subclasses, rtol, atol, equal_nan, check_device, check_dtype, check_layout, check_stride)
    try:
        _compare(actual, expected, settings, ())
    except _Difference as difference:
        text = str(difference)
        raise AssertionError(text if msg is None else msg(text) if callable(msg) else msg) from None


def assert_allclose(
    actual: Any,
    expected: Any,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = True,
    msg: str = "",
) -> None:
    """Return nothing where tensors are close, whatever their types and devices. Deprecated in favour of `assert_close`."""
    warnings.warn("`assert_allclose()` is deprecated; use `assert_close()` instead.", FutureWarning, stacklevel=2)
    actual, expected = facula.as_tensor(actual), facula.as_tensor(expected)
    options: dict[str, Any] = {"check_device": False, "check_dtype": False, "check_stride": False}
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, msg=msg or None, **options)


def _located(text: str, place: tuple[object, ...]) -> str:
    """Return the text, with the place in the nesting where there is one."""
    where = "".join(f"[{each!r}]" for each in place)
    return text + (f"\n\nThe failure occurred for item {where}" if place else "")


def _fail(text: str, place: tuple[object, ...]) -> None:
    raise _Difference(_located(text, place))


def _compare(actual: Any, expected: Any, settings: Settings, place: tuple[object, ...]) -> None:
    plain = (str, bytes, Tensor, np.ndarray)
    if isinstance(actual, Sequence) and isinstance(expected, Sequence) and not isinstance(actual, plain):
        if len(actual) != len(expected):
            _fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", place)
        for at, pair in enumerate(zip(actual, expected, strict=True)):
            _compare(*pair, settings, (*place, at))
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        _compare_mappings(actual, expected, settings, place)
    elif actual is None or expected is None:
        if actual is not expected:
            _fail(f"None mismatch: {actual} is not {expected}", place)
    elif isinstance(actual, NUMBERS) and isinstance(expected, NUMBERS):
        _compare_numbers(actual, expected, settings, place)
    elif _are_related(actual, expected, settings):
        _compare_tensors(facula.as_tensor(actual), facula.as_tensor(expected), settings, place)
    else:
        text = f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
        raise TypeError(_located(text, place))


def _are_related(actual: object, expected: object, settings: Settings) -> bool:
    """Whether both are tensors or arrays, of one class or, where that is allowed, of a class and one derived from it."""
    if not isinstance(actual, (Tensor, np.ndarray)) or not isinstance(expected, (Tensor, np.ndarray)):
        return False
    if type(actual) is type(expected):
        return True
    derived = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    return settings.allow_subclasses and derived


def _compare_mappings(
    actual: Mapping[Any, Any], expected: Mapping[Any, Any], settings: Settings, place: tuple[object, ...]
) -> None:
    if actual.keys() != expected.keys():
        missing = [key for key in expected if key not in actual]
        additional = [key for key in actual if key not in expected]
        _fail(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {missing}\nAdditional keys in the actual mapping: {additional}",
            place,
        )
    for key in expected:
        _compare(actual[key], expected[key], settings, (*place, key))


def _compare_numbers(actual: Any, expected: Any, settings: Settings, place: tuple[object, ...]) -> None:
    actual, expected = (each.item() if isinstance(each, np.generic) else each for each in (actual, expected))
    if isinstance(actual, bool) and isinstance(expected, bool):
        if actual is not expected:
            _fail(f"Booleans mismatch: {actual} is not {expected}", place)
        return
    if settings.check_dtype and type(actual) is not type(expected):
        _fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.", place)
    rtol, atol = settings.tolerances(*(NUMBER_TYPES[type(each)] for each in (actual, expected)))
    if _close(np.asarray(actual), np.asarray(expected), rtol, atol, settings.equal_nan).all():
        return
    word = "equal" if rtol == atol == 0 else "close"
    text = f"Scalars are not {word}!\n\nExpected {expected} but got {actual}.\n"
    difference = abs(actual - expected)
    relative = float("inf") if expected == 0 else difference / abs(expected)
    text += f"Absolute difference: {difference}{_allowed(atol, word)}\n"
    _fail(text + f"Relative difference: {relative}{_allowed(rtol, word)}", place)


def _allowed(tolerance: float, word: str) -> str:
    return f" (up to {tolerance} allowed)" if word == "close" else ""


def _compare_tensors(actual: Tensor, expected: Tensor, settings: Settings, place: tuple[object, ...]) -> None:
    attributes: list[tuple[str, object, object]] = [("shape", actual.shape, expected.shape)]
    if settings.check_layout:
        attributes.append(("layout", actual.layout, expected.layout))
    if settings.check_device:
        attributes.append(("device", actual.device, expected.device))
    if settings.check_dtype:
        attributes.append(("dtype", actual.dtype, expected.dtype))
    if settings.check_stride and actual.layout is facula.strided and expected.layout is facula.strided:
        attributes.append(("stride()", actual.stride(), expected.stride()))
    for name, found, asked in attributes:
        if found != asked:
            _fail(f"The values for attribute '{name}' do not match: {found} != {asked}.", place)
    rtol, atol = settings.tolerances(actual.dtype, expected.dtype)
    have, wanted = _array(actual), _array(expected)
    close = _close(have, wanted, rtol, atol, settings.equal_nan)
    if not close.all():
        _fail(_described(have, wanted, close, rtol, atol), place)


def _array(value: Tensor) -> np.ndarray:
    """Return the values as an array of a type that NumPy computes with."""
    dense = value.detach().to_dense().resolve_conj().cpu()
    return (dense.float() if dense.is_floating_point() and dense.element_size() < 4 else dense).numpy()


def _close(actual: np.ndarray, expected: np.ndarray, rtol: float, atol: float, equal_nan: bool) -> np.ndarray:
    if actual.dtype.kind in "biu" and expected.dtype.kind in "biu" and rtol == atol == 0:
        return np.asarray(actual == expected)
    return np.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan)


def _described(actual: np.ndarray, expected: np.ndarray, close: np.ndarray, rtol: float, atol: float) -> str:
    """Return how many elements are not close, and where and how far the farthest are."""
    word = "equal" if rtol == atol == 0 else "close"
    if actual.ndim == 0:
        text = f"Scalars are not {word}!\n\nExpected {expected.item()} but got {actual.item()}.\n"
    else:
        wrong = int(close.size - close.sum())
        share = f"{wrong} / {close.size} ({wrong / close.size:.1%})"
        text = f"Tensor-likes are not {word}!\n\nMismatched elements: {share}\n"
    kind = np.result_type(actual, expected)
    kind = np.dtype(np.int64) if kind.kind in "biu" else kind
    actual, expected = actual.astype(kind), expected.astype(kind)
    with np.errstate(all="ignore"):
        distance = np.abs(actual - expected)
        # Integers are divided in float32, as PyTorch divides them.
        ratio = distance / np.abs(expected) if kind.kind != "i" else np.float32(distance) / np.float32(np.abs(expected))
    for name, values, tolerance in (("absolute", distance, atol), ("relative", ratio, rtol)):
        values = np.where(
            close, values.dtype.type(0), values
        )  # what is close, infinities that are equal too, is no difference
        if actual.ndim == 0:
            text += f"{name.title()} difference: {values.item()}{_allowed(tolerance, word)}\n"
        else:
            at = np.unravel_index(int(np.argmax(values)), values.shape)
            index = tuple(int(each) for each in at)
            text += f"Greatest {name} difference: {values[at].item()} at index {index}{_allowed(tolerance, word)}\n"
    return text.rstrip("\n")
