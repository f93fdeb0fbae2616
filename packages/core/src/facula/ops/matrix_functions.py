"""Functions of square matrices: the exponential."""

import numpy as np

from facula.arguments import need_tensor
from facula.matrices import conjugate_transpose
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = ["matrix_exp"]

# Coefficients of the numerator of Padé approximants to exp, and up to which 1-norm they are exact to rounding.
# Higham 2005, SIAM J. Matrix Anal. Appl. 26(4), table 2.3.
_SINGLE = (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0, 1.0), 3.925724783138660
_DOUBLE = (
    (
        64764752532480000.0,
        32382376266240000.0,
        7771770303897600.0,
        1187353796428800.0,
        129060195264000.0,
        10559470521600.0,
        670442572800.0,
        33522128640.0,
        1323241920.0,
        40840800.0,
        960960.0,
        16380.0,
        182.0,
        1.0,
    ),
    5.371920351148152,
)


@primitive(dtype=promote, vjp={"x": lambda g, x: _exponential_slope(g, x)})
def _matrix_exp(xp, x):
    if not x.size:
        return x.copy()
    coefficients, reach = _SINGLE if x.dtype in (np.float32, np.complex64) else _DOUBLE
    norm = xp.abs(x).sum(axis=-2).max(axis=-1)
    halvings = xp.ceil(xp.log2(xp.where((norm > reach) & xp.isfinite(norm), norm / reach, 1)))
    # exp(x) = exp(x / 2^k)^(2^k), k as large as each matrix needs.
    scaled = x * xp.exp2(-halvings)[..., None, None].astype(x.real.dtype)
    result = _pade(xp, scaled, coefficients)
    for done in range(int(halvings.max())):
        result = xp.where((halvings > done)[..., None, None], result @ result, result)
    return result


def _pade(xp, x, c: tuple[float, ...]):
    """Return the quotient of p(x) and p(-x) for the polynomial p of these coefficients, of degree 7 or 13."""
    one = xp.eye(x.shape[-1], dtype=x.dtype)
    two = x @ x
    four = two @ two
    six = four @ two
    odd = c[7] * six + c[5] * four + c[3] * two + c[1] * one
    even = c[6] * six + c[4] * four + c[2] * two + c[0] * one
    if len(c) > 8:
        odd += six @ (c[13] * six + c[11] * four + c[9] * two)
        even += six @ (c[12] * six + c[10] * four + c[8] * two)
    odd = x @ odd
    return xp.linalg.solve(even - odd, even + odd)


def _exponential_slope(g: Tensor, x: Tensor) -> Tensor:
    """Return the gradient: the upper right block of the exponential of [[x^H, g], [0, x^H]]. Mathias 1996."""
    length = x.shape[-1]
    turned = conjugate_transpose(x)
    above = turned._joined(g, -1)
    below = (turned * 0)._joined(turned, -1)
    return _matrix_exp(above._joined(below, -2)).narrow(-2, 0, length).narrow(-1, length, length)


def matrix_exp(A: Tensor) -> Tensor:
    """Return the exponential of each square matrix: the sum of its powers ``A ** k / k!``.

    >>> facula.linalg.matrix_exp(facula.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    name = "linalg.matrix_exp"
    need_tensor(name, A, "A")
    if A.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {A.shape[-2]} by {A.shape[-1]} matrices"
        )
    if not A.is_floating_point() and not A.is_complex():
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {A.dtype.name.title()}")
    return _matrix_exp(A)
