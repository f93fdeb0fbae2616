"""Rprop: a step size for each element, changed by the signs of gradients alone."""

from __future__ import annotations

from typing import Any

from facula import native
from facula.backend import namespace
from facula.optim.optimizer import Optimizer, Params, advance, check_not_negative, rate_of, step_counter
from facula.tensor import Tensor
from facula.tensor_base import wrap


class Rprop(Optimizer):
    """Resilient backpropagation. Riedmiller and Braun 1993, A direct adaptive method for faster backpropagation."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_not_negative(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults: dict[str, Any] = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates, the last gradient and the step sizes."""
        xp = namespace(param._array)
        return {
            "step": step_counter(),
            "prev": wrap(xp.zeros_like(param._array)),
            "step_size": wrap(xp.full_like(param._array, rate_of(group))),
        }

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Lengthen steps where the gradient kept its sign, shorten them and wait where it turned."""
        xp = namespace(param._array)
        array, slope = param._array, grad._array
        previous, size = state["prev"]._array, state["step_size"]._array
        shorter, longer = group["etas"]
        advance(state)
        if native.available:
            options = (shorter, longer, *group["step_sizes"])
            if native.kernels.rprop_step(array, slope, previous, size, *options) is not NotImplemented:
                return
        agreement = slope * previous
        turned = agreement < 0
        size[turned] *= shorter
        size[agreement > 0] *= longer
        xp.clip(size, *group["step_sizes"], out=size)
        previous[...] = slope
        previous[turned] = 0
        array -= xp.sign(previous) * size
