"""Muon: momentum whose matrices are made nearly orthogonal (Jordan et al. 2024, "Muon: An optimizer for hidden layers")."""

from __future__ import annotations

import math
from typing import Any

from facula.optim.optimizer import Optimizer, Params
from facula.tensor import Tensor

__all__ = ["Muon"]

_ADJUSTMENTS = ("original", "match_rms_adamw")


class Muon(Optimizer):
    """For matrices only; ``adjust_lr_fn`` scales the rate by their shape: "original" or "match_rms_adamw"."""

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for name, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if value < 0:
                raise ValueError(f"{name} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, *_ADJUSTMENTS):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if ns_steps >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        defaults: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                if param.dim() != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {param.size()}"
                    )

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the momentum, zero."""
        return {"momentum_buffer": param.detach().new_zeros(param.shape)}

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the nearly orthogonal momentum."""
        rate, momentum = float(group["lr"]), group["momentum"]
        average = state["momentum_buffer"].lerp_(grad, 1 - momentum)
        update = grad.lerp(average, momentum) if group["nesterov"] else average
        update = nearly_orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = param.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            factor = 0.2 * math.sqrt(max(rows, columns))
        else:
            factor = math.sqrt(max(1, rows / columns))
        param.mul_(1 - rate * group["weight_decay"])
        param.add_(update.to(param.dtype), alpha=-rate * factor)


def nearly_orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Return, in bfloat16, the matrix with its singular values brought near to one by Newton and Schulz's iteration."""
    a, b, c = coefficients
    found = matrix.bfloat16()
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:
        found = found.T
    found = found / found.norm().clamp(min=eps)
    for _ in range(steps):
        gram = (found @ found.T).float()
        # Each step is rounded once.
        change = (b * gram + c * (gram @ gram)).bfloat16().float()
        wide = found.float()
        found = (a * wide + change @ wide).bfloat16()
    return found.T if tall else found
