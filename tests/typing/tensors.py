"""What a type checker says of tensors, their methods and the functions of facula."""

from typing import Any, assert_type

import facula
import numpy as np
from facula import Tensor

x = facula.randn(3, 4, requires_grad=True)
assert_type(x, Tensor)

# Made from numbers, from other tensors, by functions.
assert_type(facula.tensor([1.0, 2.0]), Tensor)
assert_type(facula.zeros(3, dtype=facula.float64), Tensor)
assert_type(facula.cat([x, x], dim=1), Tensor)
assert_type(facula.where(x > 0, x, 0.0), Tensor)
assert_type(facula.einsum("ij->i", x), Tensor)
assert_type(facula.matmul(x, x.t()), Tensor)

# Operators.
assert_type(x + 1, Tensor)
assert_type(1 - x, Tensor)
assert_type(x @ x.T, Tensor)
assert_type(-x, Tensor)
assert_type(x > 0, Tensor)
assert_type(x[0, 1:], Tensor)

# Methods.
assert_type(x.sum(dim=0, keepdim=True), Tensor)
assert_type(x.reshape(2, 6), Tensor)
assert_type(x.detach().add_(1), Tensor)
assert_type(x.to("cpu"), Tensor)
assert_type(x.split(2), tuple[Tensor, ...])
assert_type(x.backward(facula.ones(3, 4)), None)
assert_type(x.grad, Tensor | None)

# Along a dimension: a named tuple; of everything: a tensor.
assert_type(x.max(), Tensor)
assert_type(x.max(dim=1).values, Tensor)
assert_type(x.max(1).indices, Tensor)
assert_type(facula.max(x), Tensor)
assert_type(facula.max(x, 1).indices, Tensor)
values, indices = x.topk(2)
assert_type(values, Tensor)
assert_type(x.sort().indices, Tensor)
assert_type(facula.linalg.svd(x).S, Tensor)

# What a tensor says of itself.
assert_type(x.shape, facula.Size)
assert_type(x.size(), facula.Size)
assert_type(x.size(0), int)
assert_type(x.shape[0], int)
assert_type(x.shape.numel(), int)
assert_type(x.dtype, facula.dtype)
assert_type(x.device, facula.device)
assert_type(x.requires_grad, bool)
assert_type(x.detach().numpy(), np.ndarray[tuple[Any, ...], np.dtype[Any]])

# Gradients.
assert_type(facula.autograd.grad(x.sum(), x), tuple[Tensor, ...])


@facula.no_grad()
def evaluated(input: Tensor) -> int:
    """Return a number, under a decorator that keeps the types."""
    return input.numel()


@facula.no_grad
def evaluated_too(input: Tensor) -> int:
    """Return a number, under the bare decorator."""
    return input.numel()


assert_type(evaluated(x), int)
assert_type(evaluated_too(x), int)
