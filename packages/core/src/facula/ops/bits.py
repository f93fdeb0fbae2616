"""What is in the bits of numbers: mantissas and exponents, hashes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facula import dtypes
from facula.arguments import need_tensor
from facula.dimensions import count_along, kept_shape, wrap_dims
from facula.matrices import written
from facula.primitive import primitive, promote, write_out
from facula.types import Tensor

__all__ = ["frexp", "hash_tensor"]


class frexp_result(NamedTuple):
    """A number in [0.5, 1), or (-1, -0.5], and the power of two it is multiplied with."""

    mantissa: Tensor
    exponent: Tensor


@primitive(dtype=promote, vjp={"x": lambda g, out_1: g[0] / out_1.to(g[0].dtype).exp2()})
def _frexp(xp, x):
    mantissa, exponent = xp.frexp(x)
    return mantissa, exponent.astype(np.int32)


def frexp(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> frexp_result:
    """Return mantissas and exponents with ``input = mantissa * 2 ** exponent``.

    >>> facula.frexp(facula.tensor([8.0])).exponent
    tensor([4], dtype=facula.int32)
    """
    need_tensor("frexp", input)
    if not input.is_floating_point():
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    return frexp_result(*written(_frexp(input), out, "frexp"))


@primitive()
def _xor(xp, x, *, dims, keepdim):
    """Return the exclusive or of the elements' 64 bits, halves with halves."""
    wide = x.astype(np.float64) if x.dtype.kind in "fV" else x.astype(np.int64) if x.dtype != np.uint64 else x
    kept = [axis for axis in range(x.ndim) if axis not in dims]
    count = count_along(x.shape, dims)
    bits = wide.transpose((*dims, *kept)).reshape((count, *[x.shape[axis] for axis in kept])).view(np.uint64)
    while len(bits) > 1:
        half = len(bits) // 2
        rest = bits[2 * half :]
        bits = bits[:half] ^ bits[half : 2 * half]
        if len(rest):
            bits[:1] ^= rest
    return bits[0].reshape(kept_shape(x.shape, dims)) if keepdim else bits[0]


def hash_tensor(
    input: Tensor,
    dim: int | Sequence[int] | None = None,
    *,
    keepdim: bool = False,
    mode: int = 0,
    out: Tensor | None = None,
) -> Tensor:
    """Return the exclusive or of all elements' bits, or of those along ``dim``, as uint64.

    Floating-point numbers are taken as float64, others as int64.

    >>> facula.hash_tensor(facula.tensor([1, 2, 4])).item()
    7
    """
    need_tensor("hash_tensor", input)
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    if input.is_complex():
        raise NotImplementedError(f'"xor_sum_cpu" not implemented for {input.dtype.name.title()!r}')
    wrapped = wrap_dims(dim, input.dim())
    dims = tuple(range(input.dim())) if wrapped is None else wrapped
    for axis in dims:
        if not input.shape[axis]:
            if wrapped is None:
                raise RuntimeError(
                    "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. Specify the reduction "
                    "dim with the 'dim' argument."
                )
            raise IndexError(f"hash_tensor: Expected reduction dim {axis} to have non-zero size.")
    if out is not None and out.dtype is not dtypes.uint64:
        raise RuntimeError(f"Expected result to be of dtype uint64, but got {out.dtype.name.title()}")
    result = _xor(input, dims=dims, keepdim=keepdim)
    return result if out is None else write_out(result, out, "hash_tensor")
