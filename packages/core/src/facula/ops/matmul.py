"""Matrix products, and what is made of them."""

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import native
from facula.arguments import need_tensor
from facula.graph.modes import types_may_differ
from facula.primitive import primitive, promote, write_out
from facula.types import Number, Tensor

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "chain_matmul", "dot", "ger", "inner", "kron"]
__all__ += ["matmul", "mm", "mv", "outer", "tensordot", "vdot"]


def _conj(x: Tensor) -> Tensor:
    return x.conj() if x._array.dtype.kind == "c" else x


def _swapped(x: Tensor) -> Tensor:
    """Return the matrices of ``x`` transposed, conjugated when complex."""
    return _conj(x.transpose(-2, -1))


def _rows(x: Tensor) -> Tensor:
    """Return ``x`` as one matrix: all leading dimensions folded into the first."""
    return x if x._array.ndim == 2 else x.reshape((math.prod(x._array.shape[:-1]), x._array.shape[-1]))


# Two matrices: the usual case, kept short. Some processors multiply bfloat16 itself, much faster; sums are float32 everywhere. Each of the three products is a gradient of the other two, so none makes a
# transposed tensor of its own.


@primitive(dtype=promote, vjp={"x": lambda g, other: _mm_nt(g, other), "other": lambda g, x: _mm_tn(x, g)})
def _mm(xp, x, other):
    return x.dot(other)


# Of two matrices NumPy's ``dot`` is the same BLAS call as ``matmul`` with half the way to it.
_mm.kernel("cpu")(np.ndarray.dot)
_mm.native("mm", low_precision=True)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, other: _mm(g, other), "other": lambda g, x: _mm_tn(g, x)},
)
def _mm_nt(xp, x, other):
    """Return ``x @ other.mH``."""
    return x.dot(other.T if other.dtype.kind != "c" else other.T.conj())


_mm_nt.native("mm_nt", low_precision=True)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, other: _mm_nt(other, g), "other": lambda g, x: _mm(x, g)},
)
def _mm_tn(xp, x, other):
    """Return ``x.mH @ other``."""
    return (x.T if x.dtype.kind != "c" else x.T.conj()).dot(other)


_mm_tn.native("mm_tn", low_precision=True)

# A product of arrays of any number of dimensions. Where the right one is a matrix, all leading dimensions of the left
# are folded into one: a single large product is faster than many small ones.


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x_shape, other: _slope_of_left(g, x_shape, other),
        "other": lambda g, x, other_shape: _slope_of_right(g, x, other_shape),
    },
)
def _matmul(xp, x, other):
    if x.ndim > 2 and other.ndim == 2 and x.shape[-1]:
        result = xp.matmul(x.reshape(-1, x.shape[-1]), other)
        return result.reshape(*x.shape[:-1], other.shape[1])
    return xp.matmul(x, other)


@_matmul.kernel("native", low_precision=True)
def _matmul_native(x, other):
    return (native.kernels.matmul if x.ndim > 1 and other.ndim > 1 else native.kernels.matvec)(x, other)


def _slope_of_left(g: Tensor, x_shape: tuple[Any, ...], other: Tensor) -> Tensor:
    if other._array.ndim == 1:
        other = _conj(other)
        return g * other if len(x_shape) == 1 else g.unsqueeze(-1) * other
    if len(x_shape) == 1:
        return _matmul(g.unsqueeze(-2), _swapped(other)).squeeze(-2)
    return _matmul(g, _swapped(other))


def _slope_of_right(g: Tensor, x: Tensor, other_shape: tuple[Any, ...]) -> Tensor:
    if x._array.ndim == 1:
        x = _conj(x)
        return g * x if len(other_shape) == 1 else x.unsqueeze(-1) * g.unsqueeze(-2)
    if len(other_shape) == 1:
        return _matmul(_swapped(x), g.unsqueeze(-1)).squeeze(-1)
    if len(other_shape) == 2 and x._array.ndim > 2:
        return _mm(_swapped(_rows(x)), _rows(g))
    return _matmul(_swapped(x), g)


