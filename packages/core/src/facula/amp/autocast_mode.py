"""Autocast: matrix products and convolutions in bfloat16 or float16, sensitive operations in float32.

The choice is made for each call of a primitive, so that it holds inside of layers and composed functions too.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

from facula.dtypes import bfloat16, float16, float32, float64
from facula.dtypes import dtype as DType
from facula.graph.modes import intercepting
from facula.primitive import Primitive
from facula.tensor import Tensor

__all__ = ["autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available", "is_autocast_enabled"]
__all__ += ["set_autocast_dtype", "set_autocast_enabled"]

_DEVICES = ("cpu", "cuda")
_ALLOWED = {"cpu": (bfloat16, float16), "cuda": (float16, bfloat16)}
#: Products of many numbers, which a narrow type computes with a wide sum.
_NARROW = frozenset({"_mm", "_matmul", "_linear", "_conv"})
#: What loses too much in a narrow type.
_WIDE = {
    "cpu": frozenset({"_prod", "_binary_cross_entropy", "_cholesky", "_inv", "_solve", "_det", "_svd", "_eigh", "_qr"}),
    "cuda": frozenset(
        "_acos _asin _cosh _tan _exp _expm1 _log _log10 _log1p _log2 _reciprocal _rsqrt _sinh _pow _integer_pow "
        "_softplus _softmax _log_softmax _logsumexp _sum _prod _cumsum _cumprod _standardize _mean_square _vector_norm "
        "_binary_cross_entropy _erfinv _cholesky _inv _solve _det _svd _eigh _qr".split()
    ),
}


class _Settings(threading.local):
    """What is switched on in this thread, by kind of device."""

    def __init__(self) -> None:
        self.enabled = dict.fromkeys(_DEVICES, False)
        self.dtype = {"cpu": bfloat16, "cuda": float16}


_settings = _Settings()


def is_autocast_available(device_type: str) -> bool:
    """Return whether there is autocast for a kind of device."""
    return device_type in _DEVICES


def is_autocast_enabled(device_type: str | None = None) -> bool:
    """Return whether autocast is on, by default for CUDA devices."""
    return _settings.enabled.get(device_type or "cuda", False)


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Say whether autocast is on for a kind of device; `autocast` does so for the time of a block."""
    _settings.enabled[_checked(device_type)] = enabled


def get_autocast_dtype(device_type: str) -> DType:
    """Return the narrow type of a kind of device."""
    return _settings.dtype[_checked(device_type)]


def set_autocast_dtype(device_type: str, dtype: DType) -> None:
    """Choose the narrow type of a kind of device."""
    _settings.dtype[_checked(device_type)] = dtype


def _checked(device_type: str) -> str:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    kind = device_type.partition(":")[0]
    if kind not in _DEVICES:
        raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
    return kind


class _Caster:
    """Sees each call of a primitive and converts its inputs."""

    def intercept(self, primitive: Primitive, inputs: tuple[Any, ...], options: dict[str, Any]) -> object:
        """Return the result of the call on converted inputs."""
        on_cuda = any(isinstance(each, Tensor) and each.is_cuda for each in inputs)
        kind = "cuda" if on_cuda else "cpu"
        if _settings.enabled[kind]:
            if primitive.name in _NARROW:
                inputs = tuple(_cast(each, _settings.dtype[kind]) for each in inputs)
            elif primitive.name in _WIDE[kind]:
                inputs = tuple(_cast(each, float32) for each in inputs)
        return primitive(*inputs, **options)


_caster = _Caster()


def _cast(value: object, dtype: DType) -> object:
    """Return a tensor of floating-point numbers in another type; double precision stays."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.dtype in (dtype, float64):
        return value
    return value.to(dtype)


class autocast:
    """Context manager and decorator in which operations choose their precision.

    >>> with facula.autocast("cpu", dtype=facula.bfloat16):
    ...     (facula.ones(2, 2) @ facula.ones(2, 2)).dtype
    facula.bfloat16
    """

    def __init__(
        self,
        device_type: str,
        dtype: DType | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        self.device = _checked(device_type)
        self.fast_dtype = dtype or get_autocast_dtype(self.device)
        if enabled and self.fast_dtype not in (*_ALLOWED[self.device], float32):
            raise RuntimeError(
                f"In {self.device} autocast, expected the type bfloat16 or float16, got {self.fast_dtype}"
            )
        self._enabled = enabled and self.fast_dtype is not float32
        self._before: list[tuple[bool, DType]] = []

    def __enter__(self) -> autocast:
        self._before.append((_settings.enabled[self.device], _settings.dtype[self.device]))
        _settings.enabled[self.device], _settings.dtype[self.device] = self._enabled, self.fast_dtype
        self._caster = intercepting(_caster)
        self._caster.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._caster.__exit__(None, None, None)
        _settings.enabled[self.device], _settings.dtype[self.device] = self._before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, run in this context."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.device, self.fast_dtype, self._enabled):
                return function(*args, **kwargs)

        return inside


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str = "cuda", cast_inputs: DType | None = None
) -> Callable[..., Any]:
    """Return the forward of a `Function`, run with autocast off and its inputs in ``cast_inputs`` where that is given."""
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def forward(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        context._fwd_used_autocast = is_autocast_enabled(device_type)
        context._dtype = get_autocast_dtype(device_type)
        if cast_inputs is None or not context._fwd_used_autocast:
            return fwd(*args, **kwargs)
        with autocast(device_type, enabled=False):
            cast = [_cast(each, cast_inputs) for each in args]
            return fwd(*cast, **{name: _cast(each, cast_inputs) for name, each in kwargs.items()})

    return forward


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str = "cuda") -> Callable[..., Any]:
    """Return the backward of a `Function`, run with autocast as it was in its `custom_fwd`."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def backward(*args: Any, **kwargs: Any) -> Any:
        context = args[0]
        with autocast(device_type, context._dtype, enabled=context._fwd_used_autocast):
            return bwd(*args, **kwargs)

    return backward
