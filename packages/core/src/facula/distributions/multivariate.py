"""Distributions of vectors and matrices: normal vectors, covariance and correlation matrices."""

from __future__ import annotations

import math
from typing import Any, Self

import facula
from facula import Size, Tensor
from facula.distributions import constraints
from facula.distributions.distribution import Distribution, ExponentialFamily
from facula.distributions.gamma_family import Beta, Chi2
from facula.distributions.utils import _standard_normal, lazy_property
from facula.types import TensorLike

__all__ = ["LKJCholesky", "LowRankMultivariateNormal", "MultivariateNormal", "Wishart"]


def _batch_mv(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)


def _squared_distance(lower: Tensor, difference: Tensor) -> Tensor:
    """Return the squared lengths of vectors where ``lower`` is the factor of the covariance (Mahalanobis)."""
    solved = facula.linalg.solve_triangular(lower, difference.unsqueeze(-1), upper=False)
    return solved.squeeze(-1).square().sum(-1)


def _precision_to_scale_tril(precision: Tensor) -> Tensor:
    """Return the lower factor of the inverse of a matrix."""
    flipped = facula.linalg.cholesky(facula.flip(precision, (-2, -1)))
    upper = facula.flip(flipped, (-2, -1)).mT
    identity = facula.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return facula.linalg.solve_triangular(upper, identity.expand(precision.shape), upper=False)


class _OfMatrix(Distribution):
    """Distributions with a matrix given as covariance, precision or lower factor."""

    _unbroadcasted_scale_tril: Tensor

    def _keep(self, new: Self, shape: Any) -> None:
        for name in ("covariance_matrix", "scale_tril", "precision_matrix"):
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand(shape))

    @lazy_property
    def scale_tril(self) -> Tensor:
        return self._unbroadcasted_scale_tril.expand(self._matrix_shape())

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        lower = self._unbroadcasted_scale_tril
        return (lower @ lower.mT).expand(self._matrix_shape())

    @lazy_property
    def precision_matrix(self) -> Tensor:
        return facula.cholesky_inverse(self._unbroadcasted_scale_tril).expand(self._matrix_shape())

    def _matrix_shape(self) -> tuple[int, ...]:
        return (*self._batch_shape, self._event_shape[-1], self._event_shape[-1])