def _check_types(input: Tensor, other: Tensor) -> None:
    if input._array.dtype != other._array.dtype and not types_may_differ():
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {input.dtype.name} != {other.dtype.name}"
        )


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the matrix product over the last two dimensions; the dimensions before them broadcast.

    A vector on the left is taken for a row, one on the right for a column; two vectors give their dot product.

    >>> facula.matmul(facula.ones(2, 3), facula.ones(3, 4)).shape
    facula.Size([2, 4])
    """
    try:
        x, y = input._array, other._array
    except AttributeError:
        need_tensor("matmul", input)
        need_tensor("matmul", other, "other")
        raise
    if x.dtype is not y.dtype:
        _check_types(input, other)
    left, right = x.shape, y.shape
    if len(left) == 2 == len(right) and left[1] == right[0]:
        return _mm(input, other, out=out)
    if not x.ndim or not y.ndim:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {x.ndim}D and {y.ndim}D")
    if x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise RuntimeError(_mismatch(x.shape, y.shape))
    if len(left) > 2 and len(right) > 2 and left[:-2] != right[:-2]:
        _check_batches(left[:-2], right[:-2])
    return _matmul(input, other, out=out)


def _check_batches(left: tuple[Any, ...], right: tuple[Any, ...]) -> None:
    for back in range(1, builtins.min(len(left), len(right)) + 1):
        if left[-back] != right[-back] and left[-back] != 1 != right[-back]:
            raise RuntimeError(
                f"The size of tensor a ({left[-back]}) must match the size of tensor b ({right[-back]}) at non-singleton "
                f"dimension {builtins.max(len(left), len(right)) - back}"
            )


def _mismatch(left: tuple[Any, ...], right: tuple[Any, ...]) -> str:
    if len(left) == len(right) == 1:
        return (
            f"inconsistent tensor size, expected tensor {list(left)} and src {list(right)} to have the same number of "
            "elements"
        )
    if len(right) == 1:
        return f"size mismatch, got input ({left[-2]}), mat ({left[-2]}x{left[-1]}), vec ({right[0]})"
    rows = math.prod(left[:-1])
    return f"mat1 and mat2 shapes cannot be multiplied ({rows}x{left[-1]} and {right[-2]}x{right[-1]})"


def _need_dimensions(name: str, **expected: tuple[Tensor, int]) -> None:
    for argument, (tensor, count) in expected.items():
        need_tensor(name, tensor, argument)
        if tensor._array.ndim != count:
            kind = {1: "vector", 2: "matrix", 3: "3D tensor"}[count]
            raise RuntimeError(f"{name}: Expected {argument} to be a {kind}, but got a {tensor._array.ndim}D tensor")


def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the product of two matrices.

    >>> facula.mm(facula.ones(1, 3), facula.ones(3, 1))
    tensor([[3.]])
    """
    _need_dimensions("mm", self=(input, 2), mat2=(mat2, 2))
    return matmul(input, mat2, out=out)


def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the products of two batches of matrices, of shapes (b, n, m) and (b, m, p).

    >>> facula.bmm(facula.ones(2, 1, 3), facula.ones(2, 3, 1)).shape
    facula.Size([2, 1, 1])
    """
    _need_dimensions("bmm", batch1=(input, 3), batch2=(mat2, 3))
    left, right = input._array.shape, mat2._array.shape
    if left[0] != right[0] or left[2] != right[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{left[0]}, {left[2]}] but got: "
            f"[{right[0]}, {right[1]}]."
        )
    return matmul(input, mat2, out=out)


def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the product of a matrix and a vector.

    >>> facula.mv(facula.ones(2, 3), facula.ones(3))
    tensor([3., 3.])
    """
    need_tensor("mv", input)
    need_tensor("mv", vec, "vec")
    if input._array.ndim != 2 or vec._array.ndim != 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {vec._array.ndim}, {input._array.ndim}, {vec._array.ndim}"
        )
    return matmul(input, vec, out=out)


