"""Covariances, numerical gradients and histograms of several dimensions."""

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facula import dtypes
from facula.arguments import need_tensor
from facula.dimensions import wrap_dims
from facula.primitive import primitive, write_out
from facula.tensor_base import TensorBase
from facula.types import Number, Tensor

__all__ = ["corrcoef", "cov", "gradient", "histogram", "histogramdd"]


# Covariances.


def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Return the covariance matrix of variables (rows) over observations (columns); a vector is one variable.

    Sums of products are divided by the number of observations less ``correction``. ``fweights`` says how often each
    observation counts, ``aweights`` how much it matters.

    >>> facula.cov(facula.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    need_tensor("cov", input)
    if input.dim() > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions"
        )
    if input.dtype is dtypes.bool_:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    rows = input if input.dim() == 2 else input.reshape((1, -1)) if input.numel() else input.reshape((1, 0))
    count = rows.shape[1]
    if fweights is not None:
        _check_weights("fweights", fweights, count)
    if aweights is not None:
        _check_weights("aweights", aweights, count)
    weights = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    total: Tensor | int = count
    if weights is None:
        average = rows.sum(1, True) / count
        divisor: Tensor | float = count - correction
    else:
        total = weights.sum()
        if total.item() == 0:
            raise RuntimeError("cov(): weights sum to zero, can't be normalized")
        average = (rows * weights).sum(1, True) / total
        if aweights is None or correction == 0:
            divisor = total - correction
        else:
            divisor = total - correction * (weights * aweights).sum() / total
    if (divisor.item() if isinstance(divisor, Tensor) else divisor) <= 0:
        warnings.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.",
            stacklevel=2,
        )
        divisor = 0.0
    centered = rows - average
    weighted = centered if weights is None else centered * weights
    return (centered @ (weighted.conj() if weighted.is_complex() else weighted).transpose(0, 1) / divisor).squeeze()


def _check_weights(name: str, weights: Tensor, count: int) -> None:
    if weights.dim() > 1:
        raise RuntimeError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights.dim()} dimensions"
        )
    integral = not weights.is_floating_point() and not weights.is_complex()
    if name == "fweights" and (not integral or weights.dtype is dtypes.bool_):
        raise RuntimeError(
            f"cov(): expected fweights to have integral dtype but got fweights with {weights.dtype} dtype"
        )
    if name == "aweights" and not weights.is_floating_point():
        raise RuntimeError(
            f"cov(): expected aweights to have floating point dtype but got aweights with {weights.dtype} dtype"
        )
    if weights.numel() != count:
        raise RuntimeError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{weights.numel()} != {count}"
        )
    if count and weights.detach().amin().item() < 0:
        raise RuntimeError(f"cov(): {name} cannot be negative")


