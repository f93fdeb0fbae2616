"""Optimizers that scale each element by its gradients so far: RMSprop, Adagrad, Adadelta."""

from __future__ import annotations

from typing import Any

from facula import native
from facula.backend import Array, namespace
from facula.optim.optimizer import (
    Optimizer,
    Params,
    advance,
    check_not_negative,
    rate_of,
    step_counter,
    stored_elements,
)
from facula.tensor import Tensor
from facula.tensor_base import wrap


def _zeros(param: Tensor) -> Tensor:
    return wrap(namespace(param._array).zeros_like(param._array))


class RMSprop(Optimizer):
    """Gradients over their running root mean square. Hinton 2012, lecture 6e; ``centered``: arXiv 1308.0850."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates and the running averages, zero."""
        state: dict[str, object] = {"step": step_counter(), "square_avg": _zeros(param)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = _zeros(param)
        if group["centered"]:
            state["grad_avg"] = _zeros(param)
        return state

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the gradient over the root of its running square."""
        xp = namespace(param._array)
        array, slope = param._array, grad._array
        advance(state)
        if native.available and self._update_native(array, slope, state, group):
            return
        if group["weight_decay"]:
            slope = slope + group["weight_decay"] * array
        alpha, square = group["alpha"], state["square_avg"]._array
        square *= alpha
        square += (1 - alpha) * slope * slope
        if group["centered"]:
            mean = state["grad_avg"]._array
            mean += (slope - mean) * (1 - alpha)
            scale = xp.sqrt(square - mean * mean)
        else:
            scale = xp.sqrt(square)
        scale += group["eps"]
        if group["momentum"] > 0:
            running = state["momentum_buffer"]._array
            running *= group["momentum"]
            running += slope / scale
            array -= rate_of(group) * running
        else:
            array -= rate_of(group) * (slope / scale)

    def _update_native(self, array: Array, slope: Array, state: dict[str, Any], group: dict[str, Any]) -> bool:
        """Do the same in one pass; False where the kernel leaves it to the array code."""
        done = native.kernels.rmsprop_step(
            *(array, slope, state["square_avg"]._array),
            state["momentum_buffer"]._array if group["momentum"] > 0 else None,
            state["grad_avg"]._array if group["centered"] else None,
            *(rate_of(group), group["alpha"], group["eps"], group["weight_decay"], group["momentum"]),
        )
        return done is not NotImplemented


class Adagrad(Optimizer):
    """Gradients over the root of the sum of their squares. Duchi et al. 2011, JMLR 12."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        check_not_negative(initial_accumulator_value=initial_accumulator_value, eps=eps)
        defaults: dict[str, Any] = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param] = self.new_state(param, group)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates and the sum of squares at its start."""
        start = group["initial_accumulator_value"]
        return {"step": step_counter(), "sum": wrap(namespace(param._array).full_like(param._array, start))}

    def share_memory(self) -> None:
        """Do nothing: forked processes share memory as it is."""

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the gradient over the root of the sum of squares."""
        xp = namespace(param._array)
        array, slope = param._array, grad._array
        step = advance(state)
        rate = rate_of(group) / (1 + (step - 1) * group["lr_decay"])
        total = state["sum"]._array
        if native.available:
            options = (rate, group["eps"], group["weight_decay"])
            if native.kernels.adagrad_step(array, slope, total, *options) is not NotImplemented:
                return
        if group["weight_decay"]:
            slope = slope + group["weight_decay"] * array
        total += slope * slope
        array -= rate * (slope / (xp.sqrt(total) + group["eps"]))

    def update_sparse(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move the elements that the gradient has."""
        if group["weight_decay"]:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        step = advance(state)
        rate = rate_of(group) / (1 + (step - 1) * group["lr_decay"])
        at, slope = stored_elements(grad)
        total = state["sum"]._array
        total[at] += slope * slope
        param._array[at] -= rate * (slope / (namespace(total).sqrt(total[at]) + group["eps"]))


class Adadelta(Optimizer):
    """Steps in the units of the parameters. Zeiler 2012, arXiv 1212.5701."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_not_negative(eps=eps, weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates and both running averages, zero."""
        return {"step": step_counter(), "square_avg": _zeros(param), "acc_delta": _zeros(param)}

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the gradient times the ratio of the root mean squares of steps and gradients."""
        xp = namespace(param._array)
        array, slope = param._array, grad._array
        advance(state)
        rho, eps = group["rho"], group["eps"]
        square, steps = state["square_avg"]._array, state["acc_delta"]._array
        if native.available:
            options = (rate_of(group), rho, eps, group["weight_decay"])
            if native.kernels.adadelta_step(array, slope, square, steps, *options) is not NotImplemented:
                return
        if group["weight_decay"]:
            slope = slope + group["weight_decay"] * array
        square *= rho
        square += (1 - rho) * slope * slope
        delta = xp.sqrt(steps + eps) / xp.sqrt(square + eps) * slope
        steps *= rho
        steps += (1 - rho) * delta * delta
        array -= rate_of(group) * delta
