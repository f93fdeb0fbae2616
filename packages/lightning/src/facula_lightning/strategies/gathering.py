"""Tensors of all processes, through which gradients go back to each."""

from __future__ import annotations

from typing import Any

import facula
from facula import Tensor, distributed


class _Gather(facula.autograd.Function):
    """The tensors of all processes, stacked."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: object) -> Tensor:  # type: ignore[override]
        """Return the tensors of all processes along a new first dimension."""
        ctx.group = group
        own = tensor.contiguous()
        result = facula.empty((distributed.get_world_size(group), *own.shape), dtype=own.dtype, device=own.device)
        distributed.all_gather_into_tensor(result, own, group)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """Return the sum over the processes of the gradients of this one's tensor."""
        whole = gradient.contiguous()
        distributed.all_reduce(whole, group=ctx.group)
        return whole[distributed.get_rank(ctx.group)], None


def gather_with_gradients(tensor: Tensor, group: object) -> Tensor:
    """Return the tensors of all processes, stacked; gradients go back to each."""
    result: Any = _Gather.apply(tensor, group)
    return result
