"""Continuous relatives of discrete distributions, with gradients through samples, and some rarer distributions."""

from __future__ import annotations

import math
from typing import Any, Self

import facula
from facula import Size, Tensor
from facula.distributions import constraints
from facula.distributions.composed import TransformedDistribution
from facula.distributions.continuous import _shape_of
from facula.distributions.discrete import Categorical, _OfProbability
from facula.distributions.distribution import Distribution, ExponentialFamily
from facula.distributions.transforms import ExpTransform, SigmoidTransform
from facula.distributions.utils import broadcast_all, clamp_probs
from facula.nn import functional as F
from facula.types import TensorLike

__all__ = [
    "ContinuousBernoulli",
    "ExpRelaxedCategorical",
    "GeneralizedPareto",
    "LogitRelaxedBernoulli",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
]


class LogitRelaxedBernoulli(_OfProbability):
    """The logits of relaxed Bernoulli numbers (Maddison et al. 2016, arXiv 1611.00712)."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        self._set(probs, logits)
        super().__init__(_shape_of(probs, logits), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(LogitRelaxedBernoulli, _instance)
        new.temperature = self.temperature
        self._expand_into(new, batch_shape)
        return self._expanded(_OfProbability, new, batch_shape)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        u = clamp_probs(facula.rand(shape, dtype=probs.dtype, device=probs.device))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value.mul(self.temperature)
        return self.temperature.log() + difference - 2 * difference.exp().log1p()


class RelaxedBernoulli(TransformedDistribution):
    """Numbers from 0 to 1 that are near 0 or 1 when the temperature is low."""

    base_dist: Any

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(
            LogitRelaxedBernoulli(temperature, probs, logits), SigmoidTransform(), validate_args=validate_args
        )

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        return super().expand(batch_shape, self._new(RelaxedBernoulli, _instance))

    @property
    def temperature(self) -> Tensor:
        """The temperature."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """The logits."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self.base_dist.probs


