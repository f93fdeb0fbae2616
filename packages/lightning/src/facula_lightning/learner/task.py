"""A plain network with its loss and its metrics, as the trainer takes it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import facula
from facula import Tensor, nn
from facula.optim import Optimizer

from facula_lightning.learner.data import unpack
from facula_lightning.learner.losses import Loss, each_loss, weighted_loss
from facula_lightning.learner.metrics import MetricLike, is_object
from facula_lightning.learner.shapes import class_numbers, same_rank
from facula_lightning.module import LightningModule
from facula_lightning.utilities.data import extract_batch_size


class Task(LightningModule):
    """Trains ``network`` on batches ``(x, y)`` or ``(x, y, sample_weight)``, and measures it."""

    def __init__(self, network: nn.Module, loss: Loss | None, metrics: Mapping[str, MetricLike]) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.metrics = dict(metrics)
        self.optimizer: Optimizer | None = None
        #: By how much the loss of a sample of each class counts, the last for all classes that are not named.
        self.class_weight: Tensor | None = None
        for name, metric in self.metrics.items():
            if is_object(metric):
                for stage in ("train", "val", "test"):
                    # Each stage takes in its own batches.
                    setattr(self, _attribute(stage, name), metric if stage == "train" else copy.deepcopy(metric))

    def forward(self, x: Any) -> Any:
        """Return the network's answer; several inputs are its arguments."""
        if isinstance(x, Mapping):
            return self.network(**x)
        return self.network(*x) if isinstance(x, (list, tuple)) else self.network(x)

    def training_step(self, batch: Any) -> Tensor:
        """Return the loss of a batch."""
        return self._measure(batch, "train", "")

    def validation_step(self, batch: Any) -> None:
        """Measure a batch."""
        self._measure(batch, "val", "val_")

    def test_step(self, batch: Any) -> None:
        """Measure a batch."""
        self._measure(batch, "test", "test_")

    def predict_step(self, batch: Any) -> Any:
        """Return the network's answer to a batch, or its inputs."""
        return self(unpack(batch)[0])

    def configure_optimizers(self) -> Optimizer | None:
        """Return the optimizer."""
        return self.optimizer

    def _measure(self, batch: Any, stage: str, prefix: str) -> Tensor:
        x, y, weight = unpack(batch)
        if self.loss is None or y is None:
            missing = (
                "a loss: call `compile(loss=...)` first" if self.loss is None else "batches `(x, y)`, got `x` alone"
            )
            raise ValueError(f"training and evaluation need {missing}")
        prediction = self(x)
        if stage == "train" and self.class_weight is not None:
            if weight is not None:
                raise ValueError("`class_weight` and sample weights cannot be given at the same time")
            weight = self._weights_of_classes(y)
        loss = self.loss(prediction, y) if weight is None else weighted_loss(self.loss, prediction, y, weight)
        if loss.ndim:
            loss = loss.mean()
        count = extract_batch_size(y)
        shown = self.trainer.progress_bar_callback is not None and stage != "test"
        self.log(prefix + "loss", loss, prog_bar=shown, on_step=False, on_epoch=True, batch_size=count)
        for name, metric in self.metrics.items():
            self._log_metric(metric, name, stage, prefix + name, shown, prediction, y, count)
        return loss

    def _log_metric(
        self,
        metric: MetricLike,
        name: str,
        stage: str,
        shown_as: str,
        prog_bar: bool,
        prediction: Any,
        y: Any,
        count: int,
    ) -> None:
        if is_object(metric):
            attribute = _attribute(stage, name)
            own: Any = getattr(self, attribute)
            with facula.no_grad():
                both = isinstance(prediction, Tensor) and isinstance(y, Tensor)
                own.update(prediction, same_rank(prediction, y) if both else y)
            self.log(shown_as, own, prog_bar=prog_bar, on_step=False, on_epoch=True, metric_attribute=attribute)
            return
        assert callable(metric)
        with facula.no_grad():
            value = metric(prediction, y)
        value = value if value.is_floating_point() else value.float()
        self.log(shown_as, value.mean(), prog_bar=prog_bar, on_step=False, on_epoch=True, batch_size=count)

    def _weights_of_classes(self, y: Tensor) -> Tensor:
        assert self.class_weight is not None
        weights = self.class_weight.to(y.device)
        return weights[class_numbers(y).clamp(max=len(weights) - 1)]


class SampleLosses(Task):
    """Predicts the loss of each sample (N): what others find hard in it is averaged."""

    def predict_step(self, batch: Any) -> Tensor:
        """Return the losses of a batch's samples."""
        x, y, _ = unpack(batch)
        if self.loss is None or y is None:
            raise ValueError("the losses of samples need a loss and batches `(x, y)`")
        losses = each_loss(self.loss, self(x), y)
        return losses.flatten(1).mean(1) if losses.ndim > 1 else losses


def class_weight_table(class_weight: Mapping[int, float]) -> Tensor:
    """Return weights by class, the last for all classes above those that are named.

    >>> class_weight_table({0: 2.0, 2: 3.0})
    tensor([2., 1., 3., 1.])
    """
    if not class_weight or not all(isinstance(each, Integral) and each >= 0 for each in class_weight):
        raise ValueError(f"expected a dictionary from numbers of classes to weights, got {class_weight!r}")
    return facula.tensor([float(class_weight.get(at, 1.0)) for at in range(max(class_weight) + 2)])


def _attribute(stage: str, name: str) -> str:
    return f"{stage}_metric_{name.replace('.', '_')}"