def corrcoef(input: Tensor) -> Tensor:
    """Return the correlations (Pearson) of variables (rows) over observations (columns).

    >>> facula.corrcoef(facula.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    need_tensor("corrcoef", input)
    if input.dim() > 2:
        raise RuntimeError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.dim()} dimensions"
        )
    covariance = cov(input)
    if not covariance.dim():
        return covariance / covariance
    diagonal = covariance.diagonal()
    deviation = (diagonal.real if diagonal.is_complex() else diagonal).sqrt()
    scaled = covariance / deviation.unsqueeze(1) / deviation
    if scaled.is_complex():
        return scaled.real.clamp(-1, 1) + scaled.imag.clamp(-1, 1) * 1j
    return scaled.clamp(-1, 1)


# Numerical gradients.


def gradient(
    input: Tensor,
    *,
    spacing: Number | Tensor | Sequence[Number | Tensor] | None = 1,
    dim: int | Sequence[int] | None = None,
    edge_order: int = 1,
) -> list[Tensor]:
    """Return the derivative of a sampled function along each of the dimensions ``dim``, by differences of neighbours.

    ``spacing`` is the distance of samples, one for all or each dimension, or their coordinates along each.
    At both ends, differences are one-sided, of the first or second ``edge_order``.

    >>> facula.gradient(facula.tensor([1.0, 2.0, 4.0, 8.0]))
    [tensor([1.0000, 1.5000, 3.0000, 4.0000])]
    """
    need_tensor("gradient", input)
    if input.dtype is dtypes.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    every = tuple(range(input.dim()))
    dims = every if dim is None else () if dim == () or dim == [] else wrap_dims(dim, input.dim()) or ()
    for axis in dims:
        if input.shape[axis] < edge_order + 1:
            raise RuntimeError("torch.gradient expected each dimension size to be at least edge_order+1")
    results = []
    for axis, distance in zip(dims, _spacings(1 if spacing is None else spacing, len(dims), input.dim(), dim is None)):
        if isinstance(distance, TensorBase) and distance.dim():
            results.append(_slope_at(input, distance, axis, edge_order))
        else:
            results.append(_slope_evenly(input, distance, axis, edge_order))
    return results


def _spacings(
    spacing: Number | Tensor | Sequence[Number | Tensor], count: int, ndim: int, all_dims: bool
) -> Sequence[Number | Tensor]:
    """Return the spacing of each dimension: a number, or a vector of coordinates."""
    if not isinstance(spacing, (tuple, list)):
        if isinstance(spacing, TensorBase) and spacing.dim():
            raise TypeError(
                "gradient(): argument 'spacing' must be a number or a list of numbers or tensors, not a Tensor of "
                f"shape {list(spacing.shape)}"
            )
        return [spacing] * count  # type: ignore[list-item]  # no sequence
    if len(spacing) != count:
        if all_dims:
            raise RuntimeError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
                f"'self.dim() = {ndim}', since dim argument was not given, but got a list of length {len(spacing)}"
            )
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the "
            f"same length, but got a spacing argument of length {len(spacing)} and a dim argument of length {count}."
        )
    tensors = [isinstance(each, TensorBase) for each in spacing]
    if any(tensors):
        for at, each in enumerate(spacing):
            if not isinstance(each, Tensor):
                raise TypeError(f"expected Tensor as element {at} in argument 1, but got {type(each).__name__}")
            if each.dim() != 1:
                raise RuntimeError(
                    "torch.gradient expected each element of spacing to have one dimension, but got an element with "
                    f"{each.dim()} dimensions!"
                )
            if each.device != spacing[0].device:
                raise RuntimeError("torch.gradient expected each tensor to be on the same device, but got several")
    return spacing


def _slope_evenly(input: Tensor, distance: Number | Tensor, axis: int, edge_order: int) -> Tensor:
    length = input.shape[axis]

    def at(place: int) -> Tensor:
        return input.narrow(axis, place % length, 1)

    if edge_order == 1:
        first, last = (at(1) - at(0)) / distance, (at(-1) - at(-2)) / distance
    else:
        first = (at(1) * 2 - at(0) * 1.5 - at(2) * 0.5) / distance
        last = (at(-1) * 1.5 - at(-2) * 2 + at(-3) * 0.5) / distance
    between = (input.narrow(axis, 2, length - 2) - input.narrow(axis, 0, length - 2)) / (distance * 2)
    return first._joined(between, axis)._joined(last, axis)


def _slope_at(input: Tensor, places: Tensor, axis: int, edge_order: int) -> Tensor:
    """Return differences weighted so that a parabola's slope is exact; at the ends, a line's for ``edge_order`` 1."""
    length = input.shape[axis]
    shape = [-1 if each == axis else 1 for each in range(input.dim())]
    steps = places.narrow(0, 1, places.shape[0] - 1) - places.narrow(0, 0, places.shape[0] - 1)
    steps = steps.reshape(shape)
    count = steps.shape[axis]

    def at(place: int) -> Tensor:
        return input.narrow(axis, place % length, 1)

    def step(place: int) -> Tensor:
        return steps.narrow(axis, place % count, 1)

    before, after = steps.narrow(axis, 0, count - 1), steps.narrow(axis, 1, count - 1)
    between = (
        input.narrow(axis, 0, length - 2) * (-after / (before * (before + after)))
        + input.narrow(axis, 1, length - 2) * ((after - before) / (before * after))
        + input.narrow(axis, 2, length - 2) * (before / (after * (before + after)))
    )
    if edge_order == 1:
        first, last = (at(1) - at(0)) / step(0), (at(-1) - at(-2)) / step(-1)
    else:
        one, two = step(0), step(1)
        first = (
            at(1) * ((one + two) / (one * two))
            - at(0) * ((one * 2 + two) / (one * (one + two)))
            - at(2) * (one / (two * (one + two)))
        )
        one, two = step(-1), step(-2)
        last = (
            at(-1) * ((one * 2 + two) / (one * (one + two)))
            - at(-2) * ((one + two) / (one * two))
            + at(-3) * (one / (two * (one + two)))
        )
    return first._joined(between, axis)._joined(last, axis)


# Histograms.


class histogram_result(NamedTuple):
    """The counts, and the edges of the bins."""

    hist: Tensor
    bin_edges: Tensor


class histogramdd_result(NamedTuple):
    """The counts, and the edges of the bins of each dimension."""

    hist: Tensor
    bin_edges: tuple[Tensor, ...]


@primitive()
def _even_edges(xp, x, *, low, high, count):
    """Return ``count + 1`` evenly spaced numbers in the type of ``x``, from both ends inwards so that both are exact."""
    kind = x.dtype.type
    low, high = kind(low), kind(high)
    step = (high - low) / kind(count)
    places = xp.arange(count + 1, dtype=np.float64)
    # The product and the sum in one rounding, as PyTorch's linspace has them.
    upward, downward = (
        np.float64(low) + np.float64(step) * places,
        np.float64(high) - np.float64(step) * (count - places),
    )
    return xp.where(places < (count + 1) // 2, upward, downward).astype(x.dtype)


@primitive()
def _counts(xp, x, weight, *edges):
    """Return how many points (n, d), or how much weight, lies in each bin; the last one includes its upper edge."""
    place = xp.zeros(len(x), np.int64)
    inside = xp.ones(len(x), bool)
    shape = [len(each) - 1 for each in edges]
    for column, each, length in zip(x.T, edges, shape):
        bin = xp.searchsorted(each, column, side="right") - 1
        place = place * length + xp.where(column == each[-1], length - 1, bin)
        inside &= (column >= each[0]) & (column <= each[-1])
    weights = None if weight is None else weight[inside]
    found = xp.bincount(place[inside], weights=weights, minlength=math.prod(shape))
    return found.astype(x.dtype).reshape(shape)


def _check_points(points: Tensor, weight: Tensor | None, shape: Sequence[int]) -> None:
    if points.dtype not in (dtypes.float32, dtypes.float64):
        raise NotImplementedError(f'"histogramdd" not implemented for {points.dtype.name.title()!r}')
    if weight is None:
        return
    if weight.dtype is not points.dtype:
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided, input tensor and weight tensor should have the same "
            f"dtype, but got input({points.dtype.name}), and weight({weight.dtype.name})"
        )
    if weight.shape != tuple(shape[:-1]):
        raise RuntimeError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor excluding "
            f"its innermost dimension, but got input with shape {list(shape)} and weight with shape {list(weight.shape)}"
        )


def _given_edges(points: Tensor, edges: Tensor, axis: int, name: str) -> Tensor:
    if edges.dim() != 1:
        raise RuntimeError(
            f"torch.histogramdd: bins tensor should have one dimension, but got {edges.dim()} dimensions in the bins "
            f"tensor for dimension {axis}"
        )
    if not edges.numel():
        raise RuntimeError(
            "torch.histogramdd: bins tensor should have at least 1 element, but got 0 elements in the bins tensor for "
            f"dimension {axis}"
        )
    if edges.dtype is not points.dtype:
        raise RuntimeError(
            "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
            f"{points.dtype.name} and bins for dimension {axis} with dtype {edges.dtype.name}"
        )
    _check_count(edges.numel() - 1, axis, name)
    return edges.detach()


def _check_count(count: int, axis: int, name: str) -> None:
    if count <= 0:
        raise RuntimeError(f"torch.{name}(): bins must be > 0, but got {count} for dimension {axis}")


def _made_edges(points: Tensor, count: int, limits: Sequence[float] | None, axis: int, name: str) -> Tensor:
    """Return evenly spaced edges between the limits, by default the smallest and the largest point."""
    _check_count(count, axis, name)
    if limits is not None:
        low, high = float(limits[0]), float(limits[1])
    elif points.shape[0]:
        column = points.select(1, axis)
        low, high = column.amin().item(), column.amax().item()
    else:
        low, high = 0.0, 1.0
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histogramdd: dimension {axis}'s range [{low:g}, {high:g}] is not finite")
    if low > high:
        raise RuntimeError(
            f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {axis}"
        )
    if low == high:
        low, high = low - 0.5, high + 0.5
    return _even_edges(points, low=low, high=high, count=count)


def _counted(points: Tensor, weight: Tensor | None, edges: Sequence[Tensor], density: bool) -> Tensor:
    found = _counts(points, weight, *edges)
    if density:
        found = found / found.sum()
        for axis, each in enumerate(edges):
            widths = each.narrow(0, 1, each.shape[0] - 1) - each.narrow(0, 0, each.shape[0] - 1)
            found = found / widths.reshape([-1 if at == axis else 1 for at in range(len(edges))])
    return found


def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: tuple[float, float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
    out: tuple[Tensor, Tensor] | None = None,
) -> histogram_result:
    """Return how many elements (or how much ``weight``) lie in each of a number of bins, or between given edges.

    With ``density``, the integral over all bins is 1.

    >>> facula.histogram(facula.tensor([1.0, 2.0, 4.0, 8.0]), 2).hist
    tensor([3., 1.])
    """
    need_tensor("histogram", input)
    points = input.detach().reshape((input.numel(), 1))
    weights = None if weight is None else weight.detach().reshape((weight.numel(),))
    _check_points(points, weights, points.shape)
    if isinstance(bins, TensorBase):
        if range is not None:
            raise TypeError("histogram(): argument 'range' goes with a number of bins, not with their edges")
        edges = _given_edges(points, bins, 0, "histogram")
    else:
        edges = _made_edges(points, bins, range, 0, "histogram")
    found = histogram_result(_counted(points, weights, [edges], density), edges)
    if out is None:
        return found
    for name, each in zip(("hist", "bin_edges"), out):
        if each.dtype is not input.dtype:
            raise RuntimeError(
                f"torch.histogram: input tensor and {name} tensor should have the same dtype, but got input "
                f"{input.dtype.name} and {name} {each.dtype.name}"
            )
    return histogram_result(*[write_out(result, each, "histogram") for result, each in zip(found, out)])


def histogramdd(
    input: Tensor,
    bins: int | Sequence[int] | Sequence[Tensor],
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> histogramdd_result:
    """Return how many of the points (…, N) lie in each bin of N dimensions, and the bins' edges along each.

    ``range`` is the smallest and the largest edge of each dimension in turn.

    >>> facula.histogramdd(facula.tensor([[0.0, 1.0], [1.0, 0.0]]), [2, 2]).hist
    tensor([[0., 1.],
            [1., 0.]])
    """
    need_tensor("histogramdd", input)
    if input.dim() < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    count = input.shape[-1]
    if isinstance(bins, TensorBase):
        raise TypeError("histogramdd(): argument 'bins' must be an int, or a list of ints or of Tensors, not Tensor")
    each_bins = [bins] * count if isinstance(bins, int) else list(bins)
    if len(each_bins) != count:
        raise RuntimeError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    if range is not None and len(range) != 2 * count:
        raise RuntimeError(
            f"torch.histogramdd: for a {count}-dimensional histogram range should have {2 * count} elements, but got "
            f"{len(range)}"
        )
    _check_points(input, weight, input.shape)
    points = input.detach().reshape((math.prod(input.shape[:-1]), count))
    weights = None if weight is None else weight.detach().reshape((weight.numel(),))
    edges = []
    for axis, each in enumerate(each_bins):
        if isinstance(each, Tensor):
            edges.append(_given_edges(points, each, axis, "histogramdd"))
        elif isinstance(each, int):
            limits = None if range is None else range[2 * axis : 2 * axis + 2]
            edges.append(_made_edges(points, each, limits, axis, "histogramdd"))
        else:
            raise TypeError(
                f"histogramdd(): argument 'bins' must be ints or Tensors, but got {type(each).__name__} at {axis}"
            )
    return histogramdd_result(_counted(points, weights, edges, density), tuple(edges))
