"""Metrics against scikit-learn, in one batch and in several, and their protocol."""

from __future__ import annotations

import warnings

import facula
import numpy as np
import pytest
import sklearn.metrics as reference
from facula_lightning import metrics
from facula_lightning.metrics import Metric

AVERAGES = ["micro", "macro", "weighted", None]


def labels(count: int, classes: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, classes, count)


def scores(*shape: int, seed: int = 1) -> np.ndarray:
    # Coarse, so that some are equal.
    return np.random.default_rng(seed).integers(0, 40, shape).astype(np.float32) / 40


def result(metric: Metric, *arrays: np.ndarray, batches: int = 3) -> np.ndarray:
    """Return what a metric computes of arrays that come in batches; it must be the same as of one batch."""
    whole = metric(*[facula.tensor(each) for each in arrays]).numpy()
    metric.reset()
    for parts in zip(*[np.array_split(each, batches) for each in arrays], strict=True):
        metric.update(*[facula.tensor(part) for part in parts])
    assert metric.update_count == batches
    np.testing.assert_allclose(metric.compute().numpy(), whole, rtol=1e-6)
    return whole


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("Precision", reference.precision_score),
        ("Recall", reference.recall_score),
        ("F1Score", reference.f1_score),
    ],
)
def test_precision_recall_and_f1_of_classes(name, function, average) -> None:
    preds, target = labels(200, 4), labels(200, 4, seed=2)
    metric = getattr(metrics, name)("multiclass", num_classes=4, average=average)
    np.testing.assert_allclose(result(metric, preds, target), function(target, preds, average=average), rtol=1e-6)


@pytest.mark.parametrize("name", ["Precision", "Recall", "F1Score"])
def test_a_class_that_does_not_come_is_left_out_of_the_mean(name) -> None:
    preds, target = labels(50, 3), labels(50, 3, seed=2)
    of_three = getattr(metrics, name)("multiclass", num_classes=3, average="macro")
    of_five = getattr(metrics, name)("multiclass", num_classes=5, average="macro")
    assert result(of_three, preds, target) == result(of_five, preds, target)


def test_accuracy() -> None:
    preds, target, probabilities = labels(100, 3), labels(100, 3, seed=2), scores(100, 3)
    accuracy = metrics.Accuracy("multiclass", num_classes=3)
    np.testing.assert_allclose(result(accuracy, preds, target), (preds == target).mean(), rtol=1e-6)
    np.testing.assert_allclose(
        result(accuracy, probabilities, target), (probabilities.argmax(1) == target).mean(), rtol=1e-6
    )
    macro = metrics.Accuracy("multiclass", num_classes=3, average="macro")
    expected = reference.balanced_accuracy_score(target, preds)
    np.testing.assert_allclose(result(macro, preds, target), expected, rtol=1e-6)
    top = metrics.Accuracy("multiclass", num_classes=3, top_k=2)
    distinct = np.random.default_rng(3).permuted(np.tile(np.float32([0.1, 0.3, 0.6]), (100, 1)), axis=1)
    expected = reference.top_k_accuracy_score(target, distinct, k=2, labels=range(3))
    np.testing.assert_allclose(result(top, distinct, target), expected, rtol=1e-6)


def test_what_is_to_be_ignored() -> None:
    preds, target = labels(100, 3), labels(100, 3, seed=2)
    target[::7] = -1
    kept = target != -1
    accuracy = metrics.Accuracy("multiclass", num_classes=3, ignore_index=-1)
    np.testing.assert_allclose(result(accuracy, preds, target), (preds == target)[kept].mean(), rtol=1e-6)
    f1 = metrics.MulticlassF1Score(3, ignore_index=-1)
    expected = reference.f1_score(target[kept], preds[kept], average="macro")
    np.testing.assert_allclose(result(f1, preds, target), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("Accuracy", reference.accuracy_score),
        ("Precision", reference.precision_score),
        ("Recall", reference.recall_score),
        ("F1Score", reference.f1_score),
        ("ConfusionMatrix", reference.confusion_matrix),
    ],
)
def test_two_classes(name, function) -> None:
    probabilities, target = scores(150), labels(150, 2)
    metric = getattr(metrics, name)("binary", threshold=0.3)
    expected = function(target, probabilities > np.float32(0.3))
    np.testing.assert_allclose(result(metric, probabilities, target), expected, rtol=1e-6)
    logits = np.log(np.clip(probabilities, 0.01, 0.99) / (1 - np.clip(probabilities, 0.01, 0.99)))
    metric = getattr(metrics, name)("binary")
    np.testing.assert_allclose(result(metric, logits, target), function(target, logits > 0), rtol=1e-6)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", ["Precision", "Recall", "F1Score"])
