"""Adafactor: the second moment of a matrix is kept as one row and one column (Shazeer and Stern 2018, 1804.04235)."""

from __future__ import annotations

from typing import Any

from facula.dtypes import finfo
from facula.optim.optimizer import Optimizer, Params, advance, check_not_negative, rate_of, step_counter
from facula.tensor import Tensor

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adaptive learning rates in little memory; steps are relative to the size of the parameter."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if lr < 0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if beta2_decay > 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        for index, each in enumerate(eps):
            if each is not None and each < 0:
                raise ValueError(f"epsilon{index + 1} should be >= 0 but is: {each}")
        if d < 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        check_not_negative(weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _update_complex(self, param: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        raise RuntimeError("Adafactor does not support complex parameters")

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates and the second moments: of rows and columns, or of each element of a vector."""
        shape = param.shape
        if len(shape) < 2:
            return {"step": step_counter(), "variance": param.detach().new_zeros(shape)}
        return {
            "step": step_counter(),
            "row_var": param.detach().new_zeros((*shape[:-1], 1)),
            "col_var": param.detach().new_zeros((*shape[:-2], 1, shape[-1])),
        }

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move by the gradient over the root of its second moment, clipped to a root mean square of ``d``."""
        step = advance(state)
        smallest, scale = group["eps"]
        smallest = finfo(param.dtype).eps if smallest is None else smallest
        rate = rate_of(group)
        change = step ** group["beta2_decay"]
        size = param.norm(2).item() / param.numel() ** 0.5
        distance = max(scale, size) * min(rate, 1 / step**0.5)
        if group["weight_decay"]:
            param.mul_(1 - rate * group["weight_decay"])
        if grad.dim() > 1:
            rows, columns = state["row_var"], state["col_var"]
            rows.lerp_(grad.norm(dim=-1, keepdim=True).square_().div_(grad.size(-1)), change)
            columns.lerp_(grad.norm(dim=-2, keepdim=True).square_().div_(grad.size(-2)), change)
            moment = rows @ columns / rows.mean(dim=-2, keepdim=True).clamp_(min=smallest)
        else:
            moment = state["variance"].lerp_(grad * grad, change)
        update = moment.clamp(min=smallest * smallest).rsqrt_().mul_(grad)
        excess = max(1.0, update.norm(2).item() / (update.numel() ** 0.5 * group["d"]))
        param.add_(update, alpha=-distance / excess)
