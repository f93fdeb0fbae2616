"""Complex numbers: conjugates, their real and imaginary parts, and angles, element by element."""

import math

import numpy as np

from facula.primitive import primitive, to_float
from facula.types import Tensor

__all__ = ["angle", "conj", "conj_physical", "imag", "real", "resolve_conj", "resolve_neg", "view_as_complex"]
__all__ += ["view_as_real"]


@primitive(vjp={"x": lambda g: g.conj()})
def _conj_physical(xp, x):
    return xp.conj(x) if x.dtype.kind == "c" else x.copy()


def conj_physical(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the complex conjugate."""
    return _conj_physical(input, out=out)


def conj(input: Tensor) -> Tensor:
    """Return the complex conjugate; a real tensor as it is."""
    return _conj_physical(input) if input.is_complex() else input


def resolve_conj(input: Tensor) -> Tensor:
    """Return ``input``: conjugates are computed at once here."""
    return input


def resolve_neg(input: Tensor) -> Tensor:
    """Return ``input``: negatives are computed at once here."""
    return input


@primitive(view=True, vjp={"x": lambda g, x_shape: _as_real_part(g)})
def _real(xp, x):
    return x.real


@primitive(view=True, vjp={"x": lambda g: _as_imaginary_part(g)})
def _imag(xp, x):
    return x.imag


@primitive(vjp={"x": lambda g: g.real})
def _as_real_part(xp, x):
    return x.astype(np.complex128 if x.dtype == np.float64 else np.complex64)


@primitive(vjp={"x": lambda g: g.imag})
def _as_imaginary_part(xp, x):
    return x * (np.complex128(1j) if x.dtype == np.float64 else np.complex64(1j))


def real(input: Tensor) -> Tensor:
    """Return the real parts, as a view; a real tensor as it is."""
    return _real(input) if input.is_complex() else input


def imag(input: Tensor) -> Tensor:
    """Return the imaginary parts, as a view; RuntimeError for a real tensor."""
    if not input.is_complex():
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return _imag(input)


@primitive(view=True, vjp={"x": lambda g: view_as_complex(g.contiguous())})
def _view_as_real(xp, x):
    return x[..., None].view(x.real.dtype)


@primitive(view=True, vjp={"x": lambda g: view_as_real(g)})
def _view_as_complex(xp, x):
    return x.view(np.complex128 if x.dtype == np.float64 else np.complex64)[..., 0]


def view_as_real(input: Tensor) -> Tensor:
    """Return a view of a complex tensor as real numbers, with a last dimension of 2."""
    if not input.is_complex():
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return _view_as_real(input)


def view_as_complex(input: Tensor) -> Tensor:
    """Return a view of real numbers, whose last dimension is 2, as a complex tensor."""
    if input.dtype.name not in ("float32", "float64"):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: "
            f"{input.dtype.name.title()}"
        )
    if input.dim() == 0 or input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if input.stride(-1) != 1:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    return _view_as_complex(input)


@primitive(dtype=to_float, vjp={"x": lambda g, x: _angle_gradient(g, x)})
def _angle(xp, x):
    if x.dtype.kind == "c":
        return xp.angle(x)
    return xp.where(xp.isnan(x), x, xp.where(x < 0, x.dtype.type(math.pi), x.dtype.type(0)))


def _angle_gradient(g: Tensor, x: Tensor) -> Tensor:
    if not x.is_complex():
        return g * 0
    size = (x * x.conj()).real
    return (_as_imaginary_part(g) * x / size).where(size != 0, 0.0)


def angle(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the angle of each complex number in radians; for real elements 0, or pi when negative."""
    return _angle(input, out=out)