def test_several_labels(name, average) -> None:
    function = {"Precision": reference.precision_score, "Recall": reference.recall_score, "F1Score": reference.f1_score}
    preds, target = scores(80, 4), labels(320, 2).reshape(80, 4)
    metric = getattr(metrics, name)("multilabel", num_labels=4, average=average)
    expected = function[name](target, preds > 0.5, average=average)
    np.testing.assert_allclose(result(metric, preds, target), expected, rtol=1e-6)


@pytest.mark.parametrize("normalize", ["true", "pred", "all", None])
def test_confusion(normalize) -> None:
    preds, target = labels(90, 3), labels(90, 3, seed=2)
    metric = metrics.ConfusionMatrix("multiclass", num_classes=3, normalize=normalize)
    expected = reference.confusion_matrix(target, preds, normalize=normalize)
    np.testing.assert_allclose(result(metric, preds, target), expected, rtol=1e-6)
    each = metrics.ConfusionMatrix("multilabel", num_labels=3)
    wanted = labels(240, 2).reshape(80, 3)
    expected = reference.multilabel_confusion_matrix(wanted, scores(80, 3) > 0.5)
    np.testing.assert_array_equal(result(each, scores(80, 3), wanted), expected)


@pytest.mark.parametrize("max_fpr", [None, 0.3, 0.07])
def test_area_under_the_roc_curve(max_fpr) -> None:
    preds, target = scores(200), labels(200, 2)
    metric = metrics.AUROC("binary", max_fpr=max_fpr)
    expected = reference.roc_auc_score(target, preds, max_fpr=max_fpr)
    np.testing.assert_allclose(result(metric, preds, target), expected, rtol=1e-5)


@pytest.mark.parametrize("average", ["macro", "weighted", None])
def test_areas_of_classes_and_labels(average) -> None:
    preds, target = scores(120, 3), labels(120, 3)
    one_hot = np.eye(3)[target]
    for name, function in (("AUROC", reference.roc_auc_score), ("AveragePrecision", reference.average_precision_score)):
        metric = getattr(metrics, name)("multiclass", num_classes=3, average=average)
        expected = function(one_hot, preds, average=average)
        np.testing.assert_allclose(result(metric, preds, target), expected, rtol=1e-5)
        metric = getattr(metrics, name)("multilabel", num_labels=3, average=average)
        wanted = labels(360, 2).reshape(120, 3)
        np.testing.assert_allclose(result(metric, preds, wanted), function(wanted, preds, average=average), rtol=1e-5)


def test_areas_of_one_class_alone() -> None:
    with pytest.warns(UserWarning, match="No positive samples"):
        assert float(metrics.BinaryAUROC()(facula.tensor([0.1, 0.2]), facula.tensor([0, 0]))) == 0
    with pytest.warns(UserWarning, match="No positive samples"):
        assert np.isnan(float(metrics.BinaryAveragePrecision()(facula.tensor([0.1, 0.2]), facula.tensor([0, 0]))))


