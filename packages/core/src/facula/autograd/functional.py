"""Jacobians, Hessians and their products with vectors, of functions of tensors.

Each function takes ``func`` and ``inputs``, a tensor or a tuple of them, and gives results of the same form: a tensor
for a tensor, a tuple for a tuple. ``create_graph`` makes the results differentiable. With ``strict`` it is an error when
an output does not depend on an input; without, such a derivative is zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import facula
from facula.graph.backward import grad
from facula.graph.modes import enable_grad
from facula.ops.joining import stack
from facula.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = Tensor | tuple[Tensor, ...]


def _as_tuple(value: Any, what: str, name: str) -> tuple[bool, tuple[Tensor, ...]]:
    """Return whether it was a tuple already, and the tuple."""
    given = isinstance(value, tuple)
    values = value if given else (value,)
    for index, each in enumerate(values):
        if not isinstance(each, Tensor):
            where = f"Value {index} of the {what}" if given else f"The {what}"
            raise TypeError(f"{where} given to {name} must be a Tensor but has type {type(each)}.")
    return given, tuple(values)


def _prepared(inputs: tuple[Tensor, ...], create_graph: bool) -> tuple[Tensor, ...]:
    """Return inputs that require grad: those given, where results are to be differentiable in them."""
    if create_graph:
        return tuple(each.view_as(each) if each.requires_grad else each.detach().requires_grad_() for each in inputs)
    return tuple(each.detach().requires_grad_() for each in inputs)


def _finished(results: Sequence[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    return tuple(results) if create_graph else tuple(each.detach() for each in results)


def _form(given: bool, values: tuple[Any, ...]) -> Any:
    return values if given else values[0]


def _check_dependence(outputs: tuple[Tensor, ...], name: str, strict: bool) -> None:
    if not strict:
        return
    for index, each in enumerate(outputs):
        if not each.requires_grad:
            raise RuntimeError(
                f"Output {index} of the user-provided function does not require gradients in {name}; with strict=True "
                "each output must depend on the inputs."
            )


def _gradients(
    outputs: tuple[Tensor, ...],
    inputs: tuple[Tensor, ...],
    vectors: tuple[Tensor | None, ...] | None,
    name: str,
    strict: bool,
    create_graph: bool,
) -> tuple[Tensor, ...]:
    """Return the gradients of the outputs, weighted by ``vectors``; zeros where an output does not depend on an input."""
    chosen = [
        (output, None if vectors is None else vector)
        for output, vector in zip(outputs, vectors or (None,) * len(outputs), strict=True)
        if output.requires_grad
    ]
    if not chosen:
        return tuple(facula.zeros_like(each) for each in inputs)
    found = grad(
        [output for output, _ in chosen],
        list(inputs),
        None if vectors is None else [vector for _, vector in chosen],
        create_graph=create_graph,
        allow_unused=True,
        retain_graph=True,
    )
    for index, each in enumerate(found):
        if each is None and strict:
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {index} in {name}. This is not "
                "allowed in strict mode."
            )
    return tuple(facula.zeros_like(x) if each is None else each for x, each in zip(inputs, found, strict=True))


def _check_vector(v: tuple[Tensor, ...], like: tuple[Tensor, ...], of: str) -> None:
    if len(v) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}; it needs one for each {of}."
        )
    for index, (each, other) in enumerate(zip(v, like, strict=True)):
        if each.shape != other.shape:
            raise RuntimeError(
                f"Entry {index} in v has invalid size: should be {tuple(other.shape)} but got {tuple(each.shape)}"
            )


def vjp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return what the function returns, and the product of ``v`` with its Jacobian.

    ``v`` has the shapes of the outputs; it can be left out for a single output of one element.

    >>> facula.autograd.functional.vjp(lambda x: x * x, facula.tensor([3.0, 4.0]), facula.tensor([1.0, 0.0]))[1]
    tensor([6., 0.])
    """
    with enable_grad():
        given, values = _as_tuple(inputs, "inputs", "vjp")
        values = _prepared(values, create_graph)
        given_out, outputs = _as_tuple(func(*values), "outputs of the user-provided function", "vjp")
        _check_dependence(outputs, "vjp", strict)
        if v is None:
            if len(outputs) != 1 or outputs[0].numel() != 1:
                raise RuntimeError("The vector v can only be None if the user-provided function returns one element.")
            vectors: tuple[Tensor, ...] = (facula.ones_like(outputs[0]),)
        else:
            vectors = _as_tuple(v, "v", "vjp")[1]
            _check_vector(vectors, outputs, "output")
        found = _gradients(outputs, values, vectors, "vjp", strict, create_graph)
    return _form(given_out, _finished(outputs, create_graph)), _form(given, _finished(found, create_graph))


