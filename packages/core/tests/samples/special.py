"""Rows of special functions that have no other name, and of the special face's names for others."""

import numpy as np
from scipy import special

from samples.sample import REAL_AND_BOOL, WIDE_FLOATS, Sample, between, binary, case, unary


def real(name: str, cases: list, reference=None, **row: object) -> Sample:
    """Return the row of SciPy's function of the same name."""
    reference = reference or getattr(special, name)
    return Sample("special." + name, cases, reference, dtypes=REAL_AND_BOOL, result="float", slack=4, **row)


ROWS = [
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
