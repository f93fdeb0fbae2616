"""Loss functions."""

import math
import warnings

import numpy as np

from facula import native
from facula.graph.modes import types_may_differ
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]


def _reduction(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """Return the reduction, which two deprecated flags may override."""
    if size_average is None and reduce is None:
        return reduction
    warnings.warn("size_average and reduce args will be deprecated, please use reduction instead.", stacklevel=3)
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def _known(reduction: str) -> str:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _reduce(loss: Tensor, reduction: str) -> Tensor:
    if _known(reduction) == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


def _warn_of_sizes(input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely "
            "lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the mean (or sum, or each) of ``|input - target|``."""
    _warn_of_sizes(input, target)
    loss = (input - target).abs()
    return _weighted(loss, weight, _reduction(size_average, reduce, reduction))


def _weighted(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is None:
        return _reduce(loss, reduction)
    if weight.shape != loss.shape:
        raise ValueError("Weights and input must have the same size.")
    if reduction == "mean":
        return (loss * weight).sum() / weight.sum()
    return _reduce(loss * weight, reduction)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, y: g * _twice_apart(x, y),
        "y": lambda g, x, y: g * _twice_apart(y, x),
    },
)
def _squared_error(xp, x, y):
    distance = x - y
    return distance * distance


_squared_error.native("squared_error")


@primitive(dtype=promote, vjp={"x": lambda g: g * 2.0, "y": lambda g: g * -2.0})
def _twice_apart(xp, x, y):
    """Return the slope of the squared error."""
    distance = x - y
    return distance + distance


_twice_apart.native("twice_apart")


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the mean (or sum, or each) of ``(input - target) ** 2``.

    >>> facula.nn.functional.mse_loss(facula.tensor([1.0, 3.0]), facula.tensor([1.0, 1.0]))
    tensor(2.)
    """
    _warn_of_sizes(input, target)
    if input.shape == target.shape and input.is_floating_point():
        loss = _squared_error(input, target)
    else:
        difference = input - target
        loss = difference * difference
    return _weighted(loss, weight, _reduction(size_average, reduce, reduction))


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Return a loss that is quadratic within ``beta`` and linear beyond. Girshick 2015, arXiv 1504.08083."""
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    _warn_of_sizes(input, target)
    distance = (input - target).abs()
    if beta == 0:
        loss = distance
    else:
        loss = (distance * distance * (0.5 / beta)).where(distance < beta, distance - 0.5 * beta)
    return _reduce(loss, _reduction(size_average, reduce, reduction))


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Return ``delta`` times the smooth L1 loss with ``beta = delta``. Huber 1964."""
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    _warn_of_sizes(input, target)
    distance = (input - target).abs()
    loss = (distance * distance * 0.5).where(distance <= delta, (distance - 0.5 * delta) * delta)
    return _weighted(loss, weight, reduction)


# Cross-entropy: of the scores along dim 1 only those at the targets count, and their gradient is zero elsewhere. Both
# directions are primitives, each the gradient of the other.


@primitive(vjp={"x": lambda g, target, x_shape, ignore_index: _put(g, target, dims=x_shape, ignore_index=ignore_index)})
def _pick(xp, x, target, *, ignore_index):
    """Return ``x[:, target]``, zero where the target is to be ignored."""
    ignored = target == ignore_index
    index = xp.where(ignored, 0, target)
    picked = xp.take_along_axis(x, index[:, None], axis=1)[:, 0]
    return xp.where(ignored, x.dtype.type(0), picked)


@_pick.kernel("native")
def _pick_native(x, target, *, ignore_index):
    return native.kernels.pick(x, target, ignore_index)


@primitive(vjp={"x": lambda g, target, ignore_index: _pick(g, target, ignore_index=ignore_index)})
def _put(xp, x, target, *, dims, ignore_index):
    """Return zeros with ``x`` at the targets that are not ignored."""
    ignored = target == ignore_index
    index = xp.where(ignored, 0, target)
    result = xp.zeros(dims, x.dtype)
    xp.put_along_axis(result, index[:, None], xp.where(ignored, x.dtype.type(0), x)[:, None], axis=1)
    return result


@_put.kernel("native")
def _put_native(x, target, *, dims, ignore_index):
    return native.kernels.put_picked(x, target, dims[1], ignore_index) if len(dims) == 2 else NotImplemented


@primitive(
    vjp={
        # Not the losses themselves, which may be written to.
        "x": lambda g, x, target, out_1, out_2, ignore_index, mean: _cross_entropy_slope(
            g[0], x, target, out_1, out_2, ignore_index, mean
        ),
    }
)
def _cross_entropy(xp, x, target, *, ignore_index, mean):
    """Return the losses of rows of scores (N, C), zero where ignored, or their mean; log(sum(exp)); how many count."""
    ignored = target == ignore_index
    wrong = ((target < 0) | (target >= x.shape[1])) & ~ignored
    if wrong.any():
        raise IndexError(f"Target {target[wrong][0]} is out of bounds.")
    most = x.max(axis=1)
    total = most + xp.log(xp.exp(x - most[:, None]).sum(axis=1))
    picked = xp.take_along_axis(x, xp.where(ignored, 0, target)[:, None], axis=1)[:, 0]
    losses = xp.where(ignored, x.dtype.type(0), total - picked)
    counted = (~ignored).sum()
    if mean:
        losses = losses.sum() / counted.astype(x.dtype)
    return losses, total, xp.asarray(counted, xp.int64)


@_cross_entropy.kernel("native")
def _cross_entropy_native(x, target, *, ignore_index, mean):
    return native.kernels.cross_entropy(x, target, ignore_index, mean)


def _cross_entropy_slope(
    g: Tensor, x: Tensor, target: Tensor, total: Tensor, number: Tensor, ignore_index: int, mean: bool
) -> Tensor:
    if g.requires_grad or x.requires_grad:  # written so that it can be differentiated again
        g = (g / number).expand(target.shape) if mean else g
        g = g.where(target != ignore_index, 0.0)
        return x.softmax(1) * g.unsqueeze(1) - _put(g, target, dims=tuple(x.shape), ignore_index=ignore_index)
    return _cross_entropy_gradient(g, x, target, total, number, ignore_index=ignore_index)


@primitive()
def _cross_entropy_gradient(xp, received, x, target, total, number, *, ignore_index):
    """Return the gradient of the scores: of each loss, or of the mean of ``number`` where one was received."""
    if not received.ndim:
        received = received / number.astype(x.dtype)
    counted = target != ignore_index
    received = xp.where(counted, received, x.dtype.type(0))
    result = xp.exp(x - total[:, None]) * received[:, None]
    rows = xp.arange(len(x))
    result[rows, xp.where(counted, target, 0)] -= received
    return result


@_cross_entropy_gradient.kernel("native")
def _cross_entropy_gradient_native(received, x, target, total, number, *, ignore_index):
    return native.kernels.cross_entropy_gradient(received, x, target, total, number, ignore_index)


def _check_classes(input: Tensor, target: Tensor, ignore_index: int, classes: int) -> int | None:
    """Refuse what is no class; return how many targets are not ignored, where that was counted on the way."""
    if native.available and type(target._array) is np.ndarray:
        counted = native.kernels.count_classes(target._array, classes, ignore_index)
        if counted is not NotImplemented:
            return int(counted)
    if target.is_floating_point():
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.name.title()}")
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if bool(wrong.any()):
        raise IndexError(f"Target {target[wrong][0].item()} is out of bounds.")
    return None


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative of the scores (N, C, …) or (C) at the target classes (N, …) or ().

    ``mean`` divides by the sum of the weights of the targets that are not ignored.
    """
    reduction = _reduction(size_average, reduce, reduction)
    if not 0 < input.dim():
        raise ValueError(f"Expected 1 or more dimensions (got {input.dim()})")
    if input.dim() == 1:
        if target.dim() == 1 and target.numel() == 1:
            target = target.reshape(())
        if target.dim():
            raise RuntimeError(f"0D or 1D target tensor expected, multi-target not supported, got shape {target.shape}")
        loss = nll_loss(input[None], target[None], weight, ignore_index=ignore_index, reduction=reduction)
        return loss[0] if reduction == "none" else loss
    if target.shape != (input.shape[0], *input.shape[2:]):
        if input.shape[0] != target.shape[:1].numel():
            raise ValueError(
                f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({target.shape[0]})."
            )
        raise RuntimeError(f"Expected target size {[input.shape[0], *input.shape[2:]]}, got {list(target.shape)}")
    classes = input.shape[1]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {list(weight.shape)}"
        )
    counted = _check_classes(input, target, ignore_index, classes)
    target = target.long()
    picked = _pick(input, target, ignore_index=ignore_index)
    if weight is None:
        if reduction == "mean":
            return -picked.sum() / ((target != ignore_index).sum() if counted is None else counted)
        return _reduce(-picked, reduction)
    ignored = target == ignore_index
    shares = weight[target.where(~ignored, 0)].where(~ignored, 0.0)
    if reduction == "mean":
        return -(picked * shares).sum() / shares.sum()
    return _reduce(-(picked * shares), reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross-entropy between scores (N, C, …) or (C), before softmax, and targets.

    Targets are class indices (N, …) or (), or, with the shape of the scores, probabilities of each class.

    >>> facula.nn.functional.cross_entropy(facula.zeros(1, 4), facula.tensor([2]))
    tensor(1.3863)
    """
    reduction = _reduction(size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    dim = 0 if input.dim() == 1 else 1
    if _is_usual(input, target, weight, label_smoothing):
        return _reduced_over_rows(input, target, ignore_index, reduction)
    scores = input.log_softmax(dim)
    if target.shape == input.shape:
        if ignore_index >= 0:
            raise RuntimeError(f"ignore_index is not supported for floating point target, but got {ignore_index}")
        return _cross_entropy_of_probabilities(scores, target, weight, reduction, label_smoothing, dim)
    if label_smoothing == 0.0:
        return nll_loss(scores, target, weight, ignore_index=ignore_index, reduction=reduction)
    return _smoothed(scores, target, weight, ignore_index, reduction, label_smoothing, dim)


def _is_usual(input: Tensor, target: Tensor, weight: Tensor | None, label_smoothing: float) -> bool:
    """Return whether rows of scores meet class indices, without weights: one operation then does it all."""
    scores, classes = input._array, target._array
    return (
        weight is None
        and label_smoothing == 0.0
        and scores.ndim == 2
        and scores.dtype.kind == "f"
        and scores.dtype.itemsize >= 4
        and scores.size > 0
        and classes.shape == scores.shape[:1]
        and classes.dtype == np.int64
        and not types_may_differ()
    )


def _reduced_over_rows(input: Tensor, target: Tensor, ignore_index: int, reduction: str) -> Tensor:
    loss = _cross_entropy(input, target, ignore_index=ignore_index, mean=reduction == "mean")[0]
    return loss if reduction == "mean" else _reduce(loss, reduction)


def _along(weight: Tensor, scores: Tensor, dim: int) -> Tensor:
    return weight.reshape(*(-1 if each == dim else 1 for each in range(scores.dim())))


def _cross_entropy_of_probabilities(
    scores: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float, dim: int
) -> Tensor:
    if not target.is_floating_point():
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {target.dtype.name.title()}"
        )
    classes = scores.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    weighted = target * scores if weight is None else target * scores * _along(weight, scores, dim)
    loss = -weighted.sum(dim)
    if reduction == "mean":
        return loss.sum() / max(scores.numel() // max(classes, 1), 1)
    return _reduce(loss, reduction)


def _smoothed(
    scores: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    dim: int,
) -> Tensor:
    classes = scores.shape[dim]
    ignored = target == ignore_index
    nll = nll_loss(scores, target, weight, ignore_index=ignore_index, reduction=reduction)
    spread = -(scores if weight is None else scores * _along(weight, scores, dim)).sum(dim)
    spread = spread.where(~ignored, 0.0)
    if reduction == "mean":
        shares = (~ignored).sum() if weight is None else weight[target.where(~ignored, 0)].where(~ignored, 0.0).sum()
        spread = spread.sum() / shares
    else:
        spread = _reduce(spread, reduction)
    return (1 - label_smoothing) * nll + (label_smoothing / classes) * spread


@primitive(
    vjp={
        "x": lambda g, x, target: g * (x - target) / (x * (1.0 - x)).clamp_min(1e-12),
        "target": lambda g, x: g * ((1.0 - x).log() - x.log()),
    }
)
def _binary_cross_entropy(xp, x, target):
    # The logarithms are kept above -100, so that a certain and wrong prediction has a finite loss.
    low = x.dtype.type(-100)
    return -(target * xp.maximum(xp.log(x), low) + (1 - target) * xp.maximum(xp.log1p(-x), low))


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the cross-entropy between probabilities and targets, both in [0, 1] and of one shape."""
    if target.shape != input.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if input.numel() and (bool((input < 0).any()) or bool((input > 1).any())):
        raise RuntimeError("all elements of input should be between 0 and 1")
    loss = _binary_cross_entropy(input, target.to(input.dtype))
    if weight is not None:
        loss = loss * weight
    return _reduce(loss, _reduction(size_average, reduce, reduction))


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, target: g * (x.sigmoid() - target),
        "target": lambda g, x: g * -x,
    },
)
def _cross_entropy_of_logits(xp, x, target):
    """Return -(target log(sigmoid(x)) + (1 - target) log(1 - sigmoid(x)))."""
    return xp.maximum(x, x.dtype.type(0)) - x * target + xp.log1p(xp.exp(-xp.abs(x)))