def jvp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return what the function returns, and the product of its Jacobian with ``v``.

    ``v`` has the shapes of the inputs; it can be left out for a single input of one element. The product is the
    gradient, in a vector ``u`` that does not matter, of the product of ``u`` with the Jacobian.

    >>> facula.autograd.functional.jvp(lambda x: x.prod(), facula.tensor([3.0, 4.0]), facula.tensor([1.0, 0.0]))[1]
    tensor(4.)
    """
    with enable_grad():
        _, values = _as_tuple(inputs, "inputs", "jvp")
        values = _prepared(values, create_graph)
        if v is None:
            if len(values) != 1 or values[0].numel() != 1:
                raise RuntimeError("The vector v can only be None if the input is one element.")
            vectors: tuple[Tensor, ...] = (facula.ones_like(values[0]),)
        else:
            vectors = _as_tuple(v, "v", "jvp")[1]
            _check_vector(vectors, values, "input")
        given_out, outputs = _as_tuple(func(*values), "outputs of the user-provided function", "jvp")
        _check_dependence(outputs, "jvp", strict)
        dummies = tuple(facula.zeros_like(each, requires_grad=True) for each in outputs)
        backwards = _gradients(outputs, values, dummies, "jvp", strict, True)
        found = _gradients(backwards, dummies, vectors, "jvp", False, create_graph)
    return _form(given_out, _finished(outputs, create_graph)), _form(given_out, _finished(found, create_graph))


def jacobian(
    func: Callable[..., Any],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian: for each output and each input, a tensor of the output's shape followed by the input's.

    ``vectorize`` and ``strategy`` are accepted; the result is the same.

    >>> facula.autograd.functional.jacobian(lambda x: x * x, facula.tensor([3.0, 4.0]))
    tensor([[6., 0.],
            [0., 8.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(f'Expected strategy to be either "forward-mode" or "reverse-mode". Got {strategy!r}')
    with enable_grad():
        given, values = _as_tuple(inputs, "inputs", "jacobian")
        values = _prepared(values, create_graph)
        given_out, outputs = _as_tuple(func(*values), "outputs of the user-provided function", "jacobian")
        _check_dependence(outputs, "jacobian", strict)
        rows = [_rows(output, values, strict, create_graph) for output in outputs]
    finished = [_finished(row, create_graph) for row in rows]
    return _form(given_out, tuple(_form(given, row) for row in finished))


def _rows(output: Tensor, inputs: tuple[Tensor, ...], strict: bool, create_graph: bool) -> tuple[Tensor, ...]:
    """Return the Jacobian of one output in each input."""
    elements = output.reshape(-1)
    if not output.numel():
        return tuple(facula.zeros((*output.shape, *each.shape), dtype=each.dtype) for each in inputs)
    found = [_gradients((element,), inputs, None, "jacobian", strict, create_graph) for element in elements.unbind()]
    return tuple(
        stack([row[index] for row in found]).reshape((*output.shape, *each.shape)) for index, each in enumerate(inputs)
    )


def _scalar(func: Callable[..., Any], name: str) -> Callable[..., Tensor]:
    """Return the function, checked to give one element."""

    def checked(*inputs: Tensor) -> Tensor:
        output = func(*inputs)
        if not isinstance(output, Tensor):
            raise RuntimeError(f"The function given to {name} should return a single Tensor")
        if output.numel() != 1:
            raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")
        return output.squeeze()

    return checked


def hessian(
    func: Callable[..., Any],
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the Hessian of a function of one element: for each pair of inputs, a tensor of both their shapes.

    >>> facula.autograd.functional.hessian(lambda x: (x**3).sum(), facula.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    given, values = _as_tuple(inputs, "inputs", "hessian")
    scalar = _scalar(func, "hessian")

    def gradient(*inner: Tensor) -> tuple[Tensor, ...]:
        output = scalar(*inner)
        _check_dependence((output,), "hessian", strict)
        return _gradients((output,), inner, None, "hessian", strict, True)

    found = jacobian(gradient, values, create_graph, strict)
    return found if given else found[0][0]


def vhp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Any]:
    """Return what the function of one element returns, and the product of ``v`` with its Hessian."""
    with enable_grad():
        given, values = _as_tuple(inputs, "inputs", "vhp")
        values = _prepared(values, create_graph)
        vectors = _vector_of_inputs(v, values, "vhp")
        output = _scalar(func, "vhp")(*values)
        _check_dependence((output,), "vhp", strict)
        gradients = _gradients((output,), values, None, "vhp", strict, True)
        found = _gradients(gradients, values, vectors, "vhp", strict, create_graph)
    return _finished((output,), create_graph)[0], _form(given, _finished(found, create_graph))


def hvp(
    func: Callable[..., Any],
    inputs: Tensors,
    v: Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Tensor, Any]:
    """Return what the function of one element returns, and the product of its Hessian with ``v``.

    >>> facula.autograd.functional.hvp(lambda x: (x**3).sum(), facula.tensor([1.0, 2.0]), facula.tensor([1.0, 1.0]))[1]
    tensor([ 6., 12.])
    """
    return vhp(func, inputs, v, create_graph, strict)  # the Hessian is symmetric


def _vector_of_inputs(v: Tensors | None, inputs: tuple[Tensor, ...], name: str) -> tuple[Tensor, ...]:
    if v is None:
        if len(inputs) != 1 or inputs[0].numel() != 1:
            raise RuntimeError(
                "The vector v can only be None if the input to the user-provided function is one element."
            )
        return (facula.ones_like(inputs[0]),)
    vectors = _as_tuple(v, "v", name)[1]
    _check_vector(vectors, inputs, "input")
    return vectors
