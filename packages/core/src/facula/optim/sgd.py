"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from facula import native
from facula.backend import namespace
from facula.optim.optimizer import Optimizer, Params, check_not_negative, rate_of, stored_elements
from facula.tensor import Tensor
from facula.tensor_base import wrap


class SGD(Optimizer):
    """Stochastic gradient descent with momentum. Sutskever et al. 2013, ICML 28(3).

    ``v = momentum * v + (1 - dampening) * g``, then ``p -= lr * v``, or ``lr * (g + momentum * v)`` with ``nesterov``.
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move against the gradient, or against its running sum."""
        if native.available and self._update_native(param, grad, state, group):
            return
        array, slope = param._array, grad._array
        if group["weight_decay"]:
            slope = slope + group["weight_decay"] * array
        momentum = group["momentum"]
        if momentum:
            if state.get("momentum_buffer") is None:
                state["momentum_buffer"] = wrap(namespace(array).array(slope))
                running = state["momentum_buffer"]._array
            else:
                running = state["momentum_buffer"]._array
                running *= momentum
                running += slope if not group["dampening"] else (1 - group["dampening"]) * slope
            slope = slope + momentum * running if group["nesterov"] else running
        array -= rate_of(group) * slope

    def _update_native(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> bool:
        """Do the same in one pass; False where the kernel leaves it to the array code."""
        running = state.get("momentum_buffer")
        if group["momentum"] and running is None:
            return False
        return (
            native.kernels.sgd_step(
                param._array,
                grad._array,
                None if running is None or not group["momentum"] else running._array,
                float(rate_of(group)),
                float(group["momentum"]),
                float(group["dampening"]),
                float(group["weight_decay"]),
                group["nesterov"],
            )
            is not NotImplemented
        )

    def update_sparse(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move the elements that the gradient, or its running sum, has."""
        if group["weight_decay"]:
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        momentum = group["momentum"]
        if momentum:
            running = state.get("momentum_buffer")
            if running is None:
                running = grad.detach().clone()
            else:
                running = running * momentum + grad * (1 - group["dampening"])
            state["momentum_buffer"] = running
            grad = grad + running * momentum if group["nesterov"] else running
        at, slope = stored_elements(grad)
        param._array[at] -= rate_of(group) * slope
