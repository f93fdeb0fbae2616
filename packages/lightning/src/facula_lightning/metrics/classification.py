"""Accuracy, precision, recall, F1 and the confusion matrix, as torchmetrics defines and names them."""

from __future__ import annotations

from typing import Any

import facula
from facula import Tensor

from facula_lightning.metrics.inputs import (
    binary_labels,
    check_choice,
    check_threshold,
    confusion,
    multiclass_labels,
    multilabel_labels,
)
from facula_lightning.metrics.metric import Metric

AVERAGES = ("micro", "macro", "weighted", "none", None)


def divided(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Return the quotient, 0 where the denominator is 0."""
    kind = facula.get_default_dtype()
    numerator, denominator = numerator.to(kind), denominator.to(kind)
    empty = denominator == 0
    return (numerator / denominator.where(~empty, 1.0)).where(~empty, 0.0)


class _Scores(Metric):
    """Base: true and false positives and negatives, of everything or of each class."""

    tp: Tensor
    fp: Tensor
    tn: Tensor
    fn: Tensor
    #: With the most likely several classes, whether one that was predicted but did not come counts in the plain mean.
    counts_predicted = False

    def _add_counts(self, classes: int | None) -> None:
        for name in ("tp", "fp", "tn", "fn"):
            start = facula.tensor(0) if classes is None else facula.zeros(classes, dtype=facula.int64)
            self.add_state(name, start, "sum")

    def _add(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> None:
        self.tp, self.fp, self.tn, self.fn = self.tp + tp, self.fp + fp, self.tn + tn, self.fn + fn

    def _score(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> Tensor:
        raise NotImplementedError


class _Binary(_Scores):
    def __init__(self, threshold: float = 0.5, ignore_index: int | None = None) -> None:
        super().__init__()
        check_threshold(threshold)
        self.threshold, self.ignore_index = threshold, ignore_index
        self._add_counts(None)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in probabilities, logits or labels, and labels 0 or 1, of one shape."""
        labels, target = binary_labels(preds, target, self.threshold, self.ignore_index)
        right, positive = labels == target, labels == 1
        self._add(
            (right & positive).sum(), (~right & positive).sum(), (right & ~positive).sum(), (~right & ~positive).sum()
        )

    def compute(self) -> Tensor:
        """Return the score."""
        return self._score(self.tp, self.fp, self.tn, self.fn)


class _Averaged(_Scores):
    """Base of those of several classes or labels, averaged: "micro", "macro", "weighted" by their number, or "none"."""

    average: str | None

    def compute(self) -> Tensor:
        """Return the average, or the score of each class."""
        counts = (self.tp, self.fp, self.tn, self.fn)
        if self.average == "micro":
            return self._score(*[count.sum() for count in counts])
        scores = self._score(*counts)
        if self.average in (None, "none"):
            return scores
        if self.average == "weighted":
            weights = (self.tp + self.fn).to(scores.dtype)
        else:
            weights = (~self._absent()).to(scores.dtype)
        return divided((scores * weights).sum(), weights.sum())

    def _absent(self) -> Tensor:
        """Return the classes that are left out of the plain mean."""
        return self.tp != self.tp


class _Multiclass(_Averaged):
    def __init__(
        self, num_classes: int, top_k: int = 1, average: str | None = "macro", ignore_index: int | None = None
    ) -> None:
        super().__init__()
        check_choice("average", average, AVERAGES)
        if not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(f"Expected argument `num_classes` to be an integer larger than 1, but got {num_classes}")
        if not isinstance(top_k, int) or not 1 <= top_k <= num_classes:
            raise ValueError(f"Expected argument `top_k` to be an integer from 1 to `num_classes`, but got {top_k}")
        self.num_classes, self.top_k, self.average, self.ignore_index = num_classes, top_k, average, ignore_index
        self._add_counts(num_classes)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in scores (N, C, …) or classes (N, …), and classes (N, …)."""
        labels, target = multiclass_labels(preds, target, self.num_classes, self.top_k, self.ignore_index)
        matrix = confusion(labels, target, self.num_classes)
        tp = matrix.diagonal()
        fp, fn = matrix.sum(0) - tp, matrix.sum(1) - tp
        self._add(tp, fp, matrix.sum() - tp - fp - fn, fn)

    def _absent(self) -> Tensor:
        # Those that neither came nor were predicted; of the most likely several, those that did not come.
        came = self.tp + self.fn
        return (came + self.fp if self.top_k == 1 or self.counts_predicted else came) == 0


class _Multilabel(_Averaged):
    def __init__(
        self,
        num_labels: int,
        threshold: float = 0.5,
        average: str | None = "macro",
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        check_choice("average", average, AVERAGES)
        check_threshold(threshold)
        if not isinstance(num_labels, int) or num_labels < 2:
            raise ValueError(f"Expected argument `num_labels` to be an integer larger than 1, but got {num_labels}")
        self.num_labels, self.threshold, self.average, self.ignore_index = num_labels, threshold, average, ignore_index
        self._add_counts(num_labels)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in probabilities, logits or labels (N, L, …), and labels 0 or 1 of the same shape."""
        labels, target = multilabel_labels(preds, target, self.num_labels, self.threshold)
        kept = target == target if self.ignore_index is None else target != self.ignore_index
        right, positive = labels == target, labels == 1
        self._add(
            (right & positive & kept).sum(0),
            (~right & positive & kept).sum(0),
            (right & ~positive & kept).sum(0),
            (~right & ~positive & kept).sum(0),
        )


class _Accuracy(_Scores):
    def _score(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> Tensor:
        return divided(tp + tn, tp + fp + tn + fn)


class _Precision(_Scores):
    def _score(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> Tensor:
        return divided(tp, tp + fp)


class _Recall(_Scores):
    def _score(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> Tensor:
        return divided(tp, tp + fn)


class _F1Score(_Scores):
    counts_predicted = True

    def _score(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> Tensor:
        return divided(2 * tp, 2 * tp + fp + fn)


class BinaryAccuracy(_Accuracy, _Binary):
    """The share of right labels."""


class MulticlassAccuracy(_Recall, _Multiclass):
    """The share of right classes; of each class, the share of its samples that were recognised.

    >>> MulticlassAccuracy(3, average="micro")(facula.tensor([0, 2, 1]), facula.tensor([0, 1, 1]))
    tensor(0.6667)
    """


class MultilabelAccuracy(_Accuracy, _Multilabel):
    """The share of right labels."""


class BinaryPrecision(_Precision, _Binary):
    """The share of the predicted positives that are positive."""


class MulticlassPrecision(_Precision, _Multiclass):
    """Of those taken for a class, the share that is of it."""


class MultilabelPrecision(_Precision, _Multilabel):
    """Of those given a label, the share that has it."""


class BinaryRecall(_Recall, _Binary):
    """The share of the positives that were found."""


class MulticlassRecall(_Recall, _Multiclass):
    """Of those of a class, the share that was found."""


class MultilabelRecall(_Recall, _Multilabel):
    """Of those with a label, the share that was given it."""


class BinaryF1Score(_F1Score, _Binary):
    """The harmonic mean of precision and recall."""


class MulticlassF1Score(_F1Score, _Multiclass):
    """The harmonic mean of precision and recall of the classes."""


class MultilabelF1Score(_F1Score, _Multilabel):
    """The harmonic mean of precision and recall of the labels."""


class _Confusion(Metric):
    confmat: Tensor
    normalize: str | None

    def compute(self) -> Tensor:
        """Return the counts, rows by what is true and columns by what was predicted, or their shares of rows ("true"),
        columns ("pred") or everything ("all").
        """
        counts = self.confmat
        if self.normalize in (None, "none"):
            return counts
        dims = {"true": (-1,), "pred": (-2,), "all": (-2, -1)}[str(self.normalize)]
        return divided(counts, counts.sum(dims, keepdim=True).expand(counts.shape))

    def _begin(self, shape: tuple[int, ...], normalize: str | None, ignore_index: int | None) -> None:
        check_choice("normalize", normalize, ("true", "pred", "all", "none", None))
        self.normalize, self.ignore_index = normalize, ignore_index
        self.add_state("confmat", facula.zeros(shape, dtype=facula.int64), "sum")


class BinaryConfusionMatrix(_Confusion):
    """How often each of two labels was taken for each."""

    def __init__(self, threshold: float = 0.5, ignore_index: int | None = None, normalize: str | None = None) -> None:
        super().__init__()
        check_threshold(threshold)
        self.threshold = threshold
        self._begin((2, 2), normalize, ignore_index)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in probabilities, logits or labels, and labels 0 or 1, of one shape."""
        labels, target = binary_labels(preds, target, self.threshold, self.ignore_index)
        self.confmat = self.confmat + confusion(labels, target, 2)


class MulticlassConfusionMatrix(_Confusion):
    """How often each class was taken for each.

    >>> MulticlassConfusionMatrix(2)(facula.tensor([0, 1, 1]), facula.tensor([0, 0, 1]))
    tensor([[1, 1],
            [0, 1]])
    """

    def __init__(self, num_classes: int, ignore_index: int | None = None, normalize: str | None = None) -> None:
        super().__init__()
        self.num_classes = num_classes
        self._begin((num_classes, num_classes), normalize, ignore_index)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in scores (N, C, …) or classes (N, …), and classes (N, …)."""
        labels, target = multiclass_labels(preds, target, self.num_classes, 1, self.ignore_index)
        self.confmat = self.confmat + confusion(labels, target, self.num_classes)


class MultilabelConfusionMatrix(_Confusion):
    """How often each label's absence and presence was taken for each: (num_labels, 2, 2)."""

    def __init__(
        self,
        num_labels: int,
        threshold: float = 0.5,
        ignore_index: int | None = None,
        normalize: str | None = None,
    ) -> None:
        super().__init__()
        check_threshold(threshold)
        self.num_labels, self.threshold = num_labels, threshold
        self._begin((num_labels, 2, 2), normalize, ignore_index)

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in probabilities, logits or labels (N, L, …), and labels 0 or 1 of the same shape."""
        labels, target = multilabel_labels(preds, target, self.num_labels, self.threshold)
        each = []
        for at in range(self.num_labels):
            kept = slice(None) if self.ignore_index is None else target[:, at] != self.ignore_index
            each.append(confusion(labels[:, at][kept], target[:, at][kept], 2))
        self.confmat = self.confmat + facula.stack(each)


# By task, as torchmetrics has them: Accuracy(task="multiclass", num_classes=3).


def _by_task(
    task: str, kinds: tuple[type[Metric], type[Metric], type[Metric]], options: dict[str, dict[str, Any]]
) -> Metric:
    check_choice("task", task, ("binary", "multiclass", "multilabel"))
    at = ("binary", "multiclass", "multilabel").index(task)
    needed = (None, "num_classes", "num_labels")[at]
    if needed is not None and not isinstance(options[task][needed], int):
        raise ValueError(f"`{needed}` is expected to be `int` but `{type(options[task][needed])} was passed.`")
    return kinds[at](**options[task])


def _scores_by_task(
    kinds: tuple[type[Metric], type[Metric], type[Metric]],
    task: str,
    threshold: float,
    num_classes: int | None,
    num_labels: int | None,
    average: str | None,
    top_k: int,
    ignore_index: int | None,
) -> Metric:
    return _by_task(
        task,
        kinds,
        {
            "binary": {"threshold": threshold, "ignore_index": ignore_index},
            "multiclass": {
                "num_classes": num_classes,
                "top_k": top_k,
                "average": average,
                "ignore_index": ignore_index,
            },
            "multilabel": {
                "num_labels": num_labels,
                "threshold": threshold,
                "average": average,
                "ignore_index": ignore_index,
            },
        },
    )


def Accuracy(
    task: str,
    threshold: float = 0.5,
    num_classes: int | None = None,
    num_labels: int | None = None,
    average: str | None = "micro",
    top_k: int = 1,
    ignore_index: int | None = None,
) -> Metric:
    """Return the accuracy of a task: "binary", "multiclass" or "multilabel".

    >>> Accuracy("multiclass", num_classes=3)(facula.tensor([0, 2, 1]), facula.tensor([0, 1, 1]))
    tensor(0.6667)
    """
    kinds = (BinaryAccuracy, MulticlassAccuracy, MultilabelAccuracy)
    return _scores_by_task(kinds, task, threshold, num_classes, num_labels, average, top_k, ignore_index)


def Precision(
    task: str,
    threshold: float = 0.5,
    num_classes: int | None = None,
    num_labels: int | None = None,
    average: str | None = "micro",
    top_k: int = 1,
    ignore_index: int | None = None,
) -> Metric:
    """Return the precision of a task."""
    kinds = (BinaryPrecision, MulticlassPrecision, MultilabelPrecision)
    return _scores_by_task(kinds, task, threshold, num_classes, num_labels, average, top_k, ignore_index)


def Recall(
    task: str,
    threshold: float = 0.5,
    num_classes: int | None = None,
    num_labels: int | None = None,
    average: str | None = "micro",
    top_k: int = 1,
    ignore_index: int | None = None,
) -> Metric:
    """Return the recall of a task."""
    kinds = (BinaryRecall, MulticlassRecall, MultilabelRecall)
    return _scores_by_task(kinds, task, threshold, num_classes, num_labels, average, top_k, ignore_index)


def F1Score(
    task: str,
    threshold: float = 0.5,
    num_classes: int | None = None,
    num_labels: int | None = None,
    average: str | None = "micro",
    top_k: int = 1,
    ignore_index: int | None = None,
) -> Metric:
    """Return the F1 score of a task."""
    kinds = (BinaryF1Score, MulticlassF1Score, MultilabelF1Score)
    return _scores_by_task(kinds, task, threshold, num_classes, num_labels, average, top_k, ignore_index)


def ConfusionMatrix(
    task: str,
    threshold: float = 0.5,
    num_classes: int | None = None,
    num_labels: int | None = None,
    normalize: str | None = None,
    ignore_index: int | None = None,
) -> Metric:
    """Return the confusion matrix of a task."""
    common = {"ignore_index": ignore_index, "normalize": normalize}
    return _by_task(
        task,
        (BinaryConfusionMatrix, MulticlassConfusionMatrix, MultilabelConfusionMatrix),
        {
            "binary": {"threshold": threshold, **common},
            "multiclass": {"num_classes": num_classes, **common},
            "multilabel": {"num_labels": num_labels, "threshold": threshold, **common},
        },
    )
