"""Batch normalisation over several processes: the statistics and the gradients of the whole batch."""

from __future__ import annotations

from typing import Any

from facula import distributed
from facula.autograd.function import Function
from facula.creation import full
from facula.dtypes import float64
from facula.graph.modes import no_grad
from facula.ops.joining import cat
from facula.tensor import Tensor


def sync_batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
    group: object = None,
) -> Tensor:
    """Return the input normalised by the mean and variance that all processes' inputs have together.

    Running statistics are moved towards them. Processes may have different numbers of samples, or none. ValueError when
    there is one value for each channel in all.
    """
    mean, variance, count = _statistics(input.detach(), group)
    if count < 2:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape} in all")
    with no_grad():
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_((mean * momentum).to(running_mean.dtype))
        if running_var is not None:
            unbiased = variance * (count / (count - 1))
            running_var.mul_(1 - momentum).add_((unbiased * momentum).to(running_var.dtype))
        inverse = (variance + eps).rsqrt().to(input.dtype)
    normalised: Any = _Normalise.apply(input, mean.to(input.dtype), inverse, count, group)
    shape = _channels(input)
    if weight is not None:
        normalised = normalised * weight.reshape(shape)
    return normalised if bias is None else normalised + bias.reshape(shape)


def _channels(input: Tensor) -> list[int]:
    return [1, input.shape[1], *([1] * (input.dim() - 2))]


def _others(input: Tensor) -> list[int]:
    return [0, *range(2, input.dim())]


def _statistics(input: Tensor, group: object) -> tuple[Tensor, Tensor, int]:
    """Return mean and variance of each channel in float64, and how many values each has, over all processes.

    Means and sums of squared deviations are put together as in Chan, Golub and LeVeque 1979: nothing large is
    subtracted from something large.
    """
    channels = input.shape[1]
    own = input.numel() // channels if channels else 0
    if own:
        mean = input.mean(_others(input)).to(float64)
        deviation = input - mean.to(input.dtype).reshape(_channels(input))
        # The mean is rounded to the input's type: what that leaves is put right.
        rest = deviation.mean(_others(input)).to(float64)
        squares = (deviation * deviation).sum(_others(input)).to(float64) - own * rest * rest
        mean = mean.to(input.dtype).to(float64) + rest
    else:
        mean = full((channels,), 0.0, dtype=float64, device=input.device)
        squares = mean
    row = cat([mean, squares, full((1,), float(own), dtype=float64, device=input.device)])
    size = distributed.get_world_size(group)
    rows = full((size, row.numel()), 0.0, dtype=float64, device=input.device)
    distributed.all_gather_into_tensor(rows, row, group)
    means, sums, counts = rows[:, :channels], rows[:, channels:-1], rows[:, -1:]
    count = counts.sum()
    whole = (means * counts).sum(0) / count
    variance = (sums.sum(0) + (counts * (means - whole) ** 2).sum(0)) / count
    return whole, variance, int(count.item())


class _Normalise(Function):
    """The input less the mean, times the inverse deviation, both of which depend on the inputs of all processes."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, mean: Tensor, inverse: Tensor, count: int, group: object) -> Tensor:  # type: ignore[override]
        """Return the normalised input."""
        shape = _channels(input)
        normalised = (input - mean.reshape(shape)) * inverse.reshape(shape)
        ctx.save_for_backward(normalised, inverse)
        ctx.count, ctx.group = count, group
        return normalised

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradient of the input: less its mean, and less its part along the normalised input."""
        normalised, inverse = ctx.saved_tensors
        others, shape, channels = _others(normalised), _channels(normalised), normalised.shape[1]
        sums = cat([gradient.sum(others), (gradient * normalised).sum(others)]).to(float64)
        distributed.all_reduce(sums, group=ctx.group)
        means = (sums / ctx.count).to(normalised.dtype)
        mean, along = means[:channels].reshape(shape), means[channels:].reshape(shape)
        return (gradient - mean - normalised * along) * inverse.reshape(shape), None, None, None, None
