"""Gamma numbers that have gradients in their concentration."""

import numpy as np

from facula import rng
from facula.ops.random import _generator
from facula.primitive import primitive
from facula.rng import Generator
from facula.special_functions import digamma
from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["_sample_dirichlet", "_standard_gamma"]

#: From this concentration on the cube root of a gamma number is taken for a normal one (Wilson and Hilferty 1931).
_LARGE = 1e4


@primitive()
def _gamma_slope(xp, concentration, sample):
    """Return how a gamma number moves with its concentration while its quantile stays.

    With F the distribution function, that is -(dF/da)/(dF/dx) (Figurnov et al. 2018, arXiv 1805.08498). By the series
    of F, it is the sum over n of c_n (digamma(a + n + 1) - log x) with c_n = x^(n + 1) / (a (a + 1) ... (a + n)).
    """
    a, x = concentration.astype(xp.float64), sample.astype(xp.float64)
    large = a > _LARGE
    root = xp.cbrt(x / xp.where(large, a, 1.0))
    z = 3 * xp.sqrt(a) * (root - 1 + 1 / (9 * a))
    slope_of_root = 1 / (9 * a**2) - z / (6 * a**1.5)
    of_large = root**3 + 3 * a * root**2 * slope_of_root

    a, x = xp.where(large, 1.0, a), xp.where(large, 1.0, x)
    log_x = xp.log(x)
    term, psi = x / a, digamma(xp, a) + 1 / a
    total = term * (psi - log_x)
    place = a.copy()
    while True:
        place += 1
        term *= x / place
        psi += 1 / place
        change = term * (psi - log_x)
        total += change
        # From where x is passed on, terms fall faster and faster.
        if bool(xp.all((xp.abs(change) <= 1e-14 * xp.abs(total)) & (place > x))):
            break
    return xp.where(large, of_large, total).astype(concentration.dtype)


@primitive(vjp={"concentration": lambda g, concentration, sample: g * _gamma_slope(concentration, sample)})
def _moving_with(xp, concentration, sample):
    return sample.copy()


def _standard_gamma(self: Tensor, generator: Generator | None = None) -> Tensor:
    """Return a gamma number of unit scale for each concentration, with gradients in the concentrations."""
    sample = rng.standard_gamma(_generator(generator, self.device), self._array)
    return _moving_with(self, wrap(np.asarray(sample) if isinstance(sample, np.generic) else sample))


def _sample_dirichlet(self: Tensor, generator: Generator | None = None) -> Tensor:
    """Return a point of the simplex for each row of concentrations, with gradients in them."""
    gammas = _standard_gamma(self.double(), generator)
    points = gammas / gammas.sum(-1, keepdim=True)
    limits = np.finfo(self._array.dtype)
    return points.to(self.dtype).clamp(float(limits.smallest_normal), 1.0 - float(limits.epsneg))
