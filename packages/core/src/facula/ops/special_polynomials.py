"""Special functions without derivatives: orthogonal polynomials, Bessel's and Airy's functions."""

from __future__ import annotations

import numpy as np

from facula import bessel_functions, orthogonal_polynomials
from facula.primitive import primitive, to_float
from facula.types import Number, Tensor

__all__: list[str] = []


@primitive(dtype=to_float)
def _function(xp, x, *, name):
    return getattr(bessel_functions, name)(xp, x)


def airy_ai(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return Airy's function Ai of each element.

    >>> facula.special.airy_ai(facula.tensor([0.0]))
    tensor([0.3550])
    """
    return _function(input, name="airy_ai", out=out)


def bessel_j0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the Bessel function of the first kind of order 0."""
    return _function(input, name="j0", out=out)


def bessel_j1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the Bessel function of the first kind of order 1."""
    return _function(input, name="j1", out=out)


def bessel_y0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the Bessel function of the second kind of order 0."""
    return _function(input, name="y0", out=out)


def bessel_y1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the Bessel function of the second kind of order 1."""
    return _function(input, name="y1", out=out)


def modified_bessel_i0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the modified Bessel function of the first kind of order 0."""
    return _function(input, name="i0", out=out)


def modified_bessel_i1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the modified Bessel function of the first kind of order 1."""
    return _function(input, name="i1", out=out)


def modified_bessel_k0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the modified Bessel function of the second kind of order 0."""
    return _function(input, name="k0", out=out)


def modified_bessel_k1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the modified Bessel function of the second kind of order 1."""
    return _function(input, name="k1", out=out)


def scaled_modified_bessel_k0(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``exp(x)`` times the modified Bessel function of the second kind of order 0."""
    return _function(x, name="k0e", out=out)


def scaled_modified_bessel_k1(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``exp(x)`` times the modified Bessel function of the second kind of order 1."""
    return _function(x, name="k1e", out=out)


@primitive(dtype=to_float)
def _spherical_bessel_j0(xp, x):
    near = xp.abs(x) < 0.5
    square = x * x
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110))))
    result = xp.where(near, series, xp.sin(x) / xp.where(near, x.dtype.type(1), x))
    return xp.where(xp.isinf(x), x.dtype.type(0), result).astype(x.dtype)


def spherical_bessel_j0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the spherical Bessel function of the first kind of order 0, ``sin(x) / x``."""
    return _spherical_bessel_j0(input, out=out)


@primitive(dtype=to_float)
def _polynomial(xp, x, n, *, name, shifted):
    wide_x, wide_n = (xp.asarray(each).astype(np.float64) for each in (x, n))
    found = getattr(orthogonal_polynomials, name)(xp, 2 * wide_x - 1 if shifted else wide_x, wide_n)
    return found.astype(x.dtype if hasattr(x, "dtype") else n.dtype)


def chebyshev_polynomial_t(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return Chebyshev's polynomial of the first kind of degree ``n``; 0 for a negative degree.

    >>> facula.special.chebyshev_polynomial_t(facula.tensor([0.5]), 2)
    tensor([-0.5000])
    """
    return _polynomial(input, n, name="chebyshev_t", shifted=False, out=out)


def chebyshev_polynomial_u(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return Chebyshev's polynomial of the second kind of degree ``n``."""
    return _polynomial(input, n, name="chebyshev_u", shifted=False, out=out)


def chebyshev_polynomial_v(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return Chebyshev's polynomial of the third kind of degree ``n``."""
    return _polynomial(input, n, name="chebyshev_v", shifted=False, out=out)


def chebyshev_polynomial_w(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return Chebyshev's polynomial of the fourth kind of degree ``n``."""
    return _polynomial(input, n, name="chebyshev_w", shifted=False, out=out)


def shifted_chebyshev_polynomial_t(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return `chebyshev_polynomial_t` at ``2 input - 1``."""
    return _polynomial(input, n, name="chebyshev_t", shifted=True, out=out)


def shifted_chebyshev_polynomial_u(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return `chebyshev_polynomial_u` at ``2 input - 1``."""
    return _polynomial(input, n, name="chebyshev_u", shifted=True, out=out)


def shifted_chebyshev_polynomial_v(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return `chebyshev_polynomial_v` at ``2 input - 1``."""
    return _polynomial(input, n, name="chebyshev_v", shifted=True, out=out)


def shifted_chebyshev_polynomial_w(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return `chebyshev_polynomial_w` at ``2 input - 1``."""
    return _polynomial(input, n, name="chebyshev_w", shifted=True, out=out)


def hermite_polynomial_h(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return the physicists' Hermite polynomial of degree ``n``."""
    return _polynomial(input, n, name="hermite_h", shifted=False, out=out)


def hermite_polynomial_he(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return the statisticians' Hermite polynomial of degree ``n``."""
    return _polynomial(input, n, name="hermite_he", shifted=False, out=out)


def laguerre_polynomial_l(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return Laguerre's polynomial of degree ``n``."""
    return _polynomial(input, n, name="laguerre_l", shifted=False, out=out)


def legendre_polynomial_p(input: Tensor | Number, n: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Return Legendre's polynomial of degree ``n``."""
    return _polynomial(input, n, name="legendre_p", shifted=False, out=out)
