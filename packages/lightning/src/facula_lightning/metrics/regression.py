"""Errors of predicted numbers."""

from __future__ import annotations

import warnings

import facula
from facula import Tensor

from facula_lightning.metrics.metric import Metric


def _need_one_shape(preds: Tensor, target: Tensor) -> None:
    if preds.shape != target.shape:
        raise RuntimeError(
            "Predictions and targets are expected to have the same shape, but got "
            f"{tuple(preds.shape)} and {tuple(target.shape)}."
        )


def _as_rows(values: Tensor, num_outputs: int) -> Tensor:
    values = values if values.is_floating_point() else values.to(facula.get_default_dtype())
    return values.reshape(-1) if num_outputs == 1 else values


class _MeanOfErrors(Metric):
    total_error: Tensor
    total: Tensor

    def __init__(self, num_outputs: int = 1) -> None:
        super().__init__()
        if not (isinstance(num_outputs, int) and num_outputs > 0):
            raise ValueError(f"Expected num_outputs to be a positive integer but got {num_outputs}")
        self.num_outputs = num_outputs
        self.add_state("total_error", facula.zeros(num_outputs) if num_outputs > 1 else facula.tensor(0.0), "sum")
        self.add_state("total", facula.tensor(0), "sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in predictions and what they should have been, of one shape: (N,), or (N, num_outputs)."""
        _need_one_shape(preds, target)
        errors = self._error(_as_rows(preds, self.num_outputs) - _as_rows(target, self.num_outputs))
        self.total_error = self.total_error + errors.sum(0)
        self.total = self.total + errors.shape[0]

    def _error(self, difference: Tensor) -> Tensor:
        raise NotImplementedError

    def compute(self) -> Tensor:
        """Return the mean, of each output where there are several."""
        return self.total_error / self.total


class MeanAbsoluteError(_MeanOfErrors):
    """The mean absolute difference.

    >>> MeanAbsoluteError()(facula.tensor([1.0, 3.0]), facula.tensor([2.0, 3.0]))
    tensor(0.5000)
    """

    def _error(self, difference: Tensor) -> Tensor:
        return difference.abs()


class MeanSquaredError(_MeanOfErrors):
    """The mean squared difference, or its square root unless ``squared``."""

    def __init__(self, squared: bool = True, num_outputs: int = 1) -> None:
        super().__init__(num_outputs)
        self.squared = squared

    def _error(self, difference: Tensor) -> Tensor:
        return difference * difference

    def compute(self) -> Tensor:
        """Return the mean, or its root."""
        mean = self.total_error / self.total
        return mean if self.squared else mean.sqrt()


class R2Score(Metric):
    """The share of the variance that predictions explain: 1 - residual / total sum of squares.

    ``adjusted`` is the number of independent variables to correct for; ``multioutput`` says what becomes of several outputs:
    "uniform_average", "variance_weighted" or "raw_values".

    >>> R2Score()(facula.tensor([2.5, 0.0, 2.0, 8.0]), facula.tensor([3.0, -0.5, 2.0, 7.0]))
    tensor(0.9486)
    """

    sum_error: Tensor
    sum_squared_error: Tensor
    residual: Tensor
    total: Tensor

    def __init__(self, adjusted: int = 0, multioutput: str = "uniform_average") -> None:
        super().__init__()
        if adjusted < 0 or not isinstance(adjusted, int):
            raise ValueError("`adjusted` parameter should be an integer larger or equal to 0.")
        if multioutput not in ("raw_values", "uniform_average", "variance_weighted"):
            raise ValueError(
                "Invalid input to argument `multioutput`. Choose one of the following: "
                f"('raw_values', 'uniform_average', 'variance_weighted'), got {multioutput!r}"
            )
        self.adjusted, self.multioutput = adjusted, multioutput
        for name in ("sum_error", "sum_squared_error", "residual"):
            self.add_state(name, facula.tensor(0.0, dtype=facula.float64), "sum")
        self.add_state("total", facula.tensor(0), "sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in predictions and what they should have been: (N,) or (N, outputs)."""
        _need_one_shape(preds, target)
        if preds.dim() > 2:
            raise ValueError(f"Expected 1D or 2D tensors, but received tensors with dimension {tuple(preds.shape)}")
        # Differences of large sums: in double precision.
        preds, target = preds.double(), target.double()
        self.sum_error = self.sum_error + target.sum(0)
        self.sum_squared_error = self.sum_squared_error + (target * target).sum(0)
        self.residual = self.residual + ((target - preds) ** 2).sum(0)
        self.total = self.total + target.shape[0]

    def compute(self) -> Tensor:
        """Return the score."""
        count = int(self.total)
        if count < 2:
            raise ValueError("Needs at least two samples to calculate r2 score.")
        total = self.sum_squared_error - self.sum_error * self.sum_error / count
        exact, constant = self.residual == 0, total == 0
        scores = 1 - self.residual / total.where(~constant, 1.0)
        scores = scores.where(~constant, 0.0).where(~exact, 1.0)
        if self.multioutput == "variance_weighted":
            scores = (scores * total).sum() / total.sum()
        elif self.multioutput == "uniform_average":
            scores = scores.mean()
        if self.adjusted >= count - 1:
            if self.adjusted:
                warnings.warn(
                    "More independent regressions than data points in adjusted r2 score: it falls back to the standard one",
                    UserWarning,
                    stacklevel=2,
                )
        elif self.adjusted:
            scores = 1 - (1 - scores) * (count - 1) / (count - self.adjusted - 1)
        return scores.to(facula.get_default_dtype())


class Perplexity(Metric):
    """exp of the mean negative log-likelihood of the targets.

    >>> Perplexity()(facula.zeros(1, 3, 4), facula.tensor([[0, 1, 2]]))
    tensor(4.)
    """

    total_log_probs: Tensor
    count: Tensor

    def __init__(self, ignore_index: int | None = None) -> None:
        super().__init__()
        if ignore_index is not None and not isinstance(ignore_index, int):
            raise ValueError(f"Argument `ignore_index` expected to either be `None` or an `int` but got {ignore_index}")
        self.ignore_index = ignore_index
        self.add_state("total_log_probs", facula.tensor(0.0), "sum")
        self.add_state("count", facula.tensor(0), "sum")

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Take in logits (N, L, vocabulary) and the targets (N, L)."""
        if preds.dim() != 3 or target.dim() != 2 or preds.shape[:2] != target.shape:
            raise ValueError(
                "Input tensors are expected to be (N, L, vocabulary) and (N, L), but got "
                f"{tuple(preds.shape)} and {tuple(target.shape)}."
            )
        logits, wanted = preds.reshape(-1, preds.shape[-1]), target.reshape(-1)
        if self.ignore_index is not None:
            kept = wanted != self.ignore_index
            logits, wanted = logits[kept], wanted[kept]
        chosen = logits.log_softmax(-1).gather(1, wanted.unsqueeze(1))
        self.total_log_probs = self.total_log_probs - chosen.sum()
        self.count = self.count + wanted.numel()

    def compute(self) -> Tensor:
        """Return the perplexity."""
        return (self.total_log_probs / self.count).exp()
