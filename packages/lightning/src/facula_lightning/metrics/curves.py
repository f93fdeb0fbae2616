"""Areas under curves: of the receiver operating characteristic and of precision over recall, exact over all thresholds."""

from __future__ import annotations

import warnings

import facula
from facula import Tensor

from facula_lightning.metrics.classification import _by_task
from facula_lightning.metrics.inputs import as_probabilities, check_choice, need_one_shape
from facula_lightning.metrics.metric import Metric


def _counts_by_threshold(scores: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many negatives and positives have at least each of the different scores, from the highest on."""
    order = scores.argsort(descending=True, stable=True)
    ordered = scores[order]
    true = positive[order].double().cumsum(0)
    last = facula.cat([ordered[1:] != ordered[:-1], facula.ones(1, dtype=facula.bool)])
    ranks = facula.arange(1, len(ordered) + 1, dtype=facula.float64)
    return (ranks - true)[last], true[last]


def _roc_area(scores: Tensor, positive: Tensor, max_fpr: float | None = None) -> Tensor:
    """Return the area under the true positive rate over the false one; 0 where one of the classes does not come."""
    positives = int(positive.sum())
    negatives = positive.numel() - positives
    if positives == 0 or negatives == 0:
        kind = "positive" if positives == 0 else "negative"
        warnings.warn(
            f"No {kind} samples in targets: the area under the ROC curve is taken as 0", UserWarning, stacklevel=3
        )
        return facula.tensor(0.0)
    false, true = _counts_by_threshold(scores, positive)
    start = facula.zeros(1, dtype=facula.float64)
    x, y = facula.cat([start, false / negatives]), facula.cat([start, true / positives])
    if max_fpr is None or max_fpr == 1:
        return facula.trapezoid(y, x).float()
    # Up to that rate, the last point on the line between its neighbours; then put between 1/2 and 1 (McClish 1989).
    stop = int(facula.searchsorted(x, facula.tensor(max_fpr, dtype=facula.float64), right=True))
    part = (max_fpr - x[stop - 1]) / (x[stop] - x[stop - 1])
    end = y[stop - 1] + part * (y[stop] - y[stop - 1])
    x = facula.cat([x[:stop], facula.tensor([max_fpr], dtype=facula.float64)])
    y = facula.cat([y[:stop], end.reshape(1)])
    least = 0.5 * max_fpr * max_fpr
    return (0.5 * (1 + (facula.trapezoid(y, x) - least) / (max_fpr - least))).float()


def _average_precision(scores: Tensor, positive: Tensor) -> Tensor:
    """Return the sum of precisions, each times the recall gained at its threshold; NaN without positives."""
    positives = int(positive.sum())
    if positives == 0:
        warnings.warn("No positive samples found in target: the average precision is NaN", UserWarning, stacklevel=3)
        return facula.tensor(float("nan"))
    false, true = _counts_by_threshold(scores, positive)
    gained = true.diff(prepend=facula.zeros(1, dtype=facula.float64)) / positives
    return (gained * true / (true + false)).sum().float()


def _averaged(areas: Tensor, support: Tensor, average: str | None) -> Tensor:
    """Return the mean of what is not NaN, plain or weighted by how often each came."""
    if average in (None, "none"):
        return areas
    known = ~areas.isnan()
    if average == "macro":
        return areas[known].mean()
    weights = support[known].to(areas.dtype)
    return (areas[known] * weights / weights.sum()).sum()


class _Curve(Metric):
    """Base: keeps all scores and targets; whether scores are probabilities or logits is seen from all of them."""

    preds: list[Tensor]
    target: list[Tensor]

    def _begin(self, average: str | None, thresholds: None, ignore_index: int | None) -> None:
        check_choice("average", average, ("macro", "weighted", "none", None))
        if thresholds is not None:
            raise ValueError(f"Expected argument `thresholds` to be None, areas here are exact, but got {thresholds!r}")
        self.average, self.ignore_index = average, ignore_index
        self.add_state("preds", [], "cat")
        self.add_state("target", [], "cat")

    def _keep(self, preds: Tensor, target: Tensor) -> None:
        self.preds = [*self.preds, preds]
        self.target = [*self.target, target]

    def _all(self) -> tuple[Tensor, Tensor]:
        if not self.preds:
            raise ValueError(f"`{type(self).__name__}.compute` needs samples: call `update` first")
        return facula.cat(list(self.preds)), facula.cat(list(self.target))

    def _area(self, scores: Tensor, positive: Tensor) -> Tensor:
        raise NotImplementedError


class _BinaryCurve(_Curve):
    def __init__(self, thresholds: None = None, ignore_index: int | None = None) -> None:
        super().__init__()
        self._begin(None, thresholds, ignore_index)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in probabilities or logits, and labels 0 or 1, of one shape."""
        need_one_shape(preds, target)
        preds, target = preds.reshape(-1), target.reshape(-1)
        if self.ignore_index is not None:
            kept = target != self.ignore_index
            preds, target = preds[kept], target[kept]
        self._keep(preds, target)

    def compute(self) -> Tensor:
        """Return the area."""
        preds, target = self._all()
        return self._area(as_probabilities(preds), target == 1)


class _MulticlassCurve(_Curve):
    def __init__(
        self,
        num_classes: int,
        average: str | None = "macro",
        thresholds: None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self._begin(average, thresholds, ignore_index)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in probabilities or logits (N, C, …), and classes (N, …)."""
        if preds.dim() != target.dim() + 1 or preds.shape[1] != self.num_classes:
            raise ValueError(
                f"Expected predictions (N, {self.num_classes}, …) and targets (N, …), but got {tuple(preds.shape)} and "
                f"{tuple(target.shape)}."
            )
        scores, target = preds.movedim(1, -1).reshape(-1, self.num_classes), target.reshape(-1)
        if self.ignore_index is not None:
            kept = target != self.ignore_index
            scores, target = scores[kept], target[kept]
        self._keep(scores, target)

    def compute(self) -> Tensor:
        """Return the average of the areas of each class against all others, or each."""
        scores, target = self._all()
        if bool(((scores < 0) | (scores > 1)).any()):
            scores = scores.softmax(1)
        areas = facula.stack([self._area(scores[:, at], target == at) for at in range(self.num_classes)])
        return _averaged(areas, facula.bincount(target, minlength=self.num_classes), self.average)


class _MultilabelCurve(_Curve):
    def __init__(
        self,
        num_labels: int,
        average: str | None = "macro",
        thresholds: None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.num_labels = num_labels
        self._begin(average, thresholds, ignore_index)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in probabilities or logits (N, L, …), and labels 0 or 1 of the same shape."""
        need_one_shape(preds, target)
        self._keep(
            preds.movedim(1, -1).reshape(-1, self.num_labels),
            target.movedim(1, -1).reshape(-1, self.num_labels),
        )

    def compute(self) -> Tensor:
        """Return the average of the areas of each label, or each."""
        scores, target = self._all()
        scores = as_probabilities(scores)
        areas = []
        for at in range(self.num_labels):
            kept = slice(None) if self.ignore_index is None else target[:, at] != self.ignore_index
            areas.append(self._area(scores[:, at][kept], target[:, at][kept] == 1))
        return _averaged(facula.stack(areas), (target == 1).sum(0), self.average)


class BinaryAUROC(_BinaryCurve):
    """The chance that a positive has a higher score than a negative; up to ``max_fpr``, where given.

    >>> BinaryAUROC()(facula.tensor([0.1, 0.4, 0.35, 0.8]), facula.tensor([0, 0, 1, 1]))
    tensor(0.7500)
    """

    def __init__(self, max_fpr: float | None = None, thresholds: None = None, ignore_index: int | None = None) -> None:
        super().__init__(thresholds, ignore_index)
        if max_fpr is not None and not (isinstance(max_fpr, float) and 0 < max_fpr <= 1):
            raise ValueError(f"Arguments `max_fpr` should be a float in range (0, 1], but got: {max_fpr}")
        self.max_fpr = max_fpr

    def _area(self, scores: Tensor, positive: Tensor) -> Tensor:
        return _roc_area(scores, positive, self.max_fpr)


class MulticlassAUROC(_MulticlassCurve):
    """The area under the ROC curve of each class against all others."""

    def _area(self, scores: Tensor, positive: Tensor) -> Tensor:
        return _roc_area(scores, positive)


class MultilabelAUROC(_MultilabelCurve):
    """The area under the ROC curve of each label."""

    def _area(self, scores: Tensor, positive: Tensor) -> Tensor:
        return _roc_area(scores, positive)


class BinaryAveragePrecision(_BinaryCurve):
    """The area under precision over recall, as a sum of steps."""

    def _area(self, scores: Tensor, positive: Tensor) -> Tensor:
        return _average_precision(scores, positive)


class MulticlassAveragePrecision(_MulticlassCurve):
    """The average precision of each class against all others."""

    def _area(self, scores: Tensor, positive: Tensor) -> Tensor:
        return _average_precision(scores, positive)


class MultilabelAveragePrecision(_MultilabelCurve):
    """The average precision of each label."""

    def _area(self, scores: Tensor, positive: Tensor) -> Tensor:
        return _average_precision(scores, positive)


def AUROC(
    task: str,
    thresholds: None = None,
    num_classes: int | None = None,
    num_labels: int | None = None,
    average: str | None = "macro",
    max_fpr: float | None = None,
    ignore_index: int | None = None,
) -> Metric:
    """Return the area under the ROC curve of a task."""
    common = {"thresholds": thresholds, "ignore_index": ignore_index}
    return _by_task(
        task,
        (BinaryAUROC, MulticlassAUROC, MultilabelAUROC),
        {
            "binary": {"max_fpr": max_fpr, **common},
            "multiclass": {"num_classes": num_classes, "average": average, **common},
            "multilabel": {"num_labels": num_labels, "average": average, **common},
        },
    )


def AveragePrecision(
    task: str,
    thresholds: None = None,
    num_classes: int | None = None,
    num_labels: int | None = None,
    average: str | None = "macro",
    ignore_index: int | None = None,
) -> Metric:
    """Return the average precision of a task."""
    common = {"thresholds": thresholds, "ignore_index": ignore_index}
    return _by_task(
        task,
        (BinaryAveragePrecision, MulticlassAveragePrecision, MultilabelAveragePrecision),
        {
            "binary": common,
            "multiclass": {"num_classes": num_classes, "average": average, **common},
            "multilabel": {"num_labels": num_labels, "average": average, **common},
        },
    )
