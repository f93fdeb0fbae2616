"""Adam, AdamW and their kin."""

from __future__ import annotations

import math
from typing import Any

from facula import native
from facula.backend import namespace
from facula.optim.optimizer import Optimizer, Params, advance, check_not_negative, rate_of, step_counter
from facula.tensor import Tensor
from facula.tensor_base import wrap


def check_betas(betas: tuple[float, float]) -> None:
    """Raise ValueError unless both are at least 0 and below 1."""
    for number, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {number}: {beta}")


def _check_tensors(lr: object, betas: tuple[object, object], batched: bool) -> None:
    """Raise ValueError for rates that are tensors where PyTorch takes numbers only."""
    if isinstance(betas[0], Tensor) is not isinstance(betas[1], Tensor):
        raise ValueError("betas must be either both floats or both Tensors")
    if not batched:
        return
    for name, value in (("lr", lr), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
        if isinstance(value, Tensor):
            raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")


class Adam(Optimizer):
    """Adaptive moments. Kingma and Ba 2014, arXiv 1412.6980; ``amsgrad``: Reddi et al. 2018, arXiv 1904.09237."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        _check_tensors(lr, betas, bool(foreach) and not capturable)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates and the moments, zero."""
        xp = namespace(param._array)
        names = ["exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else [])]
        return {"step": step_counter(), **{name: wrap(xp.zeros_like(param._array)) for name in names}}

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the first moment over the root of the second, both without their bias towards zero."""
        xp = namespace(param._array)
        array, slope = param._array, grad._array
        rate = rate_of(group)
        beta1, beta2 = (float(beta) for beta in group["betas"])
        step = advance(state)
        if native.available:
            largest = state["max_exp_avg_sq"]._array if group["amsgrad"] else None
            done = native.kernels.adam_step(
                *(array, slope, state["exp_avg"]._array, state["exp_avg_sq"]._array, largest),
                *(float(rate), beta1, beta2, float(group["eps"]), float(group["weight_decay"])),
                *(group["decoupled_weight_decay"], 1 - beta1**step, 1 - beta2**step),
            )
            if done is not NotImplemented:
                return
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                array *= 1 - rate * group["weight_decay"]
            else:
                slope = slope + group["weight_decay"] * array
        mean, square = state["exp_avg"]._array, state["exp_avg_sq"]._array
        scratch = xp.empty_like(mean)
        xp.subtract(slope, mean, out=scratch)
        scratch *= 1 - beta1
        mean += scratch
        square *= beta2
        xp.multiply(slope, slope, out=scratch)
        scratch *= 1 - beta2
        square += scratch
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]._array
            square = xp.maximum(largest, square, out=largest)
        xp.sqrt(square, out=scratch)
        scratch /= math.sqrt(1 - beta2**step)
        scratch += group["eps"]
        xp.divide(mean, scratch, out=scratch)
        scratch *= rate / (1 - beta1**step)
        array -= scratch


class AdamW(Adam):
    """Adam with weight decay that is no part of the gradient. Loshchilov and Hutter 2017, arXiv 1711.05101."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )


class Adamax(Optimizer):
    """Adam with the infinity norm. Kingma and Ba 2014, section 7.1."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates, the mean and the largest gradient, zero."""
        xp = namespace(param._array)
        return {
            "step": step_counter(),
            "exp_avg": wrap(xp.zeros_like(param._array)),
            "exp_inf": wrap(xp.zeros_like(param._array)),
        }

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the mean over the decaying maximum of gradients."""
        xp = namespace(param._array)
        array, slope = param._array, grad._array
        beta1, beta2 = group["betas"]
        step = advance(state)
        rate = rate_of(group) / (1 - beta1**step)
        mean, largest = state["exp_avg"]._array, state["exp_inf"]._array
        if native.available:
            options = (rate, beta1, beta2, group["eps"], group["weight_decay"])
            if native.kernels.adamax_step(array, slope, mean, largest, *options) is not NotImplemented:
                return
        if group["weight_decay"]:
            slope = slope + group["weight_decay"] * array
        mean += (slope - mean) * (1 - beta1)
        largest *= beta2
        xp.maximum(largest, xp.abs(slope) + group["eps"], out=largest)
        array -= rate * mean / largest
