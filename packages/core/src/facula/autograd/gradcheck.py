"""Gradients checked against differences of the function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.graph.backward import grad
from facula.tensor import Tensor
from facula.tensor_base import wrap


class GradcheckError(RuntimeError):
    """A gradient that does not match the differences."""


def _tuple(value: object) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _outputs(func: Callable[..., Any], inputs: Sequence[object]) -> tuple[Tensor, ...]:
    return tuple(each for each in _tuple(func(*inputs)) if isinstance(each, Tensor) and each._array.dtype.kind in "fc")


def _differences(func: Callable[..., Any], inputs: tuple[Any, ...], position: int, eps: float) -> list[np.ndarray]:
    """Return, for each output, the matrix (elements of the input, elements of the output) of central differences.

    For a complex input, the conjugate Wirtinger form that gradients have: d/d(re) + i d/d(im).
    """
    array = inputs[position]._array
    columns: list[list[list[np.ndarray]]] = []
    for at in np.ndindex(array.shape):
        kept = array[at]
        parts = []
        for step in (eps, eps * 1j) if array.dtype.kind == "c" else (eps,):
            values = []
            for sign in (1, -1):
                array[at] = kept + sign * step
                values.append([each._array.copy().reshape(-1) for each in _outputs(func, inputs)])
            array[at] = kept
            parts.append([(up - down) / (2 * eps) for up, down in zip(*values, strict=True)])
        columns.append(parts)
    count = len(columns[0][0]) if columns else 0
    return [np.array([[part[number] for part in parts] for parts in columns]) for number in range(count)]


def gradcheck(
    func: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Tensor | Sequence[object],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    fast_mode: bool = False,
) -> bool:
    """Return whether gradients of ``func`` equal central differences for every input that requires grad.

    Inputs should be float64 or complex128. GradcheckError, or False without ``raise_exception``, when they differ.
    """
    inputs = _tuple(inputs)
    try:
        for position, each in enumerate(inputs):
            if isinstance(each, Tensor) and each.requires_grad:
                _check_one(func, inputs, position, eps, atol, rtol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_one(
    func: Callable[..., Any], inputs: tuple[Any, ...], position: int, eps: float, atol: float, rtol: float
) -> None:
    target = inputs[position]
    expected = _differences(func, inputs, position, eps)
    outputs = _outputs(func, inputs)
    for number, output in enumerate(outputs):
        if not output.requires_grad:
            continue
        for at in range(output.numel()):
            for unit in (1.0, 1j) if output.is_complex() else (1.0,):
                seed = np.zeros(output.numel(), output._array.dtype)
                seed[at] = unit
                (found,) = grad(
                    output, target, wrap(seed.reshape(output._array.shape)), retain_graph=True, allow_unused=True
                )
                got = np.zeros(target.numel(), target._array.dtype) if found is None else found._array.reshape(-1)
                parts = expected[number][:, :, at] if expected else np.zeros((0, 1))
                # The gradient of the real function Re(conj(unit) * output).
                real = (np.conj(unit) * parts).real
                want = real[:, 0] + 1j * real[:, 1] if target.is_complex() else real[:, 0]
                if not np.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True):
                    worst = int(np.abs(got - want).argmax())
                    raise GradcheckError(
                        f"Jacobian mismatch for output {number} with respect to input {position}: at output element {at}, input "
                        f"element {worst}, numerical {want[worst]} and analytical {got[worst]}"
                    )


def gradgradcheck(
    func: Callable[..., Tensor | Sequence[Tensor]],
    inputs: Tensor | Sequence[object],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
) -> bool:
    """Return whether gradients of the gradients of ``func`` equal central differences, by inputs and grad_outputs."""
    inputs = _tuple(inputs)
    outputs = _outputs(func, inputs)
    differentiable = [at for at, each in enumerate(outputs) if each.requires_grad]
    if not differentiable:
        return True
    if grad_outputs is None:
        generator = np.random.default_rng(0)
        given = []
        for at in differentiable:
            values = generator.standard_normal(outputs[at]._array.shape)
            if outputs[at].is_complex():
                values = values + 1j * generator.standard_normal(outputs[at]._array.shape)
            given.append(wrap(np.asarray(values, outputs[at]._array.dtype)).requires_grad_())
    else:
        given = [each.detach().clone().requires_grad_() for each in _tuple(grad_outputs)]
    chosen = [at for at, each in enumerate(inputs) if isinstance(each, Tensor) and each.requires_grad]

    def gradients(*arguments: Any) -> tuple[Tensor, ...]:
        plain, seeds = arguments[: len(inputs)], arguments[len(inputs) :]
        results = _outputs(func, plain)
        found = grad(
            [results[at] for at in differentiable],
            [plain[at] for at in chosen],
            list(seeds),
            create_graph=True,
            allow_unused=True,
        )
        return tuple(each for each in found if each is not None)

    return gradcheck(gradients, (*inputs, *given), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception)
