"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from facula import native
from facula.backend import namespace
from facula.creation import tensor
from facula.dtypes import float32
from facula.optim.optimizer import Optimizer, Params, advance, check_not_negative, rate_of, step_counter
from facula.tensor import Tensor
from facula.tensor_base import wrap


class ASGD(Optimizer):
    """Gradient descent that keeps the parameters' mean in ``ax``. Polyak and Juditsky 1992, SIAM J. Control 30(4)."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_not_negative(lr=lr, weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates, the present rate, the weight of the next one in the mean, and the mean."""
        return {
            "step": step_counter(),
            "eta": tensor(rate_of(group), dtype=float32),
            "mu": tensor(1.0, dtype=float32),
            "ax": wrap(namespace(param._array).zeros_like(param._array)),
        }

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move against the gradient, and the mean towards the parameter."""
        array, slope = param._array, grad._array
        step = advance(state)
        eta, mu, mean = float(state["eta"]._array), float(state["mu"]._array), state["ax"]._array
        shrink = 1 - group["lambd"] * eta
        options = (eta, group["weight_decay"], shrink, mu)
        if not native.available or native.kernels.asgd_step(array, slope, mean, *options) is NotImplemented:
            if group["weight_decay"]:
                slope = slope + group["weight_decay"] * array
            array *= shrink
            array -= eta * slope
            if mu == 1:
                mean[...] = array
            else:
                mean += (array - mean) * mu
        rate = rate_of(group)
        state["eta"]._array[...] = rate / (1 + group["lambd"] * rate * step) ** group["alpha"]
        state["mu"]._array[...] = 1 / max(1, step - group["t0"])
