"""Norms of gradients, for logging."""

from __future__ import annotations

import facula


def grad_norm(module: facula.nn.Module, norm_type: float | int | str, group_separator: str = "/") -> dict[str, float]:
    """Return the ``norm_type`` norm of each parameter's gradient by name, and of all of them together."""
    order = float(norm_type)
    if order <= 0:
        raise ValueError(f"`norm_type` must be a positive number or 'inf' (infinity norm). Got {norm_type}")
    norms = {
        f"grad_{order}_norm{group_separator}{name}": float(parameter.grad.norm(order))
        for name, parameter in module.named_parameters()
        if parameter.grad is not None
    }
    if norms:
        norms[f"grad_{order}_norm_total"] = float(facula.tensor(list(norms.values())).norm(order))
    return norms