def test_numbers() -> None:
    preds, target = scores(60), scores(60, seed=5)
    for metric, expected in (
        (metrics.MeanAbsoluteError(), reference.mean_absolute_error(target, preds)),
        (metrics.MeanSquaredError(), reference.mean_squared_error(target, preds)),
        (metrics.MeanSquaredError(squared=False), reference.mean_squared_error(target, preds) ** 0.5),
        (metrics.R2Score(), reference.r2_score(target, preds)),
    ):
        np.testing.assert_allclose(result(metric, preds, target), expected, rtol=1e-5)


@pytest.mark.parametrize("multioutput", ["raw_values", "uniform_average", "variance_weighted"])
def test_r2_of_several_outputs(multioutput) -> None:
    preds, target = scores(60, 3), scores(60, 3, seed=5)
    expected = reference.r2_score(target, preds, multioutput=multioutput)
    np.testing.assert_allclose(result(metrics.R2Score(multioutput=multioutput), preds, target), expected, rtol=1e-5)


def test_perplexity() -> None:
    logits, target = scores(6, 5, 7) * 9, labels(30, 7).reshape(6, 5)
    target[0, :3] = -100
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    kept = target != -100
    chosen = np.take_along_axis(log_probabilities, target.clip(0)[..., None], -1)[..., 0][kept]
    metric = metrics.Perplexity(ignore_index=-100)
    np.testing.assert_allclose(result(metric, logits, target), np.exp(-chosen.mean()), rtol=1e-5)


def test_aggregation() -> None:
    numbers = scores(30)
    for metric, expected in (
        (metrics.MeanMetric(), numbers.mean()),
        (metrics.SumMetric(), numbers.sum()),
        (metrics.MaxMetric(), numbers.max()),
        (metrics.MinMetric(), numbers.min()),
    ):
        np.testing.assert_allclose(result(metric, numbers), expected, rtol=1e-6)
    mean = metrics.MeanMetric(nan_strategy="ignore")
    mean.update(facula.tensor([1.0, float("nan"), 3.0]), facula.tensor([1.0, 5.0, 3.0]))
    assert float(mean.compute()) == 2.5
    with pytest.raises(RuntimeError, match="nan"):
        metrics.SumMetric(nan_strategy="error").update(float("nan"))
    with pytest.warns(UserWarning, match="Will be removed"):
        metrics.SumMetric().update(float("nan"))


def test_calling_returns_the_result_of_the_batch_and_keeps_that_of_all() -> None:
    metric = metrics.MeanMetric()
    assert float(metric(facula.tensor([1.0, 3.0]))) == 2.0
    assert float(metric(facula.tensor([8.0]))) == 8.0
    assert float(metric.compute()) == 4.0
    metric.reset()
    assert metric.update_count == 0 and float(metric(5.0)) == 5.0


def test_states_move_and_are_kept_out_of_the_state_dict() -> None:
    module = facula.nn.ModuleDict({"accuracy": metrics.MulticlassAccuracy(3), "area": metrics.BinaryAUROC()})
    module["area"].update(facula.tensor([0.1, 0.9]), facula.tensor([0, 1]))
    assert not module.state_dict()
    copied = module["area"].clone()
    module["area"].reset()
    assert float(copied.compute()) == 1.0 and module["area"].preds == []


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="average"):
        metrics.MulticlassAccuracy(3, average="mean")
    with pytest.raises(ValueError, match="task"):
        metrics.Accuracy("several")
    with pytest.raises(ValueError, match="num_classes"):
        metrics.Accuracy("multiclass")
    with pytest.raises(RuntimeError, match="same shape"):
        metrics.BinaryAccuracy().update(facula.zeros(3), facula.zeros(4, dtype=facula.int64))
    with pytest.raises(RuntimeError, match="outside 0 to 2"):
        metrics.MulticlassAccuracy(3).update(facula.tensor([0, 1]), facula.tensor([0, 3]))
    with pytest.raises(ValueError, match="at least two samples"):
        metrics.R2Score()(facula.tensor([1.0]), facula.tensor([1.0]))
    with warnings.catch_warnings(), pytest.raises(ValueError, match="call `update` first"):
        metrics.BinaryAUROC().compute()
