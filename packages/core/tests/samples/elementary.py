"""Rows of elementary functions, element by element."""

import numpy as np
from scipy import special

from samples.sample import (
    ALL,
    BOOL,
    COMPLEX,
    FLOATS,
    NUMBERS,
    REAL_AND_BOOL,
    WIDE_FLOATS,
    Sample,
    between,
    binary,
    case,
    complexes,
    numbers,
    unary,
)

NEAR_ZERO = [*unary(-0.9, 0.9), case(0.3 * complexes(3))]
ANY = [*unary(), case(complexes(3))]
POSITIVE = [*unary(0.3, 3), case(complexes(3))]


def elementary(name: str, cases: list, reference=None, **row: object) -> Sample:
    """Return the row of a function of one number, real or complex, that makes floating-point numbers of integers."""
    return Sample(name, cases, reference or getattr(np, name), dtypes=NUMBERS, result="float", slack=4, **row)


def real(name: str, cases: list, reference, **row: object) -> Sample:
    """The same, of real numbers only."""
    return Sample(name, cases, reference, dtypes=REAL_AND_BOOL, result="float", slack=4, **row)


ROWS = [
    elementary("exp", ANY),
    elementary("exp2", ANY, aliases=["special.exp2"]),
    elementary("expm1", ANY, aliases=["special.expm1"]),
    elementary("log", POSITIVE),
    elementary("log2", POSITIVE),
    elementary("log10", POSITIVE),
    elementary("log1p", [*unary(-0.5, 2), case(complexes(3))], aliases=["special.log1p"]),
    elementary("sin", ANY),
    elementary("cos", ANY),
    elementary("tan", [*unary(-1, 1), case(complexes(3))]),
    elementary("sinh", ANY),
    elementary("cosh", ANY),
    elementary("tanh", ANY, aliases=["nn.functional.tanh"]),
    elementary("asin", NEAR_ZERO, np.arcsin, aliases=["arcsin"]),
    elementary("acos", NEAR_ZERO, np.arccos, aliases=["arccos"]),
    elementary("atan", NEAR_ZERO, np.arctan, aliases=["arctan"]),
    elementary("asinh", ANY, np.arcsinh, aliases=["arcsinh"]),
    elementary("acosh", [*unary(1.1, 3), case(complexes(3))], np.arccosh, aliases=["arccosh"]),
    elementary("atanh", NEAR_ZERO, np.arctanh, aliases=["arctanh"]),
    elementary("sigmoid", ANY, lambda x: 1 / (1 + np.exp(-x)), aliases=["special.expit", "nn.functional.sigmoid"]),
    elementary("sinc", ANY, aliases=["special.sinc"]),
    real(
        "logit",
        [*unary(0.1, 0.9), case(between(0, 1, 5), 0.3)],
        lambda x, eps=None: special.logit(x if eps is None else np.clip(x, eps, 1 - eps)),
        aliases=["special.logit"],
    ),
    real("erf", unary(), special.erf, aliases=["special.erf"]),
    real("erfc", unary(), special.erfc, aliases=["special.erfc"]),
    real("erfinv", unary(-0.9, 0.9), special.erfinv, aliases=["special.erfinv"]),
    real("lgamma", unary(0.3, 4), special.gammaln, aliases=["special.gammaln"]),
    real(
        "digamma",
        [*unary(0.3, 4), case(np.array([-0.5, -2.3, 5.0]))],
        special.digamma,
        aliases=["special.digamma", "special.psi"],
    ),
    Sample(
        "polygamma",
        [case(n, between(0.5, 4, 3)) for n in (0, 1, 2)],
        special.polygamma,
        WIDE_FLOATS,
        slack=10,
        aliases=["special.polygamma"],
    ),
    Sample(
        "mvlgamma",
        [case(between(2, 4, 3, 2), 3), case(between(2, 4), 2)],
        lambda x, p: np.vectorize(special.multigammaln)(x, p),
        WIDE_FLOATS,
        slack=10,
        aliases=["special.multigammaln"],
    ),
    real("deg2rad", unary(), np.deg2rad),
    real("rad2deg", unary(), np.rad2deg),
    real("atan2", binary(), np.arctan2, aliases=["arctan2"]),
    Sample("logaddexp", binary(), np.logaddexp, FLOATS),
    Sample("logaddexp2", binary(), np.logaddexp2, FLOATS),
    Sample("angle", ANY, np.angle, REAL_AND_BOOL + COMPLEX, "float", derivatives=1, without={"dtype": "the row below"}),
    Sample("angle", unary(), np.angle, FLOATS + BOOL, "float"),
    Sample(
        "real",
        [case(complexes(3, 4)), case(complexes()), case(complexes(0, 2))],
        np.real,
        (),
        "real",
        without={"method": "it is an attribute"},
    ),
    Sample(
        "imag",
        [case(complexes(3, 4)), case(complexes()), case(complexes(0, 2))],
        np.imag,
        (),
        "real",
        without={"method": "it is an attribute"},
    ),
    Sample("conj", ANY, np.conj, ALL),
    Sample("conj_physical", ANY, np.conj, ALL),
    Sample("resolve_conj", ANY, lambda x: x, ALL),
    Sample("resolve_neg", ANY, lambda x: x, ALL),
    Sample("view_as_real", [case(complexes(3, 2)), case(complexes())], lambda x: np.stack([x.real, x.imag], -1), ()),
    Sample(
        "view_as_complex",
        [case(numbers(3, 2)), case(numbers(2))],
        lambda x: x[..., 0] + 1j * x[..., 1],
        WIDE_FLOATS,
        "complex",
        without={"strides": "the last dimension must be contiguous"},
    ),
]
