"""SparseAdam: Adam for gradients of a few rows, such as those of an embedding with ``sparse=True``."""

from __future__ import annotations

from typing import Any

from facula.backend import namespace
from facula.optim.adam import check_betas
from facula.optim.optimizer import Optimizer, Params, rate_of, stored_elements
from facula.tensor import Tensor
from facula.tensor_base import wrap

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam whose moments and parameters change only where the gradient is stored. Kingma and Ba 2014, 1412.6980."""

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        defaults: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize}
        super().__init__(params, defaults)
        places = [
            [number, position, param]
            for number, group in enumerate(self.param_groups)
            for position, param in enumerate(group["params"])
        ]
        sparse = [place[:2] for place in places if place[2].is_sparse]
        if sparse:
            raise ValueError(f"Sparse params at indices {sparse}: SparseAdam requires dense parameter tensors")
        complex_ = [place[:2] for place in places if place[2].is_complex()]
        if complex_:
            raise ValueError(f"Complex params at indices {complex_}: SparseAdam does not support complex parameters")

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the count of updates, which PyTorch keeps as a number here, and both moments, zero."""
        zeros = namespace(param._array).zeros_like
        return {"step": 0, "exp_avg": wrap(zeros(param._array)), "exp_avg_sq": wrap(zeros(param._array))}

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Refuse a dense gradient."""
        raise RuntimeError("SparseAdam does not support dense gradients, please consider Adam instead")

    def update_sparse(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Move the elements that the gradient has, by Adam's rule."""
        state["step"] += 1
        at, slope = stored_elements(grad)
        if not slope.size:
            return
        xp = namespace(param._array)
        beta1, beta2 = group["betas"]
        mean, square = state["exp_avg"]._array, state["exp_avg_sq"]._array
        new_mean = mean[at] + (1 - beta1) * (slope - mean[at])
        new_square = square[at] + (1 - beta2) * (slope * slope - square[at])
        mean[at], square[at] = new_mean, new_square
        correction = (1 - beta2 ** state["step"]) ** 0.5 / (1 - beta1 ** state["step"])
        param._array[at] -= rate_of(group) * correction * (new_mean / (xp.sqrt(new_square) + group["eps"]))
