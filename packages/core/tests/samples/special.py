"""Rows of special functions that have no other name, and of the special face's names for others."""

import numpy as np
from scipy import special

from samples.sample import REAL_AND_BOOL, WIDE_FLOATS, Sample, between, binary, case, unary


def real(name: str, cases: list, reference=None, **row: object) -> Sample:
    """Return the row of SciPy's function of the same name."""
    reference = reference or getattr(special, name)
    return Sample("special." + name, cases, reference, dtypes=REAL_AND_BOOL, result="float", slack=4, **row)


def chebyshev(x: np.ndarray, n: np.ndarray, kind: str) -> np.ndarray:
    """Return the polynomials of the third and fourth kind, from the angle whose cosine is x."""
    angle = np.arccos(x)
    if kind == "v":
        return np.cos((n + 0.5) * angle) / np.cos(angle / 2)
    return np.sin((n + 0.5) * angle) / np.sin(angle / 2)


def of_bessel(name: str, reference) -> Sample:
    return Sample("special." + name, unary(0.3, 9), reference, dtypes=WIDE_FLOATS, slack=20, derivatives=0)


def polynomial(name: str, reference) -> Sample:
    cases = [case(between(0.1, 0.9, 3, 4), np.array([0, 1, 2, 5])), case(between(0.1, 0.9), np.array(3))]
    return Sample("special." + name, cases, reference, dtypes=WIDE_FLOATS, slack=20, derivatives=0)


BESSEL = {
    "airy_ai": lambda x: special.airy(x)[0],
    "bessel_j0": special.j0,
    "bessel_j1": special.j1,
    "bessel_y0": special.y0,
    "bessel_y1": special.y1,
    "modified_bessel_i0": special.i0,
    "modified_bessel_i1": special.i1,
    "modified_bessel_k0": special.k0,
    "modified_bessel_k1": special.k1,
    "scaled_modified_bessel_k0": special.k0e,
    "scaled_modified_bessel_k1": special.k1e,
    "spherical_bessel_j0": lambda x: special.spherical_jn(0, x),
}
POLYNOMIALS = {
    "chebyshev_polynomial_t": lambda x, n: special.eval_chebyt(n, x),
    "chebyshev_polynomial_u": lambda x, n: special.eval_chebyu(n, x),
    "chebyshev_polynomial_v": lambda x, n: chebyshev(x, n, "v"),
    "chebyshev_polynomial_w": lambda x, n: chebyshev(x, n, "w"),
    "shifted_chebyshev_polynomial_t": lambda x, n: special.eval_sh_chebyt(n, x),
    "shifted_chebyshev_polynomial_u": lambda x, n: special.eval_sh_chebyu(n, x),
    "shifted_chebyshev_polynomial_v": lambda x, n: chebyshev(2 * x - 1, n, "v"),
    "shifted_chebyshev_polynomial_w": lambda x, n: chebyshev(2 * x - 1, n, "w"),
    "hermite_polynomial_h": lambda x, n: special.eval_hermite(n, x),
    "hermite_polynomial_he": lambda x, n: special.eval_hermitenorm(n, x),
    "laguerre_polynomial_l": lambda x, n: special.eval_laguerre(n, x),
    "legendre_polynomial_p": lambda x, n: special.eval_legendre(n, x),
}

ROWS = [
    *[of_bessel(name, reference) for name, reference in BESSEL.items()],
    *[polynomial(name, reference) for name, reference in POLYNOMIALS.items()],
    Sample(
        "special.gammainc",
        [case(between(0.5, 4, 3, 1), between(0.5, 4, 4, seed=1)), case(between(0.5, 4), between(1, 2))],
        special.gammainc,
        WIDE_FLOATS,
        differentiable=[1],
        slack=10,
        aliases=["igamma"],
    ),
    Sample(
        "special.gammaincc",
        [case(between(0.5, 4, 3, 1), between(0.5, 4, 4, seed=1)), case(between(0.5, 4), between(1, 2))],
        special.gammaincc,
        WIDE_FLOATS,
        differentiable=[1],
        slack=10,
        aliases=["igammac"],
    ),
    real("entr", unary(0.1, 2)),
    real("erfcx", unary()),
    real("i0", unary(), aliases=["i0"]),
    real("i0e", unary()),
    real("i1", unary()),
    real("i1e", unary()),
    real("ndtr", unary()),
    real("ndtri", unary(0.1, 0.9)),
    real("log_ndtr", unary()),
    real("xlog1py", [*binary(0.2, 2), case(np.array([0.0, 2.0]), np.array([-0.5, 0.5]))]),
    Sample(
        "special.zeta",
        [case(between(1.5, 4, 3), between(0.5, 2, 3)), case(between(1.5, 4), between(1, 3, 2))],
        special.zeta,
        WIDE_FLOATS,
        differentiable=[1],
        slack=10,
    ),
]
