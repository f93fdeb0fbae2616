"""Metrics, as torchmetrics names and defines them: numbers kept up to date batch by batch, over all processes."""

from facula_lightning.metrics.aggregation import MaxMetric, MeanMetric, MinMetric, SumMetric
from facula_lightning.metrics.classification import (
    Accuracy,
    BinaryAccuracy,
    BinaryConfusionMatrix,
    BinaryF1Score,
    BinaryPrecision,
    BinaryRecall,
    ConfusionMatrix,
    F1Score,
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassPrecision,
    MulticlassRecall,
    MultilabelAccuracy,
    MultilabelConfusionMatrix,
    MultilabelF1Score,
    MultilabelPrecision,
    MultilabelRecall,
    Precision,
    Recall,
)
from facula_lightning.metrics.curves import (
    AUROC,
    AveragePrecision,
    BinaryAUROC,
    BinaryAveragePrecision,
    MulticlassAUROC,
    MulticlassAveragePrecision,
    MultilabelAUROC,
    MultilabelAveragePrecision,
)
from facula_lightning.metrics.metric import Metric
from facula_lightning.metrics.regression import MeanAbsoluteError, MeanSquaredError, Perplexity, R2Score

__all__ = ["AUROC", "Accuracy", "AveragePrecision", "BinaryAUROC", "BinaryAccuracy", "BinaryAveragePrecision"]
__all__ += ["BinaryConfusionMatrix", "BinaryF1Score", "BinaryPrecision", "BinaryRecall", "ConfusionMatrix", "F1Score"]
__all__ += ["MaxMetric", "MeanAbsoluteError", "MeanMetric", "MeanSquaredError", "Metric", "MinMetric"]
__all__ += ["MulticlassAUROC", "MulticlassAccuracy", "MulticlassAveragePrecision", "MulticlassConfusionMatrix"]
__all__ += ["MulticlassF1Score", "MulticlassPrecision", "MulticlassRecall", "MultilabelAUROC", "MultilabelAccuracy"]
__all__ += ["MultilabelAveragePrecision", "MultilabelConfusionMatrix", "MultilabelF1Score", "MultilabelPrecision"]
__all__ += ["MultilabelRecall", "Perplexity", "Precision", "R2Score", "Recall", "SumMetric"]
