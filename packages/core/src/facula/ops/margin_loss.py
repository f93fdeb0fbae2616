"""Losses that keep scores or distances apart by a margin, and the distances they compare."""

from collections.abc import Callable

from facula.ops.loss import _known, _reduce, _reduction, _softplus
from facula.types import Tensor

__all__ = [
    "cosine_embedding_loss",
    "cosine_similarity",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "pairwise_distance",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def _refuse_no_classes(input: Tensor) -> None:
    if input.dim() and 0 in input.shape[-1:]:
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``input`` where the target is 1 and ``max(0, margin - input)`` where it is -1."""
    near = input.where(target != -1, 0.0)
    far = (margin - input).clamp_min(0.0).where(target != 1, 0.0)
    return _reduce(near + far, _reduction(size_average, reduce, reduction))


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``log(1 + exp(-target * input))``, targets being 1 or -1."""
    return _reduce(_softplus(-target * input), _reduction(size_average, reduce, reduction))


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``max(0, -target * (input1 - input2) + margin)``."""
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    loss = (-target * (input1 - input2) + margin).clamp_min(0.0)
    return _reduce(loss, _reduction(size_average, reduce, reduction))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over classes (last dim) of the logistic loss of each."""
    loss = target * _softplus(-input) + (1 - target) * _softplus(input)
    if weight is not None:
        loss = loss * weight
    return _reduce(loss.sum(-1) / input.shape[-1], _reduction(size_average, reduce, reduction))


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``sum(max(0, margin - x[target] + x[other]) ** p) / C`` over the other classes of (N, C) or (C) scores."""
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    reduction = _known(_reduction(size_average, reduce, reduction))
    _refuse_no_classes(input)
    rows, index = input.reshape(-1, input.shape[-1] if input.dim() else 1), target.reshape(-1, 1)
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    if index.shape[0] != rows.shape[0]:
        raise RuntimeError(f"inconsistent target size, expected {[rows.shape[0]]} but got {list(target.shape)}")
    gap = (margin - rows.gather(1, index) + rows).clamp_min(0.0)
    loss = gap if p == 1 else gap * gap
    if weight is not None:
        loss = loss * weight[index]
    # The target itself is no other class.
    loss = loss.scatter(1, index, 0.0).sum(1) / rows.shape[1]
    return _reduce(loss.reshape(target.shape) if reduction == "none" else loss, reduction)


def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``sum(max(0, 1 - (x[y] - x[i]))) / C`` over targets y (up to the first -1) and classes i that are none."""
    reduction = _known(_reduction(size_average, reduce, reduction))
    _refuse_no_classes(input)
    if target.shape != input.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    rows = input.reshape(-1, input.shape[-1] if input.dim() else 1)
    classes = target.reshape(rows.shape)
    valid = (classes < 0).cumsum(1) == 0
    index = classes.where(valid, 0)
    is_target = (rows.detach() * 0).scatter_add(1, index, valid.to(rows.dtype)) > 0
    gap = (1 - (rows.gather(1, index).unsqueeze(2) - rows.unsqueeze(1))).clamp_min(0.0)
    counted = valid.unsqueeze(2) & ~is_target.unsqueeze(1)
    loss = gap.where(counted, 0.0).sum((1, 2)) / rows.shape[1]
    return _reduce(loss.reshape(input.shape[:-1]) if reduction == "none" else loss, reduction)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between ``x1`` and ``x2`` along ``dim``; each norm is at least ``eps``."""
    shape = (x1 * x2).shape
    x1, x2 = x1.expand(shape), x2.expand(shape)
    first = x1 / _length(x1, dim, eps)
    second = x2 / _length(x2, dim, eps)
    return (first * second).sum(dim)


def _length(x: Tensor, dim: int, eps: float) -> Tensor:
    return x.norm(2, dim, keepdim=True).clamp_min(eps)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``1 - cos`` of pairs whose target is 1 and ``max(0, cos - margin)`` of those whose target is -1."""
    if target.dim() > 1 or input1.dim() != input2.dim() or input1.dim() not in (1, 2):
        raise RuntimeError(
            f"1D target tensor expects 2D input tensors, but found inputs with sizes {list(input1.shape)} and "
            f"{list(input2.shape)}, and target {list(target.shape)}."
        )
    tiny = 1e-12
    along = (input1 * input2).sum(-1)
    lengths = ((input1 * input1).sum(-1) + tiny) * ((input2 * input2).sum(-1) + tiny)
    cosine = along / lengths.sqrt()
    loss = (1 - cosine).where(target == 1, 0.0) + (cosine - margin).clamp_min(0.0).where(target == -1, 0.0)
    return _reduce(loss, _reduction(size_average, reduce, reduction))


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Return the p-norm of ``x1 - x2 + eps`` along the last dimension."""
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return ``max(0, |anchor - positive| - |anchor - negative| + margin)`` in the p-norm.

    Balntas et al. 2016, Learning local feature descriptors with triplets.
    """

    def distance(first: Tensor, second: Tensor) -> Tensor:
        return pairwise_distance(first, second, p, eps)

    reduction = _reduction(size_average, reduce, reduction)
    return _triplet(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return the triplet loss with a distance of one's own; by default `pairwise_distance`."""
    return _triplet(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return _reduce((margin + near - far).clamp_min(0.0), reduction)
