"""Approximate singular values and principal components of matrices of low rank, by random projections."""

from facula.matrices import conjugate_transpose
from facula.types import Tensor

__all__ = ["pca_lowrank", "svd_lowrank"]


def _basis(A: Tensor, q: int, niter: int, M: Tensor | None) -> Tensor:
    """Return orthonormal columns that nearly span A - M. Halko et al. 2011, SIAM Review 53(2), algorithm 4.4."""

    def applied(matrix: Tensor, mean: Tensor | None, other: Tensor) -> Tensor:
        product = matrix @ other
        return product if mean is None else product - mean @ other

    turned, turned_mean = conjugate_transpose(A), None if M is None else conjugate_transpose(M)
    basis = applied(A, M, A.new_empty((A.shape[-1], q)).normal_()).qr().Q
    for _ in range(niter):
        basis = applied(turned, turned_mean, basis).qr().Q
        basis = applied(A, M, basis).qr().Q
    return basis


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return U (…, m, q), S (…, q) and V (…, n, q) with ``A - M`` nearly ``U @ diag(S) @ V^H``, of rank about ``q``.

    ``niter`` rounds of power iteration sharpen what a random projection finds; numbers come from the default generator.
    Halko et al. 2011, SIAM Review 53(2), algorithm 5.1.

    >>> facula.svd_lowrank(facula.ones(4, 3), 1)[1]
    tensor([3.4641])
    """
    q = 6 if q is None else q
    niter = 2 if niter is None else niter
    rows, columns = A.shape[-2:]
    mean = None if M is None else M.expand(A.shape)
    if rows < columns:
        A, mean = conjugate_transpose(A), None if mean is None else conjugate_transpose(mean)
    basis = _basis(A, q, niter, mean)
    turned = conjugate_transpose(basis)
    within = turned @ A
    if mean is not None:
        within = within - turned @ mean
    u, s, v = within.svd()
    u = basis @ u
    return (v, s, u) if rows < columns else (u, s, v)


def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Return `svd_lowrank` of data with samples as rows, by default centred: columns of V are principal directions.

    >>> facula.pca_lowrank(facula.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]), 1)[1].round(decimals=3)
    tensor([3.0550])
    """
    least = min(A.shape[-2:])
    if q is None:
        q = min(6, least)
    elif not 0 <= q <= least:
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={least}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, True) if center else A, q, niter)
