"""Softmax, its logarithm, and their gradients."""

import warnings

from facula import native
from facula.dtypes import dtype as DType
from facula.primitive import primitive, promote, write_out
from facula.types import Tensor

__all__ = ["log_softmax", "softmax", "softmin"]


@primitive(dtype=promote, vjp={"x": lambda g, out, dim: _softmax_gradient(g, out, dim=dim)})
def _softmax(xp, x, *, dim):
    result = x - _largest(xp, x, dim)
    xp.exp(result, out=result)
    result /= result.sum(axis=dim, keepdims=True)
    return result


@_softmax.kernel("native")
def _softmax_native(x, *, dim):
    return native.kernels.softmax(x, dim)


@primitive(
    dtype=promote,
    vjp={
        "grad": lambda g, y, dim: _softmax_gradient(g, y, dim=dim),
        "y": lambda g, grad, y, dim: (
            g * (grad - (grad * y).sum(dim, keepdim=True)) - grad * (g * y).sum(dim, keepdim=True)
        ),
    },
)
def _softmax_gradient(xp, grad, y, *, dim):
    """Return the gradient of the softmax whose result is ``y``."""
    weighted = grad * y
    return weighted - y * weighted.sum(axis=dim, keepdims=True)


@_softmax_gradient.kernel("native")
def _softmax_gradient_native(grad, y, *, dim):
    return native.kernels.softmax_gradient(grad, y, dim)


@primitive(dtype=promote, vjp={"x": lambda g, out, dim: _log_softmax_gradient(g, out, dim=dim)})
def _log_softmax(xp, x, *, dim):
    shifted = x - _largest(xp, x, dim)
    shifted -= xp.log(xp.exp(shifted).sum(axis=dim, keepdims=True))
    return shifted


@_log_softmax.kernel("native")
def _log_softmax_native(x, *, dim):
    return native.kernels.log_softmax(x, dim)


@primitive(
    dtype=promote,
    vjp={
        "grad": lambda g, y, dim: g - (g * y.exp()).sum(dim, keepdim=True),
        "y": lambda g, grad, y, dim: -g * y.exp() * grad.sum(dim, keepdim=True),
    },
)
def _log_softmax_gradient(xp, grad, y, *, dim):
    """Return the gradient of the log-softmax whose result is ``y``."""
    return grad - xp.exp(y) * grad.sum(axis=dim, keepdims=True)


@_log_softmax_gradient.kernel("native")
def _log_softmax_gradient_native(grad, y, *, dim):
    return native.kernels.log_softmax_gradient(grad, y, dim)


def _largest(xp, x, dim):
    # An empty dimension has no largest element, and needs none.
    return x.max(axis=dim, keepdims=True) if x.shape[dim] else 0


def _prepare(input: Tensor, dim: int | None, dtype: DType | None, name: str) -> tuple[Tensor, int]:
    if dim is None:
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
            stacklevel=3,
        )
        dim = 0 if input.dim() in (0, 1, 3) else 1
    rank = max(input.dim(), 1)
    if not -rank <= dim < rank:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {dim})")
    if dtype is not None:
        input = input.to(dtype)
    elif not (input.is_floating_point() or input.is_complex()):
        raise NotImplementedError(f"\"{name}_lastdim_kernel_impl\" not implemented for '{input.dtype.name.title()}'")
    return input, dim


def softmax(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: DType | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``exp(x) / sum(exp(x))`` along ``dim``, computed without overflow.

    >>> facula.softmax(facula.zeros(4), dim=0)
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    input, dim = _prepare(input, dim, dtype, "softmax")
    if input.dim() == 0:
        result = _softmax(input.reshape(1), dim=0).reshape(())
        return result if out is None else write_out(result, out, "softmax")
    return _softmax(input, dim=dim, out=out)


def log_softmax(
    input: Tensor,
    dim: int | None = None,
    _stacklevel: int = 3,
    dtype: DType | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the logarithm of the softmax along ``dim``, more exact than the two in turn."""
    input, dim = _prepare(input, dim, dtype, "log_softmax")
    if input.dim() == 0:
        result = _log_softmax(input.reshape(1), dim=0).reshape(())
        return result if out is None else write_out(result, out, "log_softmax")
    return _log_softmax(input, dim=dim, out=out)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None) -> Tensor:
    """Return the softmax of ``-input`` along ``dim``."""
    return softmax(-input, dim, dtype=dtype)


def softmax_method(input: Tensor, dim: int, dtype: DType | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return ``exp(x) / sum(exp(x))`` along ``dim``: `softmax` with the argument order of ``facula.softmax``."""
    return softmax(input, dim, dtype=dtype, out=out)


def log_softmax_method(input: Tensor, dim: int, dtype: DType | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of the softmax along ``dim``: `log_softmax` with the argument order of ``facula``."""
    return log_softmax(input, dim, dtype=dtype, out=out)