_cross_entropy_of_logits.native("cross_entropy_of_logits")


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy between sigmoid(input) and targets in [0, 1], without overflow."""
    if target.shape != input.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    if pos_weight is None and target.is_floating_point():
        loss = _cross_entropy_of_logits(input, target)
    else:
        positive = target if pos_weight is None else target * pos_weight
        loss = (1 - target) * input + (1 - target + positive) * _softplus(-input)
    if weight is not None:
        loss = loss * weight
    return _reduce(loss, _reduction(size_average, reduce, reduction))


def _softplus(x: Tensor) -> Tensor:
    """Return log(1 + exp(x)) for x of any size."""
    return x.clamp_min(0.0) + (-x.abs()).exp().log1p()


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Return the Kullback-Leibler divergence of ``target`` from the distribution whose logarithm is ``input``."""
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = target.xlogy(target) - target * input
    reduction = _reduction(size_average, reduce, reduction)
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.dim() else loss
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides "
            "only by the batch size, and aligns with the KL math definition.",
            stacklevel=2,
        )
    return _reduce(loss, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of Poisson counts; ``full`` adds Stirling's approximation of the constant."""
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        constant = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + constant.where(target > 1, 0.0)
    return _reduce(loss, _reduction(size_average, reduce, reduction))


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood of normal targets with means ``input`` and variances ``var`` (at least eps)."""
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = input.new_full(input.shape, var)
    elif bool((var < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif not _is_one_in_one_dim(var, input):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    # The floor is no part of the function that is differentiated.
    var = var + (var.detach().clamp(min=eps) - var.detach())
    difference = input - target
    loss = 0.5 * (var.log() + difference * difference / var)
    return _reduce(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def _is_one_in_one_dim(var: Tensor, input: Tensor) -> bool:
    """Return whether shapes are equal but for one dimension, where ``var`` has one element."""
    different = [length for length, full in zip(var.shape, input.shape) if length != full]
    return var.dim() == input.dim() and different == [1]
