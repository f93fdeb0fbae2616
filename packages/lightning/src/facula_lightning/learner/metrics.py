"""Metrics by name, as functions or as objects."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from facula import Tensor

from facula_lightning.learner.losses import LOSSES
from facula_lightning.learner.shapes import aligned, class_numbers

#: A name of a metric, a function of prediction and target, or an object with ``update``, ``compute`` and ``reset``.
MetricLike = str | Callable[[Any, Any], Tensor] | Any

_ACCURACIES = ("accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy")


def accuracy(prediction: Tensor, target: Tensor, threshold: float = 0.5) -> Tensor:
    """Return for each target whether it was predicted.

    Scores of several classes, (N, C) or (N, C, …) or (N, …, C), are compared with numbers of classes or with one-hot rows;
    one number for two classes is compared with ``threshold``.
    """
    if prediction.ndim == target.ndim and prediction.shape[-1] > 1 and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if prediction.ndim == target.ndim + 1 and prediction.shape[-1] > 1:
        at_second = prediction.shape[:1] + prediction.shape[2:] == target.shape
        return prediction.argmax(1 if at_second else -1) == target
    if prediction.ndim > 1 and prediction.shape == target.shape and prediction.shape[-1] > 1:
        return prediction.argmax(-1) == class_numbers(target)
    target = aligned(prediction, target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"accuracy: expected targets that go with predictions {tuple(prediction.shape)}, got {tuple(target.shape)}"
        )
    return (prediction > threshold) == (target > 0.5)


def resolve_metrics(metrics: object, logits: bool) -> dict[str, MetricLike]:
    """Return metrics by name. ``logits`` says that one number for two classes is compared with 0, not with 0.5."""
    if metrics is None:
        return {}
    if isinstance(metrics, Mapping):
        return {name: _resolve(each, logits) for name, each in metrics.items()}
    given: Sequence[Any] = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    found: dict[str, MetricLike] = {}
    for each in given:
        name = _name_of(each)
        if name in found or name == "loss":
            raise ValueError(f"there are two metrics of the name {name!r}: give a dictionary with a name for each")
        found[name] = _resolve(each, logits)
    return found


def is_object(metric: object) -> bool:
    """Return whether a metric keeps its state itself."""
    return callable(getattr(metric, "update", None)) and callable(getattr(metric, "compute", None))


def _name_of(metric: object) -> str:
    if isinstance(metric, str):
        return metric
    if isinstance(metric, partial):
        metric = metric.func
    own = getattr(metric, "name", None)
    if isinstance(own, str):
        return own
    if inspect.isfunction(metric):
        return metric.__name__
    kind = metric if isinstance(metric, type) else type(metric)
    return _snake(kind.__name__)


def _snake(name: str) -> str:
    """Return a class's name as others are written: "BinaryAUROC" is "binary_auroc"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _resolve(metric: Any, logits: bool) -> MetricLike:
    if not isinstance(metric, str):
        made = metric() if isinstance(metric, type) else metric
        if not is_object(made) and not callable(made):
            raise TypeError(f"expected a name, a function or a Metric for a metric, got {type(metric).__name__}")
        return made
    if metric in _ACCURACIES:
        return partial(accuracy, threshold=0.0) if logits else accuracy
    if metric in LOSSES:
        return partial(LOSSES[metric], reduction="none")
    from facula_lightning import metrics as classes

    known = {_snake(name): getattr(classes, name) for name in classes.__all__}
    alone = {name: kind for name, kind in known.items() if not _required(kind)}
    if metric not in alone:
        more = f"; give the class {known[metric].__name__} with its arguments" if metric in known else ""
        raise ValueError(
            f"there is no metric {metric!r} that is made without arguments{more}; there are"
            f" {', '.join([*_ACCURACIES, *LOSSES, *sorted(alone)])}"
        )
    return alone[metric]()


def _required(kind: type) -> bool:
    parameters = list(inspect.signature(kind).parameters.values())
    return inspect.isabstract(kind) or any(
        each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        for each in parameters
    )
