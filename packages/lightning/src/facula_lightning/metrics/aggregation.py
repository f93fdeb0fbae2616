"""Sums, means and extremes of numbers."""

from __future__ import annotations

import math
from typing import Any

import facula
from facula import Tensor

from facula_lightning.metrics.metric import Metric


class _Aggregation(Metric):
    """Base of these: ``nan_strategy`` is "warn" (leave NaN out and say so), "ignore", "error", "disable" or a number."""

    def __init__(self, nan_strategy: str | float = "warn") -> None:
        super().__init__()
        if nan_strategy not in ("error", "warn", "ignore", "disable") and not isinstance(nan_strategy, (int, float)):
            raise ValueError(
                "Arg `nan_strategy` should either be a float or one of ('error', 'warn', 'ignore', 'disable') but got "
                f"{nan_strategy}."
            )
        self.nan_strategy = nan_strategy

    def _without_nan(self, value: float | Tensor, weight: float | Tensor = 1.0) -> tuple[Tensor, Tensor]:
        numbers = facula.as_tensor(value, dtype=facula.get_default_dtype())
        weights = facula.as_tensor(weight, dtype=facula.get_default_dtype()).broadcast_to(numbers.shape)
        numbers, weights = numbers.reshape(-1), weights.reshape(-1)
        missing = numbers.isnan() | weights.isnan()
        if self.nan_strategy == "disable" or not bool(missing.any()):
            return numbers, weights
        if self.nan_strategy == "error":
            raise RuntimeError("Encountered `nan` values in tensor")
        if isinstance(self.nan_strategy, str):
            if self.nan_strategy == "warn":
                import warnings

                warnings.warn("Encountered `nan` values in tensor. Will be removed.", UserWarning, stacklevel=4)
            return numbers[~missing], weights[~missing]
        return numbers.where(~missing, float(self.nan_strategy)), weights.where(~missing, float(self.nan_strategy))


class MeanMetric(_Aggregation):
    """The mean of numbers, weighted.

    >>> mean = MeanMetric()
    >>> mean.update(1.0), mean.update(4.0, weight=2.0)
    (None, None)
    >>> mean.compute()
    tensor(3.)
    """

    mean_value: Tensor
    weight: Tensor

    def __init__(self, nan_strategy: str | float = "warn") -> None:
        super().__init__(nan_strategy)
        self.add_state("mean_value", facula.tensor(0.0), "sum")
        self.add_state("weight", facula.tensor(0.0), "sum")

    def update(self, value: float | Tensor, weight: float | Tensor = 1.0) -> None:
        """Take in numbers, each with a weight."""
        numbers, weights = self._without_nan(value, weight)
        self.mean_value = self.mean_value + (numbers * weights).sum()
        self.weight = self.weight + weights.sum()

    def compute(self) -> Tensor:
        """Return the mean, NaN of nothing."""
        return self.mean_value / self.weight


class SumMetric(_Aggregation):
    """The sum of numbers."""

    sum_value: Tensor

    def __init__(self, nan_strategy: str | float = "warn") -> None:
        super().__init__(nan_strategy)
        self.add_state("sum_value", facula.tensor(0.0), "sum")

    def update(self, value: float | Tensor) -> None:
        """Take in numbers."""
        self.sum_value = self.sum_value + self._without_nan(value)[0].sum()

    def compute(self) -> Tensor:
        """Return the sum."""
        return self.sum_value


class MaxMetric(_Aggregation):
    """The largest of numbers."""

    max_value: Tensor

    def __init__(self, nan_strategy: str | float = "warn") -> None:
        super().__init__(nan_strategy)
        self.add_state("max_value", facula.tensor(-math.inf), "max")

    def update(self, value: float | Tensor) -> None:
        """Take in numbers."""
        numbers = self._without_nan(value)[0]
        if numbers.numel():
            self.max_value = facula.maximum(self.max_value, numbers.max())

    def compute(self) -> Any:
        """Return the largest, -inf of nothing."""
        return self.max_value


class MinMetric(_Aggregation):
    """The smallest of numbers."""

    min_value: Tensor

    def __init__(self, nan_strategy: str | float = "warn") -> None:
        super().__init__(nan_strategy)
        self.add_state("min_value", facula.tensor(math.inf), "min")

    def update(self, value: float | Tensor) -> None:
        """Take in numbers."""
        numbers = self._without_nan(value)[0]
        if numbers.numel():
            self.min_value = facula.minimum(self.min_value, numbers.min())

    def compute(self) -> Any:
        """Return the smallest, inf of nothing."""
        return self.min_value
