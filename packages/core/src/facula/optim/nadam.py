"""NAdam and RAdam: Adam with Nesterov's momentum, and Adam that starts without its second moment."""

from __future__ import annotations

import math
from typing import Any

from facula.backend import namespace
from facula.creation import tensor
from facula.dtypes import float32
from facula.optim.adam import check_betas
from facula.optim.optimizer import Optimizer, Params, advance, check_not_negative, rate_of, step_counter
from facula.tensor import Tensor
from facula.tensor_base import wrap


def _decayed(param: Tensor, grad: Tensor, rate: float, group: dict[str, Any]) -> object:
    """Return the gradient's array with weight decay in it, or decay the parameter itself where that is asked for."""
    decay = group["weight_decay"]
    if not decay:
        return grad._array
    if not group["decoupled_weight_decay"]:
        return grad._array + decay * param._array
    array = param._array
    array *= 1 - rate * decay
    return grad._array


def _moments(state: dict[str, Any], slope: Any, betas: tuple[float, float]) -> tuple[Any, Any]:
    """Return both moments, brought forward by a gradient."""
    beta1, beta2 = betas
    mean, square = state["exp_avg"]._array, state["exp_avg_sq"]._array
    mean += (slope - mean) * (1 - beta1)
    square *= beta2
    square += (1 - beta2) * slope * slope
    return mean, square


class NAdam(Optimizer):
    """Adam with Nesterov's momentum. Dozat 2016, Incorporating Nesterov momentum into Adam."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates, the product of momenta so far, and the moments."""
        xp = namespace(param._array)
        return {
            "step": step_counter(),
            "mu_product": tensor(1.0, dtype=float32),
            "exp_avg": wrap(xp.zeros_like(param._array)),
            "exp_avg_sq": wrap(xp.zeros_like(param._array)),
        }

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by a mixture of the gradient and the momentum of the step to come."""
        array, rate = param._array, rate_of(group)
        beta1, beta2 = group["betas"]
        step = advance(state)
        slope = _decayed(param, grad, rate, group)
        momentum, next_momentum = (
            beta1 * (1.0 - 0.5 * 0.96 ** (count * group["momentum_decay"])) for count in (step, step + 1)
        )
        state["mu_product"]._array[...] *= momentum
        product = float(state["mu_product"]._array)
        mean, square = _moments(state, slope, (beta1, beta2))
        scale = namespace(array).sqrt(square / (1 - beta2**step))
        scale += group["eps"]
        array -= rate * (1.0 - momentum) / (1.0 - product) * slope / scale
        array -= rate * next_momentum / (1.0 - product * next_momentum) * mean / scale


class RAdam(Optimizer):
    """Adam that uses the second moment only once it is well known. Liu et al. 2019, arXiv 1908.03265."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates and the moments, zero."""
        xp = namespace(param._array)
        moments = {name: wrap(xp.zeros_like(param._array)) for name in ("exp_avg", "exp_avg_sq")}
        return {"step": step_counter(), **moments}

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the first moment, over the root of the second one when enough steps stand behind it."""
        array, rate = param._array, rate_of(group)
        beta1, beta2 = group["betas"]
        step = advance(state)
        slope = _decayed(param, grad, rate, group)
        mean, square = _moments(state, slope, (beta1, beta2))
        correction = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        rate = rate / (1 - beta1**step)
        if length <= 5.0:
            array -= rate * mean
            return
        known = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        scale = namespace(array).sqrt(square)
        scale += group["eps"]
        array -= rate * math.sqrt(known * correction) * mean / scale