class MultivariateNormal(_OfMatrix):
    """Normal vectors with mean ``loc``; one of covariance, precision or the covariance's lower factor is given."""

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        given = {"covariance_matrix": covariance_matrix, "scale_tril": scale_tril, "precision_matrix": precision_matrix}
        chosen = [(name, value) for name, value in given.items() if value is not None]
        if len(chosen) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        name, matrix = chosen[0]
        if matrix.dim() < 2:
            raise ValueError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
        batch_shape = facula.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        setattr(self, name, matrix.expand((*batch_shape, *matrix.shape[-2:])))
        self.loc = loc.expand((*batch_shape, loc.shape[-1]))
        super().__init__(batch_shape, self.loc.shape[-1:], validate_args=validate_args)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = facula.linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(matrix)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(MultivariateNormal, _instance)
        new.loc = self.loc.expand((*batch_shape, *self.event_shape))
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        self._keep(new, (*batch_shape, *self.event_shape, *self.event_shape))
        return self._expanded(MultivariateNormal, new, batch_shape, self.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        squares = self._unbroadcasted_scale_tril.pow(2).sum(-1)
        return squares.expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        eps = _standard_normal(shape, self.loc.dtype, self.loc.device)
        return self.loc + _batch_mv(self._unbroadcasted_scale_tril, eps)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        lower = self._unbroadcasted_scale_tril
        distance = _squared_distance(lower, value - self.loc)
        half_log_det = lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - half_log_det

    def entropy(self) -> Tensor:
        half_log_det = self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        entropy = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + half_log_det
        return entropy.expand(self._batch_shape)


class LowRankMultivariateNormal(Distribution):
    """Normal vectors with the covariance ``cov_factor @ cov_factor.mT + diag(cov_diag)``."""

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event_shape = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        if cov_factor.shape[-2:-1] != event_shape:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m")
        if cov_diag.shape[-1:] != event_shape:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event_shape}")
        batch_shape = facula.broadcast_shapes(loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1])
        self.loc = loc.expand((*batch_shape, *event_shape))
        self.cov_diag = cov_diag.expand((*batch_shape, *event_shape))
        self.cov_factor = cov_factor.expand((*batch_shape, *cov_factor.shape[-2:]))
        self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag = cov_factor, cov_diag
        # The factor of the small matrix by which the large one is inverted.
        scaled = cov_factor.mT / cov_diag.unsqueeze(-2)
        small = scaled @ cov_factor
        identity = facula.eye(small.shape[-1], dtype=small.dtype, device=small.device)
        self._capacitance_tril = facula.linalg.cholesky(small + identity)
        super().__init__(batch_shape, event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(LowRankMultivariateNormal, _instance)
        shape = (*batch_shape, *self.event_shape)
        new.loc, new.cov_diag = self.loc.expand(shape), self.cov_diag.expand(shape)
        new.cov_factor = self.cov_factor.expand((*shape, self.cov_factor.shape[-1]))
        new._unbroadcasted_cov_factor = self._unbroadcasted_cov_factor
        new._unbroadcasted_cov_diag = self._unbroadcasted_cov_diag
        new._capacitance_tril = self._capacitance_tril
        return self._expanded(LowRankMultivariateNormal, new, batch_shape, self.event_shape)

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @lazy_property
    def variance(self) -> Tensor:
        found = self._unbroadcasted_cov_factor.pow(2).sum(-1) + self._unbroadcasted_cov_diag
        return found.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        factor = self._unbroadcasted_cov_factor
        found = factor @ factor.mT + facula.diag_embed(self._unbroadcasted_cov_diag)
        return found.expand((*self._batch_shape, *self._event_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Tensor:
        return facula.linalg.cholesky(self.covariance_matrix)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        factor, diagonal = self._unbroadcasted_cov_factor, self._unbroadcasted_cov_diag
        solved = facula.linalg.solve_triangular(self._capacitance_tril, factor.mT / diagonal.unsqueeze(-2), upper=False)
        found = facula.diag_embed(diagonal.reciprocal()) - solved.mT @ solved
        return found.expand((*self._batch_shape, *self._event_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        rank = self.cov_factor.shape[-1]
        narrow = _standard_normal((*shape[:-1], rank), self.loc.dtype, self.loc.device)
        wide = _standard_normal(shape, self.loc.dtype, self.loc.device)
        moved = _batch_mv(self._unbroadcasted_cov_factor, narrow)
        return self.loc + moved + self._unbroadcasted_cov_diag.sqrt() * wide

    def _log_det(self) -> Tensor:
        capacitance = self._capacitance_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return 2 * capacitance + self._unbroadcasted_cov_diag.log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        difference = value - self.loc
        scaled = self._unbroadcasted_cov_factor.mT / self._unbroadcasted_cov_diag.unsqueeze(-2)
        plain = (difference.pow(2) / self._unbroadcasted_cov_diag).sum(-1)
        distance = plain - _squared_distance(self._capacitance_tril, _batch_mv(scaled, difference))
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + self._log_det() + distance)

    def entropy(self) -> Tensor:
        entropy = 0.5 * (self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._log_det())
        return entropy.expand(self._batch_shape)


class Wishart(_OfMatrix, ExponentialFamily):
    """The Wishart distribution of covariance matrices, sampled by Bartlett's decomposition."""

    support = constraints.positive_definite
    has_rsample = True
    _mean_carrier_measure = 0

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:  # type: ignore[override]
        """There are more degrees of freedom than dimensions less one."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: TensorLike,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {"covariance_matrix": covariance_matrix, "scale_tril": scale_tril, "precision_matrix": precision_matrix}
        chosen = [(name, value) for name, value in given.items() if value is not None]
        if len(chosen) != 1:
            raise ValueError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
        name, matrix = chosen[0]
        if matrix.dim() < 2:
            raise ValueError("scale_tril must be at least two-dimensional, with optional leading batch dimensions")
        event_shape = matrix.shape[-2:]
        df = df if isinstance(df, Tensor) else facula.tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch_shape = facula.broadcast_shapes(matrix.shape[:-2], df.shape)
        setattr(self, name, matrix.expand((*batch_shape, *event_shape)))
        self.df = df.expand(batch_shape)
        if self.df.le(event_shape[-1] - 1).any():
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {event_shape[-1] - 1}.")
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if name == "scale_tril":
            self._unbroadcasted_scale_tril = matrix
        elif name == "covariance_matrix":
            self._unbroadcasted_scale_tril = facula.linalg.cholesky(matrix)
        else:
            self._unbroadcasted_scale_tril = _precision_to_scale_tril(matrix)
        Distribution.__init__(self, batch_shape, event_shape, validate_args=validate_args)
        self._make_chi2()

    def _make_chi2(self) -> None:
        below = facula.arange(self._event_shape[-1], dtype=self.df.dtype, device=self.df.device)
        self._chi2 = Chi2(self.df.unsqueeze(-1) - below.expand((*self._batch_shape, -1)))

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(Wishart, _instance)
        new._unbroadcasted_scale_tril = self._unbroadcasted_scale_tril
        new.df = self.df.expand(batch_shape)
        self._keep(new, (*batch_shape, *self.event_shape))
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        new._make_chi2()
        return new

    @property
    def mean(self) -> Tensor:
        return self.df.reshape((*self._batch_shape, 1, 1)) * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        factor = self.df - self.covariance_matrix.shape[-1] - 1
        factor = facula.where(factor > 0, factor, math.nan)
        return factor.reshape((*self._batch_shape, 1, 1)) * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        v = self.covariance_matrix
        diagonal = v.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self.df.reshape((*self._batch_shape, 1, 1)) * (v.pow(2) + outer)

    def rsample(self, sample_shape: Any = Size()) -> Tensor:
        sample_shape = Size(sample_shape)
        size = self._event_shape[-1]
        diagonal = (
            self._chi2.rsample(sample_shape)
            .clamp(min=facula.finfo(self.df.dtype).tiny)
            .sqrt()
            .diag_embed(dim1=-2, dim2=-1)
        )
        rows, columns = facula.tril_indices(size, size, offset=-1)
        normal = facula.randn(
            (*sample_shape, *self._batch_shape, size * (size - 1) // 2), dtype=self.df.dtype, device=self.df.device
        )
        below = diagonal.new_zeros(diagonal.shape)
        below[..., rows, columns] = normal
        factor = self._unbroadcasted_scale_tril @ (diagonal + below)
        return factor @ factor.mT

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        nu, p = self.df, self._event_shape[-1]
        lower = self._unbroadcasted_scale_tril
        log_det = lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        trace = facula.cholesky_solve(value, lower).diagonal(dim1=-2, dim2=-1).sum(-1)
        return (
            -nu * (p * math.log(2) / 2 + log_det)
            - facula.mvlgamma(nu / 2, p=p)
            + (nu - p - 1) / 2 * facula.linalg.slogdet(value).logabsdet
            - trace / 2
        )

    def entropy(self) -> Tensor:
        nu, p = self.df, self._event_shape[-1]
        log_det = self._unbroadcasted_scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        below = facula.arange(p, dtype=nu.dtype, device=nu.device)
        digammas = facula.digamma((nu.unsqueeze(-1) - below.expand((*self._batch_shape, -1))) / 2).sum(-1)
        return (
            (p + 1) * (p * math.log(2) / 2 + log_det)
            + facula.mvlgamma(nu / 2, p=p)
            - (nu - p - 1) / 2 * digammas
            + nu * p / 2
        )

    @property
    def _natural_params(self) -> tuple[Tensor, Tensor]:
        return -self.precision_matrix / 2, (self.df - self._event_shape[-1] - 1) / 2

    def _log_normalizer(self, x: Tensor, y: Tensor) -> Tensor:
        p = self._event_shape[-1]
        return (y + (p + 1) / 2) * (-facula.linalg.slogdet(-2 * x).logabsdet + math.log(2) * p) + facula.mvlgamma(
            y + (p + 1) / 2, p=p
        )


class LKJCholesky(Distribution):
    """Factors of correlation matrices (Lewandowski, Kurowicka and Joe 2009), sampled by the onion method."""

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: TensorLike = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        self.concentration = facula.as_tensor(
            concentration, dtype=None if isinstance(concentration, Tensor) else facula.get_default_dtype()
        )
        batch_shape = self.concentration.shape
        self._make_beta(batch_shape)
        super().__init__(batch_shape, Size((dim, dim)), validate_args)

    def _make_beta(self, batch_shape: Any) -> None:
        marginal = self.concentration + 0.5 * (self.dim - 2)
        offset = facula.arange(self.dim - 1, dtype=self.concentration.dtype, device=self.concentration.device)
        offset = facula.cat([offset.new_zeros((1,)), offset])
        self._beta = Beta(offset + 0.5, marginal.unsqueeze(-1) - 0.5 * offset)

    def expand(self, batch_shape: Any, _instance: Self | None = None) -> Self:
        new = self._new(LKJCholesky, _instance)
        new.dim = self.dim
        new.concentration = self.concentration.expand(batch_shape)
        new._beta = self._beta.expand((*batch_shape, self.dim))
        return self._expanded(LKJCholesky, new, batch_shape, self.event_shape)

    def sample(self, sample_shape: Any = Size()) -> Tensor:
        with facula.no_grad():
            y = self._beta.sample(sample_shape).unsqueeze(-1)
            shape = self._extended_shape(sample_shape)
            normal = facula.randn(shape, dtype=y.dtype, device=y.device).tril(-1)
            sphere = normal / normal.norm(dim=-1, keepdim=True)
            sphere[..., 0, :].fill_(0.0)
            w = facula.sqrt(y) * sphere
            diagonal = facula.clamp(1 - facula.sum(w**2, dim=-1), min=facula.finfo(w.dtype).tiny).sqrt()
            return w + diagonal.diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-1, dim2=-2)[..., 1:]
        order = facula.arange(2, self.dim + 1, device=self.concentration.device)
        order = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim - order
        unnormalized = (order * diagonal.log()).sum(-1)
        less = self.dim - 1
        alpha = self.concentration + 0.5 * less
        denominator = facula.lgamma(alpha) * less
        numerator = facula.mvlgamma(alpha - 0.5, less)
        pi_constant = 0.5 * less * math.log(math.pi)
        return unnormalized - (pi_constant + numerator - denominator)
