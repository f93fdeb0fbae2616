"""Metrics against torchmetrics, where it is installed: the same arguments give the same numbers."""

from __future__ import annotations

import itertools
from typing import Any

import facula
import numpy as np
import pytest
from facula_lightning import metrics

torch = pytest.importorskip("torch", reason="PyTorch is installed for comparison only")
torchmetrics = pytest.importorskip("torchmetrics", reason="torchmetrics is installed for comparison only")

rng = np.random.default_rng(0)
LOGITS, CLASSES = rng.standard_normal((2, 40, 5)).astype(np.float32), rng.integers(0, 5, (2, 40))
CLASSES[:, ::9] = 0
GRID = (rng.standard_normal((2, 6, 5, 3)).astype(np.float32), rng.integers(0, 5, (2, 6, 3)))


def both(name: str, batches: Any, **options: Any) -> None:
    ours, theirs = getattr(metrics, name)(**options), getattr(torchmetrics, name)(**options)
    for preds, target in zip(*batches, strict=True):
        mine = ours(facula.tensor(preds), facula.tensor(target))
        want = theirs(torch.tensor(preds), torch.tensor(target))
        np.testing.assert_allclose(mine.numpy(), want.numpy(), rtol=1e-5, atol=1e-6, err_msg=f"{name} {options}")
    np.testing.assert_allclose(ours.compute().numpy(), theirs.compute().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["Accuracy", "Precision", "Recall", "F1Score"])
def test_scores_of_classes(name) -> None:
    for average, top_k, ignored in itertools.product(["micro", "macro", "weighted", "none"], [1, 2], [None, 0]):
        options = {"task": "multiclass", "num_classes": 5, "average": average, "top_k": top_k, "ignore_index": ignored}
        both(name, (LOGITS, CLASSES), **options)
        both(name, GRID, **options)


@pytest.mark.parametrize("name", ["Accuracy", "Precision", "Recall", "F1Score"])
def test_scores_of_labels(name) -> None:
    target = rng.integers(0, 2, LOGITS.shape)
    ignored = target.copy()
    ignored[:, ::3, 1] = -1
    for average in ("micro", "macro", "weighted", "none"):
        both(name, (LOGITS, target), task="multilabel", num_labels=5, average=average)
        both(name, (LOGITS, ignored), task="multilabel", num_labels=5, average=average, ignore_index=-1)
    both(name, (LOGITS, target), task="binary", threshold=0.7)
    both(name, (LOGITS, ignored), task="binary", ignore_index=-1)


@pytest.mark.parametrize("name", ["AUROC", "AveragePrecision"])
def test_areas(name) -> None:
    target = rng.integers(0, 2, LOGITS.shape)
    target[:, 0] = -1
    both(name, (LOGITS, target), task="binary", ignore_index=-1)
    for average in ("macro", "weighted", "none"):
        both(name, (LOGITS, CLASSES), task="multiclass", num_classes=5, average=average)
        both(name, (LOGITS, target), task="multilabel", num_labels=5, average=average, ignore_index=-1)


@pytest.mark.parametrize("normalize", ["true", "pred", "all", "none"])
def test_confusion(normalize) -> None:
    target = rng.integers(0, 2, LOGITS.shape)
    both("ConfusionMatrix", (LOGITS, CLASSES), task="multiclass", num_classes=5, normalize=normalize)
    both("ConfusionMatrix", (LOGITS, target), task="multilabel", num_labels=5, normalize=normalize)
    both("ConfusionMatrix", (LOGITS, target), task="binary", normalize=normalize)


def test_numbers() -> None:
    numbers = rng.standard_normal((2, 30)).astype(np.float32)
    for name, options in [
        ("MeanAbsoluteError", {}),
        ("MeanSquaredError", {"squared": False}),
        ("R2Score", {"adjusted": 3}),
    ]:
        both(name, (numbers, numbers[::-1] + 0.3), **options)
    rows = rng.standard_normal((2, 30, 4)).astype(np.float32)
    both("MeanSquaredError", (rows, rows[::-1] * 0.5), num_outputs=4)