class ExpRelaxedCategorical(Distribution):
    """The logarithms of relaxed choices (Jang et al. 2016, arXiv 1611.01144)."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(ExpRelaxedCategorical, _instance)
        new.temperature = self.temperature
        new._categorical = self._categorical.expand(batch_shape)
        return self._expanded(ExpRelaxedCategorical, new, batch_shape, self.event_shape)

    @property
    def logits(self) -> Tensor:
        """The logits."""
        return self._categorical.logits

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self._categorical.probs

    @property
    def param_shape(self) -> Size:
        """The shape of the parameter."""
        return self._categorical.param_shape

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        u = clamp_probs(facula.rand(shape, dtype=self.logits.dtype, device=self.logits.device))
        gumbel = -((-(u.log())).log())
        scores = (self.logits + gumbel) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        count = self._categorical._num_events
        logits, value = broadcast_all(self.logits, value)
        scale = math.lgamma(count) - self.temperature.log().mul(-(count - 1))
        score = logits - value.mul(self.temperature)
        return (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1) + scale


class RelaxedOneHotCategorical(TransformedDistribution):
    """Points of a simplex that are near a corner when the temperature is low."""

    base_dist: Any

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        return super().expand(batch_shape, self._new(RelaxedOneHotCategorical, _instance))

    @property
    def temperature(self) -> Tensor:
        """The temperature."""
        return self.base_dist.temperature

    @property
    def logits(self) -> Tensor:
        """The logits."""
        return self.base_dist.logits

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self.base_dist.probs


class ContinuousBernoulli(_OfProbability, ExponentialFamily):
    """Numbers from 0 to 1 with density in p^x (1 - p)^(1 - x) (Loaiza-Ganem and Cunningham 2019, arXiv 1907.06845)."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    has_rsample = True
    _mean_carrier_measure = 0

    def __init__(
        self,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._set(probs, logits)
        if probs is not None:
            if validate_args is not None and not self.arg_constraints["probs"].check(self.probs).all():
                raise ValueError("The parameter probs has invalid values")
            self._param = self.probs = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(_shape_of(probs, logits), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(ContinuousBernoulli, _instance)
        new._lims = self._lims
        self._expand_into(new, batch_shape)
        Distribution.__init__(new, batch_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _outside(self) -> Tensor:
        """Return where the probability is far enough from one half for the closed forms."""
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self) -> Tensor:
        return facula.where(self._outside(), self.probs, self._lims[0])

    def _log_constant(self) -> Tensor:
        """Return the logarithm of the normalising constant; near one half by its Taylor series."""
        cut = self._cut()
        below = facula.where(cut <= 0.5, cut, 0.0)
        above = facula.where(cut >= 0.5, cut, 1.0)
        log_norm = facula.log(facula.abs(facula.log1p(-cut) - facula.log(cut))) - facula.where(
            cut <= 0.5, facula.log1p(-2.0 * below), facula.log(2.0 * above - 1.0)
        )
        x = (self.probs - 0.5).pow(2)
        return facula.where(self._outside(), log_norm, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x)

    @property
    def mean(self) -> Tensor:
        cut = self._cut()
        mean = cut / (2.0 * cut - 1.0) + 1.0 / (facula.log1p(-cut) - facula.log(cut))
        x = self.probs - 0.5
        return facula.where(self._outside(), mean, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x)

    @property
    def stddev(self) -> Tensor:
        return self.variance.sqrt()

    @property
    def variance(self) -> Tensor:
        cut = self._cut()
        variance = cut * (cut - 1.0) / (1.0 - 2.0 * cut).pow(2) + 1.0 / (facula.log1p(-cut) - facula.log(cut)).pow(2)
        x = (self.probs - 0.5).pow(2)
        return facula.where(self._outside(), variance, 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x)

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        with facula.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(facula.rand(shape, dtype=self.probs.dtype, device=self.probs.device))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none") + self._log_constant()

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        cut = self._cut()
        found = (cut.pow(value) * (1.0 - cut).pow(1.0 - value) + cut - 1.0) / (2.0 * cut - 1.0)
        found = facula.where(self._outside(), found, value)
        return facula.where(value <= 0.0, 0.0, facula.where(value >= 1.0, 1.0, found))

    def icdf(self, value: Tensor) -> Tensor:
        cut = self._cut()
        found = (facula.log1p(-cut + value * (2.0 * cut - 1.0)) - facula.log1p(-cut)) / (
            facula.log(cut) - facula.log1p(-cut)
        )
        return facula.where(self._outside(), found, value)

    def entropy(self) -> Tensor:
        log0, log1 = facula.log1p(-self.probs), facula.log(self.probs)
        return self.mean * (log0 - log1) - self._log_constant() - log0

    @property
    def _natural_params(self) -> tuple[Tensor]:
        return (self.logits,)

    def _log_normalizer(self, x: Tensor) -> Tensor:
        outside = (x <= self._lims[0] - 0.5) | (x > self._lims[1] - 0.5)
        cut = facula.where(outside, x, (self._lims[0] - 0.5) * facula.ones_like(x))
        log_norm = facula.log(facula.abs(facula.special.expm1(cut))) - facula.log(facula.abs(cut))
        return facula.where(outside, log_norm, 0.5 * x + x.pow(2) / 24.0 - x.pow(4) / 2880.0)


class GeneralizedPareto(Distribution):
    """The generalised Pareto distribution: of how far values exceed a high threshold ``loc``."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real}
    has_rsample = True

    def __init__(
        self, loc: TensorLike, scale: TensorLike, concentration: TensorLike, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(_shape_of(loc, scale, concentration), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(GeneralizedPareto, _instance)
        new.loc, new.scale = self.loc.expand(batch_shape), self.scale.expand(batch_shape)
        new.concentration = self.concentration.expand(batch_shape)
        return self._expanded(GeneralizedPareto, new, batch_shape)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> constraints.Constraint:
        upper = facula.where(self.concentration < 0, self.loc - self.scale / self.concentration, math.inf)
        return constraints.interval(self.loc, upper)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        return self.icdf(facula.rand(shape, dtype=self.loc.dtype, device=self.loc.device))

    def _is_exponential(self) -> Tensor:
        return facula.isclose(self.concentration, facula.zeros_like(self.concentration))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        y = (value - self.loc) / self.scale
        safe = facula.where(self._is_exponential(), 1.0, self.concentration)
        general = -(1 / safe + 1) * facula.log1p(safe * y)
        return facula.where(self._is_exponential(), -y, general) - self.scale.log()

    def log_survival_function(self, value: Tensor) -> Tensor:
        """Return the logarithm of the probability of larger values."""
        y = (value - self.loc) / self.scale
        safe = facula.where(self._is_exponential(), 1.0, self.concentration)
        return facula.where(self._is_exponential(), -y, -facula.log1p(safe * y) / safe)

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -facula.expm1(self.log_survival_function(value))

    def icdf(self, value: Tensor) -> Tensor:
        safe = facula.where(self._is_exponential(), 1.0, self.concentration)
        logit = facula.log1p(-value)
        return self.loc + self.scale * facula.where(self._is_exponential(), -logit, facula.expm1(-safe * logit) / safe)

    @property
    def mean(self) -> Tensor:
        valid = self.concentration < 1
        safe = facula.where(valid, self.concentration, 0.5)
        return facula.where(valid, self.loc + self.scale / (1 - safe), math.nan)

    @property
    def variance(self) -> Tensor:
        valid = self.concentration < 0.5
        safe = facula.where(valid, self.concentration, 0.25)
        return facula.where(valid, self.scale**2 / ((1 - safe) ** 2 * (1 - 2 * safe)), math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    def entropy(self) -> Tensor:
        return (self.scale.log() + self.concentration + 1).expand(self._batch_shape)
