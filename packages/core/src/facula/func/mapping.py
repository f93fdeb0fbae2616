"""vmap: a function of single examples as one of a batch.

The function is called once for each example, and its results are stacked: what it does may differ from example to
example, and every operation can be used. A batched operation is faster where there is one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import facula
from facula import Tensor
from facula.utils.pytree import _broadcast_to_and_flatten, tree_flatten, tree_unflatten

__all__ = ["vmap"]

_RANDOMNESS = ("error", "different", "same")


def _mapped(in_dims: Any, args: tuple[Any, ...], name: str) -> tuple[list[Any], list[Any], Any, int]:
    """Return the leaves of the arguments, the dimension each is mapped over (or None), the nesting, and the batch's size."""
    if not isinstance(in_dims, (int, tuple)):
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a (potentially nested) "
            f"tuple matching the structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs.")
    leaves, spec = tree_flatten(args)
    dims = _broadcast_to_and_flatten(in_dims, spec, is_leaf=lambda each: each is None)
    if dims is None:
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the structure of `inputs`."
        )
    wrapped: list[Any] = []
    for leaf, dim in zip(leaves, dims, strict=True):
        if dim is None:
            wrapped.append(None)
            continue
        if not isinstance(dim, int):
            raise ValueError(f"vmap({name}): expected each of in_dims to be an int or None, got {dim!r}")
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"vmap({name}): Got in_dim={dim} for an input but the input is of type {type(leaf)}. We cannot vmap over "
                "non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -leaf.dim() <= dim < leaf.dim():
            raise ValueError(
                f"vmap({name}): Got in_dim={dim} for some input, but that input is a Tensor of dimensionality "
                f"{leaf.dim()} so expected in_dim to satisfy -{leaf.dim()} <= in_dim < {leaf.dim()}."
            )
        wrapped.append(dim % leaf.dim())
    sizes = [leaf.shape[dim] for leaf, dim in zip(leaves, wrapped, strict=True) if dim is not None]
    if not sizes:
        raise ValueError(f"vmap({name}): at least one input must be mapped over; all in_dims are None")
    if len(set(sizes)) > 1:
        raise ValueError(f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes}")
    return leaves, wrapped, spec, sizes[0]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that maps ``func`` over a dimension of its arguments and stacks the results along ``out_dims``.

    ``in_dims`` says, for each argument, which dimension, or None for one that is the same for all. With ``randomness``
    "different" each call draws numbers of its own, with "same" all draw the same; "error" forbids drawing.

    >>> facula.vmap(facula.dot)(facula.ones(2, 3), facula.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    tensor([ 6., 15.])
    """
    if randomness not in _RANDOMNESS:
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", repr(func))

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        leaves, dims, spec, size = _mapped(in_dims, args, name)
        if not size:
            raise ValueError(f"vmap({name}): the mapped dimension is empty, so there is no example to call it with")
        start = facula.get_rng_state()
        results = []
        for index in range(size):
            if randomness == "same":
                facula.set_rng_state(start)
            chosen = [leaf if dim is None else leaf.select(dim, index) for leaf, dim in zip(leaves, dims, strict=True)]
            results.append(func(*tree_unflatten(chosen, spec), **kwargs))
            if randomness == "error" and not facula.equal(facula.get_rng_state(), start):
                raise RuntimeError(
                    "vmap: called random operation while in randomness error mode. Please either use the 'same' or "
                    "'different' randomness flags on vmap or perform the randomness operation out of vmap"
                )
        return _stacked(results, out_dims, name)

    return wrapped


def _stacked(results: list[Any], out_dims: Any, name: str) -> Any:
    flat = [tree_flatten(each) for each in results]
    leaves, spec = flat[0]
    if any(other.num_leaves != spec.num_leaves for _, other in flat):
        raise ValueError(f"vmap({name}): expected results of one structure, got {spec} and others")
    for each in leaves:
        if not isinstance(each, Tensor):
            raise ValueError(f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(each)}.")
    dims = _broadcast_to_and_flatten(out_dims, spec, is_leaf=lambda each: each is None)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): out_dims is not compatible with the structure of `outputs`."
        )
    stacked = []
    for index, dim in enumerate(dims):
        parts = [values[index] for values, _ in flat]
        if dim is None:
            stacked.append(parts[0])
            continue
        stacked.append(facula.stack(parts, dim))
    return tree_unflatten(stacked, spec)