def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the sum of the products of two vectors' elements.

    >>> facula.dot(facula.tensor([1.0, 2.0]), facula.tensor([3.0, 4.0]))
    tensor(11.)
    """
    need_tensor("dot", input)
    need_tensor("dot", tensor, "tensor")
    if input._array.ndim != 1 or tensor._array.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input._array.ndim}D and {tensor._array.ndim}D tensors")
    if input._array.dtype != tensor._array.dtype:
        raise RuntimeError(
            f"dot : expected both vectors to have same dtype, but found {input.dtype.name.title()} and "
            f"{tensor.dtype.name.title()}"
        )
    return matmul(input, tensor, out=out)


def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the dot product of two vectors, the first one conjugated.

    >>> facula.vdot(facula.tensor([1j]), facula.tensor([1j]))
    tensor(1.+0.j)
    """
    need_tensor("vdot", input)
    return dot(_conj(input), other, out=out)


def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the sums of products over the last dimension of both; a plain product when one is zero-dim.

    >>> facula.inner(facula.tensor([1.0, 2.0]), facula.tensor([3.0, 4.0]))
    tensor(11.)
    """
    need_tensor("inner", input)
    need_tensor("inner", other, "other")
    left, right = input._array, other._array
    if not left.ndim or not right.ndim:
        return input.mul(other, out=out)
    if left.shape[-1] != right.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(left.shape)} and {list(right.shape)}"
        )
    result = matmul(input, _rows(other).transpose(0, 1) if right.ndim > 1 else other)
    result = result.reshape((*left.shape[:-1], *right.shape[:-1]))
    return result if out is None else write_out(result, out, "inner")


def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the matrix of all products of two vectors' elements.

    >>> facula.outer(facula.tensor([1, 2]), facula.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _need_dimensions("outer", self=(input, 1), vec2=(vec2, 1))
    return input.unsqueeze(1).mul(vec2, out=out)


# A product with something added. PyTorch lets beta = 0 ignore what is in ``input``, even nan.


def _combined(
    name: str,
    input: Tensor,
    product: Tensor,
    beta: Number,
    alpha: Number,
    out: Tensor | None,
) -> Tensor:
    shape = product._array.shape
    try:
        fits = np.broadcast_shapes(input._array.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"{name}: the expanded size {list(shape)} cannot be reached from input of size {list(input._array.shape)}"
        )
    if product.dtype is not input.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {input.dtype.name.title()} and "
            f"{product.dtype.name.title()}"
        )
    if product._array.dtype.kind in "iub":
        number: Any = builtins.bool if product._array.dtype.kind == "b" else builtins.int
        beta, alpha = number(beta), number(alpha)
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product if out is None else write_out(product, out, name)
    return (input if beta == 1 else input * beta).add(product, out=out)


def addmm(
    input: Tensor,
    mat1: Tensor,
    mat2: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``beta * input + alpha * (mat1 @ mat2)``.

    >>> facula.addmm(facula.ones(1), facula.ones(1, 3), facula.ones(3, 1))
    tensor([[4.]])
    """
    _need_dimensions("addmm", mat1=(mat1, 2), mat2=(mat2, 2))
    return _combined("addmm", input, matmul(mat1, mat2), beta, alpha, out)


