"""The entrances to the backward pass: ``backward`` and ``grad``."""

from collections.abc import Sequence
from typing import Any

from facula.graph import engine
from facula.graph.node import AccumulateGrad, Target
from facula.graph.views import refresh
from facula.types import Tensor

TensorOrTensors = Tensor | Sequence[Tensor]
#: Gradients to start with: None for a result of one element.
Gradients = Tensor | Sequence[Tensor | None]


def _as_tuple(value: "TensorOrTensors | Gradients | None") -> tuple[Any, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _target(tensor: Tensor) -> Target | None:
    if tensor._base is not None:
        refresh(tensor)
    return tensor._node


def _initial_gradients(outputs: tuple[Any, ...], given: "Gradients | None") -> list[Tensor]:
    """Return the gradient each output starts with: what was given, or one for a single element."""
    if given is None:
        given = (None,) * len(outputs)
    given = (given,) if isinstance(given, Tensor) else tuple(given)
    if len(given) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(given)} gradients")
    gradients: list[Tensor] = []
    for output, gradient in zip(outputs, given):
        if gradient is None:
            if output.numel() != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            if not (output.is_floating_point() or output.is_complex()):
                raise RuntimeError(f"grad can be computed only for floating point outputs, got {output.dtype}")
            gradient = output.detach().new_ones(output._array.shape)
        elif gradient._array.shape != output._array.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{len(gradients)}] has a shape of {gradient.shape} and "
                f"output[{len(gradients)}] has a shape of {output.shape}."
            )
        gradients.append(gradient)
    return gradients


def _roots(outputs: tuple[Any, ...]) -> list[Target]:
    roots = []
    for position, output in enumerate(outputs):
        target = _target(output)
        if target is None:
            raise RuntimeError(f"element {position} of tensors does not require grad and does not have a grad_fn")
        roots.append(target)
    return roots


def backward(
    tensors: TensorOrTensors,
    grad_tensors: "Gradients | None" = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: "Gradients | None" = None,
    inputs: "TensorOrTensors | None" = None,
) -> None:
    """Add the gradients of ``tensors`` to ``grad`` of the leaves (or of ``inputs`` only).

    ``grad_tensors`` are the gradients to start with; a tensor of one element starts with 1.
    """
    outputs = _as_tuple(tensors)
    gradients = _initial_gradients(outputs, grad_tensors if grad_variables is None else grad_variables)
    roots = _roots(outputs)
    leaves = None
    if inputs is not None:
        chosen = _as_tuple(inputs)
        if not chosen:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        leaves = []
        for each in chosen:
            target = _target(each)
            if target is None:
                raise RuntimeError("One of the differentiated Tensors does not require grad")
            leaves.append(target)
            if not isinstance(target, AccumulateGrad):
                each.retain_grad()
    engine.run(
        roots,
        gradients,
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
        accumulate_into=None if leaves is None else frozenset(each.node for each in leaves),
    )


def grad(
    outputs: TensorOrTensors,
    inputs: TensorOrTensors,
    grad_outputs: "Gradients | None" = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """Return the gradients of the sum of ``outputs`` (weighted by ``grad_outputs``) with respect to ``inputs``.

    An input that no output depends on is an error, unless ``allow_unused`` (then None) or ``materialize_grads`` (then
    zeros). With ``is_grads_batched`` the first dimension of ``grad_outputs`` counts several, and so does that of the
    results: one backward pass for each.

    >>> x = facula.tensor(3.0, requires_grad=True)
    >>> facula.autograd.grad(x * x, x)
    (tensor(6.),)
    """
    if is_grads_batched:
        return _grads_of_batch(
            outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, materialize_grads
        )
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: False")
    results_of, chosen = _as_tuple(outputs), _as_tuple(inputs)
    gradients = _initial_gradients(results_of, grad_outputs)
    roots = _roots(results_of)
    targets = []
    for each in chosen:
        target = _target(each)
        if target is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        targets.append(target)
    found = engine.run(
        roots,
        gradients,
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
        inputs=targets,
    )
    results = []
    for each, target in zip(chosen, targets):
        gradient = found.get(target)
        if gradient is None:
            if materialize_grads:
                gradient = each.detach().new_zeros(each._array.shape)
            elif not allow_unused:
                raise RuntimeError(
                    "One of the differentiated Tensors appears to not have been used in the graph. Set "
                    "allow_unused=True if this is the desired behavior."
                )
        results.append(gradient)
    return tuple(results)  # type: ignore[arg-type]  # None only where `allow_unused` asks for it


def _grads_of_batch(
    outputs: TensorOrTensors,
    inputs: TensorOrTensors,
    grad_outputs: "Gradients | None",
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool | None,
    materialize_grads: bool,
) -> tuple[Tensor, ...]:
    """Return `grad` for each of several ``grad_outputs``, their first dimension, stacked."""
    batches = [] if grad_outputs is None else [each for each in _as_tuple(grad_outputs) if each is not None]
    sizes = {each.shape[0] for each in batches if each.dim() > 0}
    if len(sizes) != 1 or any(each.dim() == 0 for each in batches):
        raise RuntimeError(
            "is_grads_batched=True expects grad_outputs whose first dimensions are of one size, got "
            f"{[list(each.shape) for each in batches]}"
        )
    (count,) = sizes
    rows = []
    for at in range(count):
        chosen = [None if each is None else each[at] for each in _as_tuple(grad_outputs)]
        keep = True if at < count - 1 else retain_graph
        rows.append(
            grad(
                outputs,
                inputs,
                chosen,
                keep,
                create_graph,
                allow_unused=allow_unused,
                materialize_grads=materialize_grads,
            )
        )
    stacked: list[Any] = []
    for parts in zip(*rows, strict=True):
        first = parts[0]
        if first is None:
            stacked.append(None)
            continue
        whole = first.detach().new_zeros((count, *first.shape))
        for at, part in enumerate(parts):
            whole[at] = part
        stacked.append(whole)
    return tuple(stacked)
