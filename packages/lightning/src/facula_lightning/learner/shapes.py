"""Shapes of predictions, targets and weights brought together."""

from __future__ import annotations

from facula import Tensor


def same_rank(prediction: Tensor, target: Tensor) -> Tensor:
    """Return a target (N) as (N, 1) where that is the prediction's shape, and (N, 1) as (N).

    Without that, the two would be broadcast to (N, N).
    """
    if target.ndim + 1 == prediction.ndim and prediction.shape[-1] == 1:
        return target.unsqueeze(-1)
    if target.ndim == prediction.ndim + 1 and target.shape[-1] == 1:
        return target.squeeze(-1)
    return target


def aligned(prediction: Tensor, target: Tensor) -> Tensor:
    """Return a target with the prediction's type and number of dimensions."""
    target = same_rank(prediction, target)
    return target if target.dtype == prediction.dtype else target.to(prediction.dtype)


def per_sample_weights(weight: Tensor, losses: Tensor) -> Tensor:
    """Return weights (N) or (N, T) in the losses' type, to be multiplied with losses (N, T, …)."""
    if weight.ndim > losses.ndim and weight.shape[-1] == 1:
        weight = weight.squeeze(-1)
    if weight.ndim > losses.ndim or weight.shape != losses.shape[: weight.ndim]:
        raise ValueError(
            f"expected sample weights of shape {tuple(losses.shape[:1])}, as there are losses of shape"
            f" {tuple(losses.shape)}, got {tuple(weight.shape)}"
        )
    return weight.to(losses.dtype).reshape(tuple(weight.shape) + (1,) * (losses.ndim - weight.ndim))


def class_numbers(target: Tensor) -> Tensor:
    """Return the class of each sample (N): of numbers (N) or (N, 1), or of one-hot rows (N, C)."""
    if target.ndim > 1:
        target = target.squeeze(-1) if target.shape[-1] == 1 else target.argmax(-1)
    return target.round().long() if target.is_floating_point() else target.long()
