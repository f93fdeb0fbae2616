"""NAdam and RAdam: Adam with Nesterov's momentum, and Adam that starts without its second moment."""

from __future__ import annotations

import math
from typing import Any

from facula import native
from facula.backend import namespace
from facula.creation import tensor
from facula.dtypes import float32
from facula.optim.adam import check_betas
from facula.optim.optimizer import Optimizer, Params, advance, check_not_negative, rate_of, step_counter
from facula.tensor import Tensor
from facula.tensor_base import wrap


def _move(
    param: Tensor,
    grad: Tensor,
    state: dict[str, Any],
    group: dict[str, Any],
    of_grad: float,
    of_mean: float,
    factor: float | None,
) -> bool:
    """Bring both moments forward and move by a mixture of gradient and mean, in one pass; False where that is declined.

    The mixture is divided by the root of ``factor`` times the second moment, plus epsilon, unless ``factor`` is None.
    """
    if not native.available:
        return False
    decay, decoupled = group["weight_decay"], group["decoupled_weight_decay"]
    done = native.kernels.moments_step(
        *(param._array, grad._array, state["exp_avg"]._array, state["exp_avg_sq"]._array, *group["betas"]),
        *(group["eps"], 0.0 if decoupled else decay, 1.0 - rate_of(group) * decay if decoupled else 1.0),
        *(of_grad, of_mean, factor),
    )
    return done is not NotImplemented


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
        momentum, next_momentum = (
            beta1 * (1.0 - 0.5 * 0.96 ** (count * group["momentum_decay"])) for count in (step, step + 1)
        )
        state["mu_product"]._array[...] *= momentum
        product = float(state["mu_product"]._array)
        of_grad = rate * (1.0 - momentum) / (1.0 - product)
        of_mean = rate * next_momentum / (1.0 - product * next_momentum)
        if _move(param, grad, state, group, of_grad, of_mean, 1 / (1 - beta2**step)):
            return
        slope = _decayed(param, grad, rate, group)
        mean, square = _moments(state, slope, (beta1, beta2))
        scale = namespace(array).sqrt(square / (1 - beta2**step))
        scale += group["eps"]
        array -= of_grad * slope / scale
        array -= of_mean * mean / scale


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
        correction = 1 - beta2**step
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        of_mean, factor = rate / (1 - beta1**step), None
        if length > 5.0:
            known = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            of_mean, factor = of_mean * math.sqrt(known * correction), 1.0
        if _move(param, grad, state, group, 0.0, of_mean, factor):
            return
        slope = _decayed(param, grad, rate, group)
        mean, square = _moments(state, slope, (beta1, beta2))
        if factor is None:
            array -= of_mean * mean
            return
        scale = namespace(array).sqrt(square)
        scale += group["eps"]
        array -= of_mean * mean / scale