def addmv(
    input: Tensor,
    mat: Tensor,
    vec: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``beta * input + alpha * (mat @ vec)``.

    >>> facula.addmv(facula.ones(2), facula.ones(2, 3), facula.ones(3))
    tensor([4., 4.])
    """
    return _combined("addmv", input, mv(mat, vec), beta, alpha, out)


def addr(
    input: Tensor,
    vec1: Tensor,
    vec2: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``beta * input + alpha * outer(vec1, vec2)``.

    >>> facula.addr(facula.ones(1, 1), facula.tensor([2.0]), facula.tensor([3.0]))
    tensor([[7.]])
    """
    product = outer(vec1, vec2)
    if product.dtype is not input.dtype:
        product, input = product + input.new_zeros(()), input + product.new_zeros(())
    return _combined("addr", input, product, beta, alpha, out)


def baddbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``beta * input + alpha * (batch1 @ batch2)``, for batches of matrices.

    >>> facula.baddbmm(facula.ones(1), facula.ones(2, 1, 3), facula.ones(2, 3, 1)).shape
    facula.Size([2, 1, 1])
    """
    return _combined("baddbmm", input, bmm(batch1, batch2), beta, alpha, out)


def addbmm(
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``beta * input + alpha * sum over the batch of (batch1 @ batch2)``.

    >>> facula.addbmm(facula.zeros(1, 1), facula.ones(2, 1, 3), facula.ones(2, 3, 1))
    tensor([[6.]])
    """
    return _combined("addbmm", input, bmm(batch1, batch2).sum(0, dtype=batch1.dtype), beta, alpha, out)


# Layers.


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, weight: _matmul(g, _conj(weight)),
        "weight": lambda g, x: _mm(_rows(g).transpose(0, 1), _conj(_rows(x))),
        "bias": lambda g: g,
    },
)
def _linear(xp, x, weight, bias):
    result = xp.matmul(x if x.ndim == 2 else x.reshape(-1, x.shape[-1]), weight.T)
    if bias is not None:
        result += bias
    return result if x.ndim == 2 else result.reshape(*x.shape[:-1], weight.shape[0])


_linear.native("linear", low_precision=True)


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return ``input @ weight.T + bias``: (..., in) with a weight of (out, in) gives (..., out).

    >>> facula.nn.functional.linear(facula.ones(2, 3), facula.ones(4, 3)).shape
    facula.Size([2, 4])
    """
    if out is not None:
        return write_out(linear(input, weight, bias), out, "linear")
    x, w = input._array, weight._array
    if x.dtype is not w.dtype:
        _check_types(input, weight)
    if bias is not None and bias._array.dtype is not w.dtype:
        _check_types(weight, bias)
    if w.ndim != 2 or not x.ndim or x.shape[-1] == 0:
        product = matmul(input, weight.t())
        return product if bias is None else product + bias
    if x.shape[-1] != w.shape[1]:
        raise RuntimeError(_mismatch(x.shape if x.ndim > 1 else (1, *x.shape), w.shape[::-1]))
    if bias is not None and bias._array.shape != w.shape[:1]:
        return matmul(input, weight.t()) + bias
    return _linear(input, weight, bias) if bias is not None else _linear(input, weight, None)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``input1 @ weight[k] @ input2 + bias[k]`` for each output feature k.

    Shapes (..., in1), (..., in2) and a weight of (out, in1, in2) give (..., out).

    >>> facula.nn.functional.bilinear(facula.ones(5, 2), facula.ones(5, 3), facula.ones(4, 2, 3)).shape
    facula.Size([5, 4])
    """
    if input1.dim() != input2.dim() or input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            f"bilinear(): input batch dimensions do not match: got {list(input1.shape)} and {list(input2.shape)}"
        )
    if input1.shape[-1] != weight.shape[1] or input2.shape[-1] != weight.shape[2]:
        raise RuntimeError(
            f"bilinear(): input1 and input2 sizes do not match weight size: got {input1.shape[-1]}, {input2.shape[-1]} "
            f"and {list(weight.shape)}"
        )
    features, size1, size2 = weight.shape
    rows = _rows(input1)
    # (n, in1) x (in1, out * in2), then with input2 along in2.
    partial = matmul(rows, weight.permute(1, 0, 2).reshape((size1, features * size2))).reshape((-1, features, size2))
    result = matmul(partial, _rows(input2).unsqueeze(-1)).reshape((*input1.shape[:-1], features))
    return result if bias is None else result + bias


# Products over named dimensions.


