"""Gradients, Jacobians and their products, as functions of functions.

Arguments may be nested containers of tensors. The transforms can be put inside each other: inside another one, results
keep their history, so that the outer one can differentiate them.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import facula
from facula import Tensor
from facula.utils.pytree import tree_flatten, tree_map, tree_unflatten

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]


class _Depth(threading.local):
    """How many transforms this thread is inside of."""

    value = 0


_depth = _Depth()


@contextmanager
def _inside() -> Iterator[None]:
    _depth.value += 1
    try:
        with facula.enable_grad():
            yield
    finally:
        _depth.value -= 1


def _keeps_history(tensors: list[Tensor]) -> bool:
    """Return whether somebody outside may differentiate what is computed of these tensors."""
    return _depth.value > 0 or any(each.requires_grad for each in tensors)


def _variable(x: Any, what: str) -> Any:
    """Return a tensor to differentiate in: with the history of ``x``, where it has one."""
    if not isinstance(x, Tensor):
        raise RuntimeError(f"{what}: expected all leaves of the inputs to be tensors, got {type(x).__name__}")
    if not (x.is_floating_point() or x.is_complex()):
        raise RuntimeError(f"{what}: expected tensors of floating-point or complex numbers, got {x.dtype}")
    return x.view_as(x) if x.requires_grad else x.detach().requires_grad_()


def _finished(value: Any, keep: bool) -> Any:
    return value if keep else tree_map(lambda x: x.detach() if isinstance(x, Tensor) else x, value)


def _positions(argnums: int | tuple[int, ...], count: int, name: str) -> tuple[int, ...]:
    chosen = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    if not chosen:
        raise RuntimeError(f"{name}: argnums must not be empty")
    for each in chosen:
        if not isinstance(each, int):
            raise RuntimeError(f"{name}: argnums must be int or a tuple of ints, got {type(each).__name__}")
        if not -count <= each < count:
            raise RuntimeError(f"{name}: got argnum={each}, but only {count} positional inputs")
    return tuple(each % count for each in chosen)


def _prepared(
    args: tuple[Any, ...], argnums: int | tuple[int, ...], name: str
) -> tuple[list[Any], list[Tensor], list[Any], bool]:
    """Return the arguments with variables in the chosen places, all variables, the nestings, and whether to keep history."""
    prepared, variables, specs = list(args), [], []
    originals: list[Tensor] = []
    for position in _positions(argnums, len(args), name):
        leaves, spec = tree_flatten(args[position])
        originals += [each for each in leaves if isinstance(each, Tensor)]
        made = [_variable(each, name) for each in leaves]
        prepared[position] = tree_unflatten(made, spec)
        variables += made
        specs.append(spec)
    return prepared, variables, specs, _keeps_history(originals)


def _nested(values: list[Any], specs: list[Any], argnums: int | tuple[int, ...]) -> Any:
    """Return values, one for each variable, in the form of the arguments."""
    found, start = [], 0
    for spec in specs:
        found.append(tree_unflatten(values[start : start + spec.num_leaves], spec))
        start += spec.num_leaves
    return found[0] if isinstance(argnums, int) else tuple(found)


def _gradients(
    outputs: list[Tensor], variables: list[Tensor], vectors: list[Tensor] | None, keep: bool
) -> list[Tensor]:
    """Return the gradients of outputs, zero where they do not depend on a variable."""
    wanted = [(each, None if vectors is None else vectors[i]) for i, each in enumerate(outputs) if each.requires_grad]
    if not wanted or not variables:
        return [facula.zeros_like(each) for each in variables]
    found = facula.autograd.grad(
        [each for each, _ in wanted],
        variables,
        None if vectors is None else [vector for _, vector in wanted],
        retain_graph=True,
        create_graph=keep,
        allow_unused=True,
    )
    return [facula.zeros_like(x) if each is None else each for x, each in zip(variables, found, strict=True)]


def grad_and_value(
    func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that returns the gradient of ``func`` in the arguments ``argnums``, and its value.

    ``func`` returns a single element, or with ``has_aux`` a pair of it and something else, which is passed on.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _inside():
            prepared, variables, specs, _ = _prepared(args, argnums, "grad")
            output = func(*prepared, **kwargs)
            aux = None
            if has_aux:
                if not isinstance(output, tuple) or len(output) != 2:
                    raise RuntimeError(
                        "grad_and_value(f)(*args): output of function f should be a tuple: (output, aux)"
                    )
                output, aux = output
            if not isinstance(output, Tensor):
                raise RuntimeError(f"Expected f(*args) to return tensor(s), got {type(output)}")
            if output.dim():
                raise RuntimeError(
                    f"Expected f(*args) to return a scalar tensor, got tensor with {output.dim()} dims. Maybe you "
                    "wanted to use the vjp or jacrev APIs instead?"
                )
        keep = _keeps_history(_tensors(args))
        with facula.enable_grad():
            found = _gradients([output], variables, None, keep)
        gradient, value = _nested(_finished(found, keep), specs, argnums), _finished(output, keep)
        return (gradient, (value, _finished(aux, keep))) if has_aux else (gradient, value)

    return wrapped


def _tensors(value: Any) -> list[Tensor]:
    return [each for each in tree_flatten(value)[0] if isinstance(each, Tensor)]


def grad(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that returns the gradient of ``func`` in the arguments ``argnums``.

    >>> facula.func.grad(facula.func.grad(lambda x: x**3))(facula.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


def _called(func: Callable[..., Any], prepared: list[Any], has_aux: bool, name: str) -> tuple[list[Tensor], Any, Any]:
    """Return the outputs' leaves, their nesting, and what else the function returned."""
    output = func(*prepared)
    aux = None
    if has_aux:
        if not isinstance(output, tuple) or len(output) != 2:
            raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
        output, aux = output
    leaves, spec = tree_flatten(output)
    if not leaves or not all(isinstance(each, Tensor) for each in leaves):
        raise RuntimeError(f"{name}: Expected f to return tensors, got {type(output)}")
    return leaves, spec, aux


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return what ``func(*primals)`` returns, and a function that returns the product of a vector with the Jacobian.

    >>> value, product = facula.func.vjp(lambda x: x * x, facula.tensor([3.0, 4.0]))
    >>> product(facula.tensor([1.0, 0.5]))
    (tensor([6., 4.]),)
    """
    with _inside():
        prepared, variables, specs, _ = _prepared(primals, tuple(range(len(primals))), "vjp")
        outputs, spec, aux = _called(func, prepared, has_aux, "vjp")
    keep = _keeps_history(_tensors(primals))

    def product(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> tuple[Any, ...]:
        vectors, given = tree_flatten(cotangents)
        if given.num_leaves != spec.num_leaves:
            raise RuntimeError(
                f"Expected pytree structure of cotangents to be the same as of outputs, {spec}, got {given}"
            )
        inner = keep or _keeps_history(_tensors(cotangents))
        with facula.enable_grad():
            found = _gradients(outputs, variables, vectors, inner)
        return _nested(_finished(found, inner), specs, tuple(range(len(primals))))

    value = _finished(tree_unflatten(outputs, spec), keep)
    return (value, product, _finished(aux, keep)) if has_aux else (value, product)


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """Return what ``func(*primals)`` returns, and the product of its Jacobian with the tangents.

    It is the gradient, in a vector that does not matter, of the product of that vector with the Jacobian.

    >>> facula.func.jvp(lambda x: x.prod(), (facula.tensor([3.0, 4.0]),), (facula.tensor([1.0, 0.0]),))
    (tensor(12.), tensor(4.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple) or len(primals) != len(tangents):
        raise RuntimeError("jvp(f, primals, tangents): Expected primals and tangents to be tuples of the same length")
    with _inside():
        prepared, variables, _, _ = _prepared(primals, tuple(range(len(primals))), "jvp")
        directions = tree_flatten(tangents)[0]
        if [each.shape for each in directions] != [each.shape for each in variables]:
            raise RuntimeError("jvp(f, primals, tangents): Expected the tangents to have the shapes of the primals")
        outputs, spec, aux = _called(func, prepared, has_aux, "jvp")
        weights = [facula.zeros_like(each, requires_grad=True) for each in outputs]
        backwards = _gradients(outputs, variables, weights, True)
    keep = _keeps_history(_tensors((primals, tangents)))
    with facula.enable_grad():
        found = _gradients(backwards, weights, directions, keep)
    value = _finished(tree_unflatten(outputs, spec), keep)
    moved = tree_unflatten(_finished(found, keep), spec)
    return (value, moved, _finished(aux, keep)) if has_aux else (value, moved)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return what ``func(*primals)`` returns, and the linear function of tangents that is its Jacobian there."""
    value = jvp(func, primals, tuple(tree_map(facula.zeros_like, each) for each in primals))[0]

    def linear(*tangents: Any) -> Any:
        return jvp(func, primals, tangents)[1]

    return value, linear


def jacrev(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian of ``func``: for each output, of its shape followed by the argument's.

    >>> facula.func.jacrev(lambda x: x * x)(facula.tensor([3.0, 4.0]))
    tensor([[6., 0.],
            [0., 8.]])
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _inside():
            prepared, variables, specs, _ = _prepared(args, argnums, "jacrev")
            outputs, spec, aux = _called(lambda *given: func(*given, **kwargs), prepared, has_aux, "jacrev")
        keep = _keeps_history(_tensors(args))
        with facula.enable_grad():
            jacobians = [_nested(_finished(_rows(each, variables, keep), keep), specs, argnums) for each in outputs]
        result = tree_unflatten(jacobians, spec)
        return (result, _finished(aux, keep)) if has_aux else result

    return wrapped


def _rows(output: Tensor, variables: list[Tensor], keep: bool) -> list[Tensor]:
    """Return the Jacobian of one output in each variable."""
    if not output.numel():
        return [x.new_zeros((*output.shape, *x.shape)) for x in variables]
    rows = [_gradients([each], variables, None, keep) for each in output.reshape(-1).unbind()]
    return [
        facula.stack([row[index] for row in rows]).reshape((*output.shape, *x.shape))
        for index, x in enumerate(variables)
    ]


def jacfwd(
    func: Callable[..., Any],
    argnums: int | tuple[int, ...] = 0,
    has_aux: bool = False,
    *,
    chunk_size: int | None = None,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Return a function that returns the Jacobian of ``func``, as `jacrev` does: computed row by row too."""
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return a function that returns the Hessian of ``func``.

    >>> facula.func.hessian(lambda x: (x**3).sum())(facula.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
