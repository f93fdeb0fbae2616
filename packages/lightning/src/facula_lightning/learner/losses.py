"""Losses by name, by class or as functions, and their value for each sample."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

from facula import Tensor, nn
from facula.nn import functional as F

from facula_lightning.learner.shapes import aligned, per_sample_weights

Loss = Callable[[Any, Any], Tensor]

#: How near probabilities may come to 0 and 1, as in Keras.
_EPSILON = 1e-7


def _elementwise(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
        return function(input, aligned(input, target), reduction=reduction)

    return loss


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    return losses if reduction == "none" else losses.mean()


def categorical_crossentropy(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return Keras's cross entropy of probabilities (…, C), here scaled to sum to 1, and wanted probabilities (…, C)."""
    likely = (input / input.sum(-1, keepdim=True)).clamp(_EPSILON, 1 - _EPSILON)
    return _reduced(-(target.to(input.dtype) * likely.log()).sum(-1), reduction)


def sparse_categorical_crossentropy(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return Keras's cross entropy of probabilities (…, C), here scaled to sum to 1, and numbers of classes (…)."""
    if target.ndim == input.ndim:
        target = target.squeeze(-1)
    return categorical_crossentropy(input, F.one_hot(target.long(), input.shape[-1]), reduction)


def binary_crossentropy(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Return Keras's cross entropy of probabilities and what they should be, of the same shape."""
    likely = input.clamp(_EPSILON, 1 - _EPSILON)
    wanted = aligned(input, target)
    return _reduced(-(wanted * likely.log() + (1 - wanted) * (1 - likely).log()), reduction)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "nll_loss": F.nll_loss,
    "mse_loss": _elementwise(F.mse_loss),
    "l1_loss": _elementwise(F.l1_loss),
    "smooth_l1_loss": _elementwise(F.smooth_l1_loss),
    "huber_loss": _elementwise(F.huber_loss),
    "binary_cross_entropy": _elementwise(F.binary_cross_entropy),
    "binary_cross_entropy_with_logits": _elementwise(F.binary_cross_entropy_with_logits),
    "poisson_nll_loss": _elementwise(F.poisson_nll_loss),
    "kl_div": _elementwise(F.kl_div),
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
}
for _name, _short in (
    *(("mse_loss", "mse"), ("mse_loss", "mean_squared_error"), ("l1_loss", "mae"), ("l1_loss", "mean_absolute_error")),
    *(
        ("huber_loss", "huber"),
        ("binary_cross_entropy", "bce"),
        ("binary_cross_entropy_with_logits", "bce_with_logits"),
    ),
):
    LOSSES[_short] = LOSSES[_name]


def resolve_loss(loss: str | type | Loss) -> Loss:
    """Return the loss, a function of prediction and target, that a name, a class or a function means.

    >>> resolve_loss("mse")(facula.tensor([[1.0], [3.0]]), facula.tensor([1, 1]))
    tensor(2.)
    """
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise ValueError(f"there is no loss {loss!r}; there are {', '.join(LOSSES)}")
        return LOSSES[loss]
    made = loss() if isinstance(loss, type) else loss
    if not callable(made):
        raise TypeError(f"expected a name, a class or a function for the loss, got {type(loss).__name__}")
    return made


def takes_logits(loss: object) -> bool:
    """Return whether a loss takes one number for two classes, of which the sigmoid is the probability."""
    known = (F.binary_cross_entropy_with_logits, LOSSES["binary_cross_entropy_with_logits"])
    return isinstance(loss, nn.BCEWithLogitsLoss) or any(loss is each for each in known)


def each_loss(loss: Loss, prediction: Any, target: Any) -> Tensor:
    """Return the losses (N, …) whose mean ``loss`` is. TypeError where it has no way to say."""
    if isinstance(loss, nn.Module) and hasattr(loss, "reduction"):
        unreduced = copy.copy(loss)
        unreduced.reduction = "none"
        return unreduced(prediction, target)
    function = loss.forward if isinstance(loss, nn.Module) else loss
    if "reduction" in inspect.signature(function).parameters:
        return loss(prediction, target, reduction="none")  # type: ignore[call-arg]
    losses = loss(prediction, target)
    if losses.ndim == 0:
        raise TypeError(
            "the losses of single samples are needed, for their weights or their order: expected a loss with an argument"
            f" `reduction`, or one that returns them, got {getattr(loss, '__name__', type(loss).__name__)}"
        )
    return losses


def weighted_loss(loss: Loss, prediction: Any, target: Any, weight: Tensor) -> Tensor:
    """Return the mean over all samples of each loss times its weight: as in Keras, not divided by the weights' sum."""
    losses = each_loss(loss, prediction, target)
    return (losses * per_sample_weights(weight, losses)).mean()