def tensordot(
    a: Tensor,
    b: Tensor,
    dims: int | Sequence[Sequence[int]] | Tensor = 2,
    out: Tensor | None = None,
) -> Tensor:
    """Return the sums of products over the last ``dims`` of ``a`` and the first of ``b``, or over the pairs named.

    >>> facula.tensordot(facula.ones(2, 3), facula.ones(3, 4), dims=1).shape
    facula.Size([2, 4])
    """
    if hasattr(dims, "tolist"):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > builtins.min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims = (list(range(a.dim() - dims, a.dim())), list(range(dims)))
    left = [dim % a.dim() if a.dim() else dim for dim in _as_list(dims[0])]
    right = [dim % b.dim() if b.dim() else dim for dim in _as_list(dims[1])]
    if len(left) != len(right):
        raise RuntimeError(f"both dimension lists should have same length, got {left} and {right}")
    for one, other in zip(left, right, strict=True):
        # A length of 1 broadcasts: the other side is summed.
        if a.shape[one] == 1 and b.shape[other] != 1:
            b = b.sum(other, True)
        elif b.shape[other] == 1 and a.shape[one] != 1:
            a = a.sum(one, True)
        elif a.shape[one] != b.shape[other]:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[one]} in dim {one} and second has "
                "size "
                f"{b.shape[other]} in dim {other}"
            )
    kept_left = [dim for dim in range(a.dim()) if dim not in left]
    kept_right = [dim for dim in range(b.dim()) if dim not in right]
    shape = [
        *(a.shape[dim] for dim in kept_left),
        *(b.shape[dim] for dim in kept_right),
    ]
    size = math.prod(a.shape[dim] for dim in left)
    rows = math.prod(a.shape[dim] for dim in kept_left)
    columns = math.prod(b.shape[dim] for dim in kept_right)
    first = a.permute([*kept_left, *left]).reshape((rows, size))
    second = b.permute([*right, *kept_right]).reshape((size, columns))
    result = matmul(first, second).reshape(shape)
    return result if out is None else write_out(result, out, "tensordot")


def _as_list(dims: Any) -> list[int]:
    return [dims] if isinstance(dims, int) else list(dims)


def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the Kronecker product: ``other`` scaled by each element of ``input``, in its place.

    >>> facula.kron(facula.tensor([1, 10]), facula.tensor([1, 2]))
    tensor([ 1,  2, 10, 20])
    """
    ndim = builtins.max(input.dim(), other.dim())
    left = (1,) * (ndim - input.dim()) + tuple(input.shape)
    right = (1,) * (ndim - other.dim()) + tuple(other.shape)
    spread = input.reshape([length for each in left for length in (each, 1)])
    tile = other.reshape([length for each in right for length in (1, each)])
    result = (spread * tile).reshape([one * two for one, two in zip(left, right, strict=True)])
    return result if out is None else write_out(result, out, "kron")


def chain_matmul(*matrices: Tensor, out: Tensor | None = None) -> Tensor:
    """Return the product of all the matrices, in the order that takes the fewest multiplications.

    >>> facula.chain_matmul(facula.ones(2, 3), facula.ones(3, 4), facula.ones(4, 1)).shape
    facula.Size([2, 1])
    """
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    for each in matrices:
        if each.dim() != 2:
            raise RuntimeError(f"chain_matmul(): Expected matrices, but got a tensor of {each.dim()} dimensions")
    result = _chain(list(matrices))
    return result if out is None else write_out(result, out, "chain_matmul")


def _chain(matrices: list[Tensor]) -> Tensor:
    """Return the product in the best order, found by dynamic programming over all splits."""
    count = len(matrices)
    sizes = [matrices[0].shape[0], *(each.shape[1] for each in matrices)]
    cost = {(at, at): (0, at) for at in range(count)}
    for length in range(1, count):
        for start in range(count - length):
            end = start + length
            cost[start, end] = builtins.min(
                (
                    cost[start, cut][0] + cost[cut + 1, end][0] + sizes[start] * sizes[cut + 1] * sizes[end + 1],
                    cut,
                )
                for cut in range(start, end)
            )
    return _multiplied(matrices, cost, 0, count - 1)


def _multiplied(matrices: list[Tensor], cost: dict[Any, Any], start: int, end: int) -> Tensor:
    if start == end:
        return matrices[start]
    cut = cost[start, end][1]
    return matmul(
        _multiplied(matrices, cost, start, cut),
        _multiplied(matrices, cost, cut + 1, end),
    )


ger = outer
