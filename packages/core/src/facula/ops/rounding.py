"""Rounding, signs, and replacing what is no number, element by element."""

from facula import dtypes, native
from facula.arguments import need_tensor
from facula.primitive import primitive, promote, to_float
from facula.types import Tensor, TensorLike

__all__ = ["ceil", "copysign", "fix", "floor", "frac", "heaviside", "nan_to_num", "round", "sgn", "sign", "signbit"]
__all__ += ["trunc"]


def _no_slope(g: Tensor) -> Tensor:
    """Return the gradient of a step function: zero."""
    return g.new_zeros(g.shape)


# Rounding: the gradient is zero.


@primitive(dtype=promote, vjp={"x": _no_slope})
def _floor(xp, x):
    return x.copy() if x.dtype.kind in "iu" else xp.floor(x)


@primitive(dtype=promote, vjp={"x": _no_slope})
def _ceil(xp, x):
    return x.copy() if x.dtype.kind in "iu" else xp.ceil(x)


@primitive(dtype=promote, vjp={"x": _no_slope})
def _trunc(xp, x):
    return x.copy() if x.dtype.kind in "iu" else xp.trunc(x)


@primitive(dtype=promote, vjp={"x": _no_slope})
def _round(xp, x, *, decimals):
    return x.copy() if x.dtype.kind in "iu" and decimals == 0 else xp.round(x, decimals)


def _refuse(input: Tensor, name: str) -> None:
    if input.dtype is dtypes.bool_ or input.is_complex():
        raise RuntimeError(f"\"{name}\" not implemented for '{input.dtype.name.title()}'")


def floor(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return each element rounded down."""
    _refuse(input, "floor")
    return _floor(input, out=out)


def ceil(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return each element rounded up."""
    _refuse(input, "ceil")
    return _ceil(input, out=out)


def trunc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return each element rounded towards zero."""
    _refuse(input, "trunc")
    return _trunc(input, out=out)


def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:
    """Return each element rounded to ``decimals`` digits, halves to the even neighbour."""
    _refuse(input, "round")
    return _round(input, decimals=decimals, out=out)


@primitive(dtype=promote, vjp={"x": lambda g: g})
def _frac(xp, x):
    return x - xp.trunc(x)


def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return what rounding towards zero takes off."""
    return _frac(input, out=out)


@primitive(dtype=promote, vjp={"x": _no_slope})
def _sign(xp, x):
    return _signs(xp, x)


def _signs(xp, x):
    """Return -1, 0 or 1, and 0 for nan."""
    return x.copy() if x.dtype.kind == "b" else xp.subtract(x > 0, x < 0, dtype=x.dtype)


def sign(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return -1, 0 or 1."""
    if input.is_complex():
        raise RuntimeError("Unlike NumPy, sign is not defined for complex tensors; use facula.sgn")
    return _sign(input, out=out)


@primitive(dtype=promote, vjp={"x": lambda g, x, out: _sgn_gradient(g, x, out)})
def _sgn(xp, x):
    if x.dtype.kind != "c":
        return _signs(xp, x)
    size = xp.abs(x)
    return xp.where(size == 0, x.dtype.type(0), x / xp.where(size == 0, size.dtype.type(1), size))


def _sgn_gradient(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    if not x.is_complex():
        return g.new_zeros(g.shape)
    size = x.abs()
    return ((g - out * (g * out.conj()).real) / size).where(size != 0, 0.0)


def sgn(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the sign, for complex elements ``x / |x|``."""
    return _sgn(input, out=out)


@primitive()
def _signbit(xp, x):
    return x < 0 if x.dtype.kind in "iub" else xp.signbit(x)


def signbit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether the sign bit is set, as it is for -0.0."""
    return _signbit(input, out=out)


@primitive(dtype=promote, vjp={"x": lambda g, x: g.where(x.isfinite(), 0.0)})
def _nan_to_num(xp, x, *, nan, posinf, neginf):
    if x.dtype.kind in "iub":
        return x.copy()
    return xp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@_nan_to_num.kernel("native")
def _nan_to_num_native(x, *, nan, posinf, neginf):
    return native.kernels.nan_to_num(x, nan, posinf, neginf)


def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with nan and infinities replaced; by 0 and the type's limits unless told otherwise."""
    if nan is None:
        nan = 0.0
    if input.dtype.category >= dtypes.FLOATING:
        limits = dtypes.finfo(input.dtype)
        posinf = limits.max if posinf is None else posinf
        neginf = limits.min if neginf is None else neginf
    return _nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf, out=out)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, out: g * (out / x).where(x != 0, 0.0),
        "other": _no_slope,
    },
)
def _copysign(xp, x, other):
    return xp.copysign(x, other)


_copysign.native("copysign")


def copysign(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the size of ``input`` with the sign of ``other``."""
    need_tensor("copysign", input)
    return _copysign(input, other, out=out)


@primitive(dtype=promote)
def _heaviside(xp, x, values):
    return xp.where(x == 0, values, (x > 0).astype(x.dtype))


def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return 0 for negative elements, 1 for positive ones, ``values`` at zero."""
    need_tensor("heaviside", input)
    need_tensor("heaviside", values, "values")
    if input.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")
    if input.is_complex():
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    return _heaviside(input, values, out=out)


fix = trunc
