"""Ready-made parametrizations: weight norm, spectral norm, orthogonal matrices."""

from __future__ import annotations

from facula.creation import eye, zeros_like
from facula.dtypes import finfo
from facula.graph.modes import no_grad
from facula.nn import functional as F
from facula.nn.module import Module
from facula.nn.modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from facula.nn.utils.parametrize import register_parametrization
from facula.ops.householder import geqrf, householder_product
from facula.ops.joining import cat
from facula.ops.linear_algebra import solve
from facula.ops.random import randn
from facula.ops.torch_signatures import norm_except_dim
from facula.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)
MAPS = ("matrix_exp", "cayley", "householder")


def _tensor_of(module: Module, name: str) -> Tensor:
    found = getattr(module, name, None)
    if not isinstance(found, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return found


# Weight norm.


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Return the direction ``weight_v`` with the lengths ``weight_g``."""
        return weight_v * (weight_g / norm_except_dim(weight_v, 2, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lengths of a weight, and itself."""
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Return ``module``, its weight being lengths (``original0``) times directions (``original1``).

    There is a length for each index of ``dim``, or one for all with None. Salimans and Kingma 2016, arXiv 1602.07868.
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_old_names(state_dict: dict[str, Tensor], prefix: str, *others: object) -> None:
        old = [f"{prefix}{name}_{letter}" for letter in "gv"]
        if all(key in state_dict for key in old):
            for number, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{number}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_old_names)
    return module


# Spectral norm.


class _SpectralNorm(Module):
    """Divides a weight by its largest singular value, which the power method follows while training."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        rank = weight.dim()
        if not -rank <= dim < rank:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{rank}, {rank - 1}] but got {dim})")
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % rank
        self.eps = eps
        if rank > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight.detach())
            u = matrix.new_empty(matrix.shape[0]).normal_()
            v = matrix.new_empty(matrix.shape[1]).normal_()
            self.register_buffer("_u", F.normalize(u, dim=0, eps=eps))
            self.register_buffer("_v", F.normalize(v, dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        others = [at for at in range(weight.dim()) if at != self.dim]
        return weight.permute(self.dim, *others).flatten(1)

    @no_grad()
    def _iterate(self, matrix: Tensor, count: int) -> None:
        # In place: copies of the module on other devices share these buffers.
        for _ in range(count):
            self._u.copy_(F.normalize(matrix.mv(self._v), dim=0, eps=self.eps))
            self._v.copy_(F.normalize(matrix.mH.mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight with a largest singular value of one."""
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()
        return weight / u.vdot(matrix.mv(v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return the value itself, which may have another norm."""
        return value


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """Return ``module``, its weight divided by its largest singular value. Miyato et al. 2018, arXiv 1802.05957.

    The weight is seen as a matrix with ``dim`` first: 0, or 1 for transposed convolutions.
    """
    weight = _tensor_of(module, name)
    if dim is None:
        dim = 1 if isinstance(module, TRANSPOSED) else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))


# Orthogonal matrices.


class _Orthogonal(Module):
    """Maps any matrix to one with orthonormal columns (rows, where it is wide)."""

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        """Return an orthogonal matrix (…, n, k)."""
        wide = X.shape[-2] < X.shape[-1]
        X = X.mT if wide else X
        made = self._householder(X) if self.orthogonal_map == "householder" else self._of_skew(X)
        if self.use_trivialization:
            made = self.base @ made
        return made.mT if wide else made

    def _of_skew(self, X: Tensor) -> Tensor:
        """Return the image of the skew-symmetric matrix whose lower triangle is that of X."""
        rows, columns = X.shape[-2:]
        lower = X.tril()
        if rows != columns:
            lower = cat([lower, X.new_zeros((*X.shape[:-2], rows, rows - columns))], -1)
        skew = lower - lower.mH
        if self.orthogonal_map == "matrix_exp":
            made = skew.matrix_exp()
        else:
            identity = eye(rows, dtype=X.dtype, device=X.device)
            made = solve(identity - 0.5 * skew, identity + 0.5 * skew)
        return made[..., :columns]

    @staticmethod
    def _householder(X: Tensor) -> Tensor:
        lower = X.tril(-1)
        tau = 2.0 / (1.0 + (lower * lower).sum(-2))
        made = householder_product(lower, tau)
        # The diagonal holds signs, which have no gradient.
        return made * X.detach().diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """Return what `forward` makes ``Q`` of, an orthogonal matrix (made one first, when it is none)."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {Q.shape}."
            )
        wide = Q.shape[-2] < Q.shape[-1]
        tall = Q.mT if wide else Q
        if not self.use_trivialization:
            if self.orthogonal_map != "householder":
                raise NotImplementedError(
                    "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                    "use_trivialization=False."
                )
            reflections, tau = geqrf(tall)
            signs = reflections.diagonal(dim1=-2, dim2=-1)
            signs.copy_(signs.sign() * (1 - 2 * (tau == 0).to(signs.dtype)))
            return reflections.mT if wide else reflections
        # The matrix given is the base, and the map starts from the identity.
        rows, columns = tall.shape[-2:]
        if rows != columns:
            more = randn(*tall.shape[:-2], rows, rows - columns, dtype=Q.dtype, device=Q.device)
            self.base = _made_orthogonal(cat([tall, more], -1))
        else:
            self.base = tall.clone() if _is_orthogonal(tall) else _made_orthogonal(tall)
        start = zeros_like(Q)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start


def _is_orthogonal(Q: Tensor) -> bool:
    rows, columns = Q.shape[-2:]
    identity = eye(columns, dtype=Q.dtype, device=Q.device)
    return (Q.mH @ Q).allclose(identity.expand(*Q.shape[:-2], columns, columns), atol=10.0 * rows * finfo(Q.dtype).eps)


def _made_orthogonal(A: Tensor) -> Tensor:
    """Return the orthogonal factor of A whose triangular one has a positive diagonal."""
    reflections, tau = geqrf(A)
    return householder_product(reflections, tau) * reflections.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(
    module: Module, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> Module:
    """Return ``module``, its weight (…, n, k) being orthogonal, by one of the maps matrix_exp, cayley, householder.

    ``use_trivialization`` composes the map with the weight there is now, which keeps training in a good region.
    Lezcano-Casado and Martinez-Rubio 2019, arXiv 1901.08428; Lezcano-Casado 2019, arXiv 1909.09501.
    """
    weight = _tensor_of(module, name)
    if weight.dim() < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions.")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1]
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in MAPS:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
