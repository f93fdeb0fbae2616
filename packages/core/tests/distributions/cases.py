"""Distributions of either library with parameters of several shapes, by name."""

from collections.abc import Callable
from types import ModuleType

import numpy as np


def instances(T: ModuleType) -> dict[str, Callable]:
    """Return, for each name, what makes a distribution."""
    D = T.distributions

    def numbers(*shape: int, seed: int = 0, low: float = 0.2, high: float = 2.0):
        values = np.random.RandomState(seed).uniform(low, high, shape)
        return T.from_numpy(np.asarray(values, np.float64))

    def matrix(*shape: int, seed: int = 0):
        a = numbers(*shape, shape[-1], seed=seed)
        return a @ a.mT + 0.5 * T.eye(shape[-1], dtype=T.float64)

    def simplex(*shape: int, seed: int = 0):
        values = numbers(*shape, seed=seed)
        return values / values.sum(-1, keepdim=True)

    x, y, p = numbers(3), numbers(3, seed=1), numbers(3, seed=2, low=0.1, high=0.9)
    return {
        "Bernoulli": lambda: D.Bernoulli(p),
        "Bernoulli, logits": lambda: D.Bernoulli(logits=x - 1),
        "Beta": lambda: D.Beta(x, y),
        "Binomial": lambda: D.Binomial(5, p),
        "Categorical": lambda: D.Categorical(simplex(2, 4)),
        "Cauchy": lambda: D.Cauchy(x, y),
        "Chi2": lambda: D.Chi2(x),
        "ContinuousBernoulli": lambda: D.ContinuousBernoulli(p),
        "Dirichlet": lambda: D.Dirichlet(numbers(2, 3)),
        "Exponential": lambda: D.Exponential(x),
        "FisherSnedecor": lambda: D.FisherSnedecor(x, y + 4),
        "Gamma": lambda: D.Gamma(x, y),
        "GeneralizedPareto": lambda: D.GeneralizedPareto(x.float(), y.float(), (p - 0.5).float()),
        "Geometric": lambda: D.Geometric(p),
        "Gumbel": lambda: D.Gumbel(x, y),
        "HalfCauchy": lambda: D.HalfCauchy(x),
        "HalfNormal": lambda: D.HalfNormal(x),
        "Independent": lambda: D.Independent(D.Normal(numbers(2, 3), numbers(2, 3, seed=1)), 1),
        "InverseGamma": lambda: D.InverseGamma(x + 2, y),
        "Kumaraswamy": lambda: D.Kumaraswamy(x, y),
        "LKJCholesky": lambda: D.LKJCholesky(3, x),
        "Laplace": lambda: D.Laplace(x, y),
        "LogNormal": lambda: D.LogNormal(x, y),
        "LogisticNormal": lambda: D.LogisticNormal(numbers(2, 3), numbers(2, 3, seed=1)),
        "LowRankMultivariateNormal": lambda: D.LowRankMultivariateNormal(numbers(3), numbers(3, 2), numbers(3, seed=1)),
        "MixtureSameFamily": lambda: D.MixtureSameFamily(D.Categorical(simplex(3)), D.Normal(x, y)),
        "Multinomial": lambda: D.Multinomial(4, simplex(2, 3)),
        "MultivariateNormal": lambda: D.MultivariateNormal(numbers(2, 3), matrix(3)),
        "MultivariateNormal, precision": lambda: D.MultivariateNormal(numbers(3), precision_matrix=matrix(2, 3)),
        "NegativeBinomial": lambda: D.NegativeBinomial(x + 2, p),
        "Normal": lambda: D.Normal(x, y),
        "Normal, numbers": lambda: D.Normal(0.5, 2.0),
        "OneHotCategorical": lambda: D.OneHotCategorical(simplex(2, 4)),
        "Pareto": lambda: D.Pareto(x, y + 2),
        "Poisson": lambda: D.Poisson(x * 3),
        "RelaxedBernoulli": lambda: D.RelaxedBernoulli(T.tensor(0.7, dtype=T.float64), p),
        "RelaxedOneHotCategorical": lambda: D.RelaxedOneHotCategorical(T.tensor(0.7, dtype=T.float64), simplex(2, 4)),
        "StudentT": lambda: D.StudentT(x + 2, x, y),
        "TransformedDistribution": lambda: D.TransformedDistribution(
            D.Normal(x, y), [D.AffineTransform(1.0, 2.0), D.TanhTransform()]
        ),
        "Uniform": lambda: D.Uniform(x, x + y),
        "VonMises": lambda: D.VonMises(x, y),
        "Weibull": lambda: D.Weibull(x, y),
        "Wishart": lambda: D.Wishart(numbers(2) + 4, matrix(3)),
    }
